"""What may stand at the place of a SQLite database, and what opening it does there.

The files are called ``mind.db``, so that the tests may read their bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import pytest

from lsm.db import State, inspect_database, open_database, sqlite
from lsm.db.backup import backup_to
from lsm.db.locks import holders
from lsm.db.migrate import Migration, migrations, newest
from lsm.db.state import APPLICATION_ID
from lsm.errors import (
    AccessError,
    BusyError,
    ConfigError,
    DamagedError,
    DiskFullError,
    ForeignError,
    LsmError,
    NewerError,
    ReplacedError,
    StorageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lsm.db import Database

MIGRATE = import_module("lsm.db.migrate")  # the name in `lsm.db` is the function's
SETTINGS = {
    "page_size": 8192,
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "recursive_triggers": 1,
    "secure_delete": 1,
    "trusted_schema": 0,
    "cell_size_check": 1,
    "temp_store": 2,
    "journal_size_limit": 64 * 1024 * 1024,
    "busy_timeout": 10_000,
}
ROOT = Path(__file__).parents[2]
OPEN_ANY = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
needs_root = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="only root may become nobody"
)


def listen(path: str) -> None:
    short = f"/proc/self/cwd/{os.path.basename(path)}"  # a socket's path is at most 107 bytes long
    before = os.getcwd()
    os.chdir(os.path.dirname(path))
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(short)
    finally:
        os.chdir(before)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where nothing stands yet, in a folder of its own."""
    (tmp_path / "home").mkdir(mode=0o700)
    return str(tmp_path / "home" / "mind.db")


@pytest.fixture
def mind(path: str, sqlite_template: Path) -> str:
    """A migrated database of ours, closed."""
    shutil.copyfile(sqlite_template, path)
    os.chmod(path, 0o600)
    return path


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MS", 20)


