"""`status`, `remote_search` and `schedule_list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsm.errors import InvalidError, RefusedError
from lsm.mcp import fence
from lsm.mcp.arguments import nearest
from lsm.mcp.results import RemoteFound, RemoteSearchResult, Scheduled, ScheduleListResult

if TYPE_CHECKING:
    from lsm.agents.rows import ScheduleRow
    from lsm.mcp.arguments import RemoteSearch, ScheduleList, Status
    from lsm.mcp.caller import Caller
    from lsm.remote.results import Found

_MOST_SCHEDULES = 100
_MOST_ROOTS = 50


def status(caller: Caller, _given: Status) -> dict[str, Any]:
    """What `lsm status` says, and what this server may do."""
    found = caller.mind.status()
    roots = [fence.line(root) for root in found["roots"]]
    return found | {
        "roots": roots[:_MOST_ROOTS],
        "remote": list(_enabled(caller)),
        "access": caller.access,
        "scope": caller.scope,
    }


def remote_search(caller: Caller, given: RemoteSearch) -> RemoteSearchResult:
    """Ask a source that the user has enabled.

    Raises:
        InvalidError: it is not enabled.
        RefusedError: it would fetch any address, and the user does not trust this server.
        RemoteError: it did not answer.
    """
    enabled = _enabled(caller)
    if given.provider not in enabled:
        name = fence.line(given.provider)
        hint = nearest(name, enabled) if enabled else "; lsm.toml enables no source"
        raise InvalidError("provider", f"{name} is not enabled{hint}")
    if enabled[given.provider] == "page" and caller.access != "trusted":
        # An address can carry words out: what a document tells an assistant to fetch is not asked.
        raise RefusedError(f"{given.provider}: reading any page needs a server started --trusted")
    answer = caller.mind.remote.search(given.provider, given.query, k=given.limit)
    room = fence.MAX_TEXT
    results: list[RemoteFound] = []
    for found in answer.results:
        shown = _found(found, given.provider)
        room -= len(shown.snippet.encode()) + len(shown.title) + len(shown.url)
        if room >= 0:
            results.append(shown)
    return RemoteSearchResult(
        provider=answer.provider,
        query=answer.query,
        cached=answer.cached,
        stale=answer.stale,
        results=tuple(results),
        problems=tuple(map(fence.line, answer.problems)),
    )


def schedule_list(caller: Caller, _given: ScheduleList) -> ScheduleListResult:
    """When agents run next."""
    rows = caller.mind.scheduler.schedules()
    shown = tuple(map(_scheduled, rows[:_MOST_SCHEDULES]))
    return ScheduleListResult(shown, omitted=len(rows) - len(shown))


def _enabled(caller: Caller) -> dict[str, str]:
    """Kind by name of the sources that may be asked."""
    sources = caller.mind.remote.sources()
    return {source.name: source.kind for source in sources if source.enabled}


def _found(found: Found, provider: str) -> RemoteFound:
    return RemoteFound(
        title=fence.line(found.title),
        url=found.url,
        snippet=fence.fenced(found.snippet, found.url or provider, "untrusted"),
        score=found.score,
        published=found.published,
        source=provider,
    )


def _scheduled(row: ScheduleRow) -> Scheduled:
    return Scheduled(
        schedule_id=row.schedule_id,
        agent_name=fence.line(row.agent_name),
        state=row.state,
        next_run_at=row.next_run_at,
        last_run_at=row.last_run_at,
        last_status=row.last_status,
        last_error=fence.line(row.last_error) if row.last_error else None,
        queued_runs=row.queued_runs,
    )
