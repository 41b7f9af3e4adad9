"""What can be wrong with a database: how it comes about, who finds it, and whether it is mended."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.lived_in import changed, overwritten

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = 8192
_GONE_OWNER = "nobody,here,|boot|1|1|abc"  # of another machine


@dataclass(frozen=True)
class Damage:
    """Something that is wrong."""

    name: str
    found_by: frozenset[str]  # the checks that are not ok, and no others
    mended: bool
    statements: tuple[str, ...] = ()  # on both engines
    sqlite: tuple[str, ...] = ()
    postgres: tuple[str, ...] = ()


def damage(
    name: str, *found_by: str, mended: bool = True, both: str = "", **engines: tuple[str, ...]
) -> Damage:
    """One of the list below."""
    return Damage(name, frozenset(found_by), mended, (both,) if both else (), **engines)


_FIRST = "(SELECT min(chunk_id) FROM lsm_chunks WHERE version_out IS NULL)"
_A_DOCUMENT = "(SELECT min(document_id) FROM lsm_documents WHERE version_out IS NULL)"
_A_MEMORY = "(SELECT min(number) FROM lsm_agent_memories WHERE status = 'active')"
_WORDS_OUT = f"""
INSERT INTO chunks_fts (chunks_fts, rowid, title, heading, text)
SELECT 'delete', chunk_id, title, heading, text FROM lsm_chunks WHERE chunk_id = {_FIRST}"""
_MEMORY_OUT = f"""
INSERT INTO memories_fts (memories_fts, rowid, text, memory_key, tags_json)
SELECT 'delete', number, text, memory_key, tags_json FROM lsm_agent_memories
 WHERE number = {_A_MEMORY}"""

IN_ROWS = (
    damage(
        "words of a chunk are missing", "index",
        sqlite=(_WORDS_OUT, "DELETE FROM chunks_fts_docsize WHERE id = " + _FIRST),
        postgres=("DELETE FROM chunks_fts WHERE chunk_id = " + _FIRST,),
    ),
    damage(
        "words of a chunk are those of another", "words",
        sqlite=(f"UPDATE lsm_chunks SET text = 'otherwise' WHERE chunk_id = {_FIRST}",),
    ),
    damage(
        "a vector is missing", "index", both=f"DELETE FROM vec_chunks WHERE chunk_id = {_FIRST}"
    ),
    damage(
        "a vector is too short", "index",
        sqlite=(f"UPDATE vec_chunks SET embedding = x'003c003c' WHERE chunk_id = {_FIRST}",),
    ),
    damage(
        "a vector belongs to no chunk", "index", "references",
        sqlite=(
            "INSERT INTO vec_chunks SELECT 99999, space_id, embedding FROM vec_chunks LIMIT 1",
        ),
    ),
    damage(
        "chunks belong to no document", "documents", "manifest",
        both=f"DELETE FROM lsm_documents WHERE document_id = {_A_DOCUMENT}",
    ),
    damage(
        "chunks stayed when their document went", "documents", "manifest",
        both="UPDATE lsm_documents SET version_out = (SELECT max(version) + 0 FROM lsm_versions)"
        f" WHERE version_out IS NULL AND document_id = {_A_DOCUMENT}",
    ),
    damage(
        "the manifest lists what is no document", "manifest",
        both="UPDATE lsm_manifest SET document_id = 4711 WHERE source_path ="
        " (SELECT max(source_path) FROM lsm_manifest)",
    ),
    damage(
        "the manifest lacks a document", "manifest",
        both="DELETE FROM lsm_manifest WHERE source_path ="
        " (SELECT max(source_path) FROM lsm_manifest)",
    ),
    damage(
        "the manifest miscounts chunks", "manifest",
        both="UPDATE lsm_manifest SET chunk_count = 77 WHERE source_path ="
        " (SELECT max(source_path) FROM lsm_manifest)",
    ),
    damage(
        "a document is in two states at once", "versions", "manifest", mended=False,
        both="UPDATE lsm_documents SET version_out = NULL, source_path = source_path || '.old'"
        " WHERE version_out = (SELECT min(version_out) FROM lsm_documents)"
        f" AND document_id = {_A_DOCUMENT}",
    ),
    damage(
        "a document is of a version that never was", "versions", mended=False,
        both=f"UPDATE lsm_documents SET version_in = 999 WHERE version_out IS NULL"
        f" AND document_id = {_A_DOCUMENT}",
    ),
    damage(
        "a file is of a version that never was", "versions", mended=False,
        both="UPDATE lsm_manifest SET version = 999",
    ),
    damage(
        "a chunk of a document is gone", "versions", mended=False,
        sqlite=(
            _WORDS_OUT,
            f"DELETE FROM vec_chunks WHERE chunk_id = {_FIRST}",
            f"DELETE FROM lsm_chunks WHERE chunk_id = {_FIRST}",
        ),
        postgres=(
            f"DELETE FROM chunks_fts WHERE chunk_id = {_FIRST}",
            f"DELETE FROM vec_chunks WHERE chunk_id = {_FIRST}",
            f"DELETE FROM lsm_chunks WHERE chunk_id = {_FIRST}",
        ),
    ),
    damage(
        "a counter is behind", "counters",
        both="UPDATE lsm_counters SET next_value = 1 WHERE name = 'chunk'",
    ),
    damage(
        "a candidate belongs to no memory", "memories", "references", mended=False,
        sqlite=("UPDATE lsm_agent_memory_candidates SET memory_id = 'nobody'",
                "UPDATE lsm_agent_memories SET status = 'deleted' WHERE status = 'pending'"),
    ),
    damage(
        "a source belongs to no memory", "memories", "references", mended=False,
        sqlite=("UPDATE lsm_memory_sources SET memory_id = 'nobody'",),
    ),
    damage(
        "a memory has no history", "memories", mended=False,
        both="DELETE FROM lsm_memory_revisions",
    ),
    damage(
        "a proposal waits for nobody", "memories", mended=False,
        both="DELETE FROM lsm_agent_memory_candidates",
    ),
    damage(
        "words of a memory are missing", "memory index",
        sqlite=(_MEMORY_OUT, f"DELETE FROM memories_fts_docsize WHERE id = {_A_MEMORY}"),
        postgres=(f"DELETE FROM memories_fts WHERE number = {_A_MEMORY}",),
    ),
    damage(
        "a vector is of a memory that may not be recalled", "memory index",
        both="INSERT INTO vec_memories (number, model, changed, embedding)"
        " SELECT (SELECT number FROM lsm_agent_memories WHERE status = 'pending'), model, changed,"
        " embedding FROM vec_memories LIMIT 1",
    ),
    damage(
        "a vector of a memory has lost its end", "memory index",
        sqlite=("UPDATE vec_memories SET embedding = substr(embedding, 1, 100)",),
        postgres=("UPDATE vec_memories SET embedding = subvector(embedding, 1, 50)",),
    ),
    damage(
        "the number of waiting runs is wrong", "queue",
        both="UPDATE lsm_agent_schedules SET queued_runs = 5",
    ),
    damage(
        "a run was left by a process that is gone", "runs", "queue", mended=False,
        both="UPDATE lsm_agent_runs SET state = 'running', owner = 'nobody', fence = 1,"
        " lease_until = '2026-01-01T00:00:00.000000Z'",
    ),
    damage(
        "a schedule is of an agent that there is not", "schedules", mended=False,
        both="UPDATE lsm_agent_schedules SET config_json ="
        " replace(config_json, '\"digest\"', '\"digestif\"'), agent_name = 'digestif'",
    ),
    damage(
        "a schedule cannot be read", "schedules", "values", mended=False,
        both="UPDATE lsm_agent_schedules SET config_json = '{'",
    ),
    damage(
        "tags of a document are no JSON", "values", mended=False,
        both="UPDATE lsm_documents SET tags_json = '[tags' WHERE version_out IS NOT NULL",
    ),
    damage(
        "statistics are no JSON", "cache", both="UPDATE lsm_stats_cache SET stats_json = 'x'"
    ),
    damage(
        "a remote answer is no JSON", "cache",
        both="UPDATE lsm_remote_cache SET response_json = '[1, 2'",
    ),
    damage("an index is missing", "schema", both="DROP INDEX lsm_chunks_hash"),
    damage(
        "a trigger is missing", "schema",
        sqlite=("DROP TRIGGER lsm_memory_hidden",),
        postgres=("DROP TRIGGER lsm_memory_changed ON lsm_agent_memories",),
    ),
    damage(
        "a trigger is somebody else's", "schema", mended=False,
        sqlite=("CREATE TRIGGER theirs AFTER INSERT ON lsm_meta BEGIN SELECT 1; END",),
        postgres=(("CREATE TRIGGER theirs AFTER INSERT ON lsm_meta FOR EACH ROW"
                  " EXECUTE FUNCTION lsm_index_memory()"),),
    ),
    damage(
        "an index was made otherwise", "schema", mended=False,
        sqlite=("DROP INDEX lsm_chunks_hash",
                "CREATE INDEX lsm_chunks_hash ON lsm_chunks (text_hash, title)"),
    ),
    damage(
        "a table of what can be asked for again is missing", "schema",
        both="DROP TABLE lsm_remote_cache",
    ),
)  # fmt: skip


def _root_page(path: str, name: str) -> int:
    from tests.lived_in import reading

    return reading(
        path,
        lambda db: db.tuples("SELECT rootpage FROM sqlite_schema WHERE name = :n", n=name)[0][0],
    )


def flipped_table(path: str) -> None:
    """Bytes of a page of a table are others."""
    root = _root_page(path, "lsm_agent_memories")
    overwritten(path, (root - 1) * PAGE + PAGE // 2, b"\xff" * (PAGE // 2))


def flipped_index(path: str) -> None:
    """An index says otherwise than its table."""
    from tests.lived_in import reading

    one = reading(path, lambda db: db.tuples("SELECT max(text_hash) FROM lsm_chunks")[0][0])
    root = _root_page(path, "lsm_chunks_hash")
    overwritten(path, _position(path, (root - 1) * PAGE, one.encode()), b"f" * 8)


def _position(path: str, start: int, text: bytes) -> int:
    """Where *text* stands in the page that begins at *start*."""
    other = os.path.join(os.path.dirname(path), "being-read")
    os.rename(path, other)
    with open(other, "rb") as file:
        file.seek(start)
        found = start + file.read(PAGE).index(text)
    os.rename(other, path)
    return found


def truncated(path: str) -> None:
    """Its end is missing."""
    other = os.path.join(os.path.dirname(path), "being-cut")
    os.rename(path, other)
    os.truncate(other, os.path.getsize(other) // 2)
    os.rename(other, path)


def foreign_application(path: str) -> None:
    """It says that it is another program's."""
    changed(path, "PRAGMA application_id = 7")


