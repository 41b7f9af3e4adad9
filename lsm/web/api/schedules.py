"""Operations on agents, their runs and their schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lsm.agents import cron
from lsm.agents.rows import RunRow, ScheduleRow
from lsm.agents.schedules import (
    CronTime,
    Every,
    Once,
    Policy,
    Schedule,
    at_cron,
    duration,
    every,
    once,
)
from lsm.errors import InvalidError, NotFoundError, RefusedError
from lsm.jobs import JobRow
from lsm.web.api.operations import (
    Begun,
    Call,
    Input,
    Listing,
    Nothing,
    Operation,
    delete,
    get,
    post,
)
from lsm.web.api.shapes import AgentRow, RunDetail, Upcoming

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_TIME = rf"^{_DAY}T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?(Z|[+-]\d\d:\d\d)?$"
Length = Annotated[str, Meta(pattern="^[1-9][0-9]{0,5}[smhdw]$", max_length=7)]
Expression = Annotated[str, Meta(min_length=1, max_length=500)]
Zone = Annotated[str, Meta(min_length=1, max_length=64)]
Key = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Many = Annotated[int, Meta(ge=1, le=1000)]


class Params(Input, frozen=True):
    """What to tell the agent."""

    params: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])


class ListQuery(Input, frozen=True):
    """How many, and behind which schedule."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, Meta(max_length=200)] = ""


class NewSchedule(Input, frozen=True):
    """Which agent, and when: exactly one of every, cron and at."""

    agent: Annotated[str, Meta(min_length=1, max_length=100)]
    every: Length | UnsetType = UNSET
    cron: Expression | UnsetType = UNSET
    at: Annotated[str, Meta(pattern=_TIME)] | UnsetType = UNSET
    tz: Zone = "UTC"
    params: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    overlap: Literal["skip", "queue", "cancel", "allow"] = "skip"
    catch_up: Literal["latest", "skip", "all"] | UnsetType = UNSET
    key: Key | UnsetType = UNSET
    timeout: Length = "1h"


class Resume(Input, frozen=True):
    """Whether to make up for what was missed."""

    catch_up: bool = False


class RunNow(Input, frozen=True):
    """Whether another run of it may be going on."""

    force: bool = False


