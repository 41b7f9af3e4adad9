"""Static models in the format of ``model2vec`` (extra: model2vec)."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lsm.embedding.backend import translated
from lsm.embedding.weights import identity, local_path
from lsm.once import once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.embedding.settings import EmbeddingSettings
    from lsm.embedding.vectors import Rows

# What a model needs; some repositories hold other formats of it besides.
_FILES = ["*.json", "*.safetensors"]


def open_backend(model: str, settings: EmbeddingSettings) -> Model2Vec:
    """The `Backend` of a directory, or of a model's name on the Hugging Face hub."""
    return Model2Vec(model, offline=settings.offline)


class Model2Vec:
    """Downloads the model at its first use, unless *offline*."""

    width = None

    def __init__(self, model: str, *, offline: bool) -> None:
        self._model = local_path(model)
        self._offline = offline

    @once
    def name(self) -> str:
        """See `identity`."""
        with translated(f"model2vec:{self._model}", "cannot read"):
            return identity("model2vec", self._model)

    def encode(self, texts: Sequence[str], *, query: bool) -> Rows:  # noqa: ARG002
        """See `Backend`."""
        with translated(self.name, "cannot embed"):
            # Without max_length it cuts texts at 512 tokens, which saves a mean little.
            # Without multiprocessing: it forks, and we have threads.
            return self._loaded.encode(list(texts), max_length=None, use_multiprocessing=False)

    @once
    def _loaded(self) -> Any:
        static_model = import_module("model2vec").StaticModel

        with translated(self.name, "cannot load"):
            return static_model.from_pretrained(self._folder())

    def _folder(self) -> str:
        if os.path.isdir(self._model):
            return self._model
        # Not by from_pretrained: newer versions download again at every start.
        from huggingface_hub import snapshot_download

        return snapshot_download(self._model, allow_patterns=_FILES, local_files_only=self._offline)
