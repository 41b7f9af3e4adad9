"""What a number of trials came to."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Tally:
    """Trials, what was promised in them, and where a promise was broken."""

    trials: int
    acknowledged: int = 0  # writes, over all trials
    failed: int = 0  # trials with a problem
    problems: list[str] = field(default_factory=list[str])  # the first ones, each once
    deaths: dict[str, int] = field(default_factory=dict[str, int])  # where, and how often
    reads: int = 0  # while others were writing

    def add(self, acknowledged: int, problems: list[str]) -> None:
        """Count one trial."""
        self.acknowledged += acknowledged
        self.failed += bool(problems)
        self.problems += [each for each in problems if each not in self.problems][:20]
