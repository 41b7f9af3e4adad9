"""Parsing children that hang, crash, eat memory and talk nonsense, for real."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from lsm.errors import LsmError
from lsm.ingest import messages
from lsm.ingest.chunking import ChunkOptions
from lsm.ingest.messages import Answer, Limits, ParseRequest, Startup
from lsm.ingest.sandbox import ParserPool

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")

HOSTILE = (sys.executable, "-I", str(Path(__file__).with_name("hostile_worker.py")))
LIMITS = Limits(wall_seconds=3, cpu_seconds=1)


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ("hang", "timeout"),
        ("spin", "timeout"),
        ("crash", "parser_crash"),
        ("exit 0", "parser_crash"),
        ("exit 3", "parser_crash"),
        ("be-killed", "oom"),
        ("eat", "oom"),
        ("nest", "too_deep"),
        ("raise this", "parser_error"),
        ("rubbish", "protocol"),
        ("huge-frame", "protocol"),
        ("title 34000000", "too_large"),
    ],
)
def test_a_hostile_file_fails_and_all_others_are_parsed(
    tmp_path: Path, order: str, code: str
) -> None:
    if code == "oom" and sys.platform != "linux":
        pytest.skip("only Linux limits the memory of a process")
    names = [f"{n}.order" for n in range(40)]
    for name in names:
        (tmp_path / name).write_text(f"say {name}")
    (tmp_path / "5.order").write_text(order)

    answers = parsed(tmp_path, names)

    assert (answers["5.order"].status, answers["5.order"].code) == ("failed", code)
    assert answers["5.order"].reason.isprintable()
    others = {name: answers[name] for name in names if name != "5.order"}
    assert {name: text_of(answer) for name, answer in others.items()} == {
        name: name + "\n" for name in others
    }


def test_a_file_is_given_the_time_that_it_may_take_and_not_much_more(tmp_path: Path) -> None:
    (tmp_path / "a.order").write_text("hang")
    limits = Limits(wall_seconds=0.5)

    started = time.monotonic()
    answer = parsed(tmp_path, ["a.order"], limits=limits)["a.order"]

    assert answer.code == "timeout"
    assert time.monotonic() - started >= 0.5


def test_a_parser_that_prints_does_not_disturb_its_answer(tmp_path: Path) -> None:
    (tmp_path / "a.order").write_text("print \0\0\0\5nonsense")

    assert parsed(tmp_path, ["a.order"])["a.order"].status == "parsed"


def test_text_that_no_database_takes_is_mended_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "a.order").write_text("say-badly")

    assert text_of(parsed(tmp_path, ["a.order"])["a.order"]) == "before  ? after\n"


@pytest.mark.parametrize("order", ["write {0}", "delete {0}", "connect", "start"])
def test_a_parser_can_neither_change_files_nor_reach_out(tmp_path: Path, order: str) -> None:
    target = tmp_path / "target"
    target.write_text("untouched")
    (tmp_path / "a.order").write_text(order.format(target))

    answer = parsed(tmp_path, ["a.order"])["a.order"]

    assert text_of(answer).startswith("refused")
    assert target.read_text() == "untouched"


def test_a_child_sees_nothing_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    (tmp_path / "a.order").write_text("environment")

    names = text_of(parsed(tmp_path, ["a.order"])["a.order"]).split()

    # The last is set by Python itself where the locale is "C".
    assert set(names) <= {"PATH", "LANG", "TZ", "LC_CTYPE"}


# --- what is read, and what is not --------------------------------------------------------


def test_known_content_is_not_parsed(tmp_path: Path) -> None:
    for name in ("same", "known", "new", "forced"):
        (tmp_path / f"{name}.order").write_text(f"say {name}")
    digests = {name: hashlib.sha256(f"say {name}".encode()) for name in ("same", "known", "forced")}
    known = digests["known"].digest() + digests["forced"].digest()
    requests = [
        request(tmp_path / "same.order", known_hash=digests["same"].hexdigest()),
        request(tmp_path / "known.order"),
        request(tmp_path / "new.order", known_hash="0" * 64),
        request(tmp_path / "forced.order", force=True),
    ]

    with ParserPool(2, startup(known=known), command=HOSTILE) as pool:
        answers = {r.request.path: r.answer for r in pool.results(requests)}

    assert [answers[r.path].status for r in requests] == ["same", "known", "parsed", "parsed"]


def test_the_facts_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.order"
    path.write_text("say hello")

    file = parsed(tmp_path, ["a.order"])["a.order"].file

    found = path.stat()
    assert file == messages.FileFacts(
        sha256=hashlib.sha256(b"say hello").hexdigest(),
        size=9,
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
        inode=found.st_ino,
        device=found.st_dev,
    )


def test_a_name_that_is_not_utf8_is_read(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9\n.order")
    (tmp_path / name).write_text("say hello")

    assert text_of(parsed(tmp_path, [name])[name]) == "hello\n"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda path: path.unlink(), "vanished"),
        (lambda path: (path.unlink(), path.symlink_to("/etc/passwd")), "symlink"),
        (lambda path: (path.unlink(), path.mkdir()), "not_regular"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "not_regular"),
        (lambda path: (path.rename(path.with_name("old")), path.write_text("x")), "changing"),
        (lambda path: os.truncate(path, 65 << 20), "too_large"),
        (lambda path: path.rename(path.with_name("a.unknown")), "vanished"),
    ],
)
def test_a_file_that_changed_since_the_walk_is_not_read(
    tmp_path: Path, change: Callable[[Path], object], code: str
) -> None:
    path = tmp_path / "a.order"
    path.write_text("say hello")
    wanted = request(path)
    change(path)

    with ParserPool(1, startup(), command=HOSTILE) as pool:
        [result] = pool.results([wanted])

    assert (result.answer.status, result.answer.code) == ("failed", code)


def test_a_socket_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.order"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))

        assert parsed(tmp_path, ["a.order"])["a.order"].code == "not_regular"


def test_a_format_without_a_parser_is_unsupported(tmp_path: Path) -> None:
    (tmp_path / "a.unknown").write_text("x")

    assert parsed(tmp_path, ["a.unknown"])["a.unknown"].code == "unsupported"


# --- the pool -----------------------------------------------------------------------------


def test_requests_are_read_only_a_little_ahead(tmp_path: Path) -> None:
    (tmp_path / "a.order").write_text("say hello")
    taken: list[int] = []

    def requests() -> Iterator[ParseRequest]:
        for n in range(10_000):
            taken.append(n)
            yield request(tmp_path / "a.order")

    with ParserPool(1, startup(), command=HOSTILE) as pool:
        first = list(islice(pool.results(requests()), 20))

    assert len(first) == 20
    assert len(taken) < 1000


def test_a_pool_is_used_again_after_an_iteration_was_left(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.order").write_text(f"say {name}")

    with ParserPool(2, startup(), command=HOSTILE) as pool:
        left = pool.results(request(tmp_path / "a.order") for _ in range(200))
        next(left)
        left.close()
        again = [r.answer for r in pool.results([request(tmp_path / "b.order")] * 50)]

    assert [text_of(answer) for answer in again] == ["b\n"] * 50


def test_no_requests_start_no_child() -> None:
    with ParserPool(2, startup(), command=["/nonexistent"]) as pool:
        assert list(pool.results([])) == []


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["/nonexistent"], "No such file"),
        ([sys.executable, "-c", "raise ValueError('no luck')"], "ValueError: no luck"),
        ([sys.executable, "-c", "print('hello')"], "does not start"),
    ],
)
def test_children_that_do_not_start_are_an_error(
    tmp_path: Path, command: list[str], told: str
) -> None:
    (tmp_path / "a.order").write_text("say hello")

    with ParserPool(1, startup(), command=command) as pool, pytest.raises(LsmError, match=told):
        list(pool.results([request(tmp_path / "a.order")]))


def test_closing_ends_a_child_that_hangs(tmp_path: Path) -> None:
    (tmp_path / "a.order").write_text("say hello")
    (tmp_path / "b.order").write_text("hang")
    pool = ParserPool(1, startup(), command=HOSTILE)
    results = pool.results([request(tmp_path / "a.order"), request(tmp_path / "b.order")])
    next(results)

    pool.close()

    assert children_of(os.getpid(), HOSTILE[-1]) == []
    assert list(results) == []


@pytest.mark.skipif(sys.platform != "linux", reason="macOS cannot do this")
def test_a_child_that_hangs_dies_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "a.order").write_text("hang")
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, str(tmp_path / "a.order"), *HOSTILE])
    wait_until(lambda: children_of(parent.pid, HOSTILE[-1]) != [])
    [child] = children_of(parent.pid, HOSTILE[-1])

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    wait_until(lambda: not is_running(child))


def test_the_real_child_parses_a_real_file(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Keys\n\nThey rotate.\n")

    answer = parsed(tmp_path, ["a.md"], command=None)["a.md"]

    assert answer.status == "parsed"
    assert [chunk.heading for chunk in answer.chunks] == [("Keys",)]


# --- builders -----------------------------------------------------------------------------

_PARENT = """
import os, sys
from lsm.ingest.chunking import ChunkOptions
from lsm.ingest.messages import ParseRequest, Startup
from lsm.ingest.sandbox import ParserPool
found = os.stat(sys.argv[1])
wanted = ParseRequest(path=os.fsencode(sys.argv[1]), device=found.st_dev, inode=found.st_ino)
with ParserPool(1, Startup(chunking=ChunkOptions()), command=sys.argv[2:]) as pool:
    list(pool.results([wanted]))
