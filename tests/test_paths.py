"""Paths as text: any path goes in, the same path comes out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.paths import absolute, shown, to_os, to_text

if TYPE_CHECKING:
    from pathlib import Path

    from lsm.db import Database

# Bytes that mean something to the mapping, far more often than chance would bring them.
_SPICY = (
    b"\xef",
    b"\x9e",
    b"\x9f",
    b"\x80",
    b"\xbf",
    "\uf780".encode(),
    "\uf7ff".encode(),
    b"\xff",
)
names = st.lists(st.binary(max_size=4) | st.sampled_from(_SPICY), max_size=12).map(
    lambda parts: b"".join(parts).replace(b"\0", b"")
)


@given(names)
def test_every_path_comes_back_byte_for_byte(raw: bytes) -> None:
    assert os.fsencode(to_os(to_text(raw))) == raw


@given(names)
def test_a_path_in_the_form_of_the_system_means_the_same_as_its_bytes(raw: bytes) -> None:
    assert to_text(os.fsdecode(raw)) == to_text(raw)


@given(names)
def test_a_path_as_text_fits_every_encoding_of_unicode(raw: bytes) -> None:
    assert to_text(raw).encode("utf-8").decode() == to_text(raw)


@given(names, names)
def test_two_paths_are_never_the_same_text(one: bytes, other: bytes) -> None:
    assert (to_text(one) == to_text(other)) == (one == other)


@pytest.mark.parametrize("name", ["a.md", "Größe.md", "日本語.md", "🐙.md", "e\u0301.md", "\ue000"])
def test_a_path_in_utf_8_stays_as_it_reads(name: str) -> None:
    assert to_text(name) == to_os(name) == name


def test_a_path_that_is_not_utf_8_survives_a_database(db: Database) -> None:
    text = to_text(b"/caf\xe9/\xef\x9e\x80/\xf0\x9f.md")

    db.run("INSERT INTO lsm_meta (key, value) VALUES (:path, 'x')", path=text)

    assert db.tuples("SELECT key FROM lsm_meta WHERE value = 'x'") == [(text,)]


def test_the_same_file_is_opened_again(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.md"
    with open(raw, "wb") as file:
        file.write(b"found")

    with open(to_os(to_text(raw)), "rb") as file:
        assert file.read() == b"found"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/a b.md", "/home/a b.md"),
        ("/größe/日本.md", "/größe/日本.md"),
        ("a\nb", r"a\nb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\u202egpj.md", r"a\u202egpj.md"),
        ("a\u200bb", r"a\u200bb"),
        (to_text(b"caf\xe9"), r"caf\xe9"),
    ],
)
def test_a_shown_path_cannot_forge_a_line(path: str, expected: str) -> None:
    assert shown(path) == expected


@given(names)
def test_a_shown_path_is_one_printable_line(raw: bytes) -> None:
    assert all(
        char.isprintable() or char == "\u3000" or char.isspace() for char in shown(to_text(raw))
    )
    assert len(shown(to_text(raw)).splitlines()) <= 1


def test_a_relative_path_is_completed_and_a_link_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert absolute("link/../link/x") == f"{tmp_path}/link/x"
    assert absolute("~/x") == f"{tmp_path}/x"
