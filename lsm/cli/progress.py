"""The progress bar: what is being done, how fast, and how long it will take."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_PATIENCE = 1.0  # seconds without a bar: most runs are over by then
_WORDS = {"scanning": "looking", "reading": "reading", "embedding": "embedding again"}


class Step(Protocol):
    """How far a long task is."""

    @property
    def stage(self) -> str:
        """What is being done: a word."""
        ...

    @property
    def done(self) -> int:
        """Of what is counted in that stage."""
        ...

    @property
    def total(self) -> int | None:
        """None while it is not known yet."""
        ...


@contextmanager
def progress_bar() -> Generator[Callable[[Step], None]]:
    """Gives what is to be told of each step; the bar appears once it takes over a second."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description:<16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:>10}"),
        # Over the last half minute: files at the beginning may have been other ones.
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        speed_estimate_period=30,
    )
    steps = _Steps(bar)
    try:
        yield steps.update
    finally:
        if bar.live.is_started:  # rich ends the line of a bar that has never been seen, too
            bar.stop()


class _Steps:
    def __init__(self, bar: object) -> None:
        from rich.progress import Progress as Bar

        assert isinstance(bar, Bar)  # noqa: S101 - only to keep rich out of the module's imports
        self._bar = bar
        self._began = time.monotonic()
        self._tasks: dict[str, int] = {}
        self._stage_began = self._began

    def update(self, step: Step) -> None:
        """Show *step*."""
        now = time.monotonic()
        if now - self._began < _PATIENCE:
            return
        self._bar.start()
        if step.stage not in self._tasks:
            for task in self._tasks.values():
                self._bar.update(task, visible=False)  # pyright: ignore[reportArgumentType]
            self._tasks[step.stage] = self._bar.add_task(
                _WORDS.get(step.stage, step.stage), total=step.total, rate=""
            )
            self._stage_began = now
        seconds = max(now - self._began, 0.001)
        self._bar.update(
            self._tasks[step.stage],  # pyright: ignore[reportArgumentType]
            completed=step.done,
            total=step.total,
            rate=f"{step.done / seconds:,.0f}/s",
        )
