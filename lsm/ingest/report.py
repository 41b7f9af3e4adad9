"""What a run of ingest did, as people and programs read it."""

from __future__ import annotations

import msgspec


class FileCounts(msgspec.Struct):
    """Files, each under exactly one heading but `seen` and `skipped`."""

    seen: int = 0  # of a kind we read, below the places asked for
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    touched: int = 0  # other times, same bytes
    moved: int = 0  # same bytes under a new path
    gone: int = 0  # taken out of the library as it is
    failed: int = 0  # could not be read; an earlier version stays
    skipped: int = 0  # links, pipes, kinds we do not read, what the user leaves out


class ChunkCounts(msgspec.Struct):
    """Chunks of the documents that changed."""

    added: int = 0  # new rows
    retired: int = 0  # rows that are no longer current
    embedded: int = 0  # texts the model was asked about
    reused: int = 0  # chunks whose vector was there already


class FileError(msgspec.Struct, frozen=True):
    """A file that could not be read."""

    path: str
    code: str
    reason: str


class IngestReport(msgspec.Struct):
    """The result of `lsm ingest`."""

    version: int | None = None  # None: nothing changed, so no version was taken
    files: FileCounts = msgspec.field(default_factory=FileCounts)
    chunks: ChunkCounts = msgspec.field(default_factory=ChunkCounts)
    errors: list[FileError] = msgspec.field(default_factory=list[FileError])
    warnings: list[FileError] = msgspec.field(default_factory=list[FileError])
    seconds: float = 0.0
    dry_run: bool = False
    interrupted: bool = False
    unconfirmed: int = 0  # files that are gone, but so many that the user is asked first


class Progress(msgspec.Struct, frozen=True):
    """How far a run is."""

    stage: str  # "scanning", "reading", "embedding"
    done: int  # files, or chunks while "embedding"
    total: int | None  # None while it is not known yet
