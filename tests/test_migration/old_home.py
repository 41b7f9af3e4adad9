"""Homes as the predecessor (v0.5 to v0.7.1) wrote them: its schema, its dialect of JSON.

Made with the standard library alone, in the shape of its own statements, and never with code of
ours: what reads them must not also be what writes them.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = """
CREATE TABLE memories (
    id TEXT PRIMARY KEY, memory_type TEXT NOT NULL, memory_key TEXT NOT NULL,
    value_json TEXT NOT NULL, scope TEXT NOT NULL, tags_json TEXT NOT NULL,
    confidence REAL NOT NULL, created_at TEXT NOT NULL, last_used_at TEXT NOT NULL,
    expires_at TEXT NULL, source_run_id TEXT NOT NULL);
CREATE TABLE memory_candidates (
    id TEXT PRIMARY KEY, memory_id TEXT NOT NULL UNIQUE, provenance TEXT NOT NULL,
    rationale TEXT NOT NULL, status TEXT NOT NULL, created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    FOREIGN KEY (memory_id) REFERENCES memories(id) ON DELETE CASCADE);
CREATE INDEX idx_memory_candidates_status ON memory_candidates(status);
CREATE INDEX idx_memories_scope_type ON memories(scope, memory_type);
CREATE INDEX idx_memories_expires_at ON memories(expires_at);
"""
COLUMNS = (
    "id", "memory_type", "memory_key", "value_json", "scope", "tags_json", "confidence",
    "created_at", "last_used_at", "expires_at", "source_run_id",
)  # fmt: skip
QUEUED = ("id", "memory_id", "provenance", "rationale", "status", "created_at", "updated_at")
NOW = datetime(2026, 2, 28, 12, tzinfo=UTC)


@dataclass
class OldHome:
    """A home and what was written into it."""

    root: Path
    memories: list[dict[str, Any]] = field(default_factory=list)
    candidates: list[dict[str, Any]] = field(default_factory=list)

    @property
    def database(self) -> Path:
        return self.root / "Agents" / "memory.sqlite3"

    @property
    def schedules(self) -> Path:
        return self.root / "Agents" / "schedules.json"

    @property
    def manifest(self) -> Path:
        return self.root / ".ingest" / "manifest.json"

    @property
    def statistics(self) -> Path:
        return self.root / ".chroma" / "stats_cache.json"

    def remember(self, *memories: dict[str, Any], status: str | None = "promoted") -> None:
        """Rows of memory, each queued as *status* (None: not at all)."""
        with self.connected() as connection:
            for memory in memories:
                self._insert(connection, memory, status)

    def connected(self) -> sqlite3.Connection:
        """The memory, made if it is not there; commits where a block of it ends."""
        self.database.parent.mkdir(parents=True, exist_ok=True)
        made = self.database.exists()
        connection = sqlite3.connect(self.database, factory=_Closing)
        if not made:
            connection.executescript(SCHEMA)
        return connection

    def _insert(
        self, connection: sqlite3.Connection, memory: dict[str, Any], status: str | None
    ) -> None:
        marks = ", ".join("?" * len(COLUMNS))
        connection.execute(
            f"INSERT INTO memories ({', '.join(COLUMNS)}) VALUES ({marks})",
            [memory[name] for name in COLUMNS],
        )
        self.memories.append(memory)
        if status is not None:
            self.queue(connection, candidate(memory["id"], status, memory["created_at"]))

    def queue(self, connection: sqlite3.Connection, row: dict[str, Any]) -> None:
        """A row of the review queue."""
        marks = ", ".join("?" * len(QUEUED))
        connection.execute(
            f"INSERT INTO memory_candidates ({', '.join(QUEUED)}) VALUES ({marks})",
            [row[name] for name in QUEUED],
        )
        self.candidates.append(row)

    def write_schedules(self, *rows: Any) -> None:
        found = {"version": 1, "updated_at": NOW.isoformat(), "schedules": list(rows)}
        _write(self.schedules, json.dumps(found, indent=2))

    def write_manifest(self, entries: dict[str, Any]) -> None:
        _write(self.manifest, json.dumps(entries, indent=2, ensure_ascii=False))

    def write_statistics(self) -> None:
        stats = {"unique_files": 1, "file_types": {".md": 1}, "total_chunks": 2}
        found = {"cached_at": 1795174800.0, "chunk_count": 2, "stats": stats}
        _write(self.statistics, json.dumps(found, indent=2))

    def write_answer(self, provider: str, query: str, **changes: Any) -> Path:
        """What a source answered, in the file that the predecessor would look for."""
        blob = {
            "provider": provider,
            "query": query,
            "saved_at": 1772280000,
            "results": [result("A paper")],
        } | changes
        folder = re.sub(r"[^A-Za-z0-9._-]+", "_", provider) or "unknown_provider"
        path = self.root / "Downloads" / folder / f"{short_hash(query)}.json"
        _write(path, json.dumps(blob, indent=2))
        return path

    def write_feed(self, url: str, seen: list[str], **changes: Any) -> Path:
        blob = {"feed_url": url, "saved_at": 1772280000, "items": [], "seen_ids": seen} | changes
        path = self.root / "Downloads" / "rss" / f"{short_hash(url)}.json"
        _write(path, json.dumps(blob, indent=2))
        return path


class _Closing(sqlite3.Connection):
    """Closed where its block ends, so that no file stays open."""

    def __exit__(self, *raised: object) -> Any:
        try:
            return super().__exit__(*raised)  # pyright: ignore[reportArgumentType]
        finally:
            self.close()


def memory(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A row of `memories`."""
    return {
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "memory_type": "project_fact",
        "memory_key": f"key {number}",
        "value_json": json.dumps({"number": number}),
        "scope": "global",
        "tags_json": '["a tag"]',
        "confidence": 0.8,
        "created_at": "2026-02-01T12:00:00.123456+00:00",
        "last_used_at": "2026-02-02T12:00:00+00:00",
        "expires_at": "2126-05-01T12:00:00+00:00",
        "source_run_id": "run-1",
    } | changes


