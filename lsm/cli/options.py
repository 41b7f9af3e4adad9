"""Options that several commands share, and how people write times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from click.shell_completion import CompletionItem

    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]

in_scope = click.option("--scope", metavar="S", help="A path such as agents/researcher.")
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
with_reason = click.option("--reason", default="", metavar="R", help="Why; kept in the history.")


def given_only(options: dict[str, Any]) -> dict[str, Any]:
    """Those of *options* that the user has given: the services have their own defaults."""
    return {name: value for name, value in options.items() if value not in (None, ())}


def files(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem[str]]:
    """Completes the name of a file or folder: the shell's own business."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(typed, type="file")]


def folders(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem[str]]:
    """Completes the name of a folder."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(typed, type="dir")]


def one_of(*words: str) -> Completer:
    """Completes one of *words*."""

    def complete(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem[str]]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(word) for word in words if word.startswith(typed)]

    return complete


def parse_duration(text: str | None, name: str) -> timedelta | None:
    """``90m``, ``24h``, ``7d``, ``2w``; None for ``never`` and for nothing.

    Raises:
        ConfigError: it is something else; names the option.
    """
    if text is None:
        return None
    from lsm.config.models.agents import duration

    return duration(f"--{name}", text)


def parse_instant(text: str | None, name: str) -> datetime | None:
    """A date (its end, in local time), a date and time, or ``7d``: so long ago.

    Raises:
        InvalidError: it is none of these; names the option.
    """
    if text is None:
        return None
    from lsm.clock import from_text, utc_now
    from lsm.query.when import end

    return from_text(end(text, name, utc_now))
