"""A document read part by part, its states compared, and what rests on it; on both engines."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from lsm.agents.memory.anchored import anchored_in
from lsm.errors import NotFoundError
from lsm.query.parts import PART_CHUNKS, compare, place_of, read_part
from lsm.vectordb.base import NOW
from lsm.vectordb.listing import DocumentList
from tests.test_agents.memories import Clock, Library, store

if TYPE_CHECKING:
    from lsm.db import Database
    from lsm.query.parts import DiffLine

PATH = "/notes/keys.md"
BEFORE = "# Keys\n\nThey rotate each year.\n\nAna has the spare key.\n\nThe vault is blue."
AFTER = (
    "# Keys\n\nThey rotate every 90 days.\nAlways.\n\nAna has the spare key.\n\nThe vault is blue."
)


def test_a_long_document_comes_in_parts_without_gap_or_overlap(db: Database) -> None:
    text = "\n\n".join(f"Paragraph {number}" for number in range(2 * PART_CHUNKS + 1))
    Library(db).write(PATH, text)

    parts = [read_part(db, 1, NOW, number=number) for number in (1, 2, 3)]

    assert [part.count for part in parts] == [3, 3, 3]
    assert "".join(part.text for part in parts).strip() == text
    assert [part.first_line for part in parts] == [1, 2 * PART_CHUNKS + 1, 4 * PART_CHUNKS + 1]


@pytest.mark.parametrize(
    ("line", "number"),
    [(1, 1), (2 * PART_CHUNKS, 2), (2 * PART_CHUNKS - 1, 1), (10**9, 2), (0, 1)],
)
def test_a_line_names_its_part(db: Database, line: int, number: int) -> None:
    Library(db).write(PATH, "\n\n".join(str(each) for each in range(PART_CHUNKS + 5)))

    assert read_part(db, 1, NOW, line=line).number == number


def test_a_document_is_read_as_it_was_and_said_to_be_old(db: Database) -> None:
    library = Library(db)
    library.write(PATH, BEFORE)
    library.write(PATH, AFTER)

    then, now = read_part(db, 1, 1), read_part(db, 1, NOW)

    assert ("each year" in then.text, then.is_current) == (True, False)
    assert ("90 days" in now.text, now.is_current) == (True, True)


def test_a_document_that_is_gone_is_shown_as_it_was_last(db: Database) -> None:
    library = Library(db)
    library.write(PATH, BEFORE)
    library.remove(PATH)

    last = read_part(db, 1, NOW)

    assert ("each year" in last.text, last.is_current) == (True, False)


@pytest.mark.parametrize(("document_id", "version"), [(99, NOW), (2, 1)])
def test_what_was_not_there_cannot_be_read(db: Database, document_id: int, version: int) -> None:
    library = Library(db)
    library.write(PATH, BEFORE)
    library.write("/notes/later.md", BEFORE)

    with pytest.raises(NotFoundError):
        read_part(db, document_id, version)


def test_a_comparison_has_the_changed_lines_and_their_neighbours(db: Database) -> None:
    library = Library(db)
    library.write(PATH, BEFORE)
    library.write(PATH, AFTER)

    found = compare(db, 1, 1, 2)

    assert of_kind(found, "out") == [(3, None, "They rotate each year.")]
    assert of_kind(found, "in") == [
        (None, 3, "They rotate every 90 days."),
        (None, 4, "Always."),
    ]
    assert (5, 6, "Ana has the spare key.") in of_kind(found, "same")
    assert "blue" not in str(found)  # too far from any change


def test_equal_states_have_nothing_to_compare(db: Database) -> None:
    Library(db).write(PATH, BEFORE)

    assert compare(db, 1, 1, 1) == []


def test_a_comparison_there_and_back_changes_sides(db: Database) -> None:
    library = Library(db)
    library.write(PATH, BEFORE)
    library.write(PATH, AFTER)

    there, back = compare(db, 1, 1, 2), compare(db, 1, 2, 1)

    assert [line.text for line in there if line.kind == "in"] == [
        line.text for line in back if line.kind == "out"
    ]


def test_a_chunk_that_is_gone_is_placed_where_it_was(db: Database) -> None:
    library = Library(db)
    library.write(PATH, BEFORE)
    old = read_part(db, 1, NOW).chunks[1]
    library.write(PATH, AFTER)

    assert place_of(db, old.chunk_id, NOW) == (1, 1, 3)
    with pytest.raises(NotFoundError):
        place_of(db, 999, NOW)


def test_documents_go_on_page_by_page_to_the_last(db: Database) -> None:
    library = Library(db)
    paths = [f"/notes/{letter}.md" for letter in "abcdefg"]
    for path in paths:
        library.write(path, f"About {path}")
    library.remove(paths[3])
    listing, found = DocumentList(db), list[str]()

    while page := listing.documents(found[-1] if found else "", most=2):
        found += [line.path for line in page]

    assert found == [path for path in paths if path != paths[3]]
    assert [line.path for line in listing.documents(below="/notes/b")] == ["/notes/b.md"]
    assert [d.path for d in listing.at_paths([paths[2], "/none", paths[0]])] == [paths[2], paths[0]]


def test_the_states_of_a_document_come_newest_first(db: Database) -> None:
    library = Library(db)
    for number in range(5):
        library.write(PATH, f"Text number {number}")
    listing = DocumentList(db)

    first = listing.versions_of(1, most=3)
    rest = listing.versions_of(1, before=first[-1].version, most=3)

    assert [line.version for line in (*first, *rest)] == [5, 4, 3, 2, 1]
    assert [line.ended for line in (*first, *rest)] == [None, 5, 4, 3, 2]
    assert all(new.file_hash != old.file_hash for new, old in pairwise((*first, *rest)))


def test_memories_are_listed_in_the_order_of_the_document(db: Database) -> None:
    library = Library(db)
    library.write(PATH, BEFORE)
    memories = store(db)
    memories.add("Ana has one", source=f"{PATH}#5")
    memories.add("They rotate yearly", source=f"{PATH}#3")
    gone = memories.add("The vault is blue", source=f"{PATH}#7").id
    memories.delete(gone)
    library.write(PATH, AFTER)

    found = anchored_in(db, 1, Clock())

    assert [(each.text, each.stale) for each in found] == [
        ("They rotate yearly", True),
        ("Ana has one", False),
    ]
    assert anchored_in(db, 2, Clock()) == []


def of_kind(found: list[DiffLine], kind: str) -> list[tuple[int | None, int | None, str]]:
    return [(line.old, line.new, line.text) for line in found if line.kind == kind]
