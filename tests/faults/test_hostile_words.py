"""Words are words: nothing a user types is read as SQL, as a query of an engine, or as a path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import lsm.embedding
from lsm.app import Mind
from lsm.cli import cli
from lsm.migration.database.digest import digest
from lsm.selftest.deeds import contradictions
from tests.faults.quick_model import one_model

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = (
    "'; DROP TABLE lsm_chunks; --",
    "' OR '1'='1",
    "1; DELETE FROM lsm_agent_memories",
    '" OR "" = "',
    "x' UNION SELECT value FROM lsm_meta --",
    "%' AND 1=1 --",
    ":id",
    ":ids[]",
    "%(name)s",
    "{value}",
    "$1",
    "?",
    "*",
    '"',
    '"""',
    "tide*",
    "^tide",
    "title:tide",
    "text : tide",
    "{title heading} : tide",
    "tide AND",
    "NOT",
    "NEAR(tide kiln, 2)",
    "(((((tide",
    "tide & | ! <-> :*",
    "'tide':*A",
    "-tide +kiln",
    "%_[a-z]",
    "../../etc/passwd",
    "\\",
    "\t\r\n",
    "\u202etide\u2066",
    "ﷺ" * 50,
    "a" * 5000,
)
READING = (
    ("search", "{}", "--mode", "text"),
    ("search", "tide", "--mode", "text", "--path", "{}"),
    ("search", "tide", "--mode", "text", "--ext", "{}"),
    ("search", "tide", "--mode", "text", "--tag", "{}"),
    ("search", "tide", "--mode", "text", "--since", "{}"),
    ("search", "tide", "--mode", "text", "--as-of", "{}"),
    ("ask", "{}", "--no-llm"),
    ("show", "{}"),
    ("memory", "search", "{}"),
    ("memory", "search", "tide", "--scope", "{}"),
    ("memory", "search", "tide", "--type", "{}"),
    ("memory", "search", "tide", "--tag", "{}"),
    ("memory", "get", "{}"),
    ("memory", "list", "--scope", "{}"),
    ("memory", "promote", "{}"),
    ("memory", "delete", "{}"),
    ("schedule", "show", "{}"),
    ("schedule", "next", "--cron", "{}"),
    ("agent", "run", "{}"),
    ("agent", "show", "{}"),
    ("remote", "search", "{}", "tide"),
    ("cache", "purge", "--provider", "{}"),
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> str:
    monkeypatch.setattr(lsm.embedding, "open_embedder", one_model)
    monkeypatch.chdir(tmp_path)
    home, notes = tmp_path / "words", tmp_path / "notes"
    notes.mkdir()
    (notes / "tide.md").write_text("# Tide\n\nThe tide and the kiln.\n")
    with Mind(str(home), database_url) as mind:
        mind.ingest(str(notes))
        mind.memories.add("The tide comes in", scope="team", tags=["sea"])
    return str(home)


def test_hostile_words_are_only_words(
    home: str, database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with Mind(home, database_url) as mind:
        before = digest(mind.db).tables

    wrong = [
        (words, told)
        for number, words in enumerate(READING)
        for hostile in (HOSTILE if number == 0 else HOSTILE[number % 4 :: 4])
        if (told := refused(home, database_url, [w.replace("{}", hostile) for w in words], capfd))
    ]

    assert wrong == []
    with Mind(home, database_url) as mind:
        after = digest(mind.db).tables
        assert contradictions(mind) == []
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"lsm_agent_memories", "lsm_stats_cache"}  # that one was of use, and when


def refused(home: str, url: str, words: list[str], capture: pytest.CaptureFixture[str]) -> str:
    """What is wrong with how a command takes *words*; "": nothing."""
    status = run(home, url, words)
    _, complaint = capture.readouterr()
    if status not in (0, 1, 2):
        return f"{words} ended with {status}"
    bad = [each for each in ("Traceback", "syntax error", "no such column") if each in complaint]
    return f"{words} was told {complaint!r}" if bad else ""


def run(home: str, url: str, words: list[str]) -> int:
    """The status of a command in this process."""
    try:
        cli.main(["--home", home, "--database", url, *words], prog_name="lsm")
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
