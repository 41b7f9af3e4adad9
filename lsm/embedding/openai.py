"""Models behind OpenAI's embeddings protocol, at OpenAI or anywhere.

vLLM, llama.cpp, LM Studio, Text Embeddings Inference, LiteLLM and most hosts speak it:
`POST {base_url}/embeddings`.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.embedding.batches import in_batches
from lsm.embedding.remote import Endpoint
from lsm.errors import ConfigError, EmbeddingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsm.embedding.settings import EmbeddingSettings

_OPENAI = "https://api.openai.com/v1"


class _Item(msgspec.Struct):
    index: int
    embedding: list[float]


class _Answer(msgspec.Struct):
    data: list[_Item]


def open_backend(
    model: str, settings: EmbeddingSettings, sleep: Callable[[float], None] = time.sleep
) -> OpenAI:
    """The `Backend` of *model* at `settings.base_url`, or at OpenAI.

    Raises:
        ConfigError: the key is missing where one is needed, or is no key.
    """
    url = f"{(settings.base_url or _OPENAI).rstrip('/')}/embeddings"
    return OpenAI(model, settings, Endpoint(url, settings, _key(settings), sleep))


class OpenAI:
    """Asks for `settings.dimension` numbers only if that is set: many servers refuse to."""

    width = None

    def __init__(self, model: str, settings: EmbeddingSettings, endpoint: Endpoint) -> None:
        self.name = f"openai:{model}"
        self._question: dict[str, Any] = {"model": model, "encoding_format": "float"}
        if settings.dimension is not None:
            self._question["dimensions"] = settings.dimension
        self._batch_tokens = settings.batch_tokens
        self._endpoint = endpoint

    def encode(self, texts: Sequence[str], *, query: bool) -> list[list[float]]:  # noqa: ARG002
        """See `Backend`."""
        return in_batches(texts, self._batch_tokens, self._send)

    def _send(self, batch: Sequence[str]) -> list[list[float]]:
        items = self._endpoint.post(self._question | {"input": batch}, _Answer).data
        # Servers answer in the order in which they finish.
        items.sort(key=lambda item: item.index)
        # How many there are is checked, with the text's index, by the caller.
        if [item.index for item in items] != list(range(len(items))):
            raise EmbeddingError(f"{self.name}: the server's answers are not numbered from 0")
        return [item.embedding for item in items]


def _key(settings: EmbeddingSettings) -> str | None:
    variable = settings.api_key_env
    key = os.environ.get(variable, "").strip()
    if not key and settings.base_url is None:
        raise ConfigError("embedding.api_key_env", f"the variable {variable} is not set")
    # Anything else would be quoted, key and all, by the error of the HTTP library.
    if not (key.isascii() and key.isprintable()):
        raise ConfigError("embedding.api_key_env", f"what {variable} holds is not a key")
    return key or None
