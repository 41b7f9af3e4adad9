"""The power fails at any moment: what was acknowledged is there, and nothing is half there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lsm.agents.runtime import Outcome
from lsm.selftest import powercut
from lsm.selftest.deeds import Deed, Doer
from lsm.selftest.powercut import cut_power

if TYPE_CHECKING:
    from pathlib import Path

    from lsm.agents.runtime import Agent, RunContext


def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    tally = cut_power(str(tmp_path), 150, 1, nothing)

    assert tally.problems == []
    assert tally.acknowledged > 1000  # there was something to lose


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_power_cuts_lose_nothing(tmp_path: Path, seed: int) -> None:
    tally = cut_power(str(tmp_path), 1000, seed, nothing)

    assert tally.problems == []


@pytest.mark.parametrize("synchronous", ["normal", "off"])
def test_a_database_that_does_not_wait_for_the_disk_is_caught(
    tmp_path: Path, synchronous: str
) -> None:
    tally = cut_power(str(tmp_path), 40, 2, nothing, synchronous=synchronous)

    assert tally.failed > 0


def test_a_run_that_writes_its_memory_in_a_second_transaction_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(powercut, "Doer", TwoTransactions)

    tally = cut_power(str(tmp_path), 300, 3, nothing)

    assert any("what they remembered differ" in problem for problem in tally.problems)


def test_a_document_that_is_written_in_two_parts_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(powercut, "Doer", ManifestLater)

    tally = cut_power(str(tmp_path), 300, 4, nothing)

    assert any("manifest" in problem for problem in tally.problems)


class TwoTransactions(Doer):
    """A known mistake: what a run remembers is written after the run has been recorded."""

    def do(self, deed: Deed) -> None:
        super().do(deed)
        if deed.kind == "run":
            self._mind.memories.add(f"run {deed.number}", scope="selftest/run")

    def _agent(self, name: str) -> Agent:  # noqa: ARG002 - there is only one
        return Forgetful()


class Forgetful:
    """An agent that leaves only a report."""

    def run(self, context: RunContext) -> Outcome:
        return Outcome(report=f"run {context.params['number']}")


class ManifestLater(Doer):
    """A known mistake: the manifest is written in a transaction of its own."""

    def do(self, deed: Deed) -> None:
        if deed.kind == "ingest":
            self._mind.db.run("UPDATE lsm_documents SET file_hash = file_hash || '!'")
            self._mind.db.run("UPDATE lsm_manifest SET file_hash = file_hash || '!'")
        super().do(deed)


def nothing() -> None: ...
