"""`lsm agent`: what agents there are, running one, writing one, and what one may do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from lsm.cli import output, runs
from lsm.cli.nearest import NearestGroup
from lsm.cli.options import as_json
from lsm.errors import InvalidError

if TYPE_CHECKING:
    from lsm.agents.directory import AgentInfo
    from lsm.agents.grants import Grant
    from lsm.app import Mind
    from lsm.cli import Settings

NAME = click.argument("name")


@click.group(cls=NearestGroup)
def agent() -> None:
    """Agents: what they do, running one, and the report it left.

    \b
    lsm agent list
    lsm agent run digest
    lsm agent new scout --description 'finds what my notes say'
    """


@agent.command(name="list")
@as_json
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """Which agents there are: those that come with lsm, and yours in HOME/agents.

    \b
    lsm agent list
    """
    from lsm.agents.directory import Directory
    from lsm.config import home_path

    found = Directory(home_path(settings.home)).agents()
    if as_json:
        output.print_json(found)
        return
    for info in found:
        if info.problem is None:
            click.echo(_line(info))
        else:
            click.echo(f"lsm: {output.clean(info.problem)}", err=True)


@agent.command()
@NAME
@runs.with_params
@click.option(
    "--dry-run", is_flag=True, help="Show what it would report and change; change nothing."
)
@click.option("--allow", multiple=True, metavar="TOOL", help="In this run only; repeat.")
@as_json
@click.pass_obj
def run(
    settings: Settings,
    name: str,
    params: tuple[str, ...],
    dry_run: bool,
    allow: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run agent NAME now, just as a schedule would.

    \b
    lsm agent run digest
    lsm agent run researcher --param question='How often do we rotate keys?'
    """
    if dry_run and allow:
        raise InvalidError("--allow", "a dry run changes nothing; leave it out")
    told = runs.params(params)
    with settings.open() as mind:
        if sys.stderr.isatty():
            mind.reasoning.on_step = lambda text: click.echo(output.clean(text), err=True)
        if dry_run:
            row = _rehearsed(mind, name, told)
        else:
            row = runs.row_of(mind, mind.agency.run_agent(name, told, allow))
    runs.print_run(row, as_json=as_json)
    for line in row.get("plan", ()) if not as_json else ():
        click.echo(f"would {output.clean(line)}", err=True)
    runs.exit_by(row)


@agent.command()
@click.argument("run_id", metavar="RUN")
@as_json
@click.pass_obj
def show(settings: Settings, run_id: str, as_json: bool) -> None:
    """The report of a run, and what it remembered or proposed.

    \b
    lsm agent show 01a2069a-cd81-7ac5-beb8-0e19f4704ab3
    """
    with settings.open() as mind:
        row = runs.row_of(mind, mind.scheduler.run(run_id))
    runs.print_run(row, as_json=as_json)


@agent.command()
@NAME
@click.option(
    "--description",
    default="says here what it does",
    metavar="TEXT",
    help="What it does, in a sentence.",
)
@as_json
@click.pass_obj
def new(settings: Settings, name: str, description: str, as_json: bool) -> None:
    """Write the file of a new agent, NAME, that explains itself; edit it, and run it.

    \b
    lsm agent new scout --description 'finds what my notes say about a topic'
    """
    from lsm.agents.directory import Directory
    from lsm.config import home_path

    path = Directory(home_path(settings.home)).write_template(name, description)
    if as_json:
        output.print_json({"name": name, "file": path})
    else:
        click.echo(path)


@agent.command()
@NAME
@click.argument("tool")
@click.option("--for", "length", required=True, metavar="7d", help="How long; at most 30d.")
@click.option("--schedule", "schedule_id", default="", metavar="ID", help="Only in its runs.")
@as_json
@click.pass_obj
def grant(
    settings: Settings, name: str, tool: str, length: str, schedule_id: str, as_json: bool
) -> None:
    """Let agent NAME use TOOL, which changes something, for a while.

    Until then, or until it is revoked or the agent's file is edited, it may do so with nobody
    there. Everything else an agent does is reading, and proposing what you review.

    \b
    lsm agent grant scout remember --for 7d
    """
    from lsm.config.models.agents import duration

    until = duration("--for", length)
    if until is None:
        raise InvalidError("--for", "a grant ends; write 7d")
    with settings.open() as mind:
        found = mind.reasoning.grant(name, tool, until, schedule_id)
    _print_grant(found, as_json=as_json)


@agent.command()
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@as_json
@click.pass_obj
def grants(settings: Settings, everything: bool, as_json: bool) -> None:
    """What agents are allowed to do, by whom and until when.

    \b
    lsm agent grants --all
    """
    with settings.open() as mind:
        found = mind.reasoning.grants.grants(everything=everything)
    if as_json:
        output.print_json(found)
        return
    for each in found:
        click.echo(_grant_line(each))
    if not found:
        click.echo("none: agents read and propose", err=True)


@agent.command()
@click.argument("grant_id", metavar="ID")
@as_json
@click.pass_obj
def revoke(settings: Settings, grant_id: str, as_json: bool) -> None:
    """End a grant now; a run that is going on can no longer use it.

    \b
    lsm agent revoke 01a2069a-cd81-7ac5-beb8-0e19f4704ab3
    """
    with settings.open() as mind:
        found = mind.reasoning.grants.revoke(grant_id)
    _print_grant(found, as_json=as_json)


def _rehearsed(mind: Mind, name: str, told: dict[str, Any]) -> dict[str, Any]:
    mind.agency.check_agent(name, told)
    mind.reasoning.check_model(name)
    outcome = mind.scheduler.rehearse(name, told)
    return {
        "run_id": None,
        "state": "dry run",
        "report": outcome.report,
        "result": outcome.result,
        "plan": outcome.plan,
        "memories": [],
        "candidates": [],
    }


def _line(info: AgentInfo) -> str:
    needs = [name for name, param in info.params.items() if param.required]
    told = f"  needs {', '.join(needs)}" if needs else ""
    model = "  (with a model)" if info.needs_model else ""
    return f"{info.name:<10} {output.clean(info.description)}{told}{model}"


def _print_grant(found: Grant, *, as_json: bool) -> None:
    if as_json:
        output.print_json(found)
    else:
        click.echo(_grant_line(found))


def _grant_line(found: Grant) -> str:
    where = ""
    if found.schedule_id is not None:
        where = f" in {found.schedule_id}"
    if found.run_id is not None:
        where = f" in run {found.run_id}"
    end = f"until {found.expires_at}"
    if found.revoked_at is not None:
        end = f"revoked {found.revoked_at} by {output.clean(found.revoked_by or '')}"
    by = output.clean(found.granted_by)
    return f"{found.grant_id}  {found.agent_name} may {found.tool}{where} {end}, by {by}"
