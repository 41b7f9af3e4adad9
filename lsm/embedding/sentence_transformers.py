"""Models run by ``sentence-transformers`` on torch (extra: sentence-transformers)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lsm.embedding.backend import translated
from lsm.embedding.weights import identity, local_path
from lsm.once import once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.embedding.settings import EmbeddingSettings
    from lsm.embedding.vectors import Rows


def open_backend(model: str, settings: EmbeddingSettings) -> SentenceTransformers:
    """The `Backend` of a directory, or of a model's name on the Hugging Face hub."""
    return SentenceTransformers(model, offline=settings.offline)


class SentenceTransformers:
    """Downloads the model at its first use, unless *offline*.

    Prompts that the model brings for queries and documents are used, before ours.
    """

    width = None

    def __init__(self, model: str, *, offline: bool) -> None:
        self._model = local_path(model)
        self._offline = offline

    @once
    def name(self) -> str:
        """See `identity`."""
        with translated(f"sentence-transformers:{self._model}", "cannot read"):
            return identity("sentence-transformers", self._model)

    def encode(self, texts: Sequence[str], *, query: bool) -> Rows:
        """See `Backend`."""
        run = self._loaded.encode_query if query else self._loaded.encode_document
        with translated(self.name, "cannot embed"):
            return run(list(texts), convert_to_numpy=True, show_progress_bar=False)

    @once
    def _loaded(self) -> Any:
        sentence_transformer = import_module("sentence_transformers").SentenceTransformer

        with translated(self.name, "cannot load"):
            # A model's own code is never run: trust_remote_code stays off.
            return sentence_transformer(self._model, local_files_only=self._offline)
