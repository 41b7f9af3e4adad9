"""One fetch a question, however many ask, whoever dies."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lsm.clock import to_text
from lsm.errors import StorageError
from lsm.processes import Owner, new_owner
from lsm.remote.answers import Answers, Fetched, Question
from lsm.remote.errors import RemoteError
from lsm.remote.flights import LEASE, Busy, Failed, Flights, Ticket
from lsm.remote.storage import RemoteCache
from tests.test_ingest.library import WatchedDatabase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lsm.db import Database
    from lsm.remote.storage import Held
    from tests.test_providers.remote.conftest import Time

ROOT = Path(__file__).parents[3]
QUESTION = Question("p", "q", timedelta(hours=1))


@pytest.fixture
def answers(db: Database, clock: Time) -> Answers:
    def wait(_: float) -> None:
        clock.pass_by(seconds=1)

    return Answers(db, RemoteCache(db, clock), clock, wait)


class Server:
    """Says one word to each connection, once it may, and counts them."""

    def __init__(self, word: bytes) -> None:
        self.count = 0
        self.word = word
        self.may_speak = threading.Event()
        self.somebody_came = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self.may_speak.set()
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.count += 1
                threading.Thread(target=self._speak, args=(connection,), daemon=True).start()
                self.somebody_came.set()

    def _speak(self, connection: socket.socket) -> None:
        self.may_speak.wait(60)
        with suppress(OSError), connection:
            connection.sendall(self.word)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(b"answer")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("processes", "threads"), [(3, 10), pytest.param(16, 20, marks=pytest.mark.long)]
)
def test_however_many_ask_one_fetches(
    database_url: str, db: Database, server: Server, processes: int, threads: int
) -> None:
    RemoteCache(db, past).put("p", "the one question", "stale", timedelta(hours=1))
    with asking(database_url, server.port, processes, threads) as askers:
        start(askers)
        assert server.somebody_came.wait(60)
        server.may_speak.set()

        outcomes = [outcome(asker) for asker in askers]

    assert outcomes == [{"answer": threads}] * processes
    assert server.count == 1


@pytest.mark.parametrize(
    ("processes", "threads"), [(2, 10), pytest.param(15, 20, marks=pytest.mark.long)]
)
def test_if_the_fetcher_is_killed_one_other_fetches(
    database_url: str, server: Server, processes: int, threads: int
) -> None:
    with asking(database_url, server.port, 1 + processes, threads) as (victim, *others):
        start([victim])
        assert server.somebody_came.wait(60)
        start(others)
        victim.kill()
        victim.wait()
        server.may_speak.set()

        outcomes = [outcome(asker) for asker in others]

    assert outcomes == [{"answer": threads}] * processes
    assert server.count == 2


def test_if_the_fetch_fails_those_who_waited_are_told_and_do_not_try(
    database_url: str, server: Server
) -> None:
    server.word = b"fail"
    with asking(database_url, server.port, 2, 10) as askers:
        start(askers)
        assert server.somebody_came.wait(60)
        server.may_speak.set()

        outcomes = [outcome(asker) for asker in askers]

    assert outcomes == [{"status": 10}] * 2
    assert server.count == 1


def test_a_failure_is_remembered_for_a_moment_only(answers: Answers, clock: Time) -> None:
    tries: list[int] = []
    with pytest.raises(RemoteError):
        answers.get(QUESTION, failing(tries))
    clock.pass_by(seconds=14)
    with pytest.raises(RemoteError, match="HTTP 500"):
        answers.get(QUESTION, failing(tries))
    clock.pass_by(seconds=2)

    served = answers.get(QUESTION, saying("better"))

    assert (served.response, len(tries)) == ("better", 1)


def test_who_asks_to_refresh_tries_again_at_once(answers: Answers) -> None:
    with pytest.raises(RemoteError):
        answers.get(QUESTION, failing([]))

    served = answers.get(replace(QUESTION, refresh=True), saying("now"))

    assert served.response == "now"


def test_refresh_replaces_a_fresh_answer(answers: Answers) -> None:
    answers.get(QUESTION, saying("old"))

    served = answers.get(replace(QUESTION, refresh=True), saying("new"))

    assert (served.response, served.cached) == ("new", False)
    assert answers.get(QUESTION, saying("never")).response == "new"


@pytest.mark.parametrize("age", [timedelta(minutes=5), timedelta(days=5)])
def test_a_failure_brings_what_is_held_and_leaves_it(
    answers: Answers, clock: Time, age: timedelta
) -> None:
    answers.get(QUESTION, saying("good"))
    clock.now += age

    served = answers.get(replace(QUESTION, refresh=True), failing([]))

    assert (served.response, served.stale, served.problem) == ("good", True, "HTTP 500")
    assert served.created_at == to_text(clock() - age)


def test_offline_nobody_is_asked(answers: Answers, clock: Time) -> None:
    offline = replace(QUESTION, offline=True)
    with pytest.raises(RemoteError, match="offline"):
        answers.get(offline, saying("never"))
    answers.get(QUESTION, saying("good"))
    fresh = answers.get(offline, saying("never"))
    clock.pass_by(hours=2)

    stale = answers.get(offline, saying("never"))

    assert (fresh.response, fresh.stale) == ("good", False)
    assert (stale.response, stale.stale) == ("good", True)


def test_a_clock_set_back_makes_an_answer_stale_not_immortal(answers: Answers, clock: Time) -> None:
    answers.get(QUESTION, saying("old"))
    clock.pass_by(days=-100)

    served = answers.get(QUESTION, saying("new"))

    assert (served.response, served.cached) == ("new", False)


def test_an_error_of_ours_leaves_no_lease_behind(answers: Answers, db: Database) -> None:
    def broken(held: Held | None) -> Fetched:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answers.get(QUESTION, broken)

    assert db.rows("SELECT * FROM lsm_remote_fetches") == []


def test_who_claims_just_after_another_has_finished_takes_what_that_one_brought(
    db: Database, clock: Time
) -> None:
    waiting = [1]

    def finish_first(statement: str) -> None:
        if "lsm_remote_fetches" in statement and waiting:
            waiting.pop()
            Answers(db, RemoteCache(db, clock), clock).get(QUESTION, saying("theirs"))

    watched = WatchedDatabase(db, finish_first)
    late = Answers(watched, RemoteCache(watched, clock), clock)

    served = late.get(QUESTION, saying("ours"))

    assert (served.response, served.cached) == ("theirs", True)
    assert db.rows("SELECT * FROM lsm_remote_fetches") == []


def test_nobody_is_asked_inside_a_transaction(answers: Answers, db: Database) -> None:
    with pytest.raises(StorageError, match="inside a transaction"), db.transaction():
        answers.get(QUESTION, saying("never"))


def test_an_answer_that_cannot_be_kept_does_not_lose_the_one_before(
    answers: Answers, db: Database, clock: Time
) -> None:
    answers.get(QUESTION, saying("good"))
    clock.pass_by(hours=2)

    def noting_fails(held: Held | None) -> Fetched:
        def note() -> None:
            raise RemoteError("broken", "in the middle of storing")

        return Fetched("half", note)

    served = answers.get(QUESTION, noting_fails)

    assert (served.response, served.stale) == ("good", True)


def test_a_living_owner_keeps_its_lease_and_an_ended_one_does_not(
    db: Database, clock: Time
) -> None:
    flights = Flights(db, clock)
    first = flights.claim("k", "")
    assert isinstance(first, Ticket)
    second = flights.claim("k", "")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    lease(db, clock, replace(new_owner(), pid=ended.pid, born="1"))

    third = flights.claim("k", "")

    assert isinstance(second, Busy)
    assert isinstance(third, Ticket)


@pytest.mark.parametrize(
    ("owner", "later", "outcome"),
    [
        ({"host": "elsewhere"}, timedelta(), Busy),
        ({"host": "elsewhere"}, LEASE - timedelta(microseconds=1), Busy),
        ({"host": "elsewhere"}, LEASE, Ticket),
        ({"host": "elsewhere"}, timedelta(seconds=-1), Ticket),  # the clock was set back
        ({"boot": "an earlier one"}, timedelta(), Ticket),
        ({"born": "1"}, timedelta(), Ticket),  # its number has been given to another process
    ],
)
def test_a_lease_ends_with_its_owner_or_its_time(
    db: Database, clock: Time, owner: dict[str, str], later: timedelta, outcome: type[Any]
) -> None:
    lease(db, clock, replace(new_owner(), **owner))
    clock.now += later

    assert isinstance(Flights(db, clock).claim("k", ""), outcome)


def test_a_lease_that_has_passed_on_is_not_given_back_by_the_first(
    db: Database, clock: Time
) -> None:
    flights = Flights(db, clock)
    first = flights.claim("k", "")
    assert isinstance(first, Ticket)
    clock.now += LEASE
    lease(db, clock, replace(new_owner(), host="elsewhere"))

    flights.release(first)
    flights.fail(first, RemoteError("status", "too late"))

    assert isinstance(flights.claim("k", ""), Busy)


def test_old_failures_are_swept(db: Database, clock: Time) -> None:
    flights = Flights(db, clock)
    for key in "abc":
        ticket = flights.claim(key, "")
        assert isinstance(ticket, Ticket)
        flights.fail(ticket, RemoteError("status", "no"))
        told = flights.claim(key, "")
        assert isinstance(told, Failed)
        clock.pass_by(minutes=1)

    assert db.rows("SELECT cache_key FROM lsm_remote_fetches") == [{"cache_key": "c"}]


def test_an_owner_is_read_as_it_was_written() -> None:
    owner = new_owner()

    assert Owner.parse(str(owner)) == owner
    assert not owner.is_gone()
    assert Owner.parse("nonsense") is None
    assert os.getpid() == owner.pid


def test_who_waits_too_long_for_another_machine_gets_what_is_held(
    answers: Answers, db: Database, clock: Time
) -> None:
    answers.get(QUESTION, saying("good"))
    clock.pass_by(hours=2)
    from lsm.remote.storage import cache_key

    lease(db, clock, replace(new_owner(), host="elsewhere"), cache_key("p", "q"), timedelta(days=9))

    served = answers.get(QUESTION, saying("never"))

    assert (served.response, served.stale) == ("good", True)


def saying(word: str) -> Callable[[Held | None], Fetched]:
    return lambda _: Fetched(word)


def failing(tries: list[int]) -> Callable[[Held | None], Fetched]:
    def fetch(held: Held | None) -> Fetched:
        tries.append(1)
        raise RemoteError("status", "HTTP 500")

    return fetch


def lease(
    db: Database, clock: Time, owner: Owner, key: str = "k", length: timedelta = LEASE
) -> None:
    db.run("DELETE FROM lsm_remote_fetches")
    db.run(
        "INSERT INTO lsm_remote_fetches (cache_key, owner, since, until)"
        " VALUES (:key, :owner, :since, :until)",
        key=key,
        owner=str(owner),
        since=to_text(clock()),
        until=to_text(clock() + length),
    )


def past() -> Any:
    from lsm.clock import utc_now

    return utc_now() - timedelta(days=1)


@contextmanager
def asking(
    url: str, port: int, processes: int, threads: int
) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ready to ask."""
    command = [sys.executable, "-m", "tests.test_providers.remote.asker"]
    askers = [
        subprocess.Popen(
            [*command, url, str(port), str(threads)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    try:
        for asker in askers:
            assert asker.stdout is not None
            assert asker.stdout.readline() == "ready\n"
        yield askers
    finally:
        for asker in askers:
            asker.kill()
            asker.communicate()


def start(askers: list[subprocess.Popen[str]]) -> None:
    for asker in askers:
        assert asker.stdin is not None
        asker.stdin.write("go\n")
        asker.stdin.flush()


def outcome(asker: subprocess.Popen[str]) -> dict[str, int]:
    assert asker.stdout is not None
    return json.loads(asker.stdout.readline())