def candidate(memory_id: str, status: str, created_at: str, **changes: Any) -> dict[str, Any]:
    """A row of `memory_candidates`."""
    return {
        "id": f"candidate of {memory_id}",
        "memory_id": memory_id,
        "provenance": "agent_tool",
        "rationale": "Proposed by memory_put tool.",
        "status": status,
        "created_at": created_at,
        "updated_at": created_at,
    } | changes


def schedule(index: int = 0, agent: str = "curator", **changes: Any) -> dict[str, Any]:
    """An entry of `schedules`."""
    return {
        "id": f"{index}:{agent}",
        "index": index,
        "agent_name": agent,
        "interval": "3600s",
        "enabled": True,
        "concurrency_policy": "skip",
        "confirmation_mode": "auto",
        "params": {"topic": "keys"},
        "last_run_at": "2026-02-20T09:00:00+00:00",
        "next_run_at": "2026-02-20T10:00:00.123456+00:00",
        "last_status": "completed",
        "last_error": None,
        "queued_runs": 0,
        "running": False,
    } | changes


def entry(data: bytes = b"text", **changes: Any) -> dict[str, Any]:
    """An entry of the manifest."""
    return {
        "mtime_ns": 1776557706926039385,
        "size": len(data),
        "file_hash": hashlib.sha256(data).hexdigest(),
        "updated_at": "2026-02-18T11:00:00Z",
    } | changes


def result(title: str) -> dict[str, Any]:
    """A result of a remote source."""
    return {
        "title": title,
        "url": "https://example.org/paper",
        "snippet": "What it says.",
        "score": 0.5,
        "metadata": {"year": 2024},
    }