def newer(path: str) -> None:
    """A later lsm wrote it."""
    changed(path, "PRAGMA user_version = 9999")


def readable_by_all(path: str) -> None:
    """Others may read it."""
    os.chmod(path, 0o644)


def open_home(path: str) -> None:
    """Others may read the home."""
    os.chmod(os.path.dirname(path), 0o755)  # noqa: S103


def foreign_log(path: str) -> None:
    """The log of another database stands beside it."""
    log = _log_of(path + "-theirs")
    _put(path + "-wal", log)


def garbage_log(path: str) -> None:
    """What stands in the place of the log is none."""
    _put(path + "-wal", os.urandom(5000))


def log_without_file(path: str) -> None:
    """The log was deleted after a crash; its index was not."""
    _put(path + "-shm", bytes(32768))


def table_missing(path: str) -> None:
    """A table that nothing can bring back is gone."""
    changed(path, "DROP TABLE lsm_roots")


def unfinished(path: str) -> None:
    """A move into it has not come to its end."""
    changed(
        path,
        "INSERT INTO lsm_meta VALUES ('unfinished_move', '"
        '{"source_id": "x", "source": "elsewhere", "digest": "", "began_at": "", "done": {}}'
        "')",
    )


IN_FILES: tuple[tuple[Callable[[str], None], str, bool], ...] = (
    (flipped_table, "integrity", False),
    (flipped_index, "integrity", True),
    (truncated, "database", False),
    (foreign_application, "database", False),
    (newer, "database", False),
    (readable_by_all, "files", False),
    (open_home, "home", False),
    (foreign_log, "log", False),
    (garbage_log, "log", False),
    (log_without_file, "log", False),
    (table_missing, "schema", False),
    (unfinished, "database", False),
)


def _log_of(other: str) -> bytes:
    import apsw

    from lsm.db import open_database

    open_database(other).close()
    writer = apsw.Connection(other)
    writer.execute("INSERT INTO lsm_meta VALUES ('theirs', 'yes')")
    log = apsw.VFSFile("", other + "-wal", [apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_READONLY, 0])
    data = log.xRead(log.xFileSize(), 0)
    log.xClose()
    writer.close()
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(other + suffix):
            os.unlink(other + suffix)
    return data


def _put(path: str, data: bytes) -> None:
    other = os.path.join(os.path.dirname(path), "being-put")
    with open(other, "wb") as file:
        file.write(data)
    os.chmod(other, 0o600)
    os.rename(other, path)
