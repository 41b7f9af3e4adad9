"""`lsm schedule`: when agents run, and what became of it."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from lsm.cli import output, runs
from lsm.cli.nearest import NearestGroup
from lsm.cli.options import as_json, one_of
from lsm.cli.service import service
from lsm.errors import InvalidError

if TYPE_CHECKING:
    from lsm.agents.rows import ScheduleRow
    from lsm.app import Mind
    from lsm.cli import Settings

# Its key does as well, and so does the beginning of its id.
SCHEDULE_ID = click.argument("schedule_id", metavar="ID|KEY")


@click.group(cls=NearestGroup)
def schedule() -> None:
    """When agents run. `lsm schedule start` is the scheduler; any number may run at once.

    \b
    lsm schedule add digest --cron '0 8 * * MON-FRI' --tz Europe/Berlin --key morning
    lsm schedule next morning
    lsm schedule start
    """


schedule.add_command(service)


@schedule.command()
@click.argument("name", metavar="AGENT")
@click.option("--every", "every_text", default="", metavar="1h", help="15m, 1h30m, 1d.")
@click.option("--cron", "cron_text", default="", metavar="EXPR", help="'0 9 * * MON-FRI'")
@click.option("--at", "at_text", default="", metavar="TIME", help="Once: 2026-12-31T23:00")
@click.option("--tz", metavar="TZ", help="Such as Europe/Berlin [UTC].")
@runs.with_params
@click.option(
    "--overlap",
    metavar="skip|queue|cancel|allow",
    help="What if it still runs [skip].",
    shell_complete=one_of("skip", "queue", "cancel", "allow"),
)
@click.option(
    "--catch-up",
    metavar="latest|skip|all",
    help="What missed slots become [latest].",
    shell_complete=one_of("latest", "skip", "all"),
)
@click.option("--key", metavar="K", help="A name; with it, only what is given here changes.")
@click.option("--timeout", metavar="1h", help="How long a run may take [1h].")
@as_json
@click.pass_obj
def add(
    settings: Settings, name: str, params: tuple[str, ...], as_json: bool, **given: Any
) -> None:
    """Run AGENT every so often, at cron times, or once; or change how it runs.

    \b
    lsm schedule add librarian --every 1h
    lsm schedule add digest --cron '0 8 * * MON-FRI' --tz Europe/Berlin --key morning
    lsm schedule add digest --key morning --overlap queue
    """
    from lsm.agents.editing import Wanted
    from lsm.agents.schedules import trigger_from

    times = (given["every_text"], given["cron_text"], given["at_text"])
    wanted = Wanted(
        agent=name,
        key=given["key"],
        trigger=trigger_from(*times, given["tz"] or "UTC") if any(times) else None,
        tz=given["tz"],
        params=runs.params(params) if params else None,
        policy=_policy(given["overlap"], given["catch_up"], given["timeout"]),
    )
    with settings.open() as mind:
        mind.agency.check_agent(name, mind.scheduler.planned(wanted).params)
        row = mind.scheduler.put(wanted)
    if as_json:
        output.print_json({"schedule_id": row.schedule_id, "next_run_at": row.next_run_at})
    else:
        click.echo(f"{row.schedule_id}  next {row.next_run_at}")


@schedule.command(name="list")
@as_json
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """Every schedule and its state.

    \b
    lsm schedule list
    """
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
    """One schedule, all of it.

    \b
    lsm schedule show morning
    """
    with settings.open() as mind:
        row = mind.scheduler.find(schedule_id)
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
    """No further runs until `resume`; one that is running goes on.

    \b
    lsm schedule pause morning
    """
    with settings.open() as mind:
        _print_schedule(mind.scheduler.pause(_id(mind, schedule_id)), as_json=as_json)


@schedule.command()
@SCHEDULE_ID
@click.option("--catch-up", is_flag=True, help="Make up for what was missed meanwhile.")
@as_json
@click.pass_obj
def resume(settings: Settings, schedule_id: str, catch_up: bool, as_json: bool) -> None:
    """Go on, from now.

    \b
    lsm schedule resume morning
    lsm schedule resume morning --catch-up
    """
    with settings.open() as mind:
        row = mind.scheduler.resume(_id(mind, schedule_id), catch_up=catch_up)
    _print_schedule(row, as_json=as_json)


@schedule.command()
@SCHEDULE_ID
@as_json
@click.pass_obj
def remove(settings: Settings, schedule_id: str, as_json: bool) -> None:
    """End a schedule; its history stays.

    \b
    lsm schedule remove morning
    """
    with settings.open() as mind:
        known = _id(mind, schedule_id)
        mind.scheduler.remove(known)
        _print_schedule(mind.scheduler.get(known), as_json=as_json)


@schedule.command()
@SCHEDULE_ID
@click.option("--force", is_flag=True, help="Even if another run of it is going on.")
@as_json
@click.pass_obj
def run(settings: Settings, schedule_id: str, force: bool, as_json: bool) -> None:
    """Run it now, here; its plan stays as it is.

    \b
    lsm schedule run morning
    """
    with settings.open() as mind:
        row = runs.row_of(mind, mind.scheduler.run_here(_id(mind, schedule_id), force=force))
    runs.print_run(row, as_json=as_json)
    runs.exit_by(row)


@schedule.command()
@SCHEDULE_ID
@click.option("--limit", default=50, show_default=True, metavar="N", help="How many at most.")
@as_json
@click.pass_obj
def history(settings: Settings, schedule_id: str, limit: int, as_json: bool) -> None:
    """Its runs, skips and misses, newest first, each with its reason.

    \b
    lsm schedule history morning --limit 10
    """
    with settings.open() as mind:
        rows = mind.scheduler.history(_id(mind, schedule_id), limit)
    if as_json:
        output.print_json(rows)
        return
    for row in rows:
        why = row.error or row.reason or ""
        more = f"  also for {row.coalesced} earlier" if row.coalesced else ""
        click.echo(f"{row.slot_at}  {row.state:<10} {row.run_id}  {output.clean(why)}{more}")


@schedule.command(name="next")
@click.argument("schedule_id", metavar="[ID|KEY]", required=False)
@click.option("--cron", "expression", metavar="EXPR", help="An expression instead of a schedule.")
@click.option("--tz", default="UTC", show_default=True, metavar="TZ", help="Of the expression.")
@click.option("--after", metavar="TIME", help="Strictly after this; default now.")
@click.option("-n", "count", default=5, show_default=True, metavar="N", help="How many.")
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
            slots = mind.scheduler.upcoming(_id(mind, schedule_id), count)
        instants = [each.isoformat() for each in slots]
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
    """The scheduler, in the foreground: one line a run, until Ctrl-C or SIGTERM.

    \b
    lsm schedule start
    lsm schedule start --once --json
    """
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
            ended = scheduler.run_due()
            if as_json:
                output.print_json(ended)
        else:
            click.echo(f"{len(scheduler.schedules())} schedules; Ctrl-C stops", err=True)
            scheduler.run_forever(stop)


@schedule.command()
@click.option("--seconds", default=10, show_default=True, metavar="N", help="How long.")
@click.option("--processes", default=6, show_default=True, metavar="N", help="How many at a time.")
@click.option("--seed", default=1, show_default=True, metavar="N", help="The same deaths again.")
@as_json
@click.pass_obj
def torture(settings: Settings, seconds: int, processes: int, seed: int, as_json: bool) -> None:
    """Let processes run schedules and die, and audit what is left (status 1 if wrong).

    In a database of its own, in a temporary folder; --database URL names an empty one instead.

    \b
    lsm schedule torture --seconds 30 --processes 8
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