def manifest_key(path: Path) -> str:
    """How the predecessor called a file: resolved, and in small letters."""
    return str(path.resolve()).lower()


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def fingerprint(root: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """All that must not change below *root*: names, modes, times and bytes."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.lstat().st_ino,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(root.rglob("*"))
    }


# -- homes by the dozen --------------------------------------------------------------------


def _value(r: random.Random) -> Any:
    return r.choice(
        (
            r.randrange(-(10**30), 10**30),
            r.random() * 10 ** r.randrange(-300, 300),
            None,
            True,
            _words(r),
            "",
            [1, 1.0, True, None, "1", -0.0],
            {"z": 1, "a": [{"deep": _words(r)}], "ü": "😀", "": 0},
            [],
            {},
            {"quote": '"\\/\b\f\n\r\t', "line": "\u2028\x7f"},
        )
    )


# Values that no JSON column of both engines holds, and one that is no JSON at all.
_UNTYPED = (
    '"a\\u0000b"', "NaN", '{"a": Infinity}', '"\\ud800"', "1e999", "{broken", "", "1" * 5000,
    "[" * 600 + "]" * 600,
)  # fmt: skip


@dataclass
class Truth:
    """What stands in a generated home, as its maker knows it."""

    typed: dict[str, dict[str, Any]] = field(default_factory=dict)  # memories, by id
    untyped: set[str] = field(default_factory=set)
    statuses: dict[str, str | None] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)  # by key of the manifest
    bad_files: int = 0
    schedules: int = 0
    bad_schedules: int = 0
    answers: int = 0
    feeds: dict[str, list[str]] = field(default_factory=dict)
    bad_blobs: int = 0


def generate(seed: int, root: Path) -> tuple[OldHome, Truth]:
    """A home that is its seed's own, and what is in it."""
    r = random.Random(seed)
    home, truth = OldHome(root), Truth()
    root.mkdir(parents=True, exist_ok=True)
    (root / "Chats").mkdir()
    if r.random() < 0.95:
        _generate_memory(r, home, truth)
    if r.random() < 0.9:
        _generate_manifest(r, home, truth)
    if r.random() < 0.8:
        _generate_schedules(r, home, truth)
    if r.random() < 0.8:
        _generate_blobs(r, home, truth)
    if r.random() < 0.7:
        home.write_statistics()
    return home, truth


def _generate_memory(r: random.Random, home: OldHome, truth: Truth) -> None:
    with home.connected() as connection:
        if r.random() < 0.3:
            connection.execute("PRAGMA journal_mode=WAL")
        for number in range(r.choice((0, 1, 5, 20, 60))):
            row = _random_memory(r, number)
            status = r.choice(("promoted", "promoted", "pending", "rejected", None))
            if r.random() < 0.1:
                row |= _damage(r)
                truth.untyped.add(row["id"])
            else:
                truth.typed[row["id"]] = row
            truth.statuses[row["id"]] = status
            home._insert(connection, row, status)


def _random_memory(r: random.Random, number: int) -> dict[str, Any]:
    created = NOW - timedelta(seconds=r.randrange(10**7), microseconds=r.randrange(2))
    spelled = (
        created.isoformat(),
        created.isoformat(timespec="microseconds"),
        created.replace(tzinfo=None).isoformat(),
        created.isoformat().replace("+00:00", "Z"),
        created.isoformat(sep=" "),
        created.astimezone(tz=None).isoformat(),
    )
    kind = r.choice(("pinned", "project_fact", "task_state", "cache"))
    expires = None if kind == "pinned" else (created + timedelta(days=r.randrange(1, 90)))
    return {
        "id": str(UUID(int=r.getrandbits(128), version=4)) if number else "not a uuid",
        "memory_type": kind,
        "memory_key": r.choice(("preference", "naïve key", _words(r), f"key {number}")),
        "value_json": json.dumps(_value(r)),
        "scope": r.choice(("global", "agent", "project")),
        "tags_json": json.dumps(r.choice(([], ["a"], ["Ünï", "with, comma"], [_words(r)]))),
        "confidence": r.choice((0.0, 1.0, 0.5, r.random(), 1, 0)),
        "created_at": r.choice(spelled),
        "last_used_at": r.choice(spelled),
        "expires_at": None if expires is None else expires.isoformat(),
        "source_run_id": r.choice(("", "tool-memory_put", _words(r))),
    }


def _damage(r: random.Random) -> dict[str, Any]:
    return r.choice(
        (
            {"value_json": r.choice(_UNTYPED)},
            {"value_json": b"\x00\xff"},
            {"tags_json": r.choice(('{"a": 1}', "[1]", '["\\u0000"]', "null", '[""]'))},
            {"confidence": r.choice((-0.1, 1.1, "high", 9e999, b"\x01"))},
            {"created_at": r.choice(("yesterday", "", "2026-13-01T00:00:00", b"x"))},
            {"last_used_at": "0001-01-01T00:00:00+14:00"},
            {"expires_at": "never"},
            {"memory_key": r.choice(("", "a\0b", " ", "x" * 2000))},
            {"scope": r.choice(("", "a//b", "../up"))},
        )
    )


def _generate_manifest(r: random.Random, home: OldHome, truth: Truth) -> None:
    documents = home.root.parent / "Documents"
    documents.mkdir(exist_ok=True)
    entries: dict[str, Any] = {}
    for number in range(r.choice((0, 1, 8, 30))):
        name = r.choice(("Notes", "READ ME", "naïve", "Straße", "x")) + f" {number}.md"
        data = _words(r).encode()
        path = documents / name
        if r.random() < 0.7:
            path.write_bytes(data)
        key = manifest_key(documents) + "/" + name.lower()
        entries[key] = entry(data)
        if r.random() < 0.3:
            entries[key]["version"] = r.randrange(1, 40)
        if r.random() < 0.1:
            entries[key] |= r.choice(
                ({"mtime_ns": "1"}, {"size": -1}, {"file_hash": "x"}, {"mtime_ns": 2**64},
                 {"updated_at": None}, {"version": 0})
            )  # fmt: skip
            truth.bad_files += 1
        else:
            truth.files[key] = entries[key]
    home.write_manifest(entries)


def _generate_schedules(r: random.Random, home: OldHome, truth: Truth) -> None:
    rows: list[Any] = []
    for index in range(r.randrange(6)):
        if r.random() < 0.1:
            rows.append(r.choice((5, None, [], {"id": "0:x"})))
            truth.bad_schedules += 1
            continue
        row = schedule(
            index,
            r.choice(("curator", "research", "Custom Agent/β")),
            interval=r.choice(("hourly", "daily", "weekly", "90s", "*/5 * * * *", "nonsense", 5)),
            concurrency_policy=r.choice(("skip", "queue", "cancel")),
            params=r.choice(({}, {"topic": "x", "n": 1.5}, {"a": [1, {"b": None}]})),
            last_run_at=r.choice((None, "2026-02-20T09:00:00+00:00")),
            last_status=r.choice(("idle", "running", "completed", "failed", "waiting_user")),
            queued_runs=r.randrange(3),
            running=r.random() < 0.2,
        )
        rows.append(row)
        truth.schedules += 1
    home.write_schedules(*rows)


def _generate_blobs(r: random.Random, home: OldHome, truth: Truth) -> None:
    for number in range(r.randrange(6)):
        name = r.choice(("arxiv", "My arXiv (mirror)", "rss"))
        changes = r.choice(({}, {"results": []}, {"saved_at": 4102444800}))
        if r.random() < 0.15:
            changes = r.choice(({"saved_at": 1.5}, {"results": {}}, {"provider": ""}))
            truth.bad_blobs += 1
            # The folder's name must not come from what is broken.
            blob = {"provider": name, "query": f"q {number}", "saved_at": 1, "results": []}
            path = home.root / "Downloads" / "arxiv" / f"{short_hash(f'q {number}')}.json"
            _write(path, json.dumps(blob | changes))
        else:
            home.write_answer(name, f"q {number}", **changes)
            truth.answers += 1
    for number in range(r.randrange(3)):
        url = f"https://example.org/feed/{number}"
        seen = [_words(r) for _ in range(r.randrange(20))]
        home.write_feed(url, seen)
        truth.feeds[url] = seen
    _write(home.root / "Downloads" / "scholarly" / "paper.json", '{"a": 1}')


def _words(r: random.Random) -> str:
    letters = "abc déf 漢字 😀 'quoted' \"x\" % _ \\ <b> 0"
    return "".join(r.choice(letters) for _ in range(r.randrange(1, 30))).strip() or "w"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
