"""Settings of what is read and how it is found."""

from __future__ import annotations

import os
from typing import Annotated

import msgspec
from msgspec import Meta

from lsm.errors import ConfigError

Positive = Annotated[int, Meta(ge=1)]


class LibraryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is read from disk."""

    roots: tuple[str, ...] = ()  # folders and files; ~ is your home
    exclude: tuple[str, ...] = ()  # globs of what is left out, besides what always is
    hidden: bool = False  # read names that begin with a dot
    chunk_target: Annotated[int, Meta(ge=200, le=8000)] = 1200  # characters
    chunk_maximum: Annotated[int, Meta(ge=200, le=16000)] = 2000  # characters
    max_text_mb: Annotated[int, Meta(ge=1, le=4096)] = 64  # a larger text file is refused
    max_document_mb: Annotated[int, Meta(ge=1, le=4096)] = 200  # the same for PDF, Office, ...
    seconds_per_file: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    memory_per_child_mb: Annotated[int, Meta(ge=256)] = 1024
    workers: Annotated[int, Meta(ge=0, le=64)] = 0  # children that parse; 0: one for each core

    def __post_init__(self) -> None:
        for number, root in enumerate(self.roots):
            _check_root(f"library.roots[{number}]", root)
        if self.chunk_target > self.chunk_maximum:
            raise ConfigError(
                "library.chunk_target", "must not be larger than library.chunk_maximum"
            )


def _check_root(key: str, root: str) -> None:
    if not root or "\0" in root:
        raise ConfigError(key, f"{root!r} is no path")
    # Where a relative path leads would depend on where one stands.
    if not os.path.isabs(os.path.expanduser(root)):
        raise ConfigError(key, f"{root!r} must begin with / or ~")


class EmbeddingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What turns text into vectors. Keys of services come from the environment only."""

    model: str = "wordllama"  # or fastembed:, model2vec:, sentence-transformers:, ollama:, openai:
    base_url: str | None = None  # of the server; without it, the kind's own
    dimension: Positive | None = None  # asked of a server; a local model's vectors are cut to it
    query_prefix: str = ""  # put before every query; many models are trained with one
    document_prefix: str = ""  # put before every passage
    api_key_env: str = "OPENAI_API_KEY"  # the variable that holds the key; never the key itself
    timeout_s: Annotated[float, Meta(gt=0)] = 60.0  # seconds a request may take
    batch_tokens: Positive = 8192  # estimated tokens in one request
    offline: bool = False  # models come from this machine's caches or not at all
