"""The doctor finds what is wrong, mends what derives, touches nothing else, and cries no wolf."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lsm.app import Mind
from lsm.db import open_database
from lsm.db.vacuum import vacuum
from lsm.doctor import diagnose, diagnose_database
from lsm.doctor.mending import reindex, repair
from lsm.errors import RefusedError
from lsm.ingest.prune import Keep, Pruning
from lsm.vectordb import open_chunk_index
from tests.damages import IN_FILES, IN_ROWS, Damage
from tests.lived_in import (
    changed,
    changed_on_server,
    content_of,
    home,
    lived_in,
    lived_in_postgres,
    mended_mind,
    one_model,
    postgres_mind,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lsm.doctor import Diagnosis

__all__ = ["home", "lived_in", "lived_in_postgres", "mended_mind", "one_model", "postgres_mind"]

ON_SQLITE = [each for each in IN_ROWS if each.statements or each.sqlite]
ON_POSTGRES = [each for each in IN_ROWS if each.statements or each.postgres]


def named(each: object) -> str:
    return each.name if isinstance(each, Damage) else getattr(each, "__name__", "")


@pytest.mark.parametrize("damage", ON_SQLITE, ids=named)
def test_damage_is_found_and_what_derives_is_mended(home: str, damage: Damage) -> None:
    path = os.path.join(home, "lsm.db")
    changed(path, *damage.statements, *damage.sqlite)

    before = diagnose(home)
    after = repair(home, None, ignored)

    assert causes(before) == damage.found_by
    assert all(advice(before))
    assert after.ok == damage.mended, after
    assert after.backup is not None
    assert open_mode(after.backup) == 0o600


@pytest.mark.parametrize("damage", [each for each in ON_POSTGRES if each.mended], ids=named)
def test_damage_is_found_and_mended_on_postgresql(
    tmp_path: Path, mended_mind: str, damage: Damage
) -> None:
    changed_on_server(mended_mind, *damage.statements, *damage.postgres)

    before = diagnose(str(tmp_path / "home"), mended_mind)
    after = repair(str(tmp_path / "home"), mended_mind, ignored, backed_up=True)

    assert causes(before) == damage.found_by
    assert after.ok, after


@pytest.mark.long
@pytest.mark.parametrize("damage", [each for each in ON_POSTGRES if not each.mended], ids=named)
def test_damage_for_people_is_found_on_postgresql(
    tmp_path: Path, postgres_mind: str, damage: Damage
) -> None:
    changed_on_server(postgres_mind, *damage.statements, *damage.postgres)

    before = diagnose(str(tmp_path / "home"), postgres_mind)
    after = repair(str(tmp_path / "home"), postgres_mind, ignored, backed_up=True)

    assert causes(before) == damage.found_by
    assert not after.ok


@pytest.mark.parametrize(("break_it", "found_by", "mended"), IN_FILES, ids=named)
def test_damage_of_files_is_found(
    home: str, break_it: Callable[[str], None], found_by: str, mended: bool
) -> None:
    break_it(os.path.join(home, "lsm.db"))

    before = diagnose(home)
    after = repair(home, None, ignored)

    assert found_by in before.failed()
    assert all(advice(before))
    assert after.ok == mended, after


@pytest.mark.parametrize("damage", [each for each in ON_SQLITE if not each.mended], ids=named)
def test_what_derives_from_nothing_is_never_touched(home: str, damage: Damage) -> None:
    path = os.path.join(home, "lsm.db")
    changed(path, *damage.statements, *damage.sqlite)
    before = content_of(path)

    repair(home, None, ignored)

    after = content_of(path)
    assert {name for name in before if before[name] != after[name]} <= {"lsm_agent_schedules"}


def test_the_backup_before_a_repair_is_what_was_there(home: str) -> None:
    path = os.path.join(home, "lsm.db")
    changed(path, "DELETE FROM vec_chunks")
    before = content_of(path)

    repaired = repair(home, None, ignored)

    assert repaired.backup is not None
    with open_database(repaired.backup) as kept:
        assert kept.tuples("SELECT count(*) FROM vec_chunks") == [(0,)]
    assert content_of(repaired.backup) == before


def test_without_anything_to_mend_nothing_is_backed_up(home: str) -> None:
    repaired = repair(home, None, ignored)

    assert (repaired.ok, repaired.backup, repaired.repaired) == (True, None, ())
    assert not [name for name in os.listdir(home) if "before" in name]


def test_on_postgresql_a_backup_is_asked_for(tmp_path: Path, postgres_mind: str) -> None:
    changed_on_server(postgres_mind, "DELETE FROM vec_chunks")

    with pytest.raises(RefusedError, match=r"pg_dump .*--schema=lsm"):
        repair(str(tmp_path / "home"), postgres_mind, ignored)


def test_a_mind_that_was_mended_is_searched_as_before(home: str) -> None:
    with Mind(home) as mind:
        found = [hit.chunk_id for hit in mind.search("rain")]
        recalled = [hit.id for hit in mind.memories.search("rain")]
    path = os.path.join(home, "lsm.db")
    changed(path, "DELETE FROM vec_chunks", "DELETE FROM vec_memories", "DROP TABLE chunks_fts")

    assert repair(home, None, ignored).ok

    with Mind(home) as mind:
        assert [hit.chunk_id for hit in mind.search("rain")] == found
        assert [hit.id for hit in mind.memories.search("rain")] == recalled


@pytest.mark.parametrize("look", [diagnose, diagnose_database])
def test_looking_changes_nothing(
    home: str, look: Callable[[str], Diagnosis], tmp_path: Path
) -> None:
    path = os.path.join(home, "lsm.db")
    os.chmod(path, 0o644)
    before = bytes_of(path, tmp_path)

    look(home)

    assert bytes_of(path, tmp_path) == before
    assert open_mode(path) == 0o644


class TestHealthy:
    def test_lived_in(self, home: str) -> None:
        assert diagnose(home).failed() == frozenset()
        assert diagnose_database(home).failed() == frozenset()

    def test_lived_in_on_postgresql(self, tmp_path: Path, postgres_mind: str) -> None:
        assert diagnose(str(tmp_path / "home"), postgres_mind).failed() == frozenset()
        assert diagnose_database(str(tmp_path / "home"), postgres_mind).failed() == frozenset()

    def test_empty(self, tmp_path: Path) -> None:
        with Mind(str(tmp_path / "home")):
            pass

        assert diagnose(str(tmp_path / "home")).failed() == frozenset()

    def test_while_it_is_in_use(self, home: str) -> None:
        with Mind(home) as mind, mind.db.transaction():
            mind.db.run("UPDATE lsm_counters SET next_value = next_value + 1")

            assert diagnose(home).failed() == frozenset()

    def test_after_a_prune_and_a_vacuum(self, home: str) -> None:
        with Mind(home) as mind:
            Pruning(mind.db, open_chunk_index(mind.db)).run(Keep(versions=1))
            vacuum(mind.db)

        assert diagnose(home).failed() == frozenset()

    def test_after_everything_was_made_anew(self, home: str) -> None:
        with Mind(home) as mind:
            reindex(mind, ignored)

        assert diagnose(home).failed() == frozenset()

    def test_after_a_model_of_before(self, home: str) -> None:
        changed(os.path.join(home, "lsm.db"), "UPDATE vec_memories SET model = 'another'")

        assert diagnose(home).failed() == frozenset()


def test_an_older_database_is_looked_at_and_not_upgraded(
    tmp_path: Path, sqlite_template: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    other = home / "made.db"
    other.write_bytes(sqlite_template.read_bytes())
    other.chmod(0o600)
    other.rename(home / "lsm.db")
    path = str(home / "lsm.db")
    changed(
        path,
        "DELETE FROM lsm_migrations WHERE name > '0006'",
        "PRAGMA user_version = 6",
    )

    diagnosis = diagnose(str(home))

    told = {check.name: check.detail for check in diagnosis.checks}
    assert "of an earlier lsm" in told["database"]
    assert {"schema", "integrity", "references"} <= told.keys()
    assert "manifest" not in told
    assert not [name for name in os.listdir(home) if "before" in name]


def test_an_older_database_on_postgresql_is_not_upgraded(
    tmp_path: Path, postgres_mind: str
) -> None:
    changed_on_server(postgres_mind, "DELETE FROM lsm_migrations WHERE name > '0006'")

    diagnosis = diagnose(str(tmp_path / "home"), postgres_mind)

    told = {check.name: check.detail for check in diagnosis.checks}
    assert "of an earlier lsm" in told["database"]
    assert "manifest" not in told


def test_a_database_that_another_process_keeps_locked_is_told(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import apsw

    monkeypatch.setattr("lsm.db.sqlite.BUSY_MS", 50)
    holder = apsw.Connection(os.path.join(home, "lsm.db"))
    holder.pragma("locking_mode", "exclusive")
    holder.execute("BEGIN EXCLUSIVE; UPDATE lsm_counters SET next_value = next_value")

    diagnosis = diagnose(home)

    holder.close()
    [ill] = [check for check in diagnosis.checks if not check.ok]
    assert ill.name == "database"
    assert "busy" in ill.detail


def test_a_folder_that_is_synchronised_is_told(tmp_path: Path) -> None:
    home = tmp_path / "Dropbox" / "mind"
    with Mind(str(home)):
        pass

    diagnosis = diagnose(str(home))

    assert diagnosis.failed() == {"place"}


def ignored(_: str) -> None: ...


def causes(diagnosis: Diagnosis) -> frozenset[str]:
    """What is not ok, without words that differ only because the rest does."""
    failed = diagnosis.failed()
    return failed - {"words"} or failed


def advice(diagnosis: Diagnosis) -> list[str]:
    """What is said to be done, of each check that is not ok."""
    ill = [check.detail for check in diagnosis.checks if not check.ok]
    return [detail.rpartition("; ")[2] if "; " in detail else "" for detail in ill]


def open_mode(path: str) -> int:
    return os.stat(path).st_mode & 0o777


def bytes_of(path: str, folder: Path) -> bytes:
    """Its bytes: nobody but the driver may open a database by its own name."""
    other = folder / "looked-at"
    os.link(path, other)
    found = other.read_bytes()
    other.unlink()
    return found
