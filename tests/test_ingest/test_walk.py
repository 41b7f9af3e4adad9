"""What a walk meets, and what it does not follow."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from lsm.ingest.selection import Selection
from lsm.ingest.walk import MAX_DEPTH, Seen, Start, Walk
from lsm.paths import to_os, to_text
from tests.test_ingest.library import as_ordinary_user

if TYPE_CHECKING:
    from pathlib import Path

_ALL = Selection()
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX file systems only")


def test_files_of_every_folder_are_met_once(tmp_path: Path) -> None:
    files(tmp_path, "a.md", "sub/b.txt", "sub/deeper/c.py", "other/d.md")

    met = names(walked(tmp_path))

    assert met == ["a.md", "other/d.md", "sub/b.txt", "sub/deeper/c.py"]


@pytest.mark.parametrize(
    "name", [".hidden.md", ".git/a.md", "node_modules/a.md", "x.bin", "noext", ".lsm_tags.json"]
)
def test_what_is_no_document_of_a_person_is_left_out(tmp_path: Path, name: str) -> None:
    files(tmp_path, "a.md", name)

    assert names(walked(tmp_path)) == ["a.md"]


@pytest.mark.parametrize("glob", ["drafts", "*.txt", "**/b.*", "drafts/**"])
def test_what_the_user_excludes_is_left_out(tmp_path: Path, glob: str) -> None:
    files(tmp_path, "a.md", "drafts/b.txt")

    assert names(walked(tmp_path, selection=Selection(exclude=(glob,)))) == ["a.md"]


def test_hidden_files_are_met_if_asked_for_but_tags_are_no_document(tmp_path: Path) -> None:
    files(tmp_path, ".notes/.a.md", ".lsm_tags.json")

    assert names(walked(tmp_path, selection=Selection(hidden=True))) == [".notes/.a.md"]


def test_pipes_sockets_and_links_are_counted_and_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    files(root, "a.md")
    files(tmp_path, "outside/secret.md")
    os.mkfifo(root / "pipe.md")
    (root / "file.md").symlink_to(tmp_path / "outside" / "secret.md")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "self.md").symlink_to("self.md")
    (root / "device.md").symlink_to("/dev/zero")
    monkeypatch.chdir(root)  # a socket's path has to be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock.md")

    seen = walked(root)

    assert names(seen) == ["a.md"]
    assert [(each.skipped, each.problems) for each in seen] == [(6, [])]


def test_a_root_may_be_a_link_for_the_user_named_it(tmp_path: Path) -> None:
    files(tmp_path, "real/a.md")
    (tmp_path / "link").symlink_to("real")

    assert [path for path, _ in found(walked(tmp_path / "link"))] == [str(tmp_path / "link/a.md")]


def test_a_folder_swapped_for_a_link_during_the_walk_is_not_followed(tmp_path: Path) -> None:
    files(tmp_path, "root/a.md", "root/inner/b.md", "outside/secret.md")
    walk = iter(Walk([Start(str(tmp_path / "root"), "")], Selection()))
    first = next(walk)
    (tmp_path / "root/inner").rename(tmp_path / "inner")
    (tmp_path / "root/inner").symlink_to(tmp_path / "outside")

    rest = list(walk)

    assert names([first, *rest]) == ["a.md"]
    assert problems(rest) == {("inner", "unreadable")}


def test_a_folder_is_met_once_however_many_starts_lead_to_it(tmp_path: Path) -> None:
    files(tmp_path, "a.md", "sub/b.md")
    (tmp_path / "link").symlink_to("sub")
    places = [tmp_path / "sub", tmp_path, tmp_path / "link", tmp_path, tmp_path / "sub/b.md"]

    met = [path for path, _ in found(walked(*places))]

    assert met == [str(tmp_path / "a.md"), str(tmp_path / "sub/b.md")]


@pytest.mark.parametrize("name", [".hidden.md", "drafts/b.md"])
def test_a_file_named_by_the_user_is_read_though_its_kind_is_left_out(
    tmp_path: Path, name: str
) -> None:
    files(tmp_path, "a.md", name)

    met = walked(tmp_path, tmp_path / name, selection=Selection(exclude=("drafts",)))

    assert names(met) == sorted(["a.md", name])


def test_a_file_of_no_kind_we_read_is_a_problem_if_the_user_names_it(tmp_path: Path) -> None:
    files(tmp_path, "x.bin")

    assert problems(walked(tmp_path / "x.bin")) == {("x.bin", "unsupported")}


def test_a_start_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    assert problems(walked(tmp_path / "gone")) == {("gone", "vanished")}


def test_a_closed_folder_is_a_problem_and_its_neighbours_are_read(tmp_path: Path) -> None:
    files(tmp_path, "a.md", "closed/secret.md", "z.md")
    (tmp_path / "closed").chmod(0)

    seen = as_ordinary_user(lambda: walked(tmp_path))

    (tmp_path / "closed").chmod(0o700)
    assert names(seen) == ["a.md", "z.md"]
    assert problems(seen) == {("closed", "permission_denied")}


def test_a_folder_that_may_be_listed_but_not_entered_tells_of_each_file(tmp_path: Path) -> None:
    files(tmp_path, "a.md", "listed/b.md")
    (tmp_path / "listed").chmod(0o400)

    seen = as_ordinary_user(lambda: walked(tmp_path))

    (tmp_path / "listed").chmod(0o700)
    assert names(seen) == ["a.md"]
    assert problems(seen) in (
        {("b.md", "permission_denied")},
        {("listed", "permission_denied")},
    )


def test_folders_are_walked_as_deep_as_promised_and_the_rest_is_reported(tmp_path: Path) -> None:
    last = nested(tmp_path, MAX_DEPTH + 1)

    seen = walked(tmp_path)

    assert len(found(seen)) == MAX_DEPTH + 1  # a file in each, the root's included
    assert problems(seen) == {(os.path.basename(os.path.dirname(last)), "too_deep")}


def test_a_path_longer_than_the_system_opens_is_walked_all_the_same(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("deep.md", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)

    seen = walked(tmp_path)

    assert [os.path.basename(path) for path, _ in found(seen)] == ["deep.md"]


@pytest.mark.parametrize("raw", [b"caf\xe9.md", b"a\nb.md", b"\x1b[31m.md", "\uf7ff.md".encode()])
def test_a_file_of_any_name_is_found_again_by_the_path_told(tmp_path: Path, raw: bytes) -> None:
    with open(os.path.join(os.fsencode(tmp_path), raw), "wb") as file:
        file.write(b"x")

    [(path, status)] = found(walked(tmp_path))

    assert os.stat(to_os(path)).st_ino == status.st_ino
    assert os.fsencode(to_os(path)).endswith(raw)


@pytest.mark.skipif(not os.path.ismount("/proc"), reason="no such file system here")
def test_what_the_system_invents_is_no_library() -> None:
    assert problems(walked("/proc")) == {("proc", "not_files")}


def test_twins_by_hard_link_are_two_files(tmp_path: Path) -> None:
    files(tmp_path, "a.md")
    (tmp_path / "b.md").hardlink_to(tmp_path / "a.md")

    assert names(walked(tmp_path)) == ["a.md", "b.md"]


def test_no_folder_stays_open(tmp_path: Path) -> None:
    files(tmp_path, *(f"{n}/{n}/a.md" for n in range(30)))
    before = lowest_free_descriptor(tmp_path)

    walk = iter(Walk([Start(str(tmp_path), str(tmp_path))], Selection()))
    next(walk)
    next(walk)
    del walk  # stopped in the middle
    walked(tmp_path)

    assert lowest_free_descriptor(tmp_path) == before


def walked(*places: Path | str, selection: Selection = _ALL) -> list[Seen]:
    starts = [Start(to_text(str(place)), to_text(str(places[0]))) for place in places]
    return list(Walk(starts, selection))


def found(seen: list[Seen]) -> list[tuple[str, os.stat_result]]:
    return sorted((file for each in seen for file in each.files), key=lambda file: file[0])


def names(seen: list[Seen]) -> list[str]:
    """Paths below the folder that all of them have in common with the first one walked."""
    paths = [path for path, _ in found(seen)]
    root = os.path.dirname(next(path for path in paths if path.endswith((".md", ".txt"))))
    while (
        not all(path.startswith(root + "/") for path in paths) or os.path.basename(root)[0] == "."
    ):
        root = os.path.dirname(root)
    return [os.path.relpath(path, root) for path in paths]


def problems(seen: list[Seen]) -> set[tuple[str, str]]:
    return {(os.path.basename(p.path), p.code) for each in seen for p in each.problems}


def files(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{path}\n")


def nested(root: Path, depth: int) -> str:
    """A file in *root* and in each of *depth* folders one inside the other; the last folder."""
    folder = str(root)
    for level in range(depth):
        with open(f"{folder}/f.md", "w") as file:
            file.write("x")
        folder = f"{folder}/{level}"
        os.mkdir(folder)
    with open(f"{folder}/f.md", "w") as file:
        file.write("x")
    return folder


def lowest_free_descriptor(folder: Path) -> int:
    handle = os.open(folder, os.O_RDONLY)
    os.close(handle)
    return handle
