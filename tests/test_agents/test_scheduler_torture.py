"""Many processes, fast schedules, sudden deaths; and the twin that must not survive it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from lsm.agents.torture import LABELS, Torment, torture
from lsm.errors import RefusedError
from tests.test_agents.scheduling import Desk

if TYPE_CHECKING:
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


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_doubled_or_miscounted_for_long(database_url: str, seed: int) -> None:
    verdict = torture(database_url, Torment(seconds=90, seed=seed))

    assert verdict.problems == []
    assert set(verdict.deaths) >= {"random", *LABELS} - {"reconcile.before_commit"}
