"""What an operation of the API is: one table of them is served, and described, by the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lsm.app import Mind
    from lsm.web.api.running import Runner

Q = TypeVar("Q")
B = TypeVar("B")


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query or the body of an operation."""


class Nothing(Input, frozen=True):
    """No parameters."""


@dataclass(frozen=True)
class Call(Generic[Q, B]):
    """One request, checked."""

    mind: Mind
    runner: Runner
    place: Mapping[str, str]  # what stands in the path
    query: Q
    body: B


@dataclass(frozen=True)
class Listing:
    """A page of a list; the cursor goes into the address of the next one."""

    rows: Sequence[Any]
    cursor: str | None


@dataclass(frozen=True)
class Begun:
    """Something that goes on, and where to look after it."""

    row: Any
    location: str  # below the API


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str  # below the API, with {names}
    name: str
    summary: str  # one sentence
    run: Callable[[Call[Any, Any]], Any]
    answers: Any  # a type, for the description
    query: type[Input] = Nothing
    body: type[Input] | None = None
    status: int = 200
    paged: bool = False
    media: str = "application/json"


def get(
    path: str,
    name: str,
    summary: str,
    run: Callable[[Call[Any, Any]], Any],
    answers: Any,
    **more: Any,
) -> Operation:
    """An operation that only reads."""
    return Operation(
        method="GET", path=path, name=name, summary=summary, run=run, answers=answers, **more
    )


def post(
    path: str,
    name: str,
    summary: str,
    run: Callable[[Call[Any, Any]], Any],
    answers: Any,
    **more: Any,
) -> Operation:
    """An operation that changes something; its body is JSON, if only ``{}``."""
    return Operation(
        method="POST", path=path, name=name, summary=summary, run=run, answers=answers, **more
    )


def patch(
    path: str,
    name: str,
    summary: str,
    run: Callable[[Call[Any, Any]], Any],
    answers: Any,
    **more: Any,
) -> Operation:
    """An operation that changes a part of something."""
    return Operation(
        method="PATCH", path=path, name=name, summary=summary, run=run, answers=answers, **more
    )


def delete(
    path: str,
    name: str,
    summary: str,
    run: Callable[[Call[Any, Any]], Any],
    answers: Any,
    **more: Any,
) -> Operation:
    """An operation that takes something away."""
    return Operation(
        method="DELETE", path=path, name=name, summary=summary, run=run, answers=answers, **more
    )
