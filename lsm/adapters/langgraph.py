"""Memories as a store of LangGraph: ``LangGraphStore(mind.memories.scoped("chat"))``.

A namespace is a scope below the memory store's own, a key is a memory's key, a value its value.
The words and the meaning of the value's fields can be searched; a deleted item can be restored, and
every put is in the memory's history.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from lsm.adapters.filters import equalities, matches
from lsm.agents.memory import Hit, Name, NewMemory
from lsm.agents.memory.values import PERSONAL
from lsm.errors import InvalidError, MissingExtraError, RefusedError

try:
    from langgraph.store.base import (
        BaseStore,
        GetOp,
        Item,
        ListNamespacesOp,
        Op,
        PutOp,
        Result,
        SearchItem,
        SearchOp,
        TTLConfig,
        get_text_at_path,
        validate_op_namespace,
    )
except ImportError as missing:
    raise MissingExtraError("a store for LangGraph", "langgraph") from missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from langgraph.store.base import MatchCondition

    from lsm.agents.memory import Memory, MemoryStore, Page

TYPE = "item"  # of the memories that are LangGraph's; it sees no others
_UNINDEXED = "unindexed"  # tag of an item that no query may find
_MOST = 1000  # memories on a page

# What a part of a scope, or a key, cannot hold as it is; "%" because it marks the rest.
_LABEL = re.compile(r"[%/\x00-\x1f\x7f]|\A\s+|\s+\Z")
_KEY = re.compile(r"[%\x00-\x1f\x7f]|\A\s+|\s+\Z")


class LangGraphStore(BaseStore):
    """A LangGraph store over *memories*. Safe between threads; the async methods use a thread.

    Differences from LangGraph's own stores: all puts of a batch are written, or none; an item has
    one vector of all its indexed fields; what is not indexed is not found by a query; a query finds
    words as well, and only words where the memory store has no embedder; reading does not prolong
    a lifetime, whatever ``refresh_ttl`` says; what has run out is never returned.

    Args:
        memories: of a person's trust, as what LangGraph puts is to be read back without a review.
        fields: paths of what is searched in a value, as LangGraph writes them; None: all of it.
        default_ttl: minutes an item is kept when its put does not say; None: for good.

    Raises:
        RefusedError: *memories* writes on behalf of an agent.
        InvalidError: *fields* is empty.
    """

    __slots__ = ("_fields", "_memories", "_root", "ttl_config")
    supports_ttl = True

    def __init__(
        self,
        memories: MemoryStore,
        *,
        fields: Sequence[str] | None = None,
        default_ttl: float | None = None,
    ) -> None:
        writer = memories.writer
        if writer.trust not in PERSONAL:
            raise RefusedError(
                "what an agent writes waits for a review, and LangGraph reads it back at once; "
                "give the store a writer whose trust is reviewed"
            )
        if fields is not None and not fields:
            raise InvalidError("fields", "name one, or leave it out for the whole value")
        author = writer.author or "langgraph"
        self._memories = memories.acting(replace(writer, trust="reviewed", author=author))
        self._root = writer.scope
        self._fields = fields
        self.ttl_config: TTLConfig | None = {
            "refresh_on_read": False,
            "omit_expired": True,
            "default_ttl": default_ttl,
        }

    def get(
        self, namespace: tuple[str, ...], key: str, *, refresh_ttl: bool | None = None
    ) -> Item | None:
        """As a `batch` of one: it is what a graph does most. *refresh_ttl* changes nothing."""
        op = GetOp(namespace, str(key), refresh_ttl is not False)
        validate_op_namespace(op)
        return self._get(op)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """The result of each of *ops*, in order; reads see what was there before the puts.

        Raises:
            InvalidError: an operation cannot be followed; nothing is written then.
        """
        asked = list(ops)
        for op in asked:
            validate_op_namespace(op)
        results = [self._read(op) for op in asked]
        # The last of several puts to one key counts.
        puts = {(op.namespace, op.key): op for op in asked if isinstance(op, PutOp)}
        if puts:
            self._put(list(puts.values()))
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """As `batch`, in a thread."""
        return await asyncio.to_thread(self.batch, list(ops))

    def _read(self, op: Op) -> Result:
        if isinstance(op, GetOp):
            return self._get(op)
        if isinstance(op, SearchOp):
            return self._search(op)
        if isinstance(op, ListNamespacesOp):
            return self._namespaces(op)
        return None

    def _get(self, op: GetOp) -> Item | None:
        found = self._memories.get_by_key(self._scope(op.namespace), _spelled(op.key, _KEY), TYPE)
        return None if found is None else Item(**self._item(found))

    def _put(self, ops: Sequence[PutOp]) -> None:
        self._memories.place(
            [self._new(op, op.value) for op in ops if op.value is not None],
            gone=[
                Name(self._scope(op.namespace), _spelled(op.key, _KEY), TYPE)
                for op in ops
                if op.value is None
            ],
        )

    def _new(self, op: PutOp, value: Mapping[str, Any]) -> NewMemory:
        key = _spelled(op.key, _KEY)
        text = "" if op.index is False else _text(value, op.index or self._fields)
        return NewMemory(
            text=text or key,
            type=TYPE,
            scope=self._scope(op.namespace),
            key=key,
            value=dict(value),
            tags=() if text else (_UNINDEXED,),
            ttl=None if op.ttl is None else timedelta(minutes=op.ttl),
        )

    def _search(self, op: SearchOp) -> list[SearchItem]:
        if op.limit < 0 or op.offset < 0:
            raise InvalidError("limit", "neither it nor offset may be below 0")
        found = islice(self._found(op), op.offset, op.offset + op.limit)
        return [_search_item(self._item(memory), memory) for memory in found]

    def _found(self, op: SearchOp) -> Iterator[Memory]:
        equal, others = equalities(op.filter or {})
        # What is compared here and not in the database thins a page out.
        page_size = max(1, min((op.offset + op.limit) * (4 if others else 1), _MOST))
        cursor = None
        while True:
            page = self._page(op, equal, page_size, cursor)
            for memory in page:
                hidden = isinstance(memory, Hit) and _UNINDEXED in memory.tags
                if not hidden and matches(memory.value, others):
                    yield memory
            cursor = page.cursor
            if cursor is None:
                return

    def _page(
        self, op: SearchOp, equal: dict[str, Any], limit: int, cursor: str | None
    ) -> Page[Memory] | Page[Hit]:
        scope = self._scope(op.namespace_prefix) or None
        value = equal or None
        if op.query and op.query.strip():
            return self._memories.search(
                op.query, scope=scope, types=(TYPE,), value=value, limit=limit, cursor=cursor
            )
        return self._memories.list(
            scope=scope, types=(TYPE,), value=value, limit=limit, cursor=cursor
        )

    def _namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        every = (self._namespace(each.scope) for each in self._memories.scopes(types=(TYPE,)))
        conditions = op.match_conditions or ()
        kept = {
            namespace[: op.max_depth]
            for namespace in every
            if all(_fits(namespace, condition) for condition in conditions)
        }
        return sorted(kept)[op.offset : op.offset + op.limit]

    def _scope(self, namespace: tuple[str, ...]) -> str:
        return _scope(self._root, tuple(namespace))

    def _namespace(self, scope: str) -> tuple[str, ...]:
        return _namespace(scope[len(self._root) + 1 :] if self._root else scope)

    def _item(self, memory: Memory) -> dict[str, Any]:
        return {
            "value": memory.value,
            "key": unquote(memory.key or ""),
            "namespace": self._namespace(memory.scope),
            # Twenty times as fast as `clock.from_text`, and a get does hardly anything else.
            "created_at": datetime.fromisoformat(memory.created_at),
            "updated_at": datetime.fromisoformat(memory.updated_at),
        }


def _search_item(fields: dict[str, Any], memory: Memory) -> SearchItem:
    return SearchItem(**fields, score=memory.score if isinstance(memory, Hit) else None)


@lru_cache(maxsize=4096)
def _scope(root: str, namespace: tuple[str, ...]) -> str:
    labels = [_spelled(label, _LABEL) for label in namespace]
    return "/".join([root, *labels] if root else labels)


@lru_cache(maxsize=4096)
def _namespace(below: str) -> tuple[str, ...]:
    return tuple(map(unquote, below.split("/"))) if below else ()


@lru_cache(maxsize=4096)  # the labels of a namespace come with every call
def _spelled(word: str, unsafe: re.Pattern[str]) -> str:
    """*word* so that it can be stored and `unquote` gives it back."""
    if not unicodedata.is_normalized("NFC", word):
        return quote(word, safe="")  # it would come back composed otherwise, as another word
    return unsafe.sub(lambda found: quote(found[0], safe=""), word)


def _text(value: Mapping[str, Any], fields: Sequence[str] | None) -> str:
    """What is searched of *value*: the texts at *fields*, or all of it; "" if there is nothing."""
    if fields is None or "$" in fields:
        return "\n".join(_lines(value))
    texts = [text for path in fields for text in get_text_at_path(dict(value), path)]
    return "\n".join(texts).strip()


def _lines(value: Any, name: str = "") -> Iterator[str]:
    """A line for each text, number and truth in *value*, after the name it goes by."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _lines(each, str(key))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _lines(each, name)
    elif value not in (None, ""):
        yield f"{name}: {value}"


def _fits(namespace: tuple[str, ...], condition: MatchCondition) -> bool:
    path = condition.path
    if len(namespace) < len(path):
        return False
    start = 0 if condition.match_type == "prefix" else len(namespace) - len(path)
    part = namespace[start : start + len(path)]
    return all(wanted in ("*", label) for label, wanted in zip(part, path, strict=True))
