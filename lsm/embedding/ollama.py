"""Models served by Ollama.

The protocol is `POST /api/embed`, which takes and answers lists.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.embedding.batches import in_batches
from lsm.embedding.remote import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsm.embedding.settings import EmbeddingSettings

_HERE = "http://127.0.0.1:11434"


class _Answer(msgspec.Struct):
    embeddings: list[list[float]]


def open_backend(
    model: str, settings: EmbeddingSettings, sleep: Callable[[float], None] = time.sleep
) -> Ollama:
    """The `Backend` of *model* at `settings.base_url`, or on this machine."""
    base = (settings.base_url or _HERE).rstrip("/")
    return Ollama(model, settings, Endpoint(f"{base}/api/embed", settings, sleep=sleep))


class Ollama:
    """Texts longer than the model's context are cut by the server, as it does by default."""

    width = None

    def __init__(self, model: str, settings: EmbeddingSettings, endpoint: Endpoint) -> None:
        self.name = f"ollama:{model}"
        self._question: dict[str, Any] = {"model": model}
        if settings.dimension is not None:
            self._question["dimensions"] = settings.dimension
        self._batch_tokens = settings.batch_tokens
        self._endpoint = endpoint

    def encode(self, texts: Sequence[str], *, query: bool) -> list[list[float]]:  # noqa: ARG002
        """See `Backend`."""
        return in_batches(texts, self._batch_tokens, self._send)

    def _send(self, batch: Sequence[str]) -> list[list[float]]:
        return self._endpoint.post(self._question | {"input": batch}, _Answer).embeddings
