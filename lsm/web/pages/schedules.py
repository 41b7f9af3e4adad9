"""When agents run: the timeline, one schedule with its history, and a run's report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.routing import Route

from lsm.agents.schedules import CronTime, Every, Once, Policy, from_config
from lsm.errors import LsmError
from lsm.web.charts import LANE, WIDTH, Window, lanes
from lsm.web.prose import prose
from lsm.web.render import query
from lsm.web.site import PAGE, number_in, text_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from lsm.agents.rows import RunRow, ScheduleRow
    from lsm.web.charts import Lanes
    from lsm.web.site import Site

_DRAWN = 40  # schedules on one page
_RUNS = 2000  # in a timeline
_COMING = 60  # slots of one schedule
_WINDOWS = {"6h": 6, "24h": 24, "7d": 168}  # hours, half of them past


@dataclass(frozen=True)
class Planned:
    """A schedule as it is shown."""

    row: ScheduleRow
    when: str
    overlap: str
    catch_up: str
    lanes: Lanes


def routes(site: Site) -> list[BaseRoute]:
    """Of schedules and runs."""
    scheduler = site.scheduler

    def show(request: Request) -> Response:
        shown = text_in(request, "window") or "24h"
        window = _window(site.mind.clock(), _WINDOWS.get(shown, 24))
        skipped = number_in(request, "from") or 0
        rows = scheduler.schedules()
        part = rows[skipped : skipped + _DRAWN]
        runs = scheduler.recent(window.first, _RUNS)
        behind = skipped + _DRAWN
        values = {
            "planned": [_planned(site, row, runs, window) for row in part],
            "window": window,
            "window_name": shown,
            "windows": _WINDOWS,
            "width": WIDTH,
            "lane": LANE,
            "next": query("/schedules", window=shown, **{"from": behind})
            if behind < len(rows)
            else "",
            "count": len(rows),
            "failing": sum(row.consecutive_failures > 0 for row in rows),
            "agents": [a for a in site.mind.agency.directory.agents() if not a.problem],
            "runs_schedules": site.runs_schedules,
        }
        return site.renderer.page(request, "schedules.html", values)

    def run(request: Request) -> Response:
        found = scheduler.run(request.path_params["run_id"])
        memories, candidates = site.mind.agency.written_by_run(found.run_id)
        values = {
            "run": found,
            "report": prose(found.report) if found.report else None,
            "result": _pretty(found.result_json),
            "memories": memories,
            "candidates": candidates,
        }
        return site.renderer.page(request, "run.html", values)

    return [
        Route("/schedules", show),
        Route("/schedules/{schedule_id:path}", partial(_one, site)),
        Route("/runs/{run_id}", run),
    ]


def _one(site: Site, request: Request) -> Response:
    scheduler = site.scheduler
    row = scheduler.get(request.path_params["schedule_id"])
    slot, run_id = text_in(request, "slot"), text_in(request, "run")
    before = (slot, run_id) if slot else None
    history = scheduler.history_page(row.schedule_id, before, PAGE + 1)
    window = _window(site.mind.clock(), _WINDOWS["24h"])
    last = history[PAGE - 1] if len(history) > PAGE else None
    address = f"/schedules/{row.schedule_id}"
    values = {
        "planned": _planned(site, row, history, window),
        "row": row,
        "window": window,
        "width": WIDTH,
        "lane": LANE,
        "history": history[:PAGE],
        "next": query(address, slot=last.slot_at, run=last.run_id) if last else "",
        "coming": _coming(site, row, 5),
        "runs_schedules": site.runs_schedules,
    }
    return site.renderer.page(request, "schedule.html", values)


def _window(now: datetime, hours: int) -> Window:
    half = timedelta(hours=hours / 2)
    return Window(now - half, now, now + half)


def _planned(site: Site, row: ScheduleRow, runs: Sequence[RunRow], window: Window) -> Planned:
    own = [run for run in runs if run.schedule_id == row.schedule_id]
    coming = _coming(site, row, _COMING) if row.state == "active" else []
    when, policy = _told(row)
    return Planned(
        row,
        when,
        policy.overlap,
        policy.catch_up or "latest",
        lanes(row.schedule_id, own, coming, window),
    )


def _coming(site: Site, row: ScheduleRow, most: int) -> list[datetime]:
    try:
        return site.scheduler.upcoming(row.schedule_id, most)
    except LsmError:
        return []  # what it says cannot be read; the row's last_error says why


def _told(row: ScheduleRow) -> tuple[str, Policy]:
    """When it runs, in words, and how."""
    try:
        schedule = from_config(row.config_json)
    except LsmError:
        return "cannot be read", Policy()
    trigger = schedule.trigger
    if isinstance(trigger, Every):
        return f"every {_span(trigger.every_s)}", schedule.policy
    if isinstance(trigger, CronTime):
        return f"{trigger.expr}, {trigger.tz}", schedule.policy
    return (f"once, {trigger.at}" if isinstance(trigger, Once) else "by hand"), schedule.policy


def _span(seconds: int) -> str:
    for size, unit in ((604_800, "w"), (86_400, "d"), (3600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _pretty(result_json: str | None) -> str:
    if not result_json:
        return ""
    found: Any = msgspec.json.decode(result_json)
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() if found else ""