class HistoryQuery(Input, frozen=True):
    """How many, and from where on."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, Meta(max_length=100, pattern=r"^[0-9TZ:.-]{27} [0-9a-f]{24}$")] = ""


class NextQuery(Input, frozen=True):
    """How many."""

    n: Many = 5


class CronQuery(Input, frozen=True):
    """When an expression fires."""

    cron: Expression
    tz: Zone = "UTC"
    n: Many = 5


def _agents(call: Call[Nothing, None]) -> list[AgentRow]:
    found = call.mind.agency.directory.agents()
    return [AgentRow(each.name, each.description, each.kind, each.problem) for each in found]


def _run_agent(call: Call[Nothing, Params]) -> Begun:
    mind, name, params = call.mind, call.place["agent"], call.body.params
    _check(call, name, params)
    job = call.runner.start(
        "agent", lambda _, __: mind.agency.run_agent(name, params), agent=name, params=params
    )
    return Begun(job, f"/jobs/{job.job_id}")


def _run(call: Call[Nothing, None]) -> RunDetail:
    run = call.mind.scheduler.run(call.place["run_id"])
    memories, candidates = call.mind.agency.written_by_run(run.run_id)
    told = vars(run) | {"memories": memories, "candidates": candidates}
    return msgspec.convert(
        {name: told[name] for name in RunDetail.__struct_fields__}, RunDetail, strict=False
    )


def _schedules(call: Call[ListQuery, None]) -> Listing:
    rows = call.mind.scheduler.schedules()
    agent, _, schedule_id = call.query.cursor.partition(" ")
    behind = [row for row in rows if (row.agent_name, row.schedule_id) > (agent, schedule_id)]
    part = behind[: call.query.limit]
    more = len(part) < len(behind)
    return Listing(part, f"{part[-1].agent_name} {part[-1].schedule_id}" if more else None)


def _add(call: Call[Nothing, NewSchedule]) -> Begun:
    new = call.body
    _check(call, new.agent, new.params)
    policy = Policy(
        overlap=new.overlap,
        catch_up=None if new.catch_up is UNSET else new.catch_up,
        timeout_s=duration("timeout", new.timeout),
    )
    schedule = Schedule(
        agent=new.agent,
        trigger=_trigger(new),
        params=new.params,
        key=None if new.key is UNSET else new.key,
        policy=policy,
    )
    row = call.mind.scheduler.add(schedule)
    return Begun(row, f"/schedules/{row.schedule_id}")


def _trigger(new: NewSchedule) -> Every | CronTime | Once:
    """When, as one of the three says it.

    Raises:
        RefusedError: none or several do.
        NotFoundError: there is no such time zone.
        CronError, InvalidError: it cannot be.
    """
    given = [each for each in (new.every, new.cron, new.at) if each is not UNSET]
    if len(given) != 1:
        raise RefusedError("name exactly one of every, cron and at")
    if new.every is not UNSET:
        return every(new.every)
    _zone(new.tz)
    return at_cron(str(given[0]), new.tz) if new.cron is not UNSET else once(str(given[0]), new.tz)


def _zone(name: str) -> ZoneInfo:
    """The time zone called *name*. Raises NotFoundError."""
    try:
        return cron.find_zone(name)
    except InvalidError as error:
        raise NotFoundError("time zone", name) from error


def _check(call: Call[Any, Any], agent: str, params: dict[str, Any]) -> None:
    """Refuse now what could not run later, when nobody looks.

    Raises:
        NotFoundError: there is no such agent.
        RefusedError: it does not take these parameters, or cannot be run.
    """
    try:
        call.mind.agency.check_agent(agent, params)
    except InvalidError as error:
        raise RefusedError(str(error)) from error


def _get(call: Call[Any, None]) -> ScheduleRow:
    return call.mind.scheduler.get(call.place["schedule_id"])


def _remove(call: Call[Nothing, None]) -> ScheduleRow:
    call.mind.scheduler.remove(call.place["schedule_id"])
    return _get(call)


def _pause(call: Call[Nothing, Nothing]) -> ScheduleRow:
    return call.mind.scheduler.pause(call.place["schedule_id"])


def _resume(call: Call[Nothing, Resume]) -> ScheduleRow:
    catch_up = call.body.catch_up
    return call.mind.scheduler.resume(call.place["schedule_id"], catch_up=catch_up)


def _run_now(call: Call[Nothing, RunNow]) -> Begun:
    run = call.mind.scheduler.run_now(call.place["schedule_id"], force=call.body.force)
    return Begun(run, f"/runs/{run.run_id}")


def _history(call: Call[HistoryQuery, None]) -> Listing:
    asked = call.query
    slot, _, run_id = asked.cursor.partition(" ")
    row = _get(call)
    before = (slot, run_id) if asked.cursor else None
    rows = call.mind.scheduler.history_page(row.schedule_id, before, asked.limit)
    more = len(rows) == asked.limit
    return Listing(rows, f"{rows[-1].slot_at} {rows[-1].run_id}" if more else None)


def _next(call: Call[NextQuery, None]) -> Upcoming:
    found = call.mind.scheduler.upcoming(call.place["schedule_id"], call.query.n)
    return Upcoming(tuple(each.isoformat() for each in found))


def _next_of_cron(call: Call[CronQuery, None]) -> Upcoming:
    asked = call.query
    found = cron.next_fires(asked.cron, _zone(asked.tz), call.mind.clock(), asked.n)
    return Upcoming(tuple(each.isoformat() for each in found))


_ONE = "/schedules/{schedule_id}"
OPERATIONS: tuple[Operation, ...] = (
    get("/agents", "listAgents", "Which agents there are.", _agents, list[AgentRow]),
    post(
        "/agents/{agent}/runs",
        "runAgent",
        "Run an agent now, as a job.",
        _run_agent,
        JobRow,
        body=Params,
        status=202,
    ),
    get(
        "/runs/{run_id}",
        "getRun",
        "A run, its report, and what it remembered or proposed.",
        _run,
        RunDetail,
    ),
    get(
        "/schedules",
        "listSchedules",
        "Every schedule and its state.",
        _schedules,
        list[ScheduleRow],
        query=ListQuery,
        paged=True,
    ),
    post(
        "/schedules",
        "addSchedule",
        "Run an agent every so often, at cron times, or once.",
        _add,
        ScheduleRow,
        body=NewSchedule,
        status=201,
    ),
    get(
        "/schedules/next",
        "nextOfCron",
        "When a cron expression fires.",
        _next_of_cron,
        Upcoming,
        query=CronQuery,
    ),
    get(_ONE, "getSchedule", "One schedule.", _get, ScheduleRow),
    delete(_ONE, "removeSchedule", "End a schedule; its history stays.", _remove, ScheduleRow),
    post(
        f"{_ONE}/pause",
        "pauseSchedule",
        "No further runs until it is resumed.",
        _pause,
        ScheduleRow,
        body=Nothing,
    ),
    post(f"{_ONE}/resume", "resumeSchedule", "Go on, from now.", _resume, ScheduleRow, body=Resume),
    post(
        f"{_ONE}/run",
        "runSchedule",
        "Run it as soon as a scheduler looks; its plan stays.",
        _run_now,
        RunRow,
        body=RunNow,
        status=202,
    ),
    get(
        f"{_ONE}/history",
        "scheduleHistory",
        "Its runs, skips and misses, newest first.",
        _history,
        list[RunRow],
        query=HistoryQuery,
        paged=True,
    ),
    get(f"{_ONE}/next", "nextOfSchedule", "When it runs next.", _next, Upcoming, query=NextQuery),
)
