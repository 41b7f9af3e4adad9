"""Finding memories: filtered in SQL, ranked by words and meaning, page by page to the last."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import msgspec

from lsm.agents.memory import checks, ranking
from lsm.agents.memory.history import states_at
from lsm.agents.memory.ranking import Facts, Now
from lsm.agents.memory.review import number_in
from lsm.agents.memory.rows import STATE
from lsm.agents.memory.values import TRUSTS, Hit, Memory, Page, ScopeInfo, SearchOptions, Status
from lsm.clock import from_text, to_text
from lsm.errors import InvalidError
from lsm.vectordb.base import TextQuery
from lsm.vectordb.memory_index import MemoryWhere, Question

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lsm.agents.memory.desk import Desk
    from lsm.vectordb.base import Vector

Mode = Literal["hybrid", "text", "vector"]

_FACTS = """
SELECT number, updated_at, confidence, trust, pinned, stale_since
  FROM lsm_active_memories
 WHERE number IN :numbers[]
"""

_OPTIONS = frozenset(SearchOptions.__annotations__)
_DEEP = 64  # how far down each list is looked at first; a page that needs more looks further
_DEEPER = 4


class _Cursor(msgspec.Struct, array_like=True):
    """Where a page ended. Factors are measured by the first page's clock, or ranks would drift."""

    query: str  # hash of what was asked
    instant: str
    start: int  # how deep the lists were looked at for the first page
    depth: int  # ... and for the last row of this one
    score: float
    number: int


class _Scored(NamedTuple):
    """A memory in its place."""

    number: int
    score: float
    facts: Facts
    shares: tuple[float, float]  # of the best by words and by meaning
    depth: int


@dataclass(frozen=True)
class Asked:
    """A question, checked."""

    query: str
    where: MemoryWhere
    mode: Mode
    now: Now
    vector: Vector | None
    model: str
    start: int


