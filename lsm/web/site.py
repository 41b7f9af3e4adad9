"""What the pages of one server share, and what they read of a request."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from lsm.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from lsm.agents.scheduler import AgentScheduler
    from lsm.app import Mind
    from lsm.web.api.running import Runner
    from lsm.web.ingesting import Ingesting
    from lsm.web.keys import Keys
    from lsm.web.render import Renderer

T = TypeVar("T")

PAGE = 50  # rows of a list
MAX_K = 200
MAX_QUERY = 2000  # characters
_MAX_NUMBER = 2**62
_HELD = 20


class Lately:
    """Counts that cost a pass over a table, kept for twenty times as long as they took.

    With few rows that is no time at all; with 100,000 the letters one types do not each count
    them. Whoever changes something in the browser forgets them. Safe between threads.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._held: dict[str, tuple[float, Any]] = {}

    def get(self, name: str, count: Callable[[], T]) -> T:
        """What *count* says, or said a moment ago."""
        begun = self._monotonic()
        until, value = self._held.get(name, (begun, None))
        if until <= begun:
            value = count()
            ended = self._monotonic()
            self._held[name] = (ended + _HELD * (ended - begun), value)
        return value

    def forget(self) -> None:
        """Count anew next time."""
        self._held.clear()


def cookie_name(port: int) -> str:
    """What the cookie of a server is called. Browsers share cookies between ports."""
    return f"lsm_{port}"


@dataclass
class Site:
    """One server."""

    mind: Mind
    keys: Keys
    port: int
    renderer: Renderer
    runner: Runner
    ingesting: Ingesting
    scheduler: AgentScheduler
    runs_schedules: bool  # whether the scheduler runs in here
    say: Callable[[str], None]  # one line for whoever watches the server
    database: str | None = None  # as given on the command line
    stopping: threading.Event = field(default_factory=threading.Event)
    lately: Lately = field(default_factory=Lately)

    @property
    def cookie(self) -> str:
        """The cookie's name."""
        return cookie_name(self.port)


def text_in(request: Request, name: str, default: str = "") -> str:
    """A parameter of the address.

    Raises:
        InvalidError: it is longer than any we take.
    """
    text = request.query_params.get(name, default)
    if len(text) > MAX_QUERY:
        raise InvalidError(name, f"has {len(text):,} characters; at most {MAX_QUERY:,} are taken")
    return text


def number_in(request: Request, name: str, *, most: int = _MAX_NUMBER) -> int | None:
    """A parameter of the address that is a whole number from 0 to *most*; None if it is not there.

    Raises:
        InvalidError: it is something else.
    """
    text = text_in(request, name)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= most):
        raise InvalidError(name, f"must be a number from 0 to {most}")
    return int(text)


async def body_in(request: Request, kind: type[T]) -> T:
    """The body of a request, JSON, as *kind*.

    Raises:
        InvalidError: it is something else; says where.
    """
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise InvalidError("body", str(error)) from error
