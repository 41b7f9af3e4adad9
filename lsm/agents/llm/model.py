"""What agents need of a language model; nothing here knows whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from lsm.agents.runtime import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class ModelError(RunError):
    """The model could not be asked, or answered nonsense; *retryable* if that may pass."""


@dataclass(frozen=True)
class ToolSpec:
    """A tool as the model is told of it."""

    name: str
    description: str
    schema: Mapping[str, Any]  # JSON Schema of its arguments, an object


@dataclass(frozen=True)
class Call:
    """A tool that the model wants to be used."""

    id: str
    tool: str
    arguments: str  # JSON, as the model wrote it


@dataclass(frozen=True)
class Reply:
    """What the model said."""

    text: str
    calls: tuple[Call, ...]
    tokens: int  # read and written; estimated where the server does not say
    is_cut: bool  # it would have gone on, had it been allowed more tokens


class Dialogue(Protocol):
    """A conversation with a model, within one thread."""

    def say(self, text: str) -> None:
        """Add words of ours to what is sent next."""
        ...

    def answer(self, call: Call, text: str) -> None:
        """Add what a tool has answered to what is sent next."""
        ...

    def size(self) -> int:
        """About how many tokens the next request will be, its answer not counted."""
        ...

    def reply(
        self,
        should_stop: Callable[[], bool],
        *,
        with_tools: bool = True,
        most_tokens: int | None = None,
    ) -> Reply | None:
        """Send what was added and wait; None as soon as *should_stop* says so.

        Args:
            should_stop: asked several times a second.
            with_tools: whether the model may call any.
            most_tokens: of the answer; None is what the configuration says, and never more.

        Raises:
            ModelError: there is no answer, or none that can be used.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class LanguageModel(Protocol):
    """A model that can be talked to."""

    @property
    def name(self) -> str:
        """As in the configuration: ``ollama:llama3.2``."""
        ...

    def begin(self, instructions: str, tools: Sequence[ToolSpec] = ()) -> Dialogue:
        """A new conversation."""
        ...