class Recall:
    """Reads what may be recalled, and nothing else."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def get(self, memory_id: str) -> Memory | None:
        """The memory, if it may be recalled and the store may see it."""
        memory = self._desk.rows.visible(memory_id, self._desk.now())
        return memory if memory and self._desk.covers(memory.scope) else None

    def keyed(self, scope: str, key: str, memory_type: str | None) -> Memory | None:
        """The memory of that name in exactly that scope."""
        path = self._desk.home(scope)
        return self._desk.rows.keyed(key, path, memory_type, self._desk.now())

    def listed(self, status: Status, options: SearchOptions) -> Page[Memory]:
        """Memories by filter alone, newest first."""
        if status in ("pending", "rejected"):
            raise InvalidError("status", f"{status} ones are listed by candidates")
        checks.choice("status", status, get_args(Status))
        limit = limit_in(options)
        if status != "active":
            before = number_in(options.get("cursor")) or 2**62
            if options.get("value"):
                raise InvalidError("value", "only active memories are found by it")
            where = self._where(options)
            hidden = self._desk.rows.with_status(status, where, before, limit + 1)
            more = len(hidden) > limit
            return Page(tuple(hidden[:limit]), str(hidden[limit - 1].number) if more else None)
        before = number_in(options.get("cursor"))
        numbers = self._desk.index.listed(self._where(options), limit + 1, before)
        found = self._desk.rows.by_number(numbers[:limit])
        return Page(tuple(found), str(numbers[limit - 1]) if len(numbers) > limit else None)

    def scopes(self, prefix: str | None, types: Sequence[str]) -> list[ScopeInfo]:
        """Scopes that hold something, by name."""
        where = self._where({"scope": prefix, "types": types})
        return [ScopeInfo(*row) for row in self._desk.index.scopes(where)]

    def search(self, query: str, options: SearchOptions) -> Page[Hit]:
        """Memories that answer *query*, best first."""
        if options.get("as_of") is not None:
            return self._search_then(query, options)
        limit = limit_in(options)
        query = query.encode("utf-8", "replace").decode()
        after = _cursor_in(query, options)
        asked = self._asked(query, options, after)
        depth = after.depth if after else asked.start
        found: list[_Scored] = []
        with self._desk.db.snapshot():
            while True:
                band, exhausted = self._band(asked, depth)
                if after is not None and depth == after.depth:
                    band = [each for each in band if _below(each, after)]
                found += band
                if len(found) > limit or exhausted:
                    break
                depth *= _DEEPER
            hits = self._hits(found[:limit], asked.now)
        return Page(hits, _cursor_of(asked, found[limit - 1]) if len(found) > limit else None)

    def _where(self, options: SearchOptions) -> MemoryWhere:
        if not options.keys() <= _OPTIONS:
            # A filter that is misspelt must not let through what it was to keep out.
            unknown = min(options.keys() - _OPTIONS)
            raise InvalidError(unknown, f"is no option; use {', '.join(sorted(_OPTIONS))}")
        least = options.get("min_trust")
        if least:
            checks.choice("min_trust", least, TRUSTS)
        value = options.get("value")
        for name, wanted in (value or {}).items():
            if isinstance(wanted, (dict, list, tuple)):
                raise InvalidError("value", f"{name}: only texts, numbers, true, false and null")
        return MemoryWhere(
            now=self._desk.now(),
            scope=self._desk.inside(options.get("scope")),
            types=tuple(options.get("types") or ()),
            tags=checks.tags(options.get("tags") or ()),
            trusts=TRUSTS[TRUSTS.index(least) :] if least else (),
            value=value,
        )

    def _asked(self, query: str, options: SearchOptions, after: _Cursor | None) -> Asked:
        embedder = self._desk.embedder
        mode: Mode = options.get("mode") or "hybrid"
        checks.choice("mode", mode, get_args(Mode))
        if mode == "vector" and embedder is None:
            raise InvalidError("mode", "searching by vector needs an embedder; use text")
        vector = None
        if embedder is not None and mode != "text" and query.strip():
            vector = embedder.embed_query(query)
        now = Now(
            from_text(after.instant) if after else self._desk.clock(),
            self._desk.config.span("recency_half_life"),
        )
        model = embedder.model if embedder else ""
        start = after.start if after else _deep(limit_in(options))
        return Asked(query, self._where(options), mode, now, vector, model, start)

    def _band(self, asked: Asked, depth: int) -> tuple[list[_Scored], bool]:
        """What the lists hold down to *depth* and not down to the depth before, best first.

        Also whether there is nothing further down.
        """
        text, vector = self._legs(asked, depth)
        exhausted = len(text) < depth and len(vector) < depth
        shallower = depth // _DEEPER if depth > asked.start else 0
        seen = {number for leg in (text, vector) for number, _ in leg[:shallower]}
        legs = ranking.shares(text), ranking.shares(vector)
        fresh = sorted((legs[0].keys() | legs[1].keys()) - seen)
        rows = self._desk.db.tuples(_FACTS, numbers=fresh)
        return _ranked([Facts(*row) for row in rows], legs, asked, depth), exhausted

    def _hits(self, found: Sequence[_Scored], now: Now) -> tuple[Hit, ...]:
        memories = self._desk.rows.by_number([each.number for each in found])
        scored = {each.number: each for each in found}
        return tuple(_hit(memory, scored[memory.number], now) for memory in memories)

    def _legs(
        self, asked: Asked, depth: int
    ) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
        words = ranking.keywords(asked.query) if asked.mode != "vector" else ()
        question = Question(TextQuery(words) if words else None, asked.vector, asked.model)
        text, vector = self._desk.index.answers(question, depth, asked.where)
        return (
            [(each.number, each.score) for each in text],
            [(each.number, each.score) for each in vector],
        )

    def _search_then(self, query: str, options: SearchOptions) -> Page[Hit]:
        """Memories as they were at an instant, by words: no index is kept of the past."""
        instant = checks.instant("as_of", options.get("as_of"))
        assert instant is not None  # noqa: S101 - the caller has looked
        at = to_text(instant)
        where = self._where(options)
        then = {memory.number: memory for memory in self._then(at, where)}
        texts = {
            number: f"{memory.text} {memory.key or ''} {' '.join(memory.tags)}"
            for number, memory in then.items()
        }
        found = ranking.shares(ranking.matches(query, texts)) if query.strip() else {}
        now = Now(instant, self._desk.config.span("recency_half_life"))
        asked = Asked(query, where, "text", now, None, "", 0)
        facts = [_facts(then[number]) for number in found]
        ranked = _ranked(facts, (found, {}), asked, 0)[: limit_in(options)]
        return Page(tuple(_hit(then[each.number], each, now) for each in ranked))

    def _then(self, at: str, where: MemoryWhere) -> Iterable[Memory]:
        states = states_at(self._desk.db, at)
        for memory_id, memory in self._desk.rows.by_id(states).items():
            version, state = states[memory_id]
            then = replace(memory, **_of_then(state), version=version)
            if _allowed(then, where, at):
                yield then


def limit_in(options: SearchOptions) -> int:
    """How many are asked for.

    Raises:
        InvalidError: not from 1 to 1000.
    """
    limit = options.get("limit", 10)
    if isinstance(limit, bool) or not 1 <= limit <= 1000:
        raise InvalidError("limit", f"{limit} is not from 1 to 1000")
    return limit


def _ranked(
    memories: Sequence[Facts],
    legs: tuple[Mapping[int, float], Mapping[int, float]],
    asked: Asked,
    depth: int,
) -> list[_Scored]:
    has_both = asked.mode != "vector" and asked.vector is not None
    text, vector = legs
    found: list[_Scored] = []
    for memory in memories:
        shares = text.get(memory.number, 0.0), vector.get(memory.number, 0.0)
        score = ranking.relevance(*shares, both=has_both) * ranking.weight(memory, asked.now)
        found.append(_Scored(memory.number, round(score, 9), memory, shares, depth))
    found.sort(key=_place)
    return found


def _place(each: _Scored) -> tuple[float, int]:
    return -each.score, each.number


def _facts(memory: Memory) -> Facts:
    return Facts(*(getattr(memory, name) for name in Facts._fields))


def _hit(memory: Memory, scored: _Scored, now: Now) -> Hit:
    parts = {"text": scored.shares[0], "vector": scored.shares[1]}
    parts |= ranking.factors(scored.facts, now)
    hit = object.__new__(Hit)  # see `rows`: a search makes as many as are asked for
    vars(hit).update(vars(memory), score=scored.score, parts=parts)
    return hit


def _cursor_of(asked: Asked, last: _Scored) -> str:
    cursor = _Cursor(
        query=_hash(asked.query),
        instant=to_text(asked.now.instant),
        start=asked.start,
        depth=last.depth,
        score=last.score,
        number=last.number,
    )
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode()


def _cursor_in(query: str, options: SearchOptions) -> _Cursor | None:
    text = options.get("cursor")
    if text is None:
        return None
    try:
        cursor = msgspec.json.decode(base64.urlsafe_b64decode(text.encode()), type=_Cursor)
        from_text(cursor.instant)
    except (ValueError, msgspec.MsgspecError) as error:
        raise InvalidError("cursor", "give back the one that came with the last page") from error
    if cursor.query != _hash(query):
        raise InvalidError("cursor", "it belongs to another query")
    return cursor


def _hash(query: str) -> str:
    return checks.text_hash(query)[:16]


def _below(hit: _Scored, after: _Cursor) -> bool:
    return (-hit.score, hit.number) > (-after.score, after.number)


def _deep(limit: int) -> int:
    depth = _DEEP
    while depth < 2 * limit:
        depth *= _DEEPER
    return depth


def _of_then(state: dict[str, Any]) -> dict[str, Any]:
    return {name: state[name] for name in STATE} | {"tags": tuple(state["tags"])}


def _allowed(memory: Memory, where: MemoryWhere, at: str) -> bool:
    """What the index compares in SQL, for memories of the past."""
    below = not where.scope or (memory.scope + "/").startswith(where.scope + "/")
    value = memory.value if isinstance(memory.value, dict) else {}
    return (
        memory.status == "active"
        and (memory.expires_at is None or memory.expires_at > at)
        and below
        and (not where.types or memory.type in where.types)
        and (not where.trusts or memory.trust in where.trusts)
        and set(where.tags) <= set(memory.tags)
        and all(name in value and value[name] == each for name, each in (where.value or {}).items())
    )
