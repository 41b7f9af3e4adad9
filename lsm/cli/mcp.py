"""`lsm mcp`: the server for assistants, and their settings."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import click

from lsm.cli import output
from lsm.cli.nearest import NearestGroup
from lsm.cli.options import as_json, one_of
from lsm.errors import InvalidError, RefusedError

if TYPE_CHECKING:
    from lsm.cli import Settings
    from lsm.mcp.caller import Access
    from lsm.mcp.clients import Client, Launch
    from lsm.mcp.install import Change

with_client = click.argument(
    "client_name",
    metavar="CLIENT",
    shell_complete=one_of("claude-desktop", "claude-code", "cursor", "vscode", "zed"),
)
with_name = click.option("--name", default="lsm", show_default=True, help="Of the server there.")
with_path = click.option("--path", metavar="FILE", help="Settings elsewhere than usual.")
with_yes = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group(cls=NearestGroup, invoke_without_command=True)
@click.option("--trusted", is_flag=True, help="Memories need no review; pages may be fetched.")
@click.option("--read-only", is_flag=True, help="No memories can be proposed, either.")
@click.pass_context
def mcp(ctx: click.Context, trusted: bool, read_only: bool) -> None:
    """The MCP server for assistants, over standard input and output.

    An assistant starts it; `lsm mcp install` tells it how. What an assistant wants remembered
    waits for `lsm memory review`, unless --trusted.

    \b
    lsm mcp install claude-code
    lsm mcp install claude-desktop --print
    """
    if trusted and read_only:
        raise InvalidError("mcp", "--trusted and --read-only exclude each other")
    if ctx.invoked_subcommand is None:
        _serve(ctx.obj, _access(trusted=trusted, read_only=read_only))
    elif trusted or read_only:
        flag = "--trusted" if trusted else "--read-only"
        raise InvalidError("mcp", f"write {flag} behind {ctx.invoked_subcommand}")


@mcp.command()
@with_client
@click.option("--print", "only_print", is_flag=True, help="Show the entry; write nothing.")
@click.option("--trusted", is_flag=True, help="Memories need no review; pages may be fetched.")
@click.option("--read-only", is_flag=True, help="No memories can be proposed.")
@with_name
@with_path
@with_yes
@as_json
@click.pass_obj
def install(
    settings: Settings, client_name: str, only_print: bool, as_json: bool, **given: str | bool
) -> None:
    """Add this server to CLIENT: claude-desktop, claude-code, cursor, vscode or zed.

    Shows what will change and asks. Everything else in the file stays as it is, comments
    included, and a backup is made. Run it again, and nothing changes.

    \b
    lsm mcp install claude-code
    lsm mcp install zed --read-only --yes
    lsm mcp install cursor --print
    """
    from lsm.mcp.clients import find_client, this_machine
    from lsm.mcp.install import installed

    client = find_client(client_name)
    launch = _launch(settings, trusted=bool(given["trusted"]), read_only=bool(given["read_only"]))
    name, path = str(given["name"]), str(given["path"] or client.path(this_machine()))
    if only_print:
        entry = {client.section: {name: client.entry(launch)}}
        click.echo(f"into {output.short(path)}:", err=True)
        click.echo(json.dumps(entry, indent=2, ensure_ascii=False))
        return
    change = installed(client, path, name, launch)
    _apply(client, change, yes=bool(given["yes"]), as_json=as_json)


@mcp.command()
@with_client
@with_name
@with_path
@with_yes
@as_json
def uninstall(client_name: str, name: str, path: str | None, yes: bool, as_json: bool) -> None:
    """Take this server out of CLIENT; asks first, and makes a backup.

    \b
    lsm mcp uninstall zed
    """
    from lsm.mcp.clients import find_client, this_machine
    from lsm.mcp.install import uninstalled

    client = find_client(client_name)
    change = uninstalled(client, path or client.path(this_machine()), name)
    _apply(client, change, yes=yes, as_json=as_json)


def _serve(settings: Settings, access: Access) -> None:
    if sys.stdin.isatty():
        click.echo("lsm: waiting for an assistant on standard input; see lsm mcp --help", err=True)
    # Opened first: what is wrong with it is one line for whoever reads the client's log.
    with settings.open() as mind:
        from lsm.mcp.stdio import leave, serve_stdio

        serve_stdio(mind, access)
    leave()


def _access(*, trusted: bool, read_only: bool) -> Access:
    return "trusted" if trusted else "read-only" if read_only else "candidates"


def _launch(settings: Settings, *, trusted: bool, read_only: bool) -> Launch:
    """This very command, home and database, as absolute as they can be."""
    from lsm.config import home_path
    from lsm.mcp.clients import Launch
    from lsm.mcp.install import our_command

    if trusted and read_only:
        raise InvalidError("install", "--trusted and --read-only exclude each other")
    args = ["--home", home_path(settings.home)]
    if settings.database:
        args += ["--database", _database(settings.database)]
    flags = ["--trusted"] if trusted else ["--read-only"] if read_only else []
    return Launch(our_command(), (*args, "mcp", *flags))


def _database(given: str) -> str:
    if "://" not in given:
        return os.path.abspath(os.path.expanduser(given))
    from urllib.parse import parse_qs, urlsplit

    parts = urlsplit(given)
    if parts.password or "password" in parse_qs(parts.query):
        raise RefusedError(
            "a password does not belong into an assistant's settings; set [database] url in "
            "lsm.toml, and leave --database out"
        )
    return given


def _apply(client: Client, change: Change, *, yes: bool, as_json: bool) -> None:
    from lsm.mcp.install import write

    place = output.short(change.path)
    backup = None
    if change.needed:
        for line in () if as_json else change.difference():
            click.echo(click.style(output.harmless(line), fg=_colour(line)))
        if not yes:
            _ask(place)
        backup = write(change)
    if as_json:
        told = {"client": client.name, "path": change.path, "changed": change.needed}
        output.print_json(told | {"backup": backup})
        return
    if not change.needed:
        click.echo(f"{place}: nothing to change")
        return
    click.echo(f"written to {place}" + (f"; before: {output.short(backup)}" if backup else ""))
    click.echo(f"now {client.afterwards}")


def _ask(place: str) -> None:
    if not sys.stdin.isatty():
        raise RefusedError(f"{place}: nothing was changed; say --yes to have it written")
    if not click.confirm(f"Write {place}?", err=True):
        raise RefusedError(f"{place}: nothing was changed")


def _colour(line: str) -> str | None:
    return {"+": "green", "-": "red"}.get(line[:1])
