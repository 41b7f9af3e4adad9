"""`lsm remote` and `lsm cache`: sources elsewhere, and what they answered."""

from __future__ import annotations

import sys
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

    \b
    lsm remote search arxiv 'dark sky measurements'
    lsm remote keep https://example.org/article
    """


@remote.command(name="list")
@as_json
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """Which sources there are, and which may be asked.

    \b
    lsm remote list
    """
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
@click.option("-k", "k", default=10, show_default=True, metavar="N", help="How many at most.")
@click.option("--refresh", is_flag=True, help="Ask, even if the answer kept is fresh.")
@click.option("--offline", is_flag=True, help="Only what is held, however old.")
@click.option("--newest", is_flag=True, help="The newest rather than the best, where it can tell.")
@as_json
@click.pass_obj
def search(
    settings: Settings, provider: str, query: str, k: int, as_json: bool, **how: bool
) -> None:
    """Ask PROVIDER; its answer is held, and served again while it is fresh.

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
            if snippet := output.clean(found.snippet)[:300]:
                click.echo(f"    {snippet}")
        # Only now: what was not shown counts as unseen.
        mind.remote.mark_shown(answer)
    for problem in answer.problems:
        click.echo(f"lsm: {output.clean(problem)}", err=True)
    if not as_json and not answer.results:
        click.echo("nothing found")


@remote.command()
@click.argument("what", nargs=-1, required=True, metavar="PROVIDER QUERY | URL...")
@click.option("-k", "k", default=10, show_default=True, metavar="N", help="Results of a search.")
@click.option("--only", metavar="1,3", help="Only these results, as `search` numbers them.")
@click.option("--refresh", is_flag=True, help="Ask, even if the answer held is fresh.")
@click.option("--offline", is_flag=True, help="Only what is held, however old.")
@click.option("--newest", is_flag=True, help="The newest rather than the best, where it can tell.")
@as_json
@click.pass_obj
def keep(
    settings: Settings,
    what: tuple[str, ...],
    k: int,
    only: str | None,
    as_json: bool,
    **how: bool,
) -> None:
    """Keep web pages or results as documents: found, cited and versioned like files.

    No ingest takes them out; `lsm remote drop URL` does. Kept again, they are what they are now.

    \b
    lsm remote keep https://example.org/article
    lsm remote keep arxiv 'dark sky measurements' -k 5 --only 1,3
    """
    numbers = _numbers(only)
    with settings.open() as mind:
        report = mind.keep(*what, k=k, numbers=numbers, **how)
    if as_json:
        output.print_json(report)
    for each in () if as_json else report.kept:
        click.echo(f"{each.state:<10}{output.clean(each.url)}  {output.clean(each.title)}")
    for error in report.errors:
        click.echo(f"lsm: {output.clean(error.url)}: {output.clean(error.reason)}", err=True)
    if not as_json:
        version = "nothing changed" if report.version is None else f"version {report.version}"
        click.echo(version if report.kept else "nothing kept")
    if report.errors:
        sys.exit(3 if report.kept else 1)


@remote.command()
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@as_json
@click.pass_obj
def drop(settings: Settings, urls: tuple[str, ...], as_json: bool) -> None:
    """Take kept documents out of the library; its older versions still have them.

    \b
    lsm remote drop https://example.org/article
    """
    with settings.open() as mind:
        version = mind.keeping.drop(*urls)
    if as_json:
        output.print_json({"dropped": urls, "version": version})
    else:
        click.echo(f"{len(urls)} dropped, version {version}")


@remote.command()
@as_json
@click.pass_obj
def kept(settings: Settings, as_json: bool) -> None:
    """What was kept, and when.

    \b
    lsm remote kept
    """
    with settings.open() as mind:
        rows = mind.keeping.kept()
    if as_json:
        output.print_json(rows)
        return
    for row in rows:
        told = f"{row.retrieved_at[:10]}  {row.provider:<12} {output.clean(row.url)}"
        click.echo(f"{told}  {output.clean(row.title)}")
    if not rows:
        click.echo("nothing yet: lsm remote keep https://...")


def _numbers(text: str | None) -> list[int]:
    if text is None:
        return []
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise InvalidError("--only", f"{text!r} is not a list of numbers such as 1,3")
    return list(dict.fromkeys(int(part[:9]) for part in parts))


@click.group(cls=NearestGroup)
def cache() -> None:
    """Answers of remote sources: kept, served while fresh, cleared away.

    \b
    lsm cache stats
    lsm cache purge
    """


@cache.command(name="list")
@click.option("--limit", default=100, show_default=True, metavar="N", help="How many at most.")
@as_json
@click.pass_obj
def cache_list(settings: Settings, limit: int, as_json: bool) -> None:
    """The answers kept, newest first.

    \b
    lsm cache list --limit 20
    """
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
    """How much is kept, and of whom.

    \b
    lsm cache stats
    """
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
    """Delete answers; they are asked for again when they are wanted.

    \b
    lsm cache purge
    lsm cache purge --provider arxiv
    """
    if expired + (provider is not None) + everything > 1:
        raise InvalidError("purge", "--expired, --provider and --all exclude each other")
    with settings.open() as mind:
        count = mind.cache.purge(provider=provider, everything=everything)
    if as_json:
        output.print_json({"purged": count})
    else:
        click.echo(f"{count} answers deleted")
