"""Options that several commands share, and how people write times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from datetime import datetime, timedelta

in_scope = click.option("--scope", metavar="S", help="A path such as agents/researcher.")
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


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
