"""Templates, and how numbers, times and names look in them.

Everything that is printed is escaped, and before that made visible: no template can forget it.
"""

from __future__ import annotations

import os
import re
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from starlette.responses import HTMLResponse

import lsm
from lsm.clock import from_text
from lsm.once import once
from lsm.web.texts import MARKDOWN, heading, path_text, unsigned, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from jinja2 import Environment
    from starlette.requests import Request

    from lsm.agents.rows import RunRow
    from lsm.clock import Clock

_HERE = os.path.dirname(__file__)
STATIC = os.path.join(_HERE, "static")
_TEMPLATES = os.path.join(_HERE, "templates")
_STEPS = ((60, "s"), (60, "min"), (24, "h"), (7, "d"), (5, "wk"))
_BREAK = re.compile(r"(?<!\n)\n(?!\n)")
_LONG_PATH = 96  # characters
_LONG_AGO = 60 * 60 * 24 * 28  # seconds; then the day is told instead


class Renderer:
    """Draws pages."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock

    def page(
        self,
        request: Request | None,
        template: str,
        values: Mapping[str, Any] | None = None,
        status: int = 200,
    ) -> HTMLResponse:
        """A page; *request* None draws it for a stranger."""
        theme = request.cookies.get("lsm_theme", "") if request is not None else ""
        common = {
            "theme": theme if theme in ("light", "dark") else "",
            "here": request.url.path if request is not None else "",
            "known": request is not None,
            "version": lsm.__version__,
            "query": query,
        }
        html = self._environment.get_template(template).render(**common, **(values or {}))
        return HTMLResponse(html, status)

    @once
    def _environment(self) -> Environment:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_finalize,
        )
        environment.filters.update(_FILTERS, ago=self._ago, due=self._due)
        return environment

    def _due(self, instant: str | None) -> str:
        """When something to come is; what should have begun already is due."""
        if not instant or from_text(instant) <= self._now():
            return "due" if instant else "never"
        return distance(from_text(instant), self._now())

    def _ago(self, instant: str | None) -> str:
        return "never" if not instant else distance(from_text(instant), self._now())


def _finalize(value: object) -> object:
    # Markup is a string too, but what is in it has been seen to.
    return visible(value) if type(value) is str else value


def query(path: str, /, **values: object) -> str:
    """*path* with those of *values* that say anything as its query."""
    given = {name: value for name, value in values.items() if value not in (None, "", ())}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def distance(instant: datetime, now: datetime) -> str:
    """How far *instant* is from *now*, roughly: ``3 h ago``, ``in 5 min``; else its day."""
    seconds = (now - instant).total_seconds()
    if abs(seconds) > _LONG_AGO:
        return instant.astimezone().strftime("%Y-%m-%d")
    amount, unit = abs(seconds), "s"
    if amount < 10:
        return "just now" if seconds >= 0 else "now"
    for size, name in _STEPS:
        unit = name
        if amount < size:
            break
        amount /= size
    told = f"{int(amount)} {unit}"
    return f"{told} ago" if seconds >= 0 else f"in {told}"


def moment(instant: str | None) -> str:
    """A stored instant as the clock on the wall shows it."""
    if not instant:
        return "never"
    return from_text(instant).replace(tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def bytes_text(count: int) -> str:
    """``1.4 MB``"""
    amount, unit = float(count), "bytes"
    for name in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, name
    return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def count_text(count: int) -> str:
    """``12,345``"""
    return f"{count:,}"


def short(path: str) -> str:
    """A stored path with the user's home as ``~``."""
    home = os.path.expanduser("~") + os.sep
    return f"~{os.sep}{path[len(home) :]}" if path.startswith(home) and home != "//" else path


def name(path: str) -> str:
    """The last part of a stored path."""
    return path_text(os.path.basename(path))


def short_text(path: str) -> str:
    """A stored path as people read it."""
    return path_text(short(path))


def brief(path: str) -> str:
    """`short_text`, the middle left out of a very long one: its beginning and its name tell."""
    text = short_text(path)
    if len(text) <= _LONG_PATH:
        return text
    return f"{text[: _LONG_PATH // 3]}\u2026{text[-(2 * _LONG_PATH // 3) :]}"


def folder(path: str) -> str:
    """All but the last part of a stored path."""
    return path_text(short(os.path.dirname(path)))


def day(instant: str | None) -> str:
    """The day of a stored instant."""
    return moment(instant)[:10]


def url(text: object) -> str:
    """*text* as one part of an address."""
    return quote(str(text), safe="")


def quoted(text: str, path: str) -> str:
    """Words of a document, without the signs that its format needs."""
    if not path.endswith(MARKDOWN):
        return text
    # Lines are broken where the window ends, not where the file's were.
    return _BREAK.sub(" ", unsigned(text).strip())


def took(run: RunRow) -> str:
    """How long a run took; "" for one that has not ended."""
    if run.started_at is None or run.finished_at is None:
        return ""
    seconds = (from_text(run.finished_at) - from_text(run.started_at)).total_seconds()
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


_FILTERS: dict[str, Callable[..., str]] = {
    "moment": moment,
    "day": day,
    "bytes": bytes_text,
    "count": count_text,
    "path": path_text,
    "name": name,
    "folder": folder,
    "short": short_text,
    "brief": brief,
    "url": url,
    "took": took,
    "headings": heading,
    "unsigned": quoted,
}
