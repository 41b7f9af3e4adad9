"""The predecessor's schedules: entries of its configuration, and when they ran last."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsm.migration.legacy import checks
from lsm.migration.legacy.oldjson import BrokenJsonError, Scanner
from lsm.migration.legacy.records import LegacySchedule, Record, hashed
from lsm.migration.legacy.times import instant_or_none

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MOST_QUEUED = 10**6
_ASKED = ("agent_name", "interval", "params")
_IDENTITY = (*_ASKED, "concurrency_policy", "confirmation_mode")
_WORDS = {"hourly": "3600s", "daily": "86400s", "weekly": "604800s"}


@dataclass(frozen=True)
class Rows:
    """What could be read of the list: each item as text and as Python reads it."""

    rows: list[tuple[str, Any]]
    problem: str = ""  # why it is not all
    lost: str = ""  # the text from where it is broken on


def read_rows(text: str) -> Rows:
    """The items of `schedules` in *text*, up to where it breaks."""
    scanner, found, listed = Scanner(text), list[tuple[str, Any]](), False
    at = scanner.at
    try:
        for key in scanner.members():
            at = scanner.at
            if key != "schedules":
                scanner.value()
                continue
            listed = True
            for _ in scanner.items():
                found.append(scanner.value())
                at = scanner.at
        scanner.end()
    except BrokenJsonError as error:
        return Rows(found, str(error), scanner.rest(at))
    return Rows(found) if listed else Rows([], "it has no list of schedules")


def read_schedules(rows: list[tuple[str, Any]]) -> Iterator[Record[LegacySchedule]]:
    """Each of *rows*; its place in the list means nothing without the configuration of then."""
    ranks = _ranks([value for _, value in rows])
    same: Counter[str] = Counter()
    for place, (raw, value) in enumerate(rows):
        original = raw.encode("utf-8", "surrogatepass")
        try:
            row = checks.object_of("the entry", value)
            identity = _said(row, _IDENTITY)
            same[identity] += 1
            identity = f"{identity} #{same[identity]}"
            schedule = _schedule(row, ranks[identity], hashed(identity)[:12])
        except ValueError as error:
            identity = hashed(str(place), raw)
            key = f"entry {place}"
            yield Record("schedules", key, original, None, trouble=str(error), identity=identity)
        else:
            yield Record("schedules", _key(row, schedule), original, schedule, identity=identity)


def _ranks(values: list[Any]) -> dict[str, int]:
    """From 1 for each entry among those that ask the same agent for the same at the same times.

    Whatever their order in the list: it is that of what they say besides.
    """
    groups: dict[str, list[str]] = {}
    same: Counter[str] = Counter()
    for value in values:
        with suppress(ValueError):
            row = checks.object_of("the entry", value)
            identity = _said(row, _IDENTITY)
            same[identity] += 1
            interval = str(row.get("interval")).strip().lower()
            plain = row | {"interval": _WORDS.get(interval, interval)}
            groups.setdefault(_said(plain, _ASKED), []).append(f"{identity} #{same[identity]}")
    return {each: rank for group in groups.values() for rank, each in enumerate(sorted(group), 1)}


def _schedule(row: dict[str, Any], number: int, mark: str) -> LegacySchedule:
    agent = checks.name(row, "agent_name")
    problems: list[str] = []

    def cell(name: str, read: Callable[[], Any], instead: Any) -> Any:
        try:
            return read()
        except ValueError as error:
            problems.append(str(error) if str(error).startswith(name) else f"{name}: {error}")
            return instead

    def words(name: str, default: str) -> str:
        absent = row.get(name) is None
        return default if absent else cell(name, lambda: checks.text(row, name), default)

    def flag(name: str) -> bool:
        value = row.get(name)
        if value is not None and not isinstance(value, bool):
            problems.append(f"{name} is neither true nor false")
        return value is True

    params = cell("params", lambda: _params(row), {})
    return LegacySchedule(
        agent=agent,
        interval=words("interval", ""),
        enabled=flag("enabled") if "enabled" in row else True,
        policy=words("concurrency_policy", "skip"),
        mode=words("confirmation_mode", ""),
        params=params,
        number=number,
        mark=mark,
        last_run_at=cell("last_run_at", lambda: instant_or_none(row.get("last_run_at")), None),
        next_run_at=cell("next_run_at", lambda: instant_or_none(row.get("next_run_at")), None),
        last_status=words("last_status", "idle"),
        last_error=words("last_error", "") or None,
        queued_runs=cell("queued_runs", lambda: _queued(row), 0),
        running=flag("running"),
        problems=tuple(problems),
    )


def _params(row: dict[str, Any]) -> dict[str, Any]:
    value = row.get("params")
    if value is None:
        return {}
    return checks.json_value("params", checks.object_of("params", value))


def _queued(row: dict[str, Any]) -> int:
    if row.get("queued_runs") is None:
        return 0
    return min(checks.whole(row, "queued_runs", 0), _MOST_QUEUED)


def _said(row: dict[str, Any], names: tuple[str, ...]) -> str:
    try:
        return json.dumps([row.get(name) for name in names], sort_keys=True)
    except RecursionError:
        raise ValueError("params are nested too deep") from None


def _key(row: dict[str, Any], schedule: LegacySchedule) -> str:
    legacy_id = row.get("id")
    try:
        return checks.name({"id": legacy_id}, "id")
    except ValueError:
        return f"{schedule.agent} {schedule.interval}".strip()
