"""What is made at its first use, once, however many threads ask for it at the same time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - used like `property`
    """`functools.cached_property` with a lock, which it has no longer from Python 3.12 on.

    Two threads that come first would otherwise load a model twice, and keep two of what is to be
    shared.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self._lock = threading.RLock()
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, owner: None, kind: type | None = None) -> Self: ...
    @overload
    def __get__(self, owner: object, kind: type | None = None) -> T: ...
    def __get__(self, owner: object | None, kind: type | None = None) -> Self | T:
        if owner is None:
            return self
        with self._lock:
            made = owner.__dict__
            if self._name not in made:
                # From here on Python finds it there and no longer asks us.
                made[self._name] = self._make(owner)
            return made[self._name]
