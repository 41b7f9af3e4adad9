"""The file behind a document is opened below its root, and no link leads elsewhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lsm.errors import NotFoundError
from lsm.ingest.original import open_original

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_below_its_root_is_read(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "note.md").write_text("hello", "utf-8")

    assert content(str(inner / "note.md"), str(tmp_path)) == b"hello"
    assert content(str(inner / "note.md"), str(inner / "note.md")) == b"hello"


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "note.md").write_text("hello", "utf-8")
    (tmp_path / "root").symlink_to(tmp_path / "real")

    assert content(str(tmp_path / "root" / "note.md"), str(tmp_path / "root")) == b"hello"


@pytest.mark.parametrize(
    "path", ["root/link.md", "root/folder/secret.md", "root/pipe.md", "root/gone.md", "root/inner"]
)
def test_a_link_a_pipe_or_a_folder_is_no_file(tmp_path: Path, path: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.md").write_text("secret", "utf-8")
    (tmp_path / "root" / "inner").mkdir(parents=True)
    (tmp_path / "root" / "link.md").symlink_to(tmp_path / "outside" / "secret.md")
    (tmp_path / "root" / "folder").symlink_to(tmp_path / "outside")
    os.mkfifo(tmp_path / "root" / "pipe.md")

    with pytest.raises(NotFoundError):
        open_original(str(tmp_path / path), str(tmp_path / "root"))


@pytest.mark.parametrize("path", ["root/../outside.md", "outside.md", "root-2/a.md", "root/./a.md"])
def test_nothing_beside_the_root_is_opened(tmp_path: Path, path: str) -> None:
    for folder in ("root", "root-2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.md").write_text("a", "utf-8")
    (tmp_path / "outside.md").write_text("secret", "utf-8")

    with pytest.raises(NotFoundError):
        open_original(f"{tmp_path}/{path}", str(tmp_path / "root"))


def content(path: str, root: str) -> bytes:
    with os.fdopen(open_original(path, root), "rb") as file:
        return file.read()
