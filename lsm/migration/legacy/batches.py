"""A stream in pieces."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """*items* in lists of *size*; the last may be shorter."""
    left = iter(items)
    while part := list(islice(left, size)):
        yield part
