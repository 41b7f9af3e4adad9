"""Models run by ``fastembed`` on ONNX Runtime (extra: fastembed)."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lsm.embedding.backend import translated
from lsm.once import once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.embedding.settings import EmbeddingSettings
    from lsm.embedding.vectors import Rows


def open_backend(model: str, settings: EmbeddingSettings) -> FastEmbed:
    """The `Backend` of a model that ``fastembed`` lists."""
    return FastEmbed(model, offline=settings.offline)


class FastEmbed:
    """Downloads the model at its first use, unless *offline*."""

    width = None

    def __init__(self, model: str, *, offline: bool) -> None:
        self.name = f"fastembed:{model}"
        self._model = model
        self._offline = offline

    def encode(self, texts: Sequence[str], *, query: bool) -> Rows:
        """See `Backend`."""
        run = self._loaded.query_embed if query else self._loaded.passage_embed
        with translated(self.name, "cannot embed"):
            return list(run(list(texts)))

    @once
    def _loaded(self) -> Any:
        text_embedding = import_module("fastembed").TextEmbedding

        with translated(self.name, "cannot load"):
            # HF_HUB_OFFLINE alone is not enough: qdrant/fastembed#615.
            return text_embedding(self._model, cache_dir=_cache(), local_files_only=self._offline)


def _cache() -> str:
    # Left to itself it uses the temporary directory and downloads again after a restart.
    from platformdirs import user_cache_path

    return os.environ.get("FASTEMBED_CACHE_PATH") or str(user_cache_path("lsm") / "fastembed")
