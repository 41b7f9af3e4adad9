"""Many texts to a server that takes few at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.errors import EmbeddingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_MOST_TEXTS = 512  # OpenAI takes 2,048; answers of half a gigabyte help nobody


class TooLongError(EmbeddingError):
    """The server says that a request is longer than it takes."""


def in_batches(
    texts: Sequence[str], batch_tokens: int, send: Callable[[Sequence[str]], list[list[float]]]
) -> list[list[float]]:
    """What *send* answers for *texts*, given to it in batches of about *batch_tokens*.

    A batch that is too long for the server is halved until it is not.

    Raises:
        EmbeddingError: from *send*; a text that is too long by itself; an answer with
            another number of vectors than the batch had texts. Names the text by its index.
    """
    vectors: list[list[float]] = []
    for batch in _batches(texts, batch_tokens):
        vectors += _sent(batch, len(vectors), send)
    return vectors


def estimated_tokens(text: str) -> int:
    """About how many tokens *text* has; rather too many.

    English has four bytes a token, Chinese and Japanese about three.
    """
    return len(text.encode("utf-8", "replace")) // 3 + 1


def _batches(texts: Sequence[str], batch_tokens: int) -> Iterator[list[str]]:
    batch: list[str] = []
    tokens = 0
    for text in texts:
        more = estimated_tokens(text)
        if batch and (tokens + more > batch_tokens or len(batch) == _MOST_TEXTS):
            yield batch
            batch, tokens = [], 0
        batch.append(text)
        tokens += more
    if batch:
        yield batch


def _sent(
    batch: list[str], first: int, send: Callable[[Sequence[str]], list[list[float]]]
) -> list[list[float]]:
    """The vectors of *batch*, whose first text has the index *first*."""
    try:
        vectors = send(batch)
    except TooLongError as error:
        if len(batch) == 1:
            raise EmbeddingError(f"text {first} is too long for the model: {error}") from error
        middle = len(batch) // 2
        left = _sent(batch[:middle], first, send)
        return left + _sent(batch[middle:], first + middle, send)
    if len(vectors) != len(batch):
        # Which text has none cannot be told, so the first that may have none is named.
        raise EmbeddingError(
            f"text {first + min(len(vectors), len(batch))}: "
            f"the server answered {len(vectors)} vectors for {len(batch)} texts"
        )
    return vectors
