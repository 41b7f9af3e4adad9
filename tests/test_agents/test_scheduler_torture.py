"""Many processes, fast schedules, sudden deaths; and the twin that must not survive it."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lsm.agents.claims import Claims
from lsm.agents.ledger import Ledger
from lsm.agents.loop import Terms
from lsm.agents.torture import LABELS, Torment, settle, torture
from lsm.errors import RefusedError
from lsm.processes import new_owner
from tests.test_agents.scheduling import Desk

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.db import Database

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")

OUTSIDE = ("finish.before_outputs", "finish.before_commit", "finish.after_outputs")


def test_nothing_is_lost_doubled_or_miscounted(database_url: str) -> None:
    torment = Torment(processes=4, schedules=24, seconds=2, least=40, speed=10)

    verdict = torture(database_url, torment)

    assert verdict.problems == []
    assert verdict.succeeded > 0
    assert len(verdict.deaths) > 3


def test_outputs_outside_the_transaction_are_found_out(database_url: str) -> None:
    torment = Torment(
        processes=4, schedules=24, seconds=1, least=20, speed=10, labels=OUTSIDE, broken=True
    )

    verdict = torture(database_url, torment)

    assert any("lost with" in problem for problem in verdict.problems)


def test_a_database_that_holds_schedules_is_not_tortured(db: Database, database_url: str) -> None:
    Desk(db).add()

    with pytest.raises(RefusedError, match="it holds schedules"):
        torture(database_url, Torment(seconds=0))


def test_the_last_commit_of_the_dead_is_waited_for(
    db: Database, open_again: Callable[[], Database]
) -> None:
    # Killed with its commit under way: a server carries it out when it comes to it.
    desk = Desk(db)
    run = desk.scheduler.run_now(desk.add(max_attempts=1))
    dead = str(replace(new_owner(), born="long ago"))
    ledger, claimed = Ledger(open_again(), desk.clock), threading.Event()

    def claim() -> None:
        with ledger.transaction():
            Claims(ledger, dead, ttl=30).claim_run(run)
            claimed.set()
            threading.Event().wait(0.3)  # the server is busy

    server = threading.Thread(target=claim)
    server.start()
    claimed.wait()
    settle(db, Terms(clock=desk.clock, monotonic=desk.clock.monotonic))
    server.join()

    ended = desk.scheduler.run(run.run_id)
    assert (ended.owner, ended.state, ended.reason) == (dead, "lost", "owner_gone")


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_doubled_or_miscounted_for_long(database_url: str, seed: int) -> None:
    verdict = torture(database_url, Torment(seconds=90, seed=seed))

    assert verdict.problems == []
    assert set(verdict.deaths) >= {"random", *LABELS} - {"reconcile.before_commit"}
