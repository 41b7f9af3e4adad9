"""What a schedule says: which agent runs, when, with what, and under which policy.

A schedule's id is computed from what it asks for, never from how it is run, where or by whom, so
that the same entry is the same schedule in every process, on every machine and after a move.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, cast

import msgspec

from lsm.agents import cron
from lsm.clock import to_text
from lsm.errors import InvalidError

Overlap = Literal["skip", "queue", "cancel", "allow"]
CatchUp = Literal["latest", "skip", "all"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(?:\d+[smhdw])+|\d+")
_PART = re.compile(r"(\d+)([smhdw])")
LONGEST_S = 10 * 366 * 86_400
"""Ten years in seconds: no interval or limit is longer."""

_Seconds = Annotated[int, msgspec.Meta(ge=0, le=LONGEST_S)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Every(msgspec.Struct, frozen=True, tag_field="kind", tag="interval"):
    """A slot each *every_s* seconds, counted from the schedule's anchor."""

    every_s: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_S)]


class CronTime(msgspec.Struct, frozen=True, tag_field="kind", tag="cron"):
    """A slot at each instant that *expr* fires in *tz*."""

    expr: str  # canonical, as `Cron.canonical` spells it
    tz: str


class Once(msgspec.Struct, frozen=True, tag_field="kind", tag="once"):
    """One slot."""

    at: str  # UTC, "2026-12-31T23:00:00Z", with a fraction only if there is one


class Manual(msgspec.Struct, frozen=True, tag_field="kind", tag="manual"):
    """No slot: runs only when told to. What `lsm agent run` books its runs on."""


Trigger = Every | CronTime | Once | Manual


class Policy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How runs are admitted, repeated and bounded. Not part of a schedule's identity."""

    overlap: Overlap = "skip"
    max_queued: _Count = 1  # waiting runs under overlap "queue"
    max_parallel: _Count = 4  # waiting and running ones under overlap "allow"
    cancel_grace_s: _Seconds = 10  # how long an agent told to stop may take to do so
    catch_up: CatchUp | None = None  # None: "latest", without having been asked for
    grace_s: _Seconds = 60  # a slot later than this was missed
    max_catch_up: _Count = 10  # make-up runs under catch-up "all"
    window_s: _Seconds | None = None  # older slots are missed, whatever the catch-up
    fold_near: bool = True  # a make-up close to the next slot waits for it
    jitter_s: _Seconds = 0
    max_attempts: Annotated[int, msgspec.Meta(ge=1, le=100)] = 3
    retry_base_s: _Seconds = 30  # before the second attempt; doubles with each further one
    retry_cap_s: _Seconds = 3600
    on_lost: Literal["retry", "record"] = "retry"  # retry: once a slot
    timeout_s: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_S)] = 3600
    pause_after: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 10  # failed slots in a row; 0: never
    run_on_create: bool = False


