"""An export is everything, once, in an order that does not change, and for its owner alone."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from lsm.app import Mind
from lsm.db import open_as_it_is
from lsm.errors import AccessError, RefusedError
from lsm.export import ExportOptions, export
from lsm.export.folder import file_name
from lsm.migration.database.contents import content_tables
from tests.lived_in import (
    home,
    lived_in,
    lived_in_postgres,
    mended_mind,
    one_model,
    postgres_mind,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["home", "lived_in", "lived_in_postgres", "mended_mind", "one_model", "postgres_mind"]


def test_every_row_of_every_table_is_there(home: str, tmp_path: Path) -> None:
    with Mind(home) as mind:
        written = export(mind.db, str(tmp_path / "out"))

        for table in content_tables(mind.db):
            if table.name.startswith(("vec_", "lsm_stats_cache")):
                continue
            rows = mind.db.tuples(f"SELECT count(*) FROM {table.name}")[0][0]  # type: ignore[arg-type]
            assert (table.name, len(rows_of(tmp_path, table.name))) == (table.name, rows)
            assert written.tables[table.name] == rows


def test_a_row_says_what_the_table_says(home: str, tmp_path: Path) -> None:
    with Mind(home) as mind:
        export(mind.db, str(tmp_path / "out"))
        stored = mind.db.rows("SELECT * FROM lsm_agent_memories ORDER BY number")

    assert [row | {"pinned": int(row["pinned"])} for row in by_number(tmp_path)] == stored


def test_both_engines_write_the_same_shape(tmp_path: Path, home: str, mended_mind: str) -> None:
    for name, url in (("sqlite", os.path.join(home, "lsm.db")), ("postgres", mended_mind)):
        with open_as_it_is(url) as db:
            export(db, str(tmp_path / name), options=ExportOptions(vectors=True))

    one, other = (shape(tmp_path / name) for name in ("sqlite", "postgres"))
    assert one == other


def test_two_exports_of_one_state_are_equal(home: str, tmp_path: Path) -> None:
    with Mind(home) as mind:
        for name in ("one", "two"):
            export(mind.db, str(tmp_path / name))

    assert bytes_below(tmp_path / "one") == bytes_below(tmp_path / "two")


def test_one_more_memory_is_one_more_line(home: str, tmp_path: Path) -> None:
    with Mind(home) as mind:
        export(mind.db, str(tmp_path / "one"))
        mind.memories.add("The kiln is cold", scope="team")
        export(mind.db, str(tmp_path / "two"))

    one, two = bytes_below(tmp_path / "one"), bytes_below(tmp_path / "two")
    changed = {name for name in two if one.get(name) != two[name]}
    assert changed == {
        "memories/team.md", "tables/lsm_agent_memories.jsonl", "tables/lsm_counters.jsonl",
        "tables/lsm_memory_revisions.jsonl",
    }  # fmt: skip
    assert b"> The kiln is cold" in two["memories/team.md"]
    lines = (data["tables/lsm_agent_memories.jsonl"].splitlines() for data in (one, two))
    assert len(set(next(lines)) ^ set(next(lines))) == 1


def test_it_is_private(home: str, tmp_path: Path) -> None:
    with Mind(home) as mind:
        export(mind.db, str(tmp_path / "out"))

    for folder, _, names in os.walk(tmp_path / "out"):
        assert os.stat(folder).st_mode & 0o777 == 0o700
        assert {os.stat(os.path.join(folder, name)).st_mode & 0o777 for name in names} <= {0o600}


def test_no_memory_can_look_like_another_or_like_a_heading(home: str, tmp_path: Path) -> None:
    with Mind(home) as mind:
        mind.memories.add("one\n# two\n- id: 3", scope="odd/a b?*")
        export(mind.db, str(tmp_path / "out"))

    [page] = (tmp_path / "out" / "memories" / "odd").iterdir()
    lines = page.read_text().splitlines()
    assert {"> one", "> # two", "> - id: 3"} <= set(lines)
    assert sum(line.startswith("#") for line in lines) == 2


@pytest.mark.parametrize("broken", ["a file", "a folder with something in it"])
def test_what_is_there_is_never_written_over(home: str, tmp_path: Path, broken: str) -> None:
    target = tmp_path / "out"
    if broken == "a file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "mine").write_text("mine")

    with Mind(home) as mind, pytest.raises(RefusedError):
        export(mind.db, str(target))

    assert "mine" in (target if target.is_file() else target / "mine").read_text()
    assert [p.name for p in tmp_path.iterdir() if "partial" in p.name] == []


def test_an_empty_folder_is_filled(home: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    with Mind(home) as mind:
        export(mind.db, str(tmp_path / "out"))

    assert (tmp_path / "out" / "README.md").exists()


def test_stopped_it_leaves_nothing_and_the_next_one_clears_up_after_a_killed_one(
    home: str, tmp_path: Path
) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    gone = tmp_path / f"out.partial-{2**22 + 1}-0123abcd"
    gone.mkdir()
    (gone / "half").write_text("half")

    with Mind(home) as mind, pytest.raises(KeyboardInterrupt):
        export(mind.db, str(tmp_path / "out"), stop)

    assert sorted(p.name for p in tmp_path.iterdir()) == ["home"]


def test_where_nothing_can_be_written_it_says_so(home: str) -> None:
    with Mind(home) as mind, pytest.raises(AccessError):
        export(mind.db, "/proc/nowhere/out")


def test_every_table_is_explained(home: str, tmp_path: Path) -> None:
    with Mind(home) as mind:
        written = export(mind.db, str(tmp_path / "out"), options=ExportOptions(vectors=True))

    sections = (tmp_path / "out" / "README.md").read_text().split("\n## ")[1:]
    told = {section.split("\n")[0]: section.split("\n")[2] for section in sections}
    assert told.keys() == written.tables.keys()
    assert [name for name, note in told.items() if not note.strip()] == []


@pytest.mark.parametrize("one", ["a", "A", "a/b", "a b", "ä", "..", "", "con:", "x" * 300])
@pytest.mark.parametrize("other", ["a", "A", "a_b", "a b", "ä", ".", " ", "con?", "x" * 301])
def test_names_of_files_are_told_apart_even_where_case_is_not(one: str, other: str) -> None:
    names = [file_name(one).lower(), file_name(other).lower()]

    assert (names[0] == names[1]) == (one == other)
    assert all(0 < len(name.encode()) < 200 and name.strip(".") for name in names)


def rows_of(folder: Path, table: str) -> list[dict[str, Any]]:
    lines = (folder / "out" / "tables" / f"{table}.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]


def by_number(folder: Path) -> list[dict[str, Any]]:
    return sorted(rows_of(folder, "lsm_agent_memories"), key=lambda row: row["number"])


def shape(folder: Path) -> dict[str, list[str]]:
    """Of each table, the columns of a row; and the names of the files for people."""
    found: dict[str, list[str]] = {}
    for path in sorted((folder / "tables").iterdir()):
        lines = path.read_bytes().splitlines()
        found[path.name] = list(json.loads(lines[0])) if lines else []
    found["memories"] = sorted(str(p.relative_to(folder)) for p in (folder / "memories").rglob("*"))
    return found


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
