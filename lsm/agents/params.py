"""What an agent can be told: declared by the agent, checked before it runs."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from lsm.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Param:
    """Something an agent can be told."""

    description: str = ""
    required: bool = False
    default: Any = None  # what JSON holds; None: nothing


def checked_params(
    agent: str, declared: Mapping[str, Param], given: Mapping[str, Any]
) -> dict[str, Any]:
    """*given*, with defaults where nothing is given.

    Raises:
        InvalidError: *agent* takes no such parameter (names the nearest), or one is missing.
    """
    for name in given:
        if name not in declared:
            raise InvalidError(f"parameter {name}", _hint(agent, name, declared))
    missing = [
        name for name, param in declared.items() if param.required and not _said(given, name)
    ]
    if missing:
        example = declared[missing[0]].description or "..."
        raise InvalidError(
            f"parameter {missing[0]}", f"{agent} needs it: --param {missing[0]}='{example}'"
        )
    defaults = {name: each.default for name, each in declared.items() if each.default is not None}
    return defaults | dict(given)


def _said(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name)
    return value is not None and value != ""


def _hint(agent: str, name: str, declared: Mapping[str, Param]) -> str:
    if not declared:
        return f"{agent} takes no parameters"
    near = get_close_matches(name, declared, n=1)
    if near:
        return f"{agent} has none of that name; did you mean {near[0]}?"
    return f"{agent} has none of that name, but {', '.join(declared)}"
