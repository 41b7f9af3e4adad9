"""Whether promises hold on this machine's own disk: processes are killed, the power is cut."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.selftest.tally import Tally

Step = tuple[str, int]  # what is being done, and how many trials of it there are


@dataclass(frozen=True)
class Trial:
    """One line of the table."""

    name: str
    trials: int
    acknowledged: int
    failed: int
    ok: bool
    problems: tuple[str, ...]
    seconds: float
    deaths: dict[str, int] = field(default_factory=dict[str, int])  # where, and how often
    reads: int = 0  # of documents while they were being replaced


@dataclass(frozen=True)
class SelfTest:
    """Everything that was tried."""

    ok: bool
    checks: tuple[Trial, ...]


def selftest(
    beside: str, *, kills: int, cuts: int, seed: int, on_step: Callable[[str, int], None]
) -> SelfTest:
    """Try *kills* sudden deaths and *cuts* power cuts in a temporary folder in *beside*.

    Args:
        beside: a folder on the disk in question.
        kills: how often a process is killed while four of them write.
        cuts: how often the power fails, in a simulation of a disk that loses, tears and reorders
            whatever was not synced.
        seed: of what is left to chance.
        on_step: told the name of the check and how many of its trials are through.
    """
    checks = (
        _tried("kill -9", beside, partial(_kills, kills=kills, seed=seed), on_step),
        _tried("power cut", beside, partial(_cuts, cuts=cuts, seed=seed), on_step),
        _caught(
            "power cut, twin without syncs",
            beside,
            partial(_cuts, cuts=max(cuts // 5, 20), seed=seed, synchronous="normal"),
            on_step,
        ),
    )
    return SelfTest(all(check.ok for check in checks), checks)


def _kills(folder: str, on_progress: Callable[[], None], *, kills: int, seed: int) -> Tally:
    from lsm.selftest.kills import kill_again_and_again

    return kill_again_and_again(folder, None, kills, seed, on_progress)


def _cuts(
    folder: str,
    on_progress: Callable[[], None],
    *,
    cuts: int,
    seed: int,
    synchronous: str = "full",
) -> Tally:
    from lsm.selftest.powercut import cut_power

    return cut_power(folder, cuts, seed, on_progress, synchronous=synchronous)


def _tried(
    name: str,
    beside: str,
    trial: Callable[[str, Callable[[], None]], Tally],
    on_step: Callable[[str, int], None],
) -> Trial:
    began = time.monotonic()
    through = 0

    def on_progress() -> None:
        nonlocal through
        through += 1
        on_step(name, through)

    on_step(name, 0)
    # Not in the system's own temporary folder, which is often on another disk, or in memory.
    with tempfile.TemporaryDirectory(prefix=".selftest-", dir=beside) as folder:
        tally = trial(os.path.realpath(folder), on_progress)
    return Trial(
        name=name,
        trials=tally.trials,
        acknowledged=tally.acknowledged,
        failed=tally.failed,
        ok=not tally.problems,
        problems=tuple(tally.problems[:20]),
        seconds=round(time.monotonic() - began, 1),
        deaths=tally.deaths,
        reads=tally.reads,
    )


def _caught(
    name: str,
    beside: str,
    trial: Callable[[str, Callable[[], None]], Tally],
    on_step: Callable[[str, int], None],
) -> Trial:
    """As `_tried`, of something known to be broken: good is that this is seen."""
    found = _tried(name, beside, trial, on_step)
    seen = any(problem.startswith("lost:") for problem in found.problems)
    missed = () if seen else ("the broken twin went unnoticed: this test proves nothing here",)
    return replace(found, ok=seen, problems=missed)
