"""What operations on memories are given. Patterns say what `checks` of the store would refuse."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from lsm.web.api.operations import Input

# What `checks` takes: one line, not blank, and no character that no text can hold.
_LINE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
_PART = r"[^\x00-\x1f\x7f/\s.]([^\x00-\x1f\x7f/]{0,198}[^\x00-\x1f\x7f/\s])?"
Text = Annotated[str, Meta(min_length=1, max_length=20_000, pattern=r"\S")]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=_LINE)]
Tag = Annotated[str, Meta(min_length=1, max_length=200, pattern=_LINE.replace(r"\x7f", r"\x7f,"))]
Tags = Annotated[tuple[Tag, ...], Meta(max_length=64)]
Scope = Annotated[
    str,
    Meta(
        max_length=2411,
        pattern=rf"^{_PART}(/{_PART}){{0,11}}$",
        description="A path such as team/alpha, with all below it",
    ),
]
Share = Annotated[float, Meta(ge=0, le=1)]
Duration = Annotated[
    str, Meta(pattern=r"^([1-9][0-9]{0,2}[mhdw]|never)$", description="Forget after: 24h, 2w")
]
Query = Annotated[str, Meta(min_length=1, max_length=2000)]
Reason = Annotated[
    str, Meta(max_length=2000, pattern=r"^[^\x00]*$", description="Kept in the history")
]
Limit = Annotated[int, Meta(ge=1, le=200)]
Number = Annotated[
    str, Meta(pattern=r"^[0-9]{1,15}$", description="From the Link of the page before")
]
Id = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class ListQuery(Input, frozen=True):
    """Which memories, and from where on."""

    scope: Scope | UnsetType = UNSET
    type: Name | UnsetType = UNSET
    tag: Tags = ()
    status: Literal["active", "superseded", "expired", "quarantined", "deleted"] = "active"
    limit: Limit = 50
    cursor: Number | UnsetType = UNSET


class SearchQuery(Input, frozen=True):
    """What to recall."""

    query: Query
    scope: Scope | UnsetType = UNSET
    type: Name | UnsetType = UNSET
    tag: Tags = ()
    limit: Limit = 10


class CandidatesQuery(Input, frozen=True):
    """Which candidates, and from where on."""

    status: Literal["pending", "promoted", "rejected", "expired"] = "pending"
    scope: Scope | UnsetType = UNSET
    limit: Limit = 50
    cursor: Number | UnsetType = UNSET


class New(Input, frozen=True):
    """What to remember."""

    text: Text
    type: Name = "fact"
    scope: Scope | UnsetType = UNSET
    key: Name | UnsetType = UNSET
    value: Any = None
    tags: Tags = ()
    ttl: Duration | UnsetType = UNSET
    confidence: Share = 1.0
    source: (
        Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")] | UnsetType
    ) = UNSET
    pinned: bool = False
    author: Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    propose: Annotated[bool, Meta(description="Into the review queue")] = False


class Change(Input, frozen=True):
    """What to change; what is not named stays."""

    text: Text | UnsetType = UNSET
    type: Name | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    confidence: Share | UnsetType = UNSET
    ttl: Duration | UnsetType = UNSET
    pinned: bool | UnsetType = UNSET
    expect_version: Annotated[int, Meta(ge=1, lt=2**53)] | UnsetType = UNSET
    reason: Reason = ""


class Restore(Input, frozen=True):
    """Which version to go back to; without one, as it last was in use."""

    version: Annotated[int, Meta(ge=1, lt=2**53)] | UnsetType = UNSET
    reason: Reason = ""


class Because(Input, frozen=True):
    """Why; kept in the history."""

    reason: Reason = ""


class Promote(Input, frozen=True):
    """Edited words, and which memory's place it takes."""

    text: Text | UnsetType = UNSET
    into: Id | UnsetType = UNSET
    reason: Reason = ""


class ContextBody(Input, frozen=True):
    """What a model is to be told about, and how many tokens that may take."""

    query: Query
    budget: Annotated[int, Meta(ge=1, le=100_000)] = 1500
    scope: Scope | UnsetType = UNSET


class ScopeBody(Input, frozen=True):
    """Where."""

    scope: Scope | UnsetType = UNSET
