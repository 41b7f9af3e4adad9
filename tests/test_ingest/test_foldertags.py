"""`.lsm_tags.json`: who inherits what, and what a broken one costs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.ingest.foldertags import TAGS_NAME, FolderTags, merged, read_folder_tags
from lsm.ingest.walk import Start
from tests.test_ingest.library import (
    Library,
    counts,
    either_db,
    either_library,
    library,
    on_sqlite,
    paragraphs,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["either_db", "either_library", "library", "on_sqlite"]

BROKEN = {
    "no JSON": b"{tags: work}",
    "half a file": b'{"tags": ["wo',
    "nothing": b"",
    "an array": b'["work"]',
    "a text": b'"work"',
    "no tags": b'{"labels": ["work"]}',
    "a tag that is no text": b'{"tags": ["work", 7]}',
    "null": b'{"tags": null}',
    "tags in one text": b'{"tags": "work"}',
    "a key twice": b'{"tags": ["work"], "tags": ["play"]}',
    "a byte order mark": b'\xef\xbb\xbf{"tags": ["work"]}',
    "UTF-16": '{"tags": ["work"]}'.encode("utf-16"),
    "half a character": b'{"tags": ["caf\xe9"]}',
    "a lone surrogate": b'{"tags": ["\\ud800"]}',
    "a tag of 1 MB": json.dumps({"tags": ["x" * 2**20]}).encode(),
    "a tag of 101 characters": json.dumps({"tags": ["x" * 101]}).encode(),
    "10 MB": b'{"tags": ["work"], "x": "' + b"x" * (10 << 20) + b'"}',
    "100,000 brackets": b"[" * 60_000,
    "a number of 5,000 digits": b'{"tags": ["work"], "n": ' + b"9" * 5000 + b"}",
}


def test_tags_are_inherited_downwards_and_only_downwards(library: Library) -> None:
    tag(library, "", "all")
    tag(library, "a", "inner")
    for name in ("top.md", "a/in.md", "a/b/deep.md", "z/beside.md"):
        library.write(name, paragraphs(name))

    library.ingest()

    assert {name: library.document(name).tags for name in library.paths()} == {
        "top.md": ("all",),
        "a/in.md": ("all", "inner"),
        "a/b/deep.md": ("all", "inner"),
        "z/beside.md": ("all",),
    }


def test_a_document_keeps_its_own_tags_before_those_of_its_folders(library: Library) -> None:
    tag(library, "", "Work", "shared")
    library.write("a.md", "---\ntags: [mine, work]\n---\n\ntext\n")

    library.ingest()

    document = library.document("a.md")
    assert document.own_tags == ("mine", "work")
    assert document.tags == ("mine", "work", "shared")


def test_a_change_of_tags_reaches_unchanged_files_and_nothing_is_embedded(
    either_library: Library,
) -> None:
    tag(either_library, "a", "old")
    either_library.write("a/in.md", paragraphs("one", "two"))
    either_library.write("out.md", paragraphs("three"))
    either_library.ingest()
    tag(either_library, "a", "new", "newer")
    either_library.model.asked.clear()

    report = either_library.ingest()

    assert counts(report) == {"unchanged": 2}
    assert report.version == 2
    assert either_library.model.asked == []
    assert either_library.document("a/in.md").tags == ("new", "newer")
    assert either_library.document("out.md").version == 1


def test_tags_that_are_taken_away_are_gone(library: Library) -> None:
    tag(library, "", "old")
    library.write("a.md", paragraphs("one"))
    library.ingest()
    (library.root / TAGS_NAME).unlink()

    library.ingest()

    assert library.document("a.md").tags == ()
    assert library.document("a.md").version == 2


def test_a_tag_that_makes_no_difference_takes_no_version(library: Library) -> None:
    library.write("a.md", "---\ntags: [work]\n---\n\ntext\n")
    library.ingest()
    tag(library, "", "work")

    report = library.ingest()

    assert report.version is None
    assert library.ingest().version is None
    assert library.document("a.md").version == 1


@pytest.mark.parametrize("start", ["a/b", "a/b/in.md"])
def test_ingest_of_a_part_inherits_from_the_root_above(library: Library, start: str) -> None:
    tag(library, "", "all")
    tag(library, "a", "inner")
    library.write("a/b/in.md", paragraphs("one"))

    library.ingest(start)

    assert library.document("a/b/in.md").tags == ("all", "inner")
    assert library.ingest().version is None


def test_a_root_that_is_a_file_has_the_tags_of_its_folder(library: Library) -> None:
    tag(library, "", "all")
    path = str(library.write("a.md", paragraphs("one")))

    library.ingest(Start(path, path))

    assert library.document("a.md").tags == ("all",)


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_of_tags_is_ignored_with_one_warning(tmp_path: Path, content: bytes) -> None:
    (tmp_path / TAGS_NAME).write_bytes(content)

    tags, problem = read_folder_tags(None, str(tmp_path), FolderTags(("above",)))

    assert tags == FolderTags(("above",))
    assert problem is not None
    assert problem[:2] == (str(tmp_path / TAGS_NAME), "tags_ignored")
    assert "\n" not in problem[2]
    assert len(problem[2]) < 200
    assert (tmp_path / TAGS_NAME).read_bytes() == content


def test_a_broken_file_of_tags_costs_a_warning_and_no_document(library: Library) -> None:
    tag(library, "", "all")
    library.write("good/in.md", paragraphs("one"))
    for number, content in enumerate(BROKEN.values()):
        library.write(f"{number}/{TAGS_NAME}", content)
        library.write(f"{number}/in.md", paragraphs(f"text {number}"))
    library.write("link/in.md", paragraphs("linked"))
    (library.root / "link" / TAGS_NAME).symlink_to(library.root / TAGS_NAME)
    library.write("folder/in.md", paragraphs("folder"))
    (library.root / "folder" / TAGS_NAME).mkdir()
    library.write("pipe/in.md", paragraphs("pipe"))
    os.mkfifo(library.root / "pipe" / TAGS_NAME)
    before = contents(library.root)

    report = library.ingest()

    broken = [*map(str, range(len(BROKEN))), "link", "folder", "pipe"]
    assert {(w.path, w.code) for w in report.warnings} == {
        (library.path(f"{name}/{TAGS_NAME}"), "tags_ignored") for name in broken
    }
    assert (counts(report), report.errors) == ({"new": len(broken) + 1}, [])
    assert {library.document(name).tags for name in library.paths()} == {("all",)}
    assert contents(library.root) == before


@given(
    st.lists(
        st.text(max_size=12)
        | st.sampled_from(["a", "A", " a ", "#a", "# a", "# #a", "ß", "SS", "x" * 101])
    )
)
def test_merged_tags_are_clean_and_stand_once(tags: list[str]) -> None:
    result = merged(tags)

    assert merged(result) == result
    assert len({tag.casefold() for tag in result}) == len(result) <= 64
    assert all(0 < len(tag) <= 100 and tag == tag.strip() and "\0" not in tag for tag in result)


def tag(library: Library, folder: str, *tags: str) -> None:
    library.write(f"{folder}/{TAGS_NAME}".lstrip("/"), json.dumps({"tags": tags}))


def contents(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}
