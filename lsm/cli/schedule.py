"""`lsm schedule` and `lsm agent`: when agents run, and what became of it."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from lsm.cli import output
from lsm.cli.nearest import NearestGroup
from lsm.cli.options import as_json
from lsm.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.agents.rows import RunRow, ScheduleRow
    from lsm.app import Mind
    from lsm.cli import Settings

with_params = click.option("--param", "params", multiple=True, metavar="K=V", help="Repeat.")
SCHEDULE_ID = click.argument("schedule_id", metavar="ID")


@click.group(cls=NearestGroup)
def agent() -> None:
    """Agents: what they do, running one, and the report it left."""


@agent.command(name="list")
@as_json
def agent_list(as_json: bool) -> None:
    """Which agents there are."""
    from lsm.agents.builtin import built_in_agents

    found = built_in_agents()
    if as_json:
        output.print_json(found)
        return
    for info in found:
        click.echo(f"{info.name:<10} {info.description}")


@agent.command(name="run")
@click.argument("name")
@with_params
@click.option("--dry-run", is_flag=True, help="Show what it would report; change nothing.")
@as_json
@click.pass_obj
def agent_run(
    settings: Settings, name: str, params: tuple[str, ...], dry_run: bool, as_json: bool
) -> None:
    """Run agent NAME now; the path is that of a scheduled run.

    \b
    lsm agent run digest
    """
    with settings.open() as mind:
        mind.agency.check_agent(name)
        if dry_run:
            outcome = mind.scheduler.rehearse(name, _params(params))
            row = {"run_id": None, "state": "dry run", "report": outcome.report}
            row |= {"result": outcome.result, "memories": [], "candidates": []}
        else:
            row = _run_row(mind, mind.scheduler.run_agent(name, _params(params)))
    _print_run(row, as_json=as_json)
    _exit_by(row)


@agent.command(name="show")
@click.argument("run_id", metavar="RUN")
@as_json
@click.pass_obj
def agent_show(settings: Settings, run_id: str, as_json: bool) -> None:
    """The report of a run, and what it remembered or proposed."""
    with settings.open() as mind:
        row = _run_row(mind, mind.scheduler.run(run_id))
    _print_run(row, as_json=as_json)


@click.group(cls=NearestGroup)
def schedule() -> None:
    """When agents run. `lsm schedule start` is the scheduler; any number may run at once."""


@schedule.command()
@click.argument("name", metavar="AGENT")
@click.option("--every", "every_text", default="", metavar="1h", help="15m, 1h30m, 1d.")
@click.option("--cron", "cron_text", default="", metavar="EXPR", help="'0 9 * * MON-FRI'")
@click.option("--at", "at_text", default="", metavar="TIME", help="Once: 2026-12-31T23:00")
@click.option("--tz", default="UTC", show_default=True, metavar="TZ", help="Europe/Berlin")
@with_params
@click.option("--overlap", default="skip", show_default=True, metavar="skip|queue|cancel|allow")
@click.option("--catch-up", metavar="latest|skip|all", help="What missed slots become [latest].")
@click.option("--key", metavar="K", help="Keeps the id when params or times are edited.")
@click.option("--timeout", default="1h", show_default=True, metavar="1h")
@as_json
@click.pass_obj
def add(
    settings: Settings, name: str, params: tuple[str, ...], as_json: bool, **given: Any
) -> None:
    """Run AGENT every so often, at cron times, or once.

    \b
    lsm schedule add librarian --every 1h
    lsm schedule add digest --cron '0 8 * * MON-FRI' --tz Europe/Berlin
    """
    from lsm.agents.schedules import Schedule, duration, trigger_from

    with settings.open() as mind:
        mind.agency.check_agent(name)
        trigger = trigger_from(
            given["every_text"], given["cron_text"], given["at_text"], given["tz"]
        )
        policy = _policy(given["overlap"], given["catch_up"], duration("timeout", given["timeout"]))
        wanted = Schedule(
            agent=name, trigger=trigger, params=_params(params), key=given["key"], policy=policy
        )
        row = mind.scheduler.add(wanted)
    if as_json:
        output.print_json({"schedule_id": row.schedule_id, "next_run_at": row.next_run_at})
    else:
        click.echo(f"{row.schedule_id}  next {row.next_run_at}")


@schedule.command(name="list")
@as_json
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """Every schedule and its state."""
    with settings.open() as mind:
        rows = mind.scheduler.schedules()
    if as_json:
        output.print_json(rows)
        return
    for row in rows:
        click.echo(_schedule_line(row))
    if not rows:
        click.echo("none yet: lsm schedule add librarian --every 1h")


@schedule.command()
@SCHEDULE_ID
@as_json
@click.pass_obj
def show(settings: Settings, schedule_id: str, as_json: bool) -> None:
    """One schedule, all of it."""
    with settings.open() as mind:
        row = mind.scheduler.get(schedule_id)
    if as_json:
        output.print_json(row)
        return
    for name, value in vars(row).items():
        click.echo(f"{name:<21}{'' if value is None else output.clean(str(value))}")


@schedule.command()
@SCHEDULE_ID
@as_json
@click.pass_obj
def pause(settings: Settings, schedule_id: str, as_json: bool) -> None:
    """No further runs until `resume`; one that is running goes on."""
    with settings.open() as mind:
        _print_schedule(mind.scheduler.pause(schedule_id), as_json=as_json)


@schedule.command()
@SCHEDULE_ID
@click.option("--catch-up", is_flag=True, help="Make up for what was missed meanwhile.")
@as_json
@click.pass_obj
def resume(settings: Settings, schedule_id: str, catch_up: bool, as_json: bool) -> None:
    """Go on, from now."""
    with settings.open() as mind:
        _print_schedule(mind.scheduler.resume(schedule_id, catch_up=catch_up), as_json=as_json)


@schedule.command()
@SCHEDULE_ID
@as_json
@click.pass_obj
def remove(settings: Settings, schedule_id: str, as_json: bool) -> None:
    """End a schedule; its history stays."""
    with settings.open() as mind:
        mind.scheduler.remove(schedule_id)
        _print_schedule(mind.scheduler.get(schedule_id), as_json=as_json)


@schedule.command()
@SCHEDULE_ID
@click.option("--force", is_flag=True, help="Even if another run of it is going on.")
@as_json
@click.pass_obj
def run(settings: Settings, schedule_id: str, force: bool, as_json: bool) -> None:
    """Run it now, here; its plan stays as it is."""
    with settings.open() as mind:
        row = _run_row(mind, mind.scheduler.run_here(schedule_id, force=force))
    _print_run(row, as_json=as_json)
    _exit_by(row)


@schedule.command()
@SCHEDULE_ID
@click.option("--limit", default=50, show_default=True, metavar="N")
@as_json
@click.pass_obj
def history(settings: Settings, schedule_id: str, limit: int, as_json: bool) -> None:
    """Its runs, skips and misses, newest first, each with its reason."""
    with settings.open() as mind:
        rows = mind.scheduler.history(schedule_id, limit)
    if as_json:
        output.print_json(rows)
        return
    for row in rows:
        why = row.error or row.reason or ""
        click.echo(f"{row.slot_at}  {row.state:<10} {row.run_id}  {output.clean(why)}")


@schedule.command(name="next")
@click.argument("schedule_id", metavar="[ID]", required=False)
@click.option("--cron", "expression", metavar="EXPR", help="An expression instead of a schedule.")
@click.option("--tz", default="UTC", show_default=True, metavar="TZ")
@click.option("--after", metavar="TIME", help="Strictly after this; default now.")
@click.option("-n", "count", default=5, show_default=True, metavar="N")
@click.option("--explain", is_flag=True, help="Say why each instant fires, or does not.")
@as_json
@click.pass_obj
def next_(
    settings: Settings, schedule_id: str | None, count: int, as_json: bool, **given: Any
) -> None:
    """When it runs next, clock changes and all.

    \b
    lsm schedule next --cron '30 2 * * *' --tz America/New_York --after 2026-03-07 --explain
    """
    if not 1 <= count <= 1000:
        raise InvalidError("-n", "must be between 1 and 1000")
    if (schedule_id is None) == (given["expression"] is None):
        raise InvalidError("next", "name a schedule or --cron EXPR, one of the two")
    if schedule_id is not None:
        with settings.open() as mind:
            instants = [each.isoformat() for each in mind.scheduler.upcoming(schedule_id, count)]
        why: list[dict[str, Any]] = []
    else:
        instants, why = _next_of_cron(given, count)
    if as_json:
        output.print_json({"next": instants} | ({"explain": why} if given["explain"] else {}))
    elif given["explain"] and why:
        for each in why:
            click.echo(f"{each['at']}  {'' if each['fires'] else 'not: '}{each['why']}")
    else:
        for instant in instants:
            click.echo(instant)


@schedule.command()
@click.option("--once", is_flag=True, help="Do what is due, and end.")
@click.option("--json", "as_json", is_flag=True, help="With --once: the runs, on stdout.")
@click.pass_obj
def start(settings: Settings, once: bool, as_json: bool) -> None:
    """The scheduler, in the foreground: one line a run, until Ctrl-C or SIGTERM."""
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: object) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    with settings.open() as mind:
        mind.agency.follow_config()
        # With --json, stdout is the document's: the lines go to stderr.
        scheduler = mind.agency.scheduler_telling(
            lambda event: click.echo(output.clean(event.text), err=as_json)
        )
        if once:
            runs = scheduler.run_due()
            if as_json:
                output.print_json(runs)
        else:
            click.echo(f"{len(scheduler.schedules())} schedules; Ctrl-C stops", err=True)
            scheduler.run_forever(stop)


@schedule.command()
@click.option("--seconds", default=10, show_default=True, metavar="N", help="How long.")
@click.option("--processes", default=6, show_default=True, metavar="N")
@click.option("--seed", default=1, show_default=True, metavar="N", help="The same deaths again.")
@as_json
@click.pass_obj
def torture(settings: Settings, seconds: int, processes: int, seed: int, as_json: bool) -> None:
    """Let processes run schedules and die, and audit what is left (status 1 if wrong).

    In a database of its own, in a temporary folder; --database URL names an empty one instead.
    """
    import tempfile

    from lsm.agents.torture import Torment
    from lsm.agents.torture import torture as run_torture

    torment = Torment(processes=processes, seconds=seconds, seed=seed)
    with tempfile.TemporaryDirectory(prefix="lsm-torture-") as folder:
        verdict = run_torture(settings.database or f"{folder}/lsm.db", torment)
    if as_json:
        output.print_json(verdict)
    else:
        deaths = sum(verdict.deaths.values())
        click.echo(f"{verdict.runs} runs, {verdict.succeeded} succeeded, {deaths} deaths")
        for problem in verdict.problems:
            click.echo(f"  {problem}")
        click.echo("nothing lost, nothing twice" if not verdict.problems else "NOT sound")
    sys.exit(1 if verdict.problems else 0)


def _next_of_cron(given: dict[str, Any], count: int) -> tuple[list[str], list[dict[str, Any]]]:
    from datetime import UTC, datetime

    from lsm.agents import cron

    zone = cron.find_zone(given["tz"])
    after = datetime.now(UTC)
    if given["after"]:
        try:
            after = datetime.fromisoformat(given["after"])
        except ValueError as error:
            raise InvalidError("after", f"{given['after']!r} is not a time") from error
        after = after if after.tzinfo else after.replace(tzinfo=zone)
    expression = given["expression"]
    instants = [each.isoformat() for each in cron.next_fires(expression, zone, after, count)]
    if not given["explain"]:
        return instants, []
    reasons = cron.explain(expression, zone, after, count)
    return instants, [{"at": r.at.isoformat(), "fires": r.fires, "why": r.why} for r in reasons]


def _params(pairs: Sequence[str]) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InvalidError("--param", f"{pair!r} is not K=V")
        try:
            found[name] = msgspec.json.decode(text)
        except msgspec.DecodeError:
            found[name] = text  # not JSON: then it is the text it looks like
    return found


def _policy(overlap: str, catch_up: str | None, timeout_s: int) -> Any:
    import msgspec

    from lsm.agents.schedules import Policy

    given = {"overlap": overlap, "timeout_s": timeout_s}
    if catch_up is not None:
        given["catch_up"] = catch_up
    try:
        return msgspec.convert(given, Policy)
    except msgspec.ValidationError as error:
        raise InvalidError("schedule", str(error)) from error


def _run_row(mind: Mind, found: RunRow) -> dict[str, Any]:
    """A run with the fields of the JSON contract."""
    memories, candidates = mind.agency.written_by_run(found.run_id)
    return vars(found) | {"memories": memories, "candidates": candidates}


def _print_run(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.print_json(row)
        return
    click.echo(f"{row['run_id'] or ''} {row['state']}".strip(), err=True)
    click.echo((row["report"] or row.get("error") or "no report").rstrip("\n"))


def _exit_by(row: dict[str, Any]) -> None:
    """A run that was made now and did not succeed is a failure of the command."""
    if row["state"] not in ("succeeded", "dry run"):
        sys.exit(1)


def _print_schedule(row: ScheduleRow, *, as_json: bool) -> None:
    if as_json:
        output.print_json(row)
    else:
        click.echo(_schedule_line(row))


def _schedule_line(row: ScheduleRow) -> str:
    state = f"{row.state} ({row.pause_reason})" if row.pause_reason else row.state
    told = f"next {row.next_run_at}" if row.next_run_at else state
    error = f"  {output.clean(row.last_error)}" if row.last_error else ""
    return f"{row.schedule_id}  {told}  last {row.last_status}{error}"