"""


def startup(limits: Limits = LIMITS, known: bytes = b"") -> Startup:
    return Startup(chunking=ChunkOptions(), limits=limits, known=known)


def request(path: Path, known_hash: str | None = None, *, force: bool = False) -> ParseRequest:
    found = path.lstat()
    return ParseRequest(
        path=os.fsencode(path),
        device=found.st_dev,
        inode=found.st_ino,
        known_hash=known_hash,
        force=force,
    )


def parsed(
    folder: Path,
    names: list[str],
    *,
    limits: Limits = LIMITS,
    command: tuple[str, ...] | None = HOSTILE,
) -> dict[str, Answer]:
    """The answer to each file, each asked for and answered once."""
    with ParserPool(2, startup(limits), command=command) as pool:
        results = list(pool.results(request(folder / name) for name in names))
    answers = {os.fsdecode(os.path.basename(r.request.path)): r.answer for r in results}
    assert sorted(answers) == sorted(names)
    assert len(results) == len(names)
    return answers


def text_of(answer: Answer) -> str:
    return "".join(chunk.text for chunk in answer.chunks)


def children_of(parent: int, mark: str) -> list[int]:
    """The processes below *parent* whose command line holds *mark*."""
    lines = subprocess.run(
        ["ps", "-A", "-ww", "-o", "ppid=,pid=,stat=,args="],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    rows = [line.split(None, 3) for line in lines if mark in line]
    return [int(pid) for ppid, pid, state, _ in rows if int(ppid) == parent and state[0] != "Z"]


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # Nobody may have fetched its status yet.
    return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it never became true")
