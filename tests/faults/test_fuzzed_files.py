"""Files with bytes turned, cut, doubled and put in: each gets an answer, and the next is read."""

from __future__ import annotations

import os
import random
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lsm.ingest.chunking import ChunkOptions
from lsm.ingest.messages import Limits, ParseRequest, Startup
from lsm.ingest.parsers import parser_for
from lsm.ingest.sandbox import ParserPool
from lsm.sample import library_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lsm.ingest.messages import Answer

LARGEST = 300_000  # bytes of a file that is worth turning
GOOD_EACH = 10  # among so many there is one that nobody has touched
PIECES = (b"\0", b"\xff" * 64, b"<" * 200, b"[" * 500, b"%PDF-1.7", b"PK\x03\x04", b"&a;" * 50)


def test_a_hundred_spoiled_files_are_answered_one_by_one(tmp_path: Path) -> None:
    wrong, answered = fuzzed(tmp_path, 1, lambda number: number < 120)

    assert wrong == []
    assert answered == 120


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2))
def test_ten_minutes_of_spoiled_files(tmp_path: Path, seed: int) -> None:
    end = time.monotonic() + 300

    wrong, answered = fuzzed(tmp_path, seed, lambda _: time.monotonic() < end)

    assert wrong == []
    assert answered > 100


def fuzzed(
    folder: Path, seed: int, more: Callable[[int], bool]
) -> tuple[list[tuple[str, str, str]], int]:
    """Which files got a wrong answer, with its code and reason; and how many got one at all."""
    chance = random.Random(seed)
    wrong: list[tuple[str, str, str]] = []
    answered = 0
    with ParserPool(2, Startup(chunking=ChunkOptions(), limits=Limits())) as pool:
        for result in pool.results(requests(folder, chance, more)):
            path = Path(os.fsdecode(result.request.path))
            answered += 1
            if is_wrong(path, result.answer):
                wrong.append((path.name, result.answer.code, result.answer.reason))
            path.unlink()
    return wrong, answered


def is_wrong(path: Path, answer: Answer) -> bool:
    if answer.status == "parsed":
        return False
    said = answer.code.isidentifier() and answer.reason.isprintable() and answer.reason
    return path.name.startswith("good") or not said


def requests(
    folder: Path, chance: random.Random, more: Callable[[int], bool]
) -> Iterator[ParseRequest]:
    originals = [
        path
        for path in sorted(Path(library_path()).rglob("*"))
        if path.is_file() and parser_for(path.name) and path.stat().st_size < LARGEST
    ]
    by_kind = {path.suffix: [p for p in originals if p.suffix == path.suffix] for path in originals}
    for number in count():
        if not more(number):
            return
        # Each kind as often as any other, however few there are of it.
        original = chance.choice(by_kind[chance.choice(sorted(by_kind))])
        data, name = original.read_bytes(), "good"
        if number % GOOD_EACH:
            data, name = spoiled(data, chance), "spoiled"
        path = folder / f"{name}-{number}{original.suffix}"
        path.write_bytes(data)
        found = path.lstat()
        yield ParseRequest(path=os.fsencode(path), device=found.st_dev, inode=found.st_ino)


def spoiled(data: bytes, chance: random.Random) -> bytes:
    """*data* with one to eight things done to it."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(5):
            case 0 if at < len(found):
                found[at] ^= 1 << chance.randrange(8)
            case 1:
                del found[at : at + chance.randint(1, 200)]
            case 2:
                found[at:at] = found[at : at + chance.randint(1, 2000)]
            case 3:
                found[at:at] = chance.choice(PIECES)
            case _:
                found[at : at + 4] = chance.randbytes(4)
    return bytes(found) if chance.random() < 0.9 else bytes(found[: len(found) // 2])
