"""What a scan finds out by looking at the files from outside."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsm.ingest.derivation import Derivation, open_derivation
from lsm.ingest.failures import FailedFile, load_failures, record_failures
from lsm.ingest.manifest import FileState, load_manifest, save_manifest
from lsm.ingest.scan import FEW, SLACK_NS, Rule, doubtful, scan
from lsm.ingest.selection import Selection
from lsm.ingest.walk import Start
from tests.test_ingest.library import (
    Library,
    WatchedDatabase,
    age,
    as_ordinary_user,
    either_db,
    either_library,
    let_the_clock_tick,
    library,
    on_sqlite,
    paragraphs,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lsm.db import Database

__all__ = ["either_db", "either_library", "library", "on_sqlite"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX file systems only")

NAMES = ("a.md", "b.md", "c.md")
FUTURE = 4_000_000_000  # seconds: the year 2096


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "more\n")


def edit_secretly(path: Path) -> None:
    """Same size, same modification time."""
    before = path.stat()
    path.write_text(path.read_text()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def touch(path: Path) -> None:
    path.touch()


def replace_alike(path: Path) -> None:
    """Another file of the same size and time is renamed over it, as editors and rsync do."""
    before = path.stat()
    other = path.with_name("new")
    other.write_text(path.read_text()[::-1])
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(path)


def copy_older_over(path: Path) -> None:
    """``cp -p`` of a file of the same size that is older than the last scan."""
    other = path.with_name("old")
    other.write_text(path.read_text()[::-1])
    os.utime(other, (1_000_000_000, 1_000_000_000))
    shutil.copy2(other, path)
    other.unlink()


def edit_in_the_future(path: Path) -> None:
    edit_secretly(path)
    os.utime(path, (FUTURE, FUTURE))


def link_twice(path: Path) -> None:
    path.with_name(f"{path.stem}-twin.md").unlink(missing_ok=True)
    path.with_name(f"{path.stem}-twin.md").hardlink_to(path)


def edit_through_a_twin(path: Path) -> None:
    link_twice(path)
    edit_secretly(path.with_name(f"{path.stem}-twin.md"))


def leave(path: Path) -> None:
    return


ACTIONS = [
    edit,
    edit_secretly,
    touch,
    replace_alike,
    copy_older_over,
    edit_in_the_future,
    link_twice,
    edit_through_a_twin,
    leave,
]


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(ACTIONS)), max_size=5), st.booleans()
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80
)
def test_no_change_is_missed_and_nothing_else_is_read(
    either_db: Database,
    tmp_path: Path,
    actions: list[tuple[str, Callable[[Path], None]]],
    seen_at_once: bool,
) -> None:
    root = fresh(tmp_path)
    rule = known(either_db, root)
    hashes = {path: digest(path) for path in root.glob("*.md")}
    if not seen_at_once:
        age(either_db)
        let_the_clock_tick(root)

    for name, action in actions:
        action(root / name)
    plan = scan(either_db, [Start(str(root), str(root))], Selection(), rule)

    read = {candidate.path for candidate in plan.to_read}
    changed = {str(p) for p in root.glob("*.md") if hashes.get(p) != digest(p)}
    acted = {name for name, action in actions if action is not leave}
    assert changed <= read
    assert plan.gone == {}
    if not seen_at_once:
        assert not {str(root / name) for name in NAMES if name not in acted} & read


@pytest.mark.parametrize("action", ACTIONS[:-1])
def test_every_way_to_change_a_file_is_noticed(
    db: Database, tmp_path: Path, action: Callable[[Path], None]
) -> None:
    root = fresh(tmp_path)
    rule = known(db, root)
    age(db)
    let_the_clock_tick(root)

    action(root / "a.md")

    plan = scan(db, [Start(str(root), str(root))], Selection(), rule)
    assert str(root / "a.md") in {candidate.path for candidate in plan.to_read}
    assert plan.unchanged == len(NAMES) - 1


@pytest.mark.parametrize("field", ["mtime_ns", "file_size", "ctime_ns", "inode"])
@pytest.mark.parametrize("off", [-1, 1])
def test_everything_that_is_remembered_has_to_be_the_same(
    db: Database, tmp_path: Path, field: str, off: int
) -> None:
    root = fresh(tmp_path)
    rule = known(db, root)
    age(db)
    state = load_manifest(db)[str(root / "a.md")]
    save_manifest(db, [replace(state, **{field: getattr(state, field) + off})])

    plan = scan(db, [Start(str(root), str(root))], Selection(), rule)

    assert [candidate.path for candidate in plan.to_read] == [state.source_path]


@pytest.mark.parametrize("modified", [-100, 100], ids=["long ago", "just now"])
@pytest.mark.parametrize(("early", "read"), [(0, 0), (1, 1)])
def test_times_are_trusted_two_seconds_after_the_later_of_them(
    db: Database, tmp_path: Path, modified: int, early: int, read: int
) -> None:
    root = fresh(tmp_path, ["a.md"])
    at = (root / "a.md").stat().st_mtime_ns + modified * 10**9
    os.utime(root / "a.md", ns=(at, at))
    rule = known(db, root)
    [state] = load_manifest(db).values()
    later = max(state.mtime_ns, state.ctime_ns)
    save_manifest(db, [replace(state, checked_ns=later + SLACK_NS - early)])

    plan = scan(db, [Start(str(root), str(root))], Selection(), rule)

    assert len(plan.to_read) == read


@pytest.mark.parametrize("seconds", [FUTURE, 2**33 + 2**31, -1])
def test_a_time_that_cannot_be_right_is_never_trusted(library: Library, seconds: int) -> None:
    path = library.write("a.md", paragraphs("one"))
    os.utime(path, (seconds, seconds))
    library.ingest()
    if seconds > 0:
        age(library.db)

    report = library.ingest()

    assert (report.files.unchanged, report.files.touched, report.version) == (1, 0, None)
    edit_secretly(path)
    assert library.ingest().files.changed == 1


def test_a_time_that_no_database_can_hold_costs_nothing(either_library: Library) -> None:
    good = either_library.write("a.md", paragraphs("one"))
    bad = either_library.write("bad.pdf", "no such thing")
    for path in (good, bad):
        try:
            os.utime(path, (2**34 - 1, 2**34 - 1))
        except OSError:
            pytest.skip("this file system has no such time")
    if good.stat().st_mtime_ns < 2**63:
        pytest.skip("this file system has no such time")

    reports = [either_library.ingest() for _ in range(2)]

    assert [report.files.failed for report in reports] == [1, 1]
    assert either_library.paths() == ["a.md"]
    assert attempts(either_library, "bad.pdf") == 1


@pytest.mark.parametrize(
    ("rule", "read"),
    [({}, 0), ({"verify": True}, 3), ({"force": True}, 3), ({"schemas": frozenset({99})}, 3)],
    ids=["neither", "verify", "force", "another way of cutting"],
)
def test_what_is_read_although_nothing_has_changed(
    db: Database, tmp_path: Path, rule: dict[str, object], read: int
) -> None:
    root = fresh(tmp_path)
    usual = known(db, root)
    age(db)

    plan = scan(db, [Start(str(root), str(root))], Selection(), replace(usual, **rule))

    assert (len(plan.to_read), plan.unchanged) == (read, 3 - read)


def test_what_is_gone_is_gone_only_where_the_scan_has_looked(db: Database, tmp_path: Path) -> None:
    root = fresh(tmp_path)
    (root / "sub").mkdir()
    (root / "sub.md").write_text("beside")
    (root / "sub" / "in.md").write_text("inside")
    rule = known(db, root)
    shutil.rmtree(root)
    (root / "sub").mkdir(parents=True)

    plan = scan(db, [Start(str(root / "sub"), str(root))], Selection(), rule)

    assert set(plan.gone) == {str(root / "sub" / "in.md")}


def test_what_cannot_be_looked_into_is_not_gone(db: Database, tmp_path: Path) -> None:
    root = fresh(tmp_path)
    (root / "closed").mkdir()
    (root / "closed" / "in.md").write_text("inside")
    rule = known(db, root)
    (root / "a.md").unlink()
    (root / "closed").chmod(0)

    plan = as_ordinary_user(lambda: scan(db, [Start(str(root), str(root))], Selection(), rule))

    (root / "closed").chmod(0o700)
    assert set(plan.gone) == {str(root / "a.md")}


def test_what_the_user_excludes_is_gone(db: Database, tmp_path: Path) -> None:
    root = fresh(tmp_path)
    rule = known(db, root)

    plan = scan(db, [Start(str(root), str(root))], Selection(exclude=("a.*",)), rule)

    assert set(plan.gone) == {str(root / "a.md")}


@pytest.mark.parametrize(
    ("files", "gone", "doubted"),
    [
        (FEW, FEW, 0),
        (FEW + 1, FEW + 1, FEW + 1),
        (2 * FEW + 2, FEW + 1, 0),
        (2 * FEW + 1, FEW + 1, FEW + 1),
    ],
)
def test_much_that_is_gone_at_once_is_doubted(
    db: Database, tmp_path: Path, files: int, gone: int, doubted: int
) -> None:
    root = fresh(tmp_path, [f"{n}.md" for n in range(files)])
    rule = known(db, root)
    for n in range(gone):
        (root / f"{n}.md").unlink()

    plan = scan(db, [Start(str(root), str(root))], Selection(), rule)

    assert len(plan.gone) == gone
    assert len(doubtful(plan, list(plan.gone))) == doubted


def test_an_empty_root_is_doubted_however_much_the_other_roots_hold(
    db: Database, tmp_path: Path
) -> None:
    big = fresh(tmp_path / "big", [f"{n}.md" for n in range(4 * FEW)])
    disk = fresh(tmp_path / "disk", [f"{n}.md" for n in range(FEW + 1)])
    rule = known(db, tmp_path)
    for path in [*disk.glob("*.md"), big / "0.md"]:
        path.unlink()

    plan = scan(db, [Start(str(each), str(each)) for each in (big, disk)], Selection(), rule)

    assert {os.path.dirname(path) for path in doubtful(plan, list(plan.gone))} == {str(disk)}
    assert str(big / "0.md") in plan.gone


def test_a_root_that_is_missing_is_doubted_however_few_its_files(
    db: Database, tmp_path: Path
) -> None:
    root = fresh(tmp_path)
    rule = known(db, root)
    shutil.rmtree(root)

    plan = scan(db, [Start(str(root), str(root))], Selection(), rule)

    assert doubtful(plan, list(plan.gone)) == {str(root / name) for name in NAMES}


def test_our_own_database_is_skipped_under_any_name(db: Database, tmp_path: Path) -> None:
    root = fresh(tmp_path)
    rule = known(db, tmp_path / "nothing")
    (root / "mind.md").write_text("not really a database")
    (root / "twin.md").hardlink_to(root / "mind.md")
    own = (root / "mind.md").stat()

    plan = scan(
        db,
        [Start(str(root), str(root))],
        Selection(),
        replace(rule, own_files=frozenset({(own.st_dev, own.st_ino)})),
    )

    assert {os.path.basename(c.path) for c in plan.to_read} == set(NAMES)
    assert (plan.seen, plan.skipped) == (3, 2)


@pytest.mark.parametrize(
    ("code", "attempts", "again"),
    [
        ("parser_error", 1, False),
        ("too_large", 1, False),
        ("encrypted", 1, False),
        ("permission_denied", 9, True),
        ("vanished", 9, True),
        ("changing", 9, True),
        ("embedding", 9, True),
        ("timeout", 1, True),
        ("timeout", 2, True),
        ("timeout", 3, False),
        ("oom", 3, False),
        ("parser_crash", 3, False),
    ],
)
def test_a_file_that_failed_is_tried_again_only_if_there_is_hope(
    db: Database, tmp_path: Path, code: str, attempts: int, again: bool
) -> None:
    root = fresh(tmp_path, ["a.md"])
    rule = known(db, tmp_path / "nothing")
    for _ in range(attempts):
        record_failures(db, [failed(root / "a.md", code)])

    plan = scan(db, [Start(str(root), str(root))], Selection(), rule)

    assert (len(plan.to_read), len(plan.still_failing)) == ((1, 0) if again else (0, 1))


@pytest.mark.parametrize("change", ["the file", "the settings", "force"])
def test_a_hopeless_file_is_tried_again_when_something_changes(
    db: Database, tmp_path: Path, change: str
) -> None:
    root = fresh(tmp_path, ["a.md"])
    rule = known(db, tmp_path / "nothing")
    record_failures(db, [failed(root / "a.md", "too_large")])
    let_the_clock_tick(root)
    if change == "the file":
        edit_secretly(root / "a.md")
    rule = replace(
        rule, force=change == "force", chunking="others" if change == "the settings" else "c"
    )

    plan = scan(db, [Start(str(root), str(root))], Selection(), rule)

    assert len(plan.to_read) == 1


def test_attempts_are_counted_for_the_same_file_only(either_db: Database, tmp_path: Path) -> None:
    root = fresh(tmp_path, ["a.md"])
    for _ in range(3):
        record_failures(either_db, [failed(root / "a.md", "timeout")])
    let_the_clock_tick(root)
    touch(root / "a.md")

    record_failures(either_db, [failed(root / "a.md", "timeout")])

    assert [failure.attempts for failure in load_failures(either_db)] == [1]


def test_the_number_of_statements_does_not_grow_with_files_or_chunks(
    db: Database, tmp_path: Path
) -> None:
    few, many = fresh(tmp_path / "few"), fresh(tmp_path / "many")
    for number in range(10_000):
        os.close(os.open(f"{many}/{number}.md", os.O_CREAT | os.O_WRONLY))
    rule = known(db, tmp_path, content="")
    age(db)
    statements: dict[Path, list[str]] = {few: [], many: []}

    plans = {
        root: scan(
            WatchedDatabase(db, told.append),
            [Start(str(root), str(root))],
            Selection(),
            rule,
        )
        for root, told in statements.items()
    }

    assert plans[many].unchanged == 10_000 + len(NAMES)
    assert statements[many] == statements[few]
    assert len(statements[many]) == 2
    assert not any("lsm_chunks" in sql or "vec_chunks" in sql for sql in statements[many])


def test_a_run_that_finds_nothing_new_asks_the_same_of_a_library_of_many_chunks(
    library: Library,
) -> None:
    asked: list[list[str]] = []
    for words in (["one"], [f"word {n}" for n in range(60)]):
        library.write("a.md", paragraphs(*words))
        library.ingest()
        age(library.db)
        asked.append([])
        replace(library, db=WatchedDatabase(library.db, asked[-1].append)).run()

    assert library.state("a.md").chunk_count == 60
    assert asked[0] == asked[1]
    assert len(asked[0]) <= 6


def test_progress_is_told_folder_by_folder(db: Database, tmp_path: Path) -> None:
    root = fresh(tmp_path)
    (root / "sub").mkdir()
    (root / "sub" / "d.md").write_text("x")
    told: list[int] = []

    plan = scan(
        db, [Start(str(root), str(root))], Selection(), known(db, tmp_path / "x"), told.append
    )

    assert (told, plan.seen) == ([3, 4], 4)


def fresh(folder: Path, names: list[str] | tuple[str, ...] = NAMES) -> Path:
    """An empty folder with files in it that differ from what they are backwards."""
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for name in names:
        (root / name).write_text(f"this is {name}, as it was first written\n")
    return root


def known(db: Database, root: Path, content: str | None = None) -> Rule:
    """Record every file below *root* as a pipeline that has just read it would."""
    derivation = Derivation("m", 1, "c")
    schema = open_derivation(db, derivation)
    db.run("DELETE FROM lsm_manifest")
    checked = time.time_ns()
    save_manifest(db, [state_of(path, schema, checked, content) for path in root.rglob("*.md")])
    assert len(load_manifest(db)) == len(list(root.rglob("*.md")))
    return Rule(schemas=frozenset({schema}), chunking="c", own_files=frozenset())


def state_of(path: Path, schema: int, checked_ns: int, content: str | None) -> FileState:
    found = path.stat()
    return FileState(
        str(path),
        found.st_mtime_ns,
        found.st_size,
        digest(path) if content is None else content,
        version=1,
        schema_version_id=schema,
        ctime_ns=found.st_ctime_ns,
        inode=found.st_ino,
        checked_ns=checked_ns,
    )


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def failed(path: Path, code: str) -> FailedFile:
    found = path.stat()
    return FailedFile(
        str(path), code, "why", found.st_size, found.st_mtime_ns, found.st_ctime_ns, "c"
    )


def attempts(library: Library, name: str) -> int:
    [failure] = load_failures(library.db, [library.path(name)])
    return failure.attempts
