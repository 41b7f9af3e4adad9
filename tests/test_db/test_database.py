"""What every store relies on, on both engines."""

from __future__ import annotations

import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsm.errors import AccessError, ConflictError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lsm.db import Database

INSERT = "INSERT INTO things (id, name) VALUES (:id, :name)"
NAMES = "SELECT name FROM things ORDER BY id"


@pytest.fixture(scope="module")
def postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """One database for all tests here, which clear their own tables: cloning costs 0.3 s."""
    name = f"seam_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.format("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield postgres_server.format(name)
    with psycopg.connect(postgres_server.format("postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def things(db: Database) -> Database:
    """A database with a table of one column of each type."""
    db.script("DROP TABLE IF EXISTS parts")
    db.script("DROP TABLE IF EXISTS things")
    db.script(
        "CREATE TABLE things (id BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
        " size BIGINT CHECK (size >= 0), score DOUBLE PRECISION, data BYTEA, flag BOOLEAN)"
    )
    db.script(
        "CREATE TABLE parts (id BIGINT NOT NULL PRIMARY KEY,"
        " thing BIGINT NOT NULL REFERENCES things (id) ON DELETE CASCADE)"
    )
    return db


class TestTransactions:
    def test_a_statement_outside_commits_itself(
        self, things: Database, open_again: Callable[[], Database]
    ) -> None:
        things.run(INSERT, id=1, name="a")

        assert names(open_again()) == ["a"]

    def test_what_is_inside_is_committed_at_the_end(
        self, things: Database, open_again: Callable[[], Database]
    ) -> None:
        with things.transaction():
            things.run(INSERT, id=1, name="a")
            things.run(INSERT, id=2, name="b")

        assert names(open_again()) == ["a", "b"]

    @pytest.mark.parametrize(
        "error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, StorageError]
    )
    def test_any_exception_takes_everything_back(
        self, things: Database, error: type[BaseException]
    ) -> None:
        with pytest.raises(error), things.transaction():  # noqa: PT012
            things.run(INSERT, id=1, name="a")
            raise error

        assert not things.in_transaction
        things.run(INSERT, id=2, name="next")
        assert names(things) == ["next"]

    def test_after_a_rollback_the_next_transaction_works(self, things: Database) -> None:
        with pytest.raises(ValueError, match="no"), things.transaction():
            raise ValueError("no")

        with things.transaction():
            things.run(INSERT, id=1, name="a")

        assert names(things) == ["a"]

    def test_three_deep_only_the_failed_part_is_taken_back(self, things: Database) -> None:
        with things.transaction():
            things.run(INSERT, id=1, name="outer")
            with pytest.raises(ValueError, match="middle"), things.transaction():  # noqa: PT012
                things.run(INSERT, id=2, name="middle")
                with things.transaction():
                    things.run(INSERT, id=3, name="inner")
                raise ValueError("middle")
            with things.transaction():
                things.run(INSERT, id=4, name="second")
                with pytest.raises(ValueError, match="inner"), things.transaction():  # noqa: PT012
                    things.run(INSERT, id=5, name="second inner")
                    raise ValueError("inner")

        assert names(things) == ["outer", "second"]

    def test_an_outer_failure_takes_finished_inner_parts_back(self, things: Database) -> None:
        with pytest.raises(ValueError, match="late"), things.transaction():  # noqa: PT012
            with things.transaction(), things.transaction():
                things.run(INSERT, id=1, name="a")
            raise ValueError("late")

        assert names(things) == []

    def test_a_failed_statement_in_a_savepoint_leaves_the_rest(self, things: Database) -> None:
        with things.transaction():
            things.run(INSERT, id=1, name="a")
            with pytest.raises(ConflictError), things.transaction():
                things.run(INSERT, id=1, name="again")
            things.run(INSERT, id=2, name="b")

        assert names(things) == ["a", "b"]

    def test_a_transaction_reads_its_own_writes(self, things: Database) -> None:
        with things.transaction():
            things.run(INSERT, id=1, name="a")

            assert names(things) == ["a"]
            assert things.in_transaction

    def test_rows_that_are_changed_and_returned(self, things: Database) -> None:
        with things.transaction():
            made = things.rows(INSERT + " RETURNING id, name", id=1, name="a")
            moved = things.rows("UPDATE things SET id = id + 1 RETURNING id")

        assert (made, moved) == ([{"id": 1, "name": "a"}], [{"id": 2}])
        assert things.rows("SELECT id FROM things") == [{"id": 2}]

    def test_reading_outside_a_transaction_cannot_change_anything(self, things: Database) -> None:
        with pytest.raises(AccessError):
            things.rows(INSERT + " RETURNING id", id=1, name="a")

        assert names(things) == []


class TestReaders:
    def test_nobody_sees_what_is_not_committed_and_nobody_waits_for_it(
        self, things: Database, open_again: Callable[[], Database]
    ) -> None:
        other = open_again()
        with things.transaction():
            things.run(INSERT, id=1, name="a")
            same_process = in_thread(lambda: names(things))
            other_process = in_thread(lambda: names(other))

        assert (same_process, other_process) == ([], [])
        assert in_thread(lambda: names(things)) == ["a"]

    def test_a_snapshot_sees_one_commit(self, things: Database) -> None:
        things.run(INSERT, id=1, name="a")

        with things.snapshot():
            before = names(things)
            in_thread(lambda: things.run(INSERT, id=2, name="b"))
            during = names(things)

        assert (before, during, names(things)) == (["a"], ["a"], ["a", "b"])

    def test_a_snapshot_inside_a_snapshot_is_the_same_one(self, things: Database) -> None:
        with things.snapshot():
            names(things)
            in_thread(lambda: things.run(INSERT, id=1, name="a"))
            with things.snapshot():
                assert names(things) == []
            assert names(things) == []

    def test_a_transaction_inside_a_snapshot_sees_the_newest(self, things: Database) -> None:
        with things.snapshot():
            names(things)
            in_thread(lambda: things.run(INSERT, id=1, name="a"))
            with things.transaction():
                things.run(INSERT, id=2, name="b")
                inside = names(things)
            after = names(things)

        assert (inside, after) == (["a", "b"], [])

    def test_a_snapshot_inside_a_transaction_sees_its_writes(self, things: Database) -> None:
        with things.transaction(), things.snapshot():
            things.run(INSERT, id=1, name="a")

            assert names(things) == ["a"]

    def test_a_snapshot_that_fails_is_given_back(self, things: Database) -> None:
        with pytest.raises(ValueError, match="no"), things.snapshot():  # noqa: PT012
            names(things)
            raise ValueError("no")
        in_thread(lambda: things.run(INSERT, id=1, name="a"))

        assert names(things) == ["a"]

    def test_eight_threads_write_and_read(self, things: Database) -> None:
        def work(thread: int) -> list[int]:
            seen: list[int] = []
            for i in range(10):
                with things.transaction():
                    things.run(INSERT, id=thread * 100 + i, name=f"{thread}-{i}")
                    things.run(INSERT, id=-(thread * 100 + i) - 1, name=f"pair {thread}-{i}")
                seen.append(things.tuples("SELECT count(*) FROM things")[0][0])
            return seen

        with ThreadPoolExecutor(8) as pool:
            seen = list(pool.map(work, range(8)))

        assert things.tuples("SELECT count(*) FROM things") == [(160,)]
        assert all(count % 2 == 0 for counts in seen for count in counts)  # pairs, never half
        assert all(counts == sorted(counts) for counts in seen)


class TestManyRows:
    def test_all_of_them(self, things: Database) -> None:
        things.many(INSERT, [{"id": i, "name": str(i)} for i in range(1000)])

        assert things.tuples("SELECT count(*), max(id) FROM things") == [(1000, 999)]

    def test_or_none(self, things: Database) -> None:
        with pytest.raises(ConflictError):
            things.many(INSERT, [{"id": i, "name": str(i % 500)} for i in range(1000)])

        assert names(things) == []

    def test_none_if_the_caller_runs_out(self, things: Database) -> None:
        def rows() -> Iterator[Mapping[str, object]]:
            yield {"id": 1, "name": "a"}
            raise ValueError("no more")

        with pytest.raises(ValueError, match="no more"):
            things.many(INSERT, rows())

        assert names(things) == []

    def test_of_nothing_is_nothing(self, things: Database) -> None:
        things.many(INSERT, [])

        assert names(things) == []

    def test_inside_a_transaction_they_are_part_of_it(self, things: Database) -> None:
        with pytest.raises(ValueError, match="no"), things.transaction():  # noqa: PT012
            things.many(INSERT, [{"id": 1, "name": "a"}])
            raise ValueError("no")

        assert names(things) == []

    def test_the_number_changed_is_told(self, things: Database) -> None:
        things.many(INSERT, [{"id": i, "name": str(i)} for i in range(10)])

        assert things.run("UPDATE things SET score = 1 WHERE id < :below", below=3) == 3
        assert things.run("UPDATE things SET score = 1 WHERE id < :below", below=-1) == 0
        assert things.run(INSERT + " ON CONFLICT DO NOTHING", id=1, name="1") == 0
        assert things.run("DELETE FROM things") == 10

    def test_a_list_may_be_100_000_long(self, things: Database) -> None:
        things.many(INSERT, [{"id": i, "name": f"/a/{i}"} for i in range(0, 1000, 2)])
        ids = list(range(100_000))
        paths = [f"/a/{i}" for i in ids]

        by_id = things.tuples("SELECT count(*) FROM things WHERE id IN :ids[]", ids=ids)
        by_name = things.tuples("SELECT count(*) FROM things WHERE name IN :ids[]", ids=paths)

        assert (by_id, by_name) == ([(500,)], [(500,)])

    @pytest.mark.parametrize("ids", [[], [7], [2**63 - 1, -(2**63)]])
    def test_a_list_may_be_short(self, things: Database, ids: list[int]) -> None:
        things.many(INSERT, [{"id": i, "name": str(i)} for i in (1, 7, 2**63 - 1, -(2**63))])

        found = things.tuples("SELECT id FROM things WHERE id IN :ids[]", ids=ids)

        assert sorted(found) == sorted((i,) for i in ids)


class TestValues:
    @given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_any_text_comes_back_and_is_found(self, db: Database, text: str) -> None:
        assert echo(db, "CAST(:x AS TEXT)", text) == text
        assert db.tuples("SELECT 1 WHERE CAST(:x AS TEXT) IN :list[]", x=text, list=[text, "b"])

    @given(st.integers(-(2**63), 2**63 - 1))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_any_64_bit_number_comes_back(self, db: Database, number: int) -> None:
        assert echo(db, "CAST(:x AS BIGINT)", number) == number
        assert db.tuples("SELECT 1 WHERE CAST(:x AS BIGINT) IN :n[]", x=number, n=[number, 0])

    @given(st.floats(allow_nan=False))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_any_float_comes_back_bit_for_bit(self, db: Database, number: float) -> None:
        found = echo(db, "CAST(:x AS DOUBLE PRECISION)", number)

        assert (found, math.copysign(1, found)) == (number, math.copysign(1, number))

    @pytest.mark.parametrize("column", ["name", "size", "score", "data", "flag"])
    def test_a_column_keeps_the_type_it_was_given(self, things: Database, column: str) -> None:
        values: dict[str, object] = {
            "name": "'; DROP TABLE things; -- 100% :x \U0001f980 \u202e",
            "size": 2**63 - 1,
            "score": 0.1,
            "data": bytes(range(256)),
            "flag": True,
        }
        things.run(
            "INSERT INTO things (id, name, size, score, data, flag)"
            " VALUES (1, :name, :size, :score, :data, :flag)",
            **values,
        )

        found = things.rows("SELECT * FROM things")[0][column]

        assert found == values[column]
        if column != "flag":  # SQLite gives 1 back; stores wrap it in bool()
            assert type(found) is type(values[column])

    def test_null_comes_back_as_none(self, things: Database) -> None:
        things.run("INSERT INTO things (id, name, size) VALUES (1, 'a', :size)", size=None)

        assert things.rows("SELECT size FROM things") == [{"size": None}]

    def test_an_empty_answer_has_no_rows(self, things: Database) -> None:
        assert things.rows("SELECT id, name FROM things") == []
        assert things.tuples("SELECT id, name FROM things") == []

    @pytest.mark.parametrize(
        ("sql", "answer"),
        [
            ("SELECT ':x', '100%', 'it''s :y'", (":x", "100%", "it's :y")),
            ("SELECT 7 % 4 -- not :this one, 100%\n", (3,)),
            ("SELECT /* nor :this, 5% */ 1", (1,)),
            ("SELECT CAST('5' AS BIGINT)", (5,)),
            ('SELECT 1 AS "a :b"', (1,)),
            ("SELECT 'a' WHERE 'abc' LIKE '%b%'", ("a",)),
        ],
    )
    def test_literals_and_comments_are_left_alone(
        self, db: Database, sql: Any, answer: tuple[object, ...]
    ) -> None:
        assert db.tuples(sql) == [answer]
        assert db.tuples(sql, unused=1) == [answer]


class TestErrors:
    @pytest.mark.parametrize(
        ("sql", "told"),
        [
            ("INSERT INTO things (id, name) VALUES (1, 'other')", "unique"),
            ("INSERT INTO things (id, name) VALUES (2, 'a')", "unique"),
            ("INSERT INTO things (id, name) VALUES (2, NULL)", "null"),
            ("INSERT INTO things (id, name, size) VALUES (2, 'b', -1)", "check"),
            ("INSERT INTO parts (id, thing) VALUES (1, 99)", "foreign key"),
        ],
    )
    def test_a_broken_constraint_is_a_conflict(self, things: Database, sql: Any, told: str) -> None:
        things.run(INSERT, id=1, name="a")

        with pytest.raises(ConflictError, match=f"(?i){told}"):
            things.run(sql)

        assert names(things) == ["a"]

    def test_a_deleted_row_takes_its_parts_along(self, things: Database) -> None:
        things.run(INSERT, id=1, name="a")
        things.run("INSERT INTO parts (id, thing) VALUES (1, 1)")

        assert things.run("DELETE FROM things WHERE id = 1") == 1
        assert things.rows("SELECT id FROM parts") == []

    @pytest.mark.parametrize("sql", ["SELECT * FROM nothing_there", "SELEKT 1", "SELECT no_column"])
    def test_wrong_sql_names_the_database(self, db: Database, sql: Any) -> None:
        with pytest.raises(StorageError) as caught:
            db.rows(sql)

        assert str(caught.value).startswith(f"{db.url}: ")
        assert "\n" not in str(caught.value)
        assert caught.value.__cause__ is not None

    def test_a_number_of_more_than_64_bits_is_refused(self, things: Database) -> None:
        with pytest.raises(StorageError):
            things.run(INSERT, id=2**63, name="a")

    def test_a_failed_statement_does_not_end_the_database(self, things: Database) -> None:
        with pytest.raises(StorageError):
            things.run("INSERT INTO nothing_there (id) VALUES (1)")
        things.run(INSERT, id=1, name="a")

        assert names(things) == ["a"]

    def test_a_lost_half_is_never_taken_for_a_commit(self, things: Database) -> None:
        """The engines differ here: SQLite keeps the rest, PostgreSQL gives it up, and says so."""
        refused = None
        try:
            with things.transaction():
                things.run(INSERT, id=1, name="a")
                with pytest.raises(ConflictError):
                    things.run(INSERT, id=1, name="again")
        except StorageError as error:
            refused = error

        assert names(things) == (["a"] if refused is None else [])


class TestTheEnd:
    @pytest.mark.parametrize("use", ["rows", "run", "transaction", "snapshot", "size"])
    def test_a_closed_database_says_so(self, db: Database, use: str) -> None:
        db.rows("SELECT 1")
        db.close()

        with pytest.raises(StorageError, match="closed"):
            used(db, use)

    def test_closing_twice_is_closing_once(self, db: Database) -> None:
        db.close()
        db.close()

        with pytest.raises(StorageError, match="closed"):
            db.rows("SELECT 1")

    def test_a_thread_in_a_transaction_may_finish_it(
        self, things: Database, open_again: Callable[[], Database]
    ) -> None:
        inside, finish = threading.Event(), threading.Event()

        def write() -> None:
            with things.transaction():
                things.run(INSERT, id=1, name="a")
                inside.set()
                finish.wait(5)

        with ThreadPoolExecutor(2) as pool:
            writing = pool.submit(write)
            inside.wait(5)
            closing = pool.submit(things.close)
            finish.set()
            writing.result()
            closing.result()

        assert names(open_again()) == ["a"]

    def test_threads_that_end_give_their_connections_back(self, db: Database) -> None:
        db.rows("SELECT 1")
        before = open_files()

        for _ in range(20):
            in_thread(lambda: db.rows("SELECT 1"))

        # PostgreSQL may hold a pool of eight, SQLite a file, a log and an index a reader.
        assert open_files() - before <= 9

    @pytest.mark.parametrize("use", ["rows", "run", "transaction", "snapshot"])
    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_a_forked_child_is_refused_and_takes_nothing_from_its_parent(
        self, things: Database, use: str
    ) -> None:
        with things.transaction():
            things.run(INSERT, id=1, name="a")
            inside = in_fork(lambda: used_and_closed(things, use))
        outside = in_fork(lambda: used_and_closed(things, use))

        things.run(INSERT, id=2, name="b")
        assert (inside, outside) == (0, 0)
        assert names(things) == ["a", "b"]


def names(db: Database) -> list[str]:
    return [name for (name,) in db.tuples(NAMES)]


def echo(db: Database, expression: Any, value: object) -> Any:
    return db.tuples(f"SELECT {expression}", x=value)[0][0]  # pyright: ignore[reportArgumentType]


def in_thread(work: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(timeout=20)


def used(db: Database, use: str) -> None:
    if use == "rows":
        db.rows("SELECT 1")
    elif use == "run":
        db.run("DELETE FROM lsm_meta WHERE key = 'none'")
    elif use == "size":
        db.size()
    else:
        with getattr(db, use)():
            pass


def used_and_closed(db: Database, use: str) -> None:
    with pytest.raises(StorageError, match="fork"):
        used(db, use)
    db.close()


def in_fork(work: Callable[[], None]) -> int:
    """Runs *work* in a forked child; 0 if it raised nothing."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))
