"""Embedders by name.

A name is a kind, or a kind, a colon and a model:

* ``wordllama``: the default; works offline, from a file of 16 MB, without torch
* ``fastembed:MODEL``, ``model2vec:MODEL``, ``sentence-transformers:MODEL``: on this machine;
  the last two also take a directory
* ``ollama:MODEL``, ``openai:MODEL``: a server; `EmbeddingSettings.base_url` says where

Importing this package loads neither numpy nor any model library.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from lsm.embedding.backend import BackendEmbedder
from lsm.embedding.settings import EmbeddingSettings
from lsm.embedding.vectors import checked
from lsm.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.embedding.backend import Backend
    from lsm.embedding.base import Embedder

__all__ = ["DEFAULT", "EmbeddingSettings", "checked", "open_embedder"]

DEFAULT = "wordllama"


class _Kind(NamedTuple):
    module: str  # in this package; its `open_backend` makes the backend
    extra: str | None  # of ours, which installs the package of the same name as the module


_KINDS = {
    "fastembed": _Kind("fastembed", "fastembed"),
    "model2vec": _Kind("model2vec", "model2vec"),
    "sentence-transformers": _Kind("sentence_transformers", "sentence-transformers"),
    "ollama": _Kind("ollama", None),
    "openai": _Kind("openai", None),
}


def open_embedder(
    name: str = DEFAULT,
    settings: EmbeddingSettings | None = None,
    *,
    known_dimension: int | None = None,
) -> Embedder:
    """The embedder called *name*. Loads no model and asks no server before it is used.

    Args:
        name: see above; ``default`` is the default's other name.
        settings: None for the defaults.
        known_dimension: length of the vectors this model made earlier, if it made any.

    Raises:
        ConfigError: no such kind, a model left out, or a setting the kind cannot follow.
        MissingExtraError: the kind's optional dependency is not installed.
    """
    settings = settings or EmbeddingSettings()
    backend = _opener(name)(settings)
    return BackendEmbedder(backend, settings, known_dimension)


def _opener(name: str) -> Callable[[EmbeddingSettings], Backend]:
    if name in (DEFAULT, "default"):
        return import_module("lsm.embedding.wordllama").open_backend
    kind, _, model = name.partition(":")
    if kind not in _KINDS:
        raise ConfigError("embedding", _unknown(name, kind))
    if not model.strip():
        raise ConfigError("embedding", f"{kind} needs a model: {kind}:MODEL")
    module, extra = _KINDS[kind]
    if extra is not None and find_spec(module) is None:
        raise MissingExtraError(name, extra)
    adapter = import_module(f"lsm.embedding.{module}")
    return lambda settings: adapter.open_backend(model, settings)


def _unknown(name: str, kind: str) -> str:
    from difflib import get_close_matches

    forms = {DEFAULT: DEFAULT} | {key: f"{key}:MODEL" for key in _KINDS}
    near = get_close_matches(kind.lower(), forms, n=1)
    remedy = f"did you mean {forms[near[0]]}?" if near else f"choose {', '.join(forms.values())}"
    return f"no embedder is called {name!r}; {remedy}"
