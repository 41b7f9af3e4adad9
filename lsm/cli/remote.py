"""`lsm remote` and `lsm cache`: sources elsewhere, and what they answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lsm.cli import output
from lsm.cli.nearest import NearestGroup
from lsm.cli.options import as_json
from lsm.errors import InvalidError

if TYPE_CHECKING:
    from lsm.cli import Settings


@click.group(cls=NearestGroup)
def remote() -> None:
    """Sources elsewhere. None is asked before lsm.toml enables it.

    \b
    [remote.providers.arxiv]
    enabled = true
    """


@remote.command(name="list")
@as_json
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """Which sources there are, and which may be asked."""
    with settings.open() as mind:
        found = mind.remote.sources()
    if as_json:
        output.print_json(found)
        return
    for source in found:
        state = "enabled" if source.enabled else "off"
        key = f"  key from {source.key_variable}" if source.key_variable else ""
        click.echo(f"{source.name:<18} {state:<8} {source.entries:>5} answers kept{key}")


@remote.command()
@click.argument("provider")
@click.argument("query")
@click.option("-k", "k", default=10, show_default=True, metavar="N")
@click.option("--refresh", is_flag=True, help="Ask, even if the answer kept is fresh.")
@click.option("--offline", is_flag=True, help="Only what is kept, however old.")
@as_json
@click.pass_obj
def search(
    settings: Settings, provider: str, query: str, k: int, as_json: bool, **how: bool
) -> None:
    """Ask PROVIDER; its answer is kept, and served again while it is fresh.

    \b
    lsm remote search arxiv 'dark sky measurements' -k 5
    lsm remote search page https://example.org/article
    """
    with settings.open() as mind:
        answer = mind.remote.search(provider, query, k=k, **how)
        if as_json:
            output.print_json(answer)
        for number, found in enumerate(() if as_json else answer.results, 1):
            click.echo(f"{number:>2}. {click.style(output.clean(found.title), bold=True)}")
            click.echo(f"    {output.clean(found.url)}  {found.published or ''}".rstrip())
            click.echo(f"    {output.clean(found.snippet)[:300]}")
        # Only now: what was not shown counts as unseen.
        mind.remote.mark_shown(answer)
    for problem in answer.problems:
        click.echo(f"lsm: {output.clean(problem)}", err=True)
    if not as_json and not answer.results:
        click.echo("nothing found")


@click.group(cls=NearestGroup)
def cache() -> None:
    """Answers of remote sources: kept, served while fresh, cleared away."""


@cache.command(name="list")
@click.option("--limit", default=100, show_default=True, metavar="N")
@as_json
@click.pass_obj
def cache_list(settings: Settings, limit: int, as_json: bool) -> None:
    """The answers kept, newest first."""
    with settings.open() as mind:
        entries = mind.cache.entries(limit)
    if as_json:
        output.print_json(entries)
        return
    for entry in entries:
        click.echo(f"{entry.created_at}  {entry.provider:<18} {entry.cache_key[:16]}")


@cache.command()
@as_json
@click.pass_obj
def stats(settings: Settings, as_json: bool) -> None:
    """How much is kept, and of whom."""
    with settings.open() as mind:
        found = mind.cache.stats()
    if as_json:
        output.print_json(found)
    else:
        click.echo(
            f"{found.entries} answers, {found.fresh} fresh, {found.bytes:,} of "
            f"{found.limit_bytes:,} bytes"
        )


@cache.command()
@click.option("--expired", is_flag=True, help="What is past its time (the default).")
@click.option("--provider", metavar="P", help="All of one source.")
@click.option("--all", "everything", is_flag=True, help="All.")
@as_json
@click.pass_obj
def purge(
    settings: Settings, expired: bool, provider: str | None, everything: bool, as_json: bool
) -> None:
    """Delete answers; they are asked for again when they are wanted."""
    if expired + (provider is not None) + everything > 1:
        raise InvalidError("purge", "--expired, --provider and --all exclude each other")
    with settings.open() as mind:
        count = mind.cache.purge(provider=provider, everything=everything)
    if as_json:
        output.print_json({"purged": count})
    else:
        click.echo(f"{count} answers deleted")
