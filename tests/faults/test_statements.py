"""The process dies at any statement of a deed: the state is before or after, on both engines."""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING

import pytest

from lsm.app import Mind
from lsm.db import open_database
from lsm.selftest.deeds import KINDS, Deed, Doer, Ledger, problems
from tests.test_agents.crashing import Crash, crashing

if TYPE_CHECKING:
    from pathlib import Path

    from lsm.selftest.deeds import Kind


@pytest.mark.parametrize("kind", KINDS)
def test_a_death_at_a_statement_leaves_before_or_after(
    kind: Kind, database_url: str, tmp_path: Path
) -> None:
    die_at_every(7 if kind == "ingest" else 1, kind, database_url, tmp_path)


@pytest.mark.long
def test_a_death_at_any_statement_of_an_ingest_leaves_before_or_after(
    database_url: str, tmp_path: Path
) -> None:
    die_at_every(1, "ingest", database_url, tmp_path)


def die_at_every(step: int, kind: Kind, database_url: str, tmp_path: Path) -> int:
    """Die at each *step*-th statement of a deed; how many deaths that were."""
    notes = os.path.join(tmp_path, "notes")
    begun: set[Deed] = set()
    deed = Deed(kind, 0)
    for statement in count(0, step):
        deed = Deed(kind, statement)
        if not died_at(statement, deed, database_url, tmp_path):
            break
        begun.add(deed)
        with Mind(str(tmp_path), database_url) as mind:
            found = problems(mind, Ledger(frozenset(), frozenset(begun)), [notes], ended=True)
        assert found == [], statement

    assert len(begun) >= 3  # BEGIN, something, COMMIT
    with Mind(str(tmp_path), database_url) as mind:
        ledger = Ledger(frozenset({deed}), frozenset(begun))
        assert problems(mind, ledger, [notes], ended=True) == []
    return len(begun)


def died_at(statement: int, deed: Deed, url: str, folder: Path) -> bool:
    """Do *deed* in a process that dies at a statement; whether it came to that."""
    with open_database(url) as db:
        doomed, backend = crashing(db)
        doer = Doer(Mind(str(folder), doomed), os.path.join(folder, "notes"))
        backend.crash_at(statement)
        try:
            doer.do(deed)
        except Crash:
            return True
    return False
