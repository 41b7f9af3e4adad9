"""Turning what somebody asks for into the fields of a memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lsm.agents.memory import checks
from lsm.agents.memory.ids import new_id
from lsm.agents.memory.values import Memory
from lsm.clock import to_text
from lsm.errors import InvalidError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from lsm.agents.memory.desk import Desk
    from lsm.agents.memory.values import Changes, NewMemory, Status, Trust

PINNED = "pinned"  # the type that is in every context


def drafted(desk: Desk, new: NewMemory, status: Status, trust: Trust) -> Memory:
    """*new* as a memory that has no number yet.

    Raises:
        InvalidError: a value cannot be remembered.
        RefusedError: its scope is not the store's to write to.
    """
    now = desk.clock()
    words = checks.text(new.text)
    memory_type = checks.name("type", new.type)
    return Memory(
        number=0,
        id=new_id(now),
        type=memory_type,
        key=None if new.key is None else checks.name("key", new.key),
        text=words,
        text_hash=checks.text_hash(words),
        value=_plain(new.value),
        scope=desk.home(new.scope),
        tags=checks.tags(new.tags),
        confidence=checks.confidence(new.confidence),
        status=status,
        trust=trust,
        pinned=new.pinned or memory_type == PINNED,
        author=desk.writer.author if new.author is None else new.author,
        source_run_id=desk.writer.run_id or new.run_id,
        version=1,
        created_at=to_text(now),
        updated_at=to_text(now),
        last_used_at=None,
        last_verified_at=None,
        expires_at=_expiry(desk, memory_type, [_in(desk, new.ttl), new.expires_at]),
        deleted_at=None,
        stale_since=None,
        superseded_by=None,
    )


def edited(desk: Desk, memory: Memory, changes: Changes) -> dict[str, Any]:
    """The fields of *memory* that *changes* names, checked.

    Raises:
        InvalidError: a value cannot be remembered, or nothing is to be changed.
    """
    unknown = set(changes) - set(_EDITABLE)
    if unknown:
        raise InvalidError(min(unknown), f"cannot be changed; {', '.join(_EDITABLE)} can")
    found: dict[str, Any] = {}
    if "text" in changes:
        found["text"] = checks.text(changes["text"])
        found["text_hash"] = checks.text_hash(found["text"])
    if "type" in changes:
        found["type"] = checks.name("type", changes["type"])
        found["pinned"] = memory.pinned or found["type"] == PINNED
    if "scope" in changes:
        found["scope"] = desk.home(changes["scope"])
    if "key" in changes:
        key = changes["key"]
        found["key"] = None if key is None else checks.name("key", key)
    if "value" in changes:
        found["value"] = _plain(changes["value"])
    if "tags" in changes:
        found["tags"] = checks.tags(changes["tags"])
    if "confidence" in changes:
        found["confidence"] = checks.confidence(changes["confidence"])
    if "pinned" in changes:
        found["pinned"] = bool(changes["pinned"])
    return found | _new_expiry(desk, memory, changes, found.get("type", memory.type))


def revived_expiry(desk: Desk, memory_type: str, expires_at: str | None) -> str | None:
    """When something that is brought back runs out: as before, or anew if that is over."""
    if expires_at is None or expires_at > desk.now():
        return expires_at
    return _expiry(desk, memory_type, [])


def refuse_twins(desk: Desk, memory: Memory, replaced: Collection[str] = ()) -> None:
    """Refuse what would stand for the same words, or bear the same name, as another memory.

    Args:
        desk: the store's.
        memory: as it is going to be.
        replaced: ids of memories that give way to it.

    Raises:
        RefusedError: names the other memory.
    """
    same = desk.rows.same(memory)
    if same is not None and same.id not in (memory.id, *replaced):
        raise RefusedError(f"the same words are memory {same.id} already ({same.status})")
    refuse_taken_key(desk, memory, replaced)


def refuse_taken_key(desk: Desk, memory: Memory, replaced: Collection[str] = ()) -> None:
    """As `refuse_twins`, of the name alone.

    Raises:
        RefusedError: names the other memory.
    """
    if memory.key is None:
        return
    holder = desk.rows.keyed(memory.key, memory.scope, memory.type, desk.now())
    if holder is not None and holder.id not in (memory.id, *replaced):
        raise RefusedError(
            f"key {memory.key!r} is memory {holder.id} in {memory.scope}; "
            "edit or supersede that one, or choose another key"
        )


_EDITABLE = (
    "text", "type", "scope", "key", "value", "tags", "confidence", "ttl", "expires_at", "pinned",
)  # fmt: skip


def _new_expiry(desk: Desk, memory: Memory, changes: Changes, memory_type: str) -> dict[str, Any]:
    if "ttl" in changes or "expires_at" in changes:
        limits = [_in(desk, changes.get("ttl")), changes.get("expires_at")]
        return {"expires_at": _expiry(desk, memory_type, limits)}
    if memory_type == memory.type:
        return {}
    capped = _expiry(desk, memory_type, [])
    both = [each for each in (capped, memory.expires_at) if each is not None]
    return {"expires_at": min(both, default=None)}


def _expiry(desk: Desk, memory_type: str, limits: Sequence[datetime | None]) -> str | None:
    """The earliest of *limits* and the end of the type's lifetime."""
    now = to_text(desk.clock())
    found = [to_text(each) for each in limits if checks.instant("expires_at", each) is not None
             and each is not None]  # fmt: skip
    if any(each <= now for each in found):
        raise InvalidError("expires_at", "is over already")
    lifetime = desk.config.lifetime(memory_type)
    if lifetime is not None:
        found.append(to_text(desk.clock() + lifetime))
    return min(found, default=None)


def _in(desk: Desk, ttl: Any) -> datetime | None:
    length = checks.ttl(ttl)
    return None if length is None else desk.clock() + length


def _plain(value: Any) -> Any:
    # As it will be read back: tuples become lists, dates become texts.
    return None if value is None else msgspec.json.decode(checks.value(value))
