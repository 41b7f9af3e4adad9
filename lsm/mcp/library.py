"""`search` and `fetch`: the pair of tools that assistants expect of anything they can read."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lsm.errors import InvalidError, NotFoundError
from lsm.mcp import fence
from lsm.mcp.results import FetchResult, Passage, SearchResult
from lsm.paths import is_address, to_os

if TYPE_CHECKING:
    from lsm.app import Mind
    from lsm.mcp.arguments import Fetch, Search
    from lsm.mcp.caller import Caller
    from lsm.query.search import Hit
    from lsm.query.show import Shown

_MOST_DIGITS = 18  # of the number of a chunk
_METADATA = 20  # entries of what a document says of itself


def search(caller: Caller, given: Search) -> SearchResult:
    """Passages, best first, as many as there is room for."""
    hits = caller.mind.search(
        given.query,
        given.limit,
        path=given.path or None,
        ext=given.ext,
        tag=given.tag,
        since=given.since or None,
        as_of=given.as_of or None,
    )
    room = fence.MAX_TEXT
    passages: list[Passage] = []
    for hit in hits:
        passage = _passage(hit)
        room -= len(passage.text.encode()) + len(passage.title) + len(passage.url)
        if room < 0:
            break
        passages.append(passage)
    return SearchResult(tuple(passages), omitted=len(hits) - len(passages))


def fetch(caller: Caller, given: Fetch) -> FetchResult:
    """The document that a passage is from, or one named by its path; from `offset` on.

    Raises:
        NotFoundError: there is no such passage or document.
        InvalidError: it is shorter than `offset`.
    """
    found = _document(caller.mind, given.id.strip(), given.as_of or None)
    if given.offset > len(found.text):
        raise InvalidError("offset", f"the document has {len(found.text)} characters")
    part = fence.beginning(found.text[given.offset :], fence.MAX_TEXT)
    end = given.offset + len(part)
    return FetchResult(
        id=given.id,
        title=fence.line(found.title),
        text=fence.fenced(part, found.path, trust_of(found.path)),
        url=url_of(found.path),
        metadata=_metadata(found),
        next_offset=end if end < len(found.text) else None,
    )


def trust_of(path: str) -> str:
    """Files are the user's own choice; what was kept of the web is anybody's."""
    return "untrusted" if is_address(path) else "document"


def url_of(path: str, line: int | None = None, page: int | None = None) -> str:
    """Where a person opens it."""
    if is_address(path):
        return path
    place = f"#page={page}" if page is not None else f"#L{line}" if line is not None else ""
    plain = PurePath(to_os(path)).as_posix()
    return f"file://{'' if plain.startswith('/') else '/'}{quote(os.fsencode(plain))}{place}"


def _passage(hit: Hit) -> Passage:
    source = f"{hit.path}#{hit.start_line}"  # as `memory_add` takes it
    text = fence.shortened(hit.text, fence.MAX_PASSAGE)
    return Passage(
        id=str(hit.chunk_id),
        title=fence.line(_title(hit)),
        url=url_of(hit.path, hit.start_line, hit.page),
        text=fence.fenced(text, source, trust_of(hit.path)),
        source=fence.line(source),
        trust=trust_of(hit.path),
        score=hit.score,
    )


def _title(hit: Hit) -> str:
    title = hit.title or os.path.basename(hit.path)
    # Most headings begin with the document's own.
    return hit.heading if hit.heading.startswith(title) else f"{title}: {hit.heading}".rstrip(": ")


def _document(mind: Mind, name: str, as_of: str | None) -> Shown:
    if not name.removeprefix("#").isdecimal():
        return _at_path(mind, name, as_of)
    if len(name) > _MOST_DIGITS:
        raise NotFoundError("passage", name[:80])
    passage = mind.show(name, as_of)
    try:
        return mind.show(passage.path, as_of)
    except NotFoundError:
        # It has left the library since: as it last was with this passage.
        return mind.show(passage.path, passage.version)


def _at_path(mind: Mind, name: str, as_of: str | None) -> Shown:
    if "\0" in name:
        raise NotFoundError("document in the library", fence.line(name))
    try:
        return mind.show(name, as_of)
    except NotFoundError:
        path, mark, line = name.rpartition("#")
        if not (mark and path and line.lstrip("L").isdecimal()):
            raise
        return mind.show(path, as_of)  # the source of a passage, as `search` names it


def _metadata(found: Shown) -> dict[str, Any]:
    own = list(found.metadata.items())[:_METADATA]
    return {fence.line(key): fence.line(value) for key, value in own} | {
        "source": fence.line(found.path),
        "trust": trust_of(found.path),
        "version": found.version,
        "modified_at": found.modified_at,
        "tags": [fence.line(tag) for tag in found.tags],
        "flags": list(found.flags),
        "characters": len(found.text),
    }