def _id(mind: Mind, name: str) -> str:
    """The whole id of a schedule that was named by it, its key, or the beginning of its id."""
    return mind.scheduler.find(name).schedule_id


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


def _policy(overlap: str | None, catch_up: str | None, timeout: str | None) -> dict[str, Any]:
    """The fields of a policy that were given."""
    from lsm.agents.schedules import duration

    timeout_s = None if timeout is None else duration("timeout", timeout)
    given = {"overlap": overlap, "catch_up": catch_up, "timeout_s": timeout_s}
    return {name: value for name, value in given.items() if value is not None}


def _print_schedule(row: ScheduleRow, *, as_json: bool) -> None:
    if as_json:
        output.print_json(row)
    else:
        click.echo(_schedule_line(row))


def _schedule_line(row: ScheduleRow) -> str:
    state = f"{row.state} ({row.pause_reason})" if row.pause_reason else row.state
    coming = f"next {row.next_run_at}" if row.next_run_at else state
    error = f"  {output.clean(row.last_error)}" if row.last_error else ""
    return f"{row.schedule_id}  {_named(row)}{coming}  last {row.last_status}{error}"


def _named(row: ScheduleRow) -> str:
    """Its key, if it has one, and its times: ids say neither."""
    from lsm.agents.schedules import from_config, told
    from lsm.errors import LsmError

    try:
        schedule = from_config(row.config_json)
    except LsmError:
        return ""  # the error that stands behind says so
    key = f"{output.clean(schedule.key)}  " if schedule.key else ""
    return f"{key}{told(schedule.trigger)}  "