class Schedule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of the configuration, or what `lsm schedule add` was told."""

    agent: str
    trigger: Trigger
    params: dict[str, Any] = {}  # what JSON holds; text, whole numbers, lists and tables
    key: str | None = None  # keeps the id when params or trigger are edited
    policy: Policy = Policy()
    enabled: bool = True
    description: str = ""


def told(trigger: Trigger) -> str:
    """When it fires, in words: ``every 1h30m``, ``0 9 * * 1-5 Europe/Berlin``."""
    match trigger:
        case Every(every_s=seconds):
            return f"every {_spelled(seconds)}"
        case CronTime(expr=expr, tz=tz):
            return f"{expr} {tz}"
        case Once(at=at):
            return f"once {at}"
        case Manual():
            return "by hand"


def every(interval: str | int) -> Every:
    """``every("1h")``. Raises InvalidError."""
    seconds = duration("every", interval)
    if seconds < 1:
        raise InvalidError("every", "use at least 1s")
    return Every(seconds)


def at_cron(expr: str, tz: str = "UTC") -> CronTime:
    """``at_cron("0 9 * * MON-FRI", "Europe/Berlin")``, in the canonical spelling.

    Raises:
        CronError: the expression is wrong or never fires.
        InvalidError: there is no such time zone.
    """
    canonical = cron.parse(expr).canonical
    cron.find_zone(tz)
    return CronTime(canonical, tz)


def once(at: str | datetime, tz: str = "UTC") -> Once:
    """One instant; a wall time without offset is one of *tz*. Raises InvalidError."""
    try:
        instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    except ValueError as error:
        raise InvalidError("at", f"{at!r} is not a time; write 2026-12-31T23:00") from error
    if instant.tzinfo is None:
        zone = cron.find_zone(tz)
        local = instant
        instant = local.replace(tzinfo=zone).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) != local:
            raise InvalidError("at", f"{at}: the clocks of {tz} leave that time out")
    text = to_text(instant)
    return Once(text.replace(".000000Z", "Z"))


def duration(name: str, text: str | int) -> int:
    """Whole seconds of ``"90s"``, ``"1h30m"``, ``"2w"`` or ``3600``.

    Raises:
        InvalidError: it is not a duration, or longer than ten years; names *name*.
    """
    spelled = str(text).strip().lower().replace(" ", "")
    if not _DURATION.fullmatch(spelled):
        raise InvalidError(name, f"{text!r} is not a duration; write 90s, 15m, 1h30m, 2d or 1w")
    parts = _PART.findall(spelled)
    seconds = sum(int(n) * _UNITS[unit] for n, unit in parts) if parts else int(spelled)
    if seconds > LONGEST_S:
        raise InvalidError(name, f"{text} is longer than ten years")
    return seconds


def checked(schedule: Schedule) -> Schedule:
    """*schedule* if it can run, its texts in Unicode's composed form.

    Raises:
        InvalidError, CronError: naming the field that cannot be used.
    """
    agent = unicodedata.normalize("NFC", schedule.agent)
    if not agent.strip() or len(agent) > 100 or not agent.isprintable():
        raise InvalidError("agent", f"{schedule.agent!r} is not a name")
    normal = msgspec.structs.replace(
        schedule, agent=agent, params=_plain(schedule.params, "params")
    )
    try:
        found = msgspec.json.decode(msgspec.json.encode(normal), type=Schedule)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise InvalidError(f"schedule of {agent}", str(error)) from error
    if isinstance(found.trigger, CronTime):
        canonical = at_cron(found.trigger.expr, found.trigger.tz)
        return msgspec.structs.replace(found, trigger=canonical)
    if isinstance(found.trigger, Once):
        return msgspec.structs.replace(found, trigger=once(found.trigger.at))
    return found


def schedule_id(schedule: Schedule) -> str:
    """``agent:16 hex digits``, from agent, params and trigger, or from agent and key."""
    text = "lsm-schedule\0" + identity(schedule)
    return f"{schedule.agent}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def identity(schedule: Schedule) -> str:
    """The document that the id is hashed from: sorted keys, no blanks, no floats."""
    document: dict[str, object] = {"agent": schedule.agent, "v": 1}
    if schedule.key is not None:
        document["key"] = unicodedata.normalize("NFC", schedule.key)
    else:
        document["params"] = _without_floats(schedule.params)
        document["trigger"] = msgspec.to_builtins(schedule.trigger)
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def to_config(schedule: Schedule) -> str:
    """The whole of *schedule* as JSON; equal schedules, equal text."""
    return msgspec.json.encode(schedule, order="sorted").decode()


def from_config(text: str) -> Schedule:
    """The schedule that `to_config` wrote.

    Raises:
        InvalidError, CronError: the text was damaged, or its cron or zone is no longer known.
    """
    try:
        schedule = _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise InvalidError("config_json", str(error)) from error
    if isinstance(schedule.trigger, CronTime):
        cron.parse(schedule.trigger.expr)
        cron.find_zone(schedule.trigger.tz)
    return schedule


def config_hash(config_json: str) -> str:
    """64 hex digits; differs when anything of the configuration does."""
    return hashlib.sha256(config_json.encode()).hexdigest()


_DECODER = msgspec.json.Decoder(Schedule)


def _plain(value: object, name: str) -> Any:
    """*value* composed (NFC); refuses what JSON or a hash cannot hold."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidError(name, f"{value} is not a number that JSON has")
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item, name) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        table = cast("dict[object, object]", value)
        return {
            _plain(str(key), name): _plain(item, f"{name}.{key}") for key, item in table.items()
        }
    raise InvalidError(name, f"{type(value).__name__} cannot be a parameter; write it as text")


def _without_floats(value: object) -> object:
    # A float's shortest decimal is the same everywhere; its spelling in JSON is not.
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return [_without_floats(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        table = cast("dict[str, object]", value)
        return {key: _without_floats(item) for key, item in table.items()}
    return value


def trigger_from(every_text: str, cron_text: str, at_text: str, tz: str) -> Trigger:
    """The trigger that one of the three names.

    Raises:
        InvalidError: none, or several, or one that cannot be.
        CronError: the cron expression is wrong or never fires.
    """
    if sum(map(bool, (every_text, cron_text, at_text))) != 1:
        raise InvalidError("trigger", "name exactly one of every, cron and at")
    if every_text:
        return every(every_text)
    return at_cron(cron_text, tz) if cron_text else once(at_text, tz)


def from_settings(
    *,
    agent: str,
    tz: str,
    params: dict[str, Any],
    key: str | None,
    enabled: bool,
    **rest: Any,
) -> Schedule:
    """The schedule that an entry of the configuration describes.

    Raises:
        InvalidError, CronError: it cannot be one.
    """
    policy = Policy(
        overlap=rest["overlap"],
        catch_up=rest["catch_up"],
        timeout_s=duration("timeout", rest["timeout"]),
    )
    trigger = trigger_from(rest["every"], rest["cron"], rest["at"], tz)
    return Schedule(
        agent=agent, trigger=trigger, params=params, key=key, enabled=enabled, policy=policy
    )


def _spelled(seconds: int) -> str:
    parts: list[str] = []
    for size, unit in ((604_800, "w"), (86_400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, seconds = divmod(seconds, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts)
