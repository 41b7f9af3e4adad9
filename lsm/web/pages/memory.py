"""What is remembered, the queue of what waits to be, and one memory with its past."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from lsm.errors import NotFoundError
from lsm.web.render import query
from lsm.web.site import PAGE, text_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from lsm.agents.memory.store import MemoryStore
    from lsm.agents.memory.values import Candidate, Hit, Memory, Page, Revision, Source
    from lsm.web.site import Site

_REVIEWED_AT_ONCE = 20
_SCOPES = 100
_STATUSES = ("active", "superseded", "expired", "quarantined", "deleted")
# Fields of a revision that say nothing to a person.
_DULL = {"updated_at", "deleted_at", "text_hash"}


@dataclass(frozen=True)
class Waiting:
    """A candidate, and what a reviewer wants to see beside it."""

    candidate: Candidate
    similar: Sequence[Hit]
    sources: Sequence[tuple[Source, str]]
    supersedes: Memory | None


@dataclass(frozen=True)
class Change:
    """A revision, and the fields it changed."""

    revision: Revision
    fields: tuple[tuple[str, str, str], ...]  # name, before, after


def routes(site: Site) -> list[BaseRoute]:
    """Of memories."""
    memories = site.mind.memories

    def show(request: Request) -> Response:
        wanted = text_in(request, "q")
        given = {name: text_in(request, name).strip() for name in ("scope", "type", "status")}
        page = _page(memories, wanted, given, text_in(request, "cursor") or None)
        values = {
            "q": wanted,
            "given": given,
            "page": page,
            "next": query("/memory", q=wanted, **given, cursor=page.cursor) if page.cursor else "",
            "stats": site.lately.get("memories", memories.stats),
            "scopes": site.lately.get("scopes", memories.scopes)[:_SCOPES],
            "statuses": _STATUSES,
        }
        return site.renderer.page(request, "memory.html", values)

    def review(request: Request) -> Response:
        cursor = text_in(request, "cursor") or None
        page = memories.candidates(limit=_REVIEWED_AT_ONCE, cursor=cursor)
        values = {
            "waiting": [_waiting(memories, candidate) for candidate in page],
            "count": site.lately.get("memories", memories.stats).candidates,
            "next": query("/memory/review", cursor=page.cursor) if page.cursor else "",
        }
        return site.renderer.page(request, "review.html", values)

    def one(request: Request) -> Response:
        memory_id: str = request.path_params["memory_id"]
        memory = memories.get(memory_id, hidden=True)
        candidate = None if memory else memories.candidate(memory_id)
        memory = memory or (candidate and candidate.memory)
        if memory is None:
            raise NotFoundError("memory", memory_id)
        changes = [_change(revision) for revision in reversed(memories.history(memory.id))]
        values = {
            "memory": memory,
            "candidate": candidate,
            "sources": _addressed(memories.sources(memory.id)),
            "similar": [
                h for h in memories.similar(memory.text, memory.scope) if h.id != memory.id
            ],
            "changes": changes[:PAGE],
            "more": max(0, len(changes) - PAGE),
        }
        return site.renderer.page(request, "remembered.html", values)

    return [
        Route("/memory", show),
        Route("/memory/review", review),
        Route("/memory/{memory_id}", one),
    ]


def _page(
    memories: MemoryStore, wanted: str, given: dict[str, str], cursor: str | None
) -> Page[Any]:
    options: dict[str, Any] = {"limit": PAGE, "cursor": cursor, "scope": given["scope"] or None}
    if given["type"]:
        options["types"] = [given["type"]]
    if wanted.strip():
        return memories.search(wanted, **options)
    return memories.list(status=given["status"] or "active", **options)  # pyright: ignore[reportArgumentType]


def _waiting(memories: MemoryStore, candidate: Candidate) -> Waiting:
    memory = candidate.memory
    old = candidate.supersedes
    return Waiting(
        candidate,
        [hit for hit in memories.similar(memory.text, memory.scope) if hit.id != memory.id],
        _addressed(memories.sources(memory.id)),
        memories.get(old, hidden=True) if old else None,
    )


def _addressed(sources: Sequence[Source]) -> list[tuple[Source, str]]:
    """Each source and where it is shown; "" where only its name is known."""
    return [(source, _address(source)) for source in sources]


def _address(source: Source) -> str:
    if source.document_id is not None:
        # By the document: a chunk that is gone leads nowhere, a line still does.
        return query(f"/document/{source.document_id}", line=source.line) + "#here"
    if source.kind == "memory":
        return f"/memory/{source.ref}"
    if source.kind == "run":
        return f"/runs/{source.ref}"
    if source.kind == "url" and source.ref.startswith(("https://", "http://")):
        return source.ref
    return ""


def _change(revision: Revision) -> Change:
    before, after = revision.before or {}, revision.after
    changed = [
        (name, _told(before.get(name)), _told(after[name]))
        for name in after
        if name not in _DULL and before.get(name) != after[name] and revision.before is not None
    ]
    return Change(revision, tuple(changed))


def _told(value: object) -> str:
    if value is None or value == "":
        return "nothing"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "nothing"  # pyright: ignore[reportUnknownArgumentType]
    return str(value)
