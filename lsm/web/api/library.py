"""Operations on documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from lsm.errors import NotFoundError, RefusedError
from lsm.ingest.stats_cache import LibraryStats
from lsm.query.ask import Answer
from lsm.query.search import Hit
from lsm.query.show import Shown
from lsm.web.api.operations import Call, Input, Listing, Operation, get
from lsm.web.api.shapes import StatusInfo

if TYPE_CHECKING:
    from lsm.doctor import Diagnosis

# A date, a date and time, or so long ago: what a person may type, as far as a schema can say it.
_WHEN: dict[str, Any] = {
    "anyOf": [
        {"format": "date"},
        {"pattern": r"^[0-9]{1,3}(h|d|w|mo|y)$"},
    ]
}
Words = Annotated[str, Meta(min_length=1, max_length=2000)]
When = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=40,
        description="A date, or so long ago: 2026-03-01, 7d",
        extra_json_schema=_WHEN,
    ),
]
Text = Annotated[str, Meta(max_length=200)]
Some = Annotated[tuple[Text, ...], Meta(max_length=16)]
Glob = Annotated[str, Meta(max_length=1000, description="A folder, or a glob: notes/**")]
Version = Annotated[int, Meta(ge=0, lt=2**53, description="Of the library, as it was then")]
Cursor = Annotated[str, Meta(max_length=4096, description="From the Link of the page before")]
Limit = Annotated[int, Meta(ge=1, le=200)]


class Where(Input, frozen=True):
    """Which documents."""

    path: Glob = ""
    ext: Some = ()
    tag: Some = ()
    as_of: When | msgspec.UnsetType = msgspec.UNSET
    version: Version | msgspec.UnsetType = msgspec.UNSET


class SearchQuery(Where, frozen=True, kw_only=True):
    """What to find."""

    query: Words
    k: Annotated[int, Meta(ge=1, le=200)] = 10
    mode: Literal["hybrid", "text", "vector"] = "hybrid"
    since: When | msgspec.UnsetType = msgspec.UNSET


class AskQuery(Where, frozen=True, kw_only=True):
    """What to answer."""

    question: Words
    k: Annotated[int, Meta(ge=1, le=50)] = 5


class ShowQuery(Input, frozen=True):
    """What to show."""

    id: Annotated[
        str, Meta(min_length=1, max_length=4096, description="A chunk's number, or a path")
    ]
    as_of: When | msgspec.UnsetType = msgspec.UNSET
    version: Version | msgspec.UnsetType = msgspec.UNSET


class DocumentsQuery(Input, frozen=True):
    """Which documents, and from where on."""

    below: Annotated[str, Meta(max_length=4096, description="How their paths begin")] = ""
    limit: Limit = 50
    cursor: Cursor = ""


class ErrorsQuery(Input, frozen=True):
    """From where on."""

    limit: Limit = 50
    cursor: Cursor = ""


class DocumentRow(msgspec.Struct, frozen=True):
    """A document."""

    document_id: int
    version: int
    path: str
    extension: str
    title: str
    tags: tuple[str, ...]
    modified_at: str
    file_size: int


class ErrorRow(msgspec.Struct, frozen=True):
    """A file that could not be read."""

    path: str
    code: str
    reason: str
    attempts: int


class CheckRow(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


class DiagnosisRow(msgspec.Struct, frozen=True):
    """Everything that was looked at."""

    ok: bool
    checks: tuple[CheckRow, ...]


def _search(call: Call[SearchQuery, None]) -> list[Hit]:
    asked = call.query
    choices = _where(call, asked) | {"mode": asked.mode}
    if asked.since is not msgspec.UNSET:
        choices["since"] = asked.since
    return call.mind.search(asked.query, asked.k, **choices)


def _ask(call: Call[AskQuery, None]) -> Answer:
    return call.mind.ask(call.query.question, call.query.k, **_where(call, call.query))


def _show(call: Call[ShowQuery, None]) -> Shown:
    name = call.query.id
    if "\0" in name or (name.removeprefix("#").isdecimal() and len(name) > 18):
        raise NotFoundError("document or chunk", repr(name[:80]))
    return call.mind.show(name, _then(call, call.query))


def _documents(call: Call[DocumentsQuery, None]) -> Listing:
    asked = call.query
    rows = call.mind.catalogue.documents(
        _storable(asked.cursor), _storable(asked.below), asked.limit
    )
    return Listing(rows, rows[-1].path if len(rows) == asked.limit else None)


def _errors(call: Call[ErrorsQuery, None]) -> Listing:
    asked = call.query
    found = call.mind.catalogue.failures(_storable(asked.cursor), asked.limit)
    rows = [ErrorRow(each.source_path, each.code, each.reason, each.attempts) for each in found]
    return Listing(rows, rows[-1].path if len(rows) == asked.limit else None)


def _status(call: Call[Any, None]) -> dict[str, Any]:
    return call.mind.status()


def _stats(call: Call[Any, None]) -> LibraryStats:
    return call.mind.catalogue.stats()


def _doctor(call: Call[Any, None]) -> Diagnosis:
    from lsm.doctor import diagnose

    return diagnose(call.mind.home, call.mind.db.url)


def _where(call: Call[Any, None], asked: Where) -> dict[str, Any]:
    return {
        "path": asked.path or None,
        "ext": asked.ext,
        "tag": asked.tag,
        "as_of": _then(call, asked),
    }


def _then(call: Call[Any, None], asked: Where | ShowQuery) -> str | int | None:
    """Which state of the library.

    Raises:
        RefusedError: a date and a version are given.
        NotFoundError: there is no such version.
    """
    if asked.version is msgspec.UNSET:
        return None if asked.as_of is msgspec.UNSET else asked.as_of
    if asked.as_of is not msgspec.UNSET:
        raise RefusedError("as_of and version exclude each other; give one of them")
    if asked.version > call.mind.overview().version:
        raise NotFoundError("version of the library", str(asked.version))
    return asked.version


def _storable(text: str) -> str:
    """*text* as a path can begin: what no path holds is left out, and nothing begins so."""
    return text.replace("\0", "\uffff")


OPERATIONS: tuple[Operation, ...] = (
    get(
        "/search", "search", "Passages that fit, best first.", _search, list[Hit], query=SearchQuery
    ),
    get(
        "/ask",
        "ask",
        "An answer from the documents, each statement quoted and cited.",
        _ask,
        Answer,
        query=AskQuery,
    ),
    get("/show", "show", "A document or chunk as stored.", _show, Shown, query=ShowQuery),
    get(
        "/documents",
        "listDocuments",
        "The documents of the library, by path.",
        _documents,
        list[DocumentRow],
        query=DocumentsQuery,
        paged=True,
    ),
    get(
        "/errors",
        "listErrors",
        "Files that could not be read, by path.",
        _errors,
        list[ErrorRow],
        query=ErrorsQuery,
        paged=True,
    ),
    get("/status", "status", "Everything in a few numbers.", _status, StatusInfo),
    get("/stats", "stats", "The library by type, folder, tag and time.", _stats, LibraryStats),
    get("/doctor", "doctor", "Whether all is well, and what to do if not.", _doctor, DiagnosisRow),
)
