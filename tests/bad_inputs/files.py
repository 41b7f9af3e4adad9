"""What the file system can put in the way of a scan."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bad_inputs.corpus import INGESTED, SKIPPED, CannotBeMadeError, Case, case, content

_TEXT = "A perfectly good text.\n"
_DEEP = 1500  # folders; the path is longer than PATH_MAX
_NAMES = {
    "newline": "a\nb.md",
    "tab": "a\tb.md",
    "escape codes": "\x1b[31mred\x1b[0m\x07.md",
    "emoji": "🐙🧠.md",
    "right to left": "a\u202egpj.md",
    "zero width": "a\u200bb.md",
    "255 bytes": "n" * 252 + ".md",
    "composed": "caf\u00e9.md",
    "decomposed": "cafe\u0301.md",
    "option": "-rf.md",
    "long option": "--help.md",
    "substitution": "$(touch x).md",
    "semicolon": "a;b.md",
    "device of Windows": "con.md",
    "trailing space": "a .md ",
    "quotes": "a'\"`.md",
    "percent": "a%00?#.md",
}


def cases() -> Iterator[Case]:
    yield content("empty.md", b"", INGESTED)
    yield content("one_byte.md", b"x", INGESTED)
    yield case("10 GB, sparse", lambda folder: _sparse(folder, 10 << 30), "too_large")
    yield case("200 MB in one line", lambda folder: _sparse(folder, 200 << 20), "too_large")
    yield case("FIFO", _fifo, SKIPPED)
    yield case("socket", _socket, SKIPPED)
    yield case("link to a device", lambda folder: _link(folder, "/dev/zero"), SKIPPED)
    yield case("link to itself", lambda folder: _link(folder, "link.md"), SKIPPED)
    yield case("link to nothing", lambda folder: _link(folder, "nothing.md"), SKIPPED)
    yield case("link out of the root", lambda folder: _link(folder, "/etc/passwd"), SKIPPED)
    yield case("link to its own folder", lambda folder: _link(folder, "."), SKIPPED)
    yield case("hard link", _hard_link, INGESTED)
    yield case("mode 000", _unreadable, "permission_denied")
    yield case("folder of mode 000", _closed_folder, "permission_denied")
    yield case("folder 1,500 levels deep", _deep_folder, "too_deep", "path_too_long")
    yield case("name that is not UTF-8", lambda folder: _named(folder, b"caf\xe9.md"), INGESTED)
    for name, file_name in _NAMES.items():
        # A trailing space makes ".md " of the extension, which is no format we know.
        outcome = SKIPPED if file_name.endswith(" ") else INGESTED
        yield case(f"name: {name}", _namer(file_name), outcome)
    for year, seconds in {"1969": -1, "1970": 0, "2106": 2**32, "2250": 2**33 + 2**28}.items():
        yield case(f"modified in {year}", _dater(seconds), INGESTED)


def _sparse(folder: Path, size: int) -> Path:
    path = folder / "sparse.txt"
    path.touch()
    try:
        os.truncate(path, size)
    except OSError as error:
        path.unlink()
        raise CannotBeMadeError from error
    return path


def _fifo(folder: Path) -> Path:
    if sys.platform == "win32":
        raise CannotBeMadeError
    os.mkfifo(folder / "pipe.md")
    return folder / "pipe.md"


def _socket(folder: Path) -> Path:
    path = folder / "sock.md"
    if sys.platform == "win32" or len(os.fsencode(path)) > 100:
        raise CannotBeMadeError
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    return path


def _link(folder: Path, target: str) -> Path:
    path = folder / "link.md"
    path.symlink_to(target)
    return path


def _hard_link(folder: Path) -> Path:
    (folder / "twin.md").write_text(_TEXT)
    (folder / "linked.md").hardlink_to(folder / "twin.md")
    return folder / "linked.md"


def _unreadable(folder: Path) -> Path:
    _refuse_root()
    path = folder / "secret.md"
    path.write_text(_TEXT)
    path.chmod(0)
    return path


def _closed_folder(folder: Path) -> Path:
    _refuse_root()
    (folder / "closed").mkdir()
    (folder / "closed" / "inside.md").write_text(_TEXT)
    (folder / "closed").chmod(0)
    return folder / "closed"


def _refuse_root() -> None:
    if sys.platform == "win32" or os.geteuid() == 0:
        raise CannotBeMadeError


def _deep_folder(folder: Path) -> Path:
    """Level by level, relative to each other: no path to the bottom can be given."""
    if os.mkdir not in os.supports_dir_fd:
        raise CannotBeMadeError
    here = os.open(folder, os.O_RDONLY)
    for _ in range(_DEEP):
        os.mkdir("down", dir_fd=here)
        below = os.open("down", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    file = os.open("deep.md", os.O_CREAT | os.O_WRONLY, dir_fd=here)
    os.write(file, _TEXT.encode())
    os.close(file)
    os.close(here)
    return folder / "down"


def _named(folder: Path, name: bytes) -> Path:
    path = folder / os.fsdecode(name)
    try:
        path.write_text(_TEXT)
    except (OSError, ValueError) as error:
        raise CannotBeMadeError from error
    return path


def _namer(name: str) -> Callable[[Path], Path]:
    return lambda folder: _named(folder, os.fsencode(name))


def _dater(seconds: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "dated.md"
        path.write_text(_TEXT)
        try:
            os.utime(path, (seconds, seconds))
        except (OSError, OverflowError) as error:
            path.unlink()
            raise CannotBeMadeError from error
        return path

    return make