@pytest.fixture
def older(mind: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with 50 rows, and a program that knows one migration more than it."""
    with open_database(mind) as db:
        db.many(
            "INSERT INTO lsm_meta (key, value) VALUES (:key, :value)",
            [{"key": f"k{i}", "value": "v" * 1000} for i in range(50)],
        )
    later = Migration("9999_later", "CREATE TABLE later (id BIGINT NOT NULL PRIMARY KEY)")
    monkeypatch.setattr(MIGRATE, "migrations", lambda _: (*migrations("sqlite"), later))
    return mind


class TestRefused:
    @pytest.mark.parametrize(
        ("make", "error"),
        [
            (lambda path: Path(path).write_text("a text\n" * 100), ForeignError),
            (lambda path: Path(path).write_bytes(bytes(8192)), ForeignError),
            (lambda path: Path(path).write_bytes(b"SQLite format 3\0"), DamagedError),
            (lambda path: Path(path).write_bytes(b"SQLite format 3\0" + bytes(200)), DamagedError),
            (os.mkdir, AccessError),
            (os.mkfifo, AccessError),
            (lambda path: os.symlink("gone", path), AccessError),
            (lambda path: os.symlink("mind.db", path), AccessError),
            (listen, AccessError),
        ],
        ids=["text", "zeros", "stub", "garbage", "folder", "fifo", "dangling", "loop", "socket"],
    )
    def test_what_is_no_database(
        self, path: str, make: Callable[[str], object], error: type[LsmError]
    ) -> None:
        make(path)

        refused_untouched(path, error)

    @pytest.mark.parametrize("application", [0, 0x12345678, -5])
    @pytest.mark.parametrize("mode", ["delete", "wal"])
    @pytest.mark.parametrize("left", ["closed", "log", "log and index"])
    def test_another_programs_database(
        self, path: str, application: int, mode: str, left: str
    ) -> None:
        made = apsw.Connection(aside(path), flags=OPEN_ANY)
        made.pragma("journal_mode", mode)
        made.execute("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
        made.pragma("application_id", application)
        left_behind(made, path, left)

        refused_untouched(path, ForeignError)

    @pytest.mark.parametrize("left", ["closed", "log", "log and index"])
    def test_a_newer_lsms_database(self, mind: str, left: str) -> None:
        os.rename(mind, aside(mind))
        made = apsw.Connection(aside(mind), flags=OPEN_ANY)
        made.pragma("user_version", 4711)
        left_behind(made, mind, left)

        told = refused_untouched(mind, NewerError)

        assert "4711" in told

    @pytest.mark.parametrize("kept", [101, 4096, 8192, 100_000])
    def test_a_truncated_database(self, mind: str, kept: int) -> None:
        os.truncate(mind, kept)

        refused_untouched(mind, DamagedError)

    @pytest.mark.parametrize("byte", [0, 7, 15])
    def test_a_database_whose_first_bytes_are_damaged(self, mind: str, byte: int) -> None:
        overwrite(mind, byte, b"\xff")

        refused_untouched(mind, DamagedError)

    @pytest.mark.parametrize("byte", [16, 21, 22, 23])
    def test_a_header_that_makes_no_sense(self, mind: str, byte: int) -> None:
        overwrite(mind, byte, b"\x03")

        refused_untouched(mind, DamagedError)

    def test_a_damaged_first_page_is_told_and_left_alone(self, mind: str) -> None:
        overwrite(mind, 100, b"\xff" * 8)
        before = Path(mind).read_bytes()

        with pytest.raises(DamagedError, match=r"mind\.db"):
            open_database(mind)

        assert Path(mind).read_bytes() == before

    @pytest.mark.parametrize("name", ["a\0b", "a\udcffb", "x" * 4096])
    def test_a_path_that_cannot_be_one(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(AccessError):
            open_database(f"{tmp_path}/{name}")

        assert os.listdir(tmp_path) == []

    def test_a_file_where_the_folder_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "home").write_text("a file")

        with pytest.raises(AccessError):
            open_database(str(tmp_path / "home" / "mind.db"))

    @pytest.mark.parametrize("url", ["mysql://localhost/mind", "sqlite+x:///mind.db", "http://a/b"])
    def test_an_engine_we_do_not_know(self, url: str) -> None:
        with pytest.raises(ConfigError, match="postgresql://"):
            open_database(url)

    @needs_root
    @pytest.mark.parametrize(
        ("mode", "folder_mode"), [(0o000, 0o755), (0o644, 0o700)], ids=["file", "folder"]
    )
    def test_a_file_of_someone_else(
        self, public: str, sqlite_template: Path, mode: int, folder_mode: int
    ) -> None:
        shutil.copyfile(sqlite_template, public)
        os.chmod(public, mode)
        os.chmod(os.path.dirname(public), folder_mode)
        before = contents(public)

        (told,) = child("as_nobody", public, "read")

        assert told.startswith(f"AccessError: {public}: Permission denied")
        assert contents(public) == before


class TestOpened:
    @pytest.mark.parametrize("left", ["absent", "empty", "no tables"])
    def test_a_new_one_is_made(self, path: str, left: str) -> None:
        if left == "empty":
            Path(path).touch()
        if left == "no tables":
            apsw.Connection(path, flags=OPEN_ANY).execute("CREATE TABLE a (b); DROP TABLE a")
        found = inspect_database(path).state

        with open_database(path) as db:
            applied = db.tuples("SELECT count(*) FROM lsm_migrations")

        assert (found, inspect_database(path).state) == (State.NEW, State.CURRENT)
        assert applied == [(len(migrations("sqlite")),)]

    @pytest.mark.parametrize(
        "name", ["a b", "a?b", "a#b", "100%", "%41", "file:a", ":memory:", "?mode=ro", "é🦀", "-x"]
    )
    def test_a_path_is_never_read_as_anything_else(self, tmp_path: Path, name: str) -> None:
        folder = tmp_path / name
        path = str(folder / name)
        open_database(path).close()

        with open_database(f"sqlite://{path}") as db:
            rows = db.tuples("SELECT count(*) FROM lsm_migrations")

        assert rows == [(len(migrations("sqlite")),)]
        assert {entry.split("-wal")[0].split("-shm")[0] for entry in os.listdir(folder)} == {name}
        assert os.listdir(tmp_path) == [name]

    def test_a_relative_path_survives_a_change_of_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with open_database("mind.db") as db:
            monkeypatch.chdir("/")

            assert in_write(db) == 0
            assert db.url == str(tmp_path / "mind.db")

    def test_behind_a_link_the_log_stands_beside_the_file(self, mind: str, tmp_path: Path) -> None:
        link = tmp_path / "link.db"
        link.symlink_to(mind)

        with open_database(str(link)) as db:
            in_write(db)
            beside = os.listdir(os.path.dirname(mind))

        assert sorted(os.listdir(tmp_path)) == ["home", "link.db"]
        assert db.url == mind
        assert "mind.db-wal" in beside

    def test_only_its_owner_can_read_anything_of_it(self, tmp_path: Path) -> None:
        path = str(tmp_path / "fresh" / "mind.db")
        before = os.umask(0)
        try:
            with open_database(path) as db:
                in_write(db)
                modes = {mode_of(f"{path}{end}") for end in ("", "-wal", "-shm")}
        finally:
            os.umask(before)

        assert modes == {0o600}
        assert mode_of(os.path.dirname(path)) == 0o700

    def test_a_mode_that_lets_others_read_is_tightened(self, mind: str) -> None:
        os.chmod(mind, 0o666)  # noqa: S103

        open_database(mind).close()

        assert mode_of(mind) == 0o600

    def test_every_setting_is_in_force(self, path: str) -> None:
        with open_database(path) as db, db.transaction():
            found = {
                name: db.tuples(f"PRAGMA {name}")[0][0]  # pyright: ignore[reportArgumentType]
                for name in SETTINGS
            }
            header = (db.tuples("PRAGMA application_id"), db.tuples("PRAGMA user_version"))

        assert found == SETTINGS
        assert header == ([(APPLICATION_ID,)], [(newest("sqlite"),)])

    def test_a_current_one_is_not_written_to(self, mind: str) -> None:
        before = Path(mind).read_bytes()

        with open_database(mind) as db:
            db.rows("SELECT key FROM lsm_meta")

        assert Path(mind).read_bytes() == before

    @needs_root
    def test_in_a_folder_that_is_read_only_search_works_and_changes_do_not(
        self, public: str, sqlite_template: Path
    ) -> None:
        shutil.copyfile(sqlite_template, public)
        os.chmod(public, 0o644)
        before = contents(public)

        (read,) = child("as_nobody", public, "read")
        (written,) = child("as_nobody", public, "write")

        assert read.startswith(f"{len(migrations('sqlite'))} ")
        assert written.startswith(f"AccessError: {public}: it, or its folder, is read-only")
        assert contents(public) == before

    @pytest.mark.parametrize("_round", range(3))
    def test_eight_processes_that_start_at_once_make_one_schema(
        self,
        path: str,
        _round: int,
    ) -> None:
        answers = child("start_together", path, "8")

        assert len(set(answers)) == 1
        assert answers[0].startswith(f"{len(migrations('sqlite'))} ")

    def test_after_a_killed_creation_the_next_open_works(self, tmp_path: Path) -> None:
        answers = child("kill_while_making", str(tmp_path), "20")

        expected = f"{len(migrations('sqlite'))} "
        assert [answer for answer in answers if not answer.startswith(expected)] == []


class TestWhileOpen:
    @pytest.mark.usefixtures("impatient")
    def test_who_keeps_it_locked_is_named(self, mind: str) -> None:
        with holding(mind) as holder, open_database(mind) as db:
            with pytest.raises(BusyError, match=r"mind\.db: busy: .*keeps it locked") as caught:
                in_write(db)
            seen = db.tuples("SELECT count(*) FROM lsm_migrations")

        assert seen == [(len(migrations("sqlite")),)]  # a search does not wait
        if os.path.exists("/proc/locks"):
            assert f"process {holder.pid} (python" in str(caught.value)

    def test_a_lock_whose_owner_was_killed_is_free_at_once(self, mind: str) -> None:
        with holding(mind) as holder, open_database(mind) as db:
            holder.kill()
            holder.wait()

            assert in_write(db) == 0

    @pytest.mark.usefixtures("impatient")
    def test_another_thread_that_writes_too_long_is_told_apart(self, mind: str) -> None:
        with open_database(mind) as one, open_database(mind) as other:
            with one.transaction(), pytest.raises(BusyError):
                in_write(other)

            assert in_write(other) == 0

    def test_without_the_kernels_list_the_owner_is_another_process(
        self, mind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("lsm.db.locks.LOCK_TABLE", "/nowhere/locks")

        with holding(mind):
            assert holders(mind) == "another process"

    def test_nobody_holds_a_file_that_is_gone(self, tmp_path: Path) -> None:
        assert holders(str(tmp_path / "gone.db")) == "another process"

    @pytest.mark.parametrize("how", ["replaced", "moved away"])
    def test_another_file_in_its_place_stops_every_write(self, mind: str, how: str) -> None:
        with open_database(mind) as db:
            in_write(db)
            os.rename(mind, f"{mind}.was")
            if how == "replaced":
                shutil.copyfile(f"{mind}.was", mind)
            before = contents(mind)

            with pytest.raises(ReplacedError, match="start again"):
                in_write(db)
            assert contents(mind) == before

    def test_a_second_database_on_the_same_file_keeps_the_first_ones_locks(self, mind: str) -> None:
        """Reading the header again would drop them: POSIX locks die with the first close."""
        with open_database(mind) as db:
            in_write(db)
            open_database(mind).close()
            inspect_database(mind)

            assert others_see_it_open(mind)

    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_a_forked_child_cannot_open_it_again(self, mind: str) -> None:
        with open_database(mind):
            pid = os.fork()
            if pid == 0:
                try:
                    open_database(mind)
                except StorageError as error:
                    os._exit(0 if "spawn" in str(error) else 2)
                os._exit(1)

            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


class TestUpgrade:
    def test_an_older_database_is_copied_and_then_migrated(self, older: str) -> None:
        with open_database(older) as db:
            made = db.tuples("SELECT count(*) FROM later")
            kept = db.tuples("SELECT count(*) FROM lsm_meta WHERE key LIKE 'k%'")

        copy = f"{older}.before-schema-9999"
        assert (made, kept) == ([(0,)], [(50,)])
        assert mode_of(copy) == 0o600
        assert schema_of(copy) == migrations("sqlite")[-1].number
        assert schema_of(older) == 9999
        assert apsw.Connection(copy).execute(
            "SELECT count(*) FROM lsm_meta WHERE key LIKE 'k%'"
        ).fetchall() == [(50,)]

    def test_the_copy_is_a_database_that_opens(
        self, older: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        open_database(older).close()
        monkeypatch.undo()

        with open_database(f"{older}.before-schema-9999") as db:
            assert db.tuples("SELECT count(*) FROM lsm_meta WHERE key LIKE 'k%'") == [(50,)]

    def test_a_migration_that_fails_changes_nothing(
        self, older: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wrong = Migration("9999_wrong", "CREATE TABLE later (id BIGINT); SELEKT 1")
        monkeypatch.setattr(MIGRATE, "migrations", lambda _: (*migrations("sqlite"), wrong))

        with pytest.raises(StorageError, match="SELEKT"):
            open_database(older)

        monkeypatch.undo()
        assert inspect_database(older).state is State.CURRENT
        with open_database(older) as db:
            assert db.tuples("SELECT 1 FROM sqlite_schema WHERE name = 'later'") == []

    def test_without_room_for_the_copy_nothing_is_changed(
        self, older: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        free = shutil.disk_usage(older)._replace(free=1000)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: free)

        with pytest.raises(DiskFullError, match=r"a backup needs \d MiB, 0 MiB are free"):
            open_database(older)

        assert schema_of(older) == migrations("sqlite")[-1].number
        assert not [name for name in os.listdir(os.path.dirname(older)) if "before" in name]

    def test_a_new_database_needs_no_copy(self, path: str) -> None:
        open_database(path).close()

        assert not [name for name in os.listdir(os.path.dirname(path)) if "before" in name]


class TestBackup:
    def test_a_backup_is_the_newest_commit(self, mind: str, tmp_path: Path) -> None:
        copy = str(tmp_path / "copy.db")
        with open_database(mind) as db:
            db.run("INSERT INTO lsm_meta (key, value) VALUES ('k', 'committed')")
            with db.transaction():
                db.run("UPDATE lsm_meta SET value = 'not yet' WHERE key = 'k'")
                size = backup_to(db, copy)

        assert size == os.path.getsize(copy)
        assert apsw.Connection(copy).execute(
            "SELECT value FROM lsm_meta WHERE key = 'k'"
        ).fetchall() == [("committed",)]
        assert mode_of(copy) == 0o600

    def test_a_backup_replaces_an_older_one_and_the_rest_of_a_killed_one(
        self, mind: str, tmp_path: Path
    ) -> None:
        copy = tmp_path / "copy.db"
        copy.write_text("older")
        (tmp_path / "copy.db.partial").write_text("killed")

        with open_database(mind) as db:
            backup_to(db, str(copy))

        assert inspect_database(str(copy)).state is State.CURRENT
        assert sorted(os.listdir(tmp_path)) == ["copy.db", "home"]

    def test_a_link_planted_at_its_name_is_not_followed(self, mind: str, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.write_text("mine")
        (tmp_path / "copy.db.partial").symlink_to(victim)

        with open_database(mind) as db:
            backup_to(db, str(tmp_path / "copy.db"))

        assert victim.read_text() == "mine"

    def test_a_copy_of_a_damaged_database_is_not_kept(self, mind: str, tmp_path: Path) -> None:
        with open_database(mind) as db:
            pages = os.path.getsize(mind) // 8192
            for page in range(2, pages):
                overwrite(mind, page * 8192, b"\xff" * 64)
            with pytest.raises(DamagedError):
                backup_to(db, str(tmp_path / "copy.db"))

        assert os.listdir(tmp_path) == ["home"]

    def test_a_copy_that_does_not_read_back_is_not_kept(
        self, mind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def spoil(path: str) -> None:
            overwrite(path, 3 * 8192, b"\xff" * 64)

        monkeypatch.setattr("lsm.db.pages._without_log", spoil)
        with open_database(mind) as db, pytest.raises(DamagedError):
            backup_to(db, str(tmp_path / "copy.db"))

        assert os.listdir(tmp_path) == ["home"]

    def test_a_folder_that_is_not_there_is_named(self, mind: str, tmp_path: Path) -> None:
        with open_database(mind) as db, pytest.raises(AccessError, match="nowhere"):
            backup_to(db, str(tmp_path / "nowhere" / "copy.db"))


@pytest.fixture
def public() -> Iterator[str]:
    """A path in a folder that everybody may enter; pytest's own are closed to others."""
    folder = tempfile.mkdtemp(prefix="lsm-public-")
    os.chmod(folder, 0o755)  # noqa: S103
    yield f"{folder}/mind.db"
    shutil.rmtree(folder)


class holding:  # noqa: N801 - reads as a statement
    """Another process that holds the write lock of *path*."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> subprocess.Popen[bytes]:
        self.process = subprocess.Popen(
            command("hold", self.path), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert json.loads(self.process.stdout.readline()) == ["held"]
        return self.process

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def child(*arguments: str) -> list[str]:
    done = subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.test_db.child", *arguments]


def others_see_it_open(path: str) -> bool:
    """Whether another process finds SQLite's shared lock, which keeps it from deleting the log."""
    code = (
        "import fcntl, sys\n"
        "with open(sys.argv[1], 'r+b') as file:\n"
        "    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=False)
    return b"BlockingIOError" in done.stderr


def in_write(db: Database) -> int:
    return db.run("DELETE FROM lsm_meta WHERE key = 'none'")


def refused_untouched(path: str, error: type[LsmError]) -> str:
    """What is said when *path* is refused; its folder stays as it is, byte for byte."""
    before = contents(path)

    with pytest.raises(error) as caught:
        open_database(path)

    assert type(caught.value) is error
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert contents(path) == before
    assert inspect_database(path).state not in (State.NEW, State.CURRENT, State.OLDER)
    assert contents(path) == before
    return str(caught.value)


def contents(path: str) -> dict[str, tuple[int, int, str]]:
    """Name, kind with mode, time of change and bytes of everything in the folder of *path*."""
    found: dict[str, tuple[int, int, str]] = {}
    for entry in Path(path).parent.iterdir():
        status = entry.lstat()
        data = entry.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        digest = hashlib.sha256(data).hexdigest()
        found[entry.name] = (status.st_mode, status.st_mtime_ns, digest)
    return found


def aside(path: str) -> str:
    """A place to make the database at, before what a crash would leave is put at *path*."""
    folder = Path(path).parent.parent / "aside"
    folder.mkdir(exist_ok=True)
    return str(folder / "made.db")


def left_behind(made: apsw.Connection, path: str, left: str) -> None:
    """Puts at *path* what a clean end, or a crash with or without an index, leaves of *made*."""
    source = made.filename
    ends = {"closed": [""], "log": ["", "-wal"], "log and index": ["", "-wal", "-shm"]}[left]
    if left == "closed":
        made.close()
    for end in ends:
        if os.path.exists(source + end):
            shutil.copyfile(source + end, path + end)
    made.close()


def overwrite(path: str, offset: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def mode_of(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def schema_of(path: str) -> int:
    found = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY).pragma("user_version")
    assert isinstance(found, int)
    return found
