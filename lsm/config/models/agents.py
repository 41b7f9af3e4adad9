"""Settings of what agents learn and how long it is kept."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from lsm.errors import ConfigError

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DURATION = re.compile(r"(\d{1,9})\s*([smhdw])")
_LONGEST = timedelta(days=36_500)
_NEVER = "never"

# A type that stands in neither table is kept for good.
LIFETIMES = {"project_fact": "90d", "task_state": "7d", "cache": "24h"}


def duration(key: str, text: str) -> timedelta | None:
    """The time that *text* names: a number and one of s, m, h, d, w; None for ``never``.

    Raises:
        ConfigError: it is something else, nothing, or more than a hundred years; names *key*.
    """
    if text == _NEVER:
        return None
    match = _DURATION.fullmatch(text.strip().lower())
    if not match:
        raise ConfigError(key, f"{text!r} is no duration; write 90m, 24h, 7d, 2w or never")
    length = int(match[1]) * _UNITS[match[2]] if int(match[1]) < 10**8 else _LONGEST * 2
    if not timedelta() < length <= _LONGEST:
        raise ConfigError(key, f"{text!r} must be more than 0 and at most 100 years")
    return length


class MemoryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is remembered, and for how long."""

    # By type; added to project_fact 90d, task_state 7d and cache 24h. Other types never expire.
    lifetimes: dict[str, str] = {}
    candidate_lifetime: str = "30d"  # what nobody has reviewed by then leaves the queue
    candidates_per_run: Annotated[int, Meta(ge=1)] = 20  # more than that is a run gone wild
    candidates_per_source: Annotated[int, Meta(ge=1)] = 20  # a day, out of one document or URL
    candidates_per_author: Annotated[int, Meta(ge=1)] = 100  # a day, by one agent or program
    recency_half_life: str = "30d"  # after so long, half of the bonus for being new is gone
    context_record: str = "90d"  # how long is kept what was handed to a model

    def __post_init__(self) -> None:
        for name, text in self.lifetimes.items():
            duration(f"agents.memory.lifetimes.{name}", text)
        for name in ("candidate_lifetime", "recency_half_life", "context_record"):
            duration(f"agents.memory.{name}", getattr(self, name))

    def lifetime(self, memory_type: str) -> timedelta | None:
        """The longest a memory of that type is kept; None is for good."""
        text = self.lifetimes.get(memory_type) or LIFETIMES.get(memory_type) or _NEVER
        return duration("agents.memory.lifetimes", text)

    def span(self, name: str) -> timedelta | None:
        """One of the other durations, by its key."""
        return duration(f"agents.memory.{name}", getattr(self, name))


class ScheduleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[agents.schedules]]``: which agent runs, and when: one of every, cron and at."""

    agent: str
    every: str = ""  # 15m, 1h, 1d
    cron: str = ""  # minute hour day month weekday
    at: str = ""  # once: 2026-12-31T23:00
    tz: str = "UTC"  # of cron and at: Europe/Berlin
    params: dict[str, Any] = {}
    key: str | None = None  # keeps the schedule's history when the rest is edited
    overlap: Literal["skip", "queue", "cancel", "allow"] = "skip"
    catch_up: Literal["latest", "skip", "all"] | None = None
    timeout: str = "1h"
    enabled: bool = True

    def __post_init__(self) -> None:
        if sum(map(bool, (self.every, self.cron, self.at))) != 1:
            raise ConfigError(
                f"agents.schedules of {self.agent}", "set exactly one of every, cron and at"
            )


class LimitsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far one run of an agent with a model may go; an agent's own budgets go before these."""

    time: str = "10m"
    tool_calls: Annotated[int, Meta(ge=0, le=10_000)] = 50
    tokens: Annotated[int, Meta(ge=1_000)] = 100_000  # read and written, all requests together
    remote_calls: Annotated[int, Meta(ge=0, le=1_000)] = 10  # of the tool calls, to remote sources
    report_kb: Annotated[int, Meta(ge=1, le=4096)] = 256
    # What may be sent to a remote source. guarded: any words until the run has read both what is
    # private and what somebody else may have written, then only words that a person typed for the
    # run; own_words: only those, always; free: anything.
    remote_queries: Literal["guarded", "own_words", "free"] = "guarded"

    def __post_init__(self) -> None:
        if duration("agents.limits.time", self.time) is None:
            raise ConfigError("agents.limits.time", "a run must end; write 10m")


class AgentsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything below ``[agents]``."""

    memory: MemoryConfig = MemoryConfig()
    limits: LimitsConfig = LimitsConfig()
    schedules: tuple[ScheduleConfig, ...] = ()
