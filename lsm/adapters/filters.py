"""LangGraph's filters: ``{"topic": "food", "score": {"$gte": 3}}``, every condition of which holds.

Plain equality is left to the database; the rest is compared here. As in JSON, 1 equals 1.0 and
not true, and a member that is missing equals null. Texts have an order and numbers have one;
nothing is above or below a value of another kind.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from lsm.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_OPERATORS = ("$eq", "$ne", *_ORDERS)


def equalities(wanted: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The conditions that a database compares, and the others.

    Raises:
        InvalidError: an operator is unknown.
    """
    equal: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, condition in wanted.items():
        _check(name, condition)
        plain = condition
        if isinstance(condition, dict) and condition.keys() == {"$eq"}:
            plain = condition["$eq"]
        # A float can be spelled in several ways, and null stands for what is missing, too.
        if isinstance(plain, (str, bool, int)) and not _huge(plain):
            equal[name] = plain
        else:
            others[name] = condition
    return equal, others


def matches(value: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether *value* meets every condition of *wanted*."""
    return all(_meets(value.get(name), condition) for name, condition in wanted.items())


def _meets(found: Any, condition: Any) -> bool:
    if isinstance(condition, dict):
        if any(name in _OPERATORS for name in condition):
            return all(_compare(found, name, bound) for name, bound in condition.items())
        return isinstance(found, dict) and matches(found, condition)
    if isinstance(condition, (list, tuple)):
        return (
            isinstance(found, (list, tuple))
            and len(found) == len(condition)
            and all(map(_meets, found, condition))
        )
    return isinstance(found, bool) == isinstance(condition, bool) and found == condition


def _compare(found: Any, name: str, bound: Any) -> bool:
    if name == "$eq":
        return _meets(found, bound)
    if name == "$ne":
        return not _meets(found, bound)
    return _ordered(found, bound) and _ORDERS[name](found, bound)


def _ordered(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str)
    return all(
        isinstance(each, (int, float)) and not isinstance(each, bool) for each in (one, other)
    )


def _check(name: str, condition: Any) -> None:
    if not isinstance(condition, dict):
        return
    names = [each for each in condition if str(each).startswith("$")]
    unknown = set(names) - set(_OPERATORS)
    if unknown:
        raise InvalidError("filter", f"{name}: {min(unknown)}: use {', '.join(_OPERATORS)}")
    if names and len(names) < len(condition):
        raise InvalidError("filter", f"{name}: give either operators or members, not both")


def _huge(number: object) -> bool:
    return isinstance(number, int) and abs(number) >= 2**53
