"""A library of 10,000 files, made once for the benchmarks that read it."""

from __future__ import annotations

import os
from dataclasses import dataclass

import lsm
from benchmarks.corpus import Shape, write_corpus

_SHAPE = Shape(files=10_000, words=170, files_per_folder=100, words_per_section=1000)
# The same files in ten times as many chunks.
_SMALL_CHUNKS = "[library]\nchunk_target = 200\nchunk_maximum = 200\n"


@dataclass(frozen=True)
class Made:
    """Where a library and its documents are."""

    documents: str
    home: str
    chunks: int


class Libraries:
    """Libraries below a folder, each made when it is first asked for."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._made: dict[str, Made] = {}

    def usual(self) -> Made:
        """10,000 files, a chunk or so each."""
        return self._get("usual", "documents", _SHAPE)

    def in_small_chunks(self) -> Made:
        """The same files in chunks of at most 200 characters."""
        return self._get("small", "documents", _SHAPE, _SMALL_CHUNKS)

    def large(self) -> Made:
        """100,000 chunks in 2,500 files."""
        return self._get("large", "large-documents", Shape(2500, 7200, 100, 150))

    def _get(self, name: str, documents: str, shape: Shape, settings: str = "") -> Made:
        if name not in self._made:
            files = os.path.join(self._folder, documents)
            if not os.path.exists(files):
                write_corpus(files, shape)
            self._made[name] = self._ingested(files, name, settings)
        return self._made[name]

    def _ingested(self, files: str, name: str, settings: str) -> Made:
        home = os.path.join(self._folder, f"home-{name}")
        os.makedirs(home, mode=0o700)
        with open(os.path.join(home, "lsm.toml"), "w", encoding="utf-8") as file:
            file.write(settings)
        with lsm.open(home) as mind:
            report = mind.ingest(files)
            assert not report.errors, report.errors
        return Made(files, home, report.chunks.added)
