"""How far a run may go, and how far it has gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lsm.config.models.agents import duration

if TYPE_CHECKING:
    from lsm.agents.definitions import Budgets
    from lsm.agents.runtime import RunContext
    from lsm.config.models.agents import LimitsConfig

Limit = Literal["time", "tool_calls", "tokens"]
_CLOSING_SHARE = 0.8  # of time and tokens; what is left is for the report
_MARGIN_S = 5.0  # before the run's own deadline, to have the report stored


@dataclass(frozen=True)
class Limits:
    """The numbers that hold for one run."""

    seconds: float
    tool_calls: int
    tokens: int
    remote_calls: int


def limits_for(own: Budgets, general: LimitsConfig) -> Limits:
    """An agent's own budgets, and the configured ones where it names none."""
    length = duration("time", own.time or general.time)
    assert length is not None  # noqa: S101 - "never" was refused when it was read

    def chosen(mine: int | None, theirs: int) -> int:
        return theirs if mine is None else mine

    return Limits(
        seconds=length.total_seconds(),
        tool_calls=chosen(own.tool_calls, general.tool_calls),
        tokens=chosen(own.tokens, general.tokens),
        remote_calls=chosen(own.remote_calls, general.remote_calls),
    )


class Budget:
    """Counts what one run uses up."""

    def __init__(self, limits: Limits, context: RunContext) -> None:
        self.limits = limits
        self._context = context
        self._at_start = context.remaining()
        self._seconds = max(0.0, min(limits.seconds, self._at_start - _MARGIN_S))
        self.tokens = 0
        self.tool_calls = 0
        self.remote_calls = 0

    def is_out_of_time(self) -> bool:
        """Whether to stop at once."""
        return self._elapsed() >= self._seconds

    def closing(self, request: int) -> Limit | None:
        """What is so nearly used up that the next request, of *request* tokens, is the last."""
        if self.tool_calls >= self.limits.tool_calls:
            return "tool_calls"
        if self.tokens + request >= self.limits.tokens * _CLOSING_SHARE:
            return "tokens"
        return "time" if self._elapsed() >= self._seconds * _CLOSING_SHARE else None

    def over(self, request: int) -> Limit | None:
        """What does not allow even one more request of *request* tokens."""
        if self.tokens + request >= self.limits.tokens:
            return "tokens"
        return "time" if self.is_out_of_time() else None

    def room(self, request: int) -> int:
        """How many tokens an answer to a request of *request* tokens may have."""
        return max(16, self.limits.tokens - self.tokens - request)

    def _elapsed(self) -> float:
        return self._at_start - self._context.remaining()
