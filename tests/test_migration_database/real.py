"""A mind that has been lived in: whatever people and agents leave in a database."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

from lsm.agents.runtime import Outcome
from lsm.agents.scheduler import AgentScheduler
from lsm.agents.schedules import Schedule, every
from lsm.app import Mind
from lsm.remote.feed_state import FeedState
from lsm.sample import library_path

if TYPE_CHECKING:
    from pathlib import Path

    from lsm.agents.memory import MemoryStore
    from lsm.agents.runtime import RunContext


class Reporter:
    """An agent that only reports."""

    def run(self, _: RunContext, /) -> Outcome:
        """Succeed."""
        return Outcome(report="# All well\n", result={"looked": 3})


def live(home: Path, documents: Path, database: str | None = None) -> None:
    """Fill the database of *home* by use."""
    shutil.copytree(library_path(), documents)
    with Mind(str(home), database) as mind:
        mind.ingest(str(documents))
        _edit(documents)
        mind.ingest(confirm_delete=True)
        _remember(mind.memories, next(documents.glob("*.md")))
        _schedule(mind)
        mind.cache.put("wikipedia", {"query": "kilns"}, {"results": ["é", "\0"]}, timedelta(1))
        mind.cache.put("arxiv", {"query": "glaze"}, [], None)
        feeds = FeedState(mind.db)
        feeds.save("https://example.org/feed", "Kilns", None, "yesterday")
        feeds.mark_seen("https://example.org/feed", ["one", "two"])
        mind.search("kiln")


def carry_on(home: Path, documents: Path, database: str) -> None:
    """What people do next, in the database they have moved to: every kind of new row."""
    with Mind(str(home), database) as mind:
        (documents / "later.md").write_text("# Later\n\nRaku after the move.\n", "utf-8")
        assert mind.ingest().chunks.added == 1
        assert mind.search("raku move", 1)[0].path.endswith("later.md")
        added = mind.memories.add("Raku is fired outside", scope="studio")
        assert added.memory is not None
        assert mind.memories.search("raku").items[0].id == added.memory.id
        scheduler = AgentScheduler(mind.db, lambda _: Reporter())
        (schedule,) = scheduler.schedules()
        assert scheduler.run_here(schedule.schedule_id).state == "succeeded"
        assert mind.index_problems() + mind.manifest_problems() + mind.engine_problems() == []


def _edit(documents: Path) -> None:
    changed, gone, *_ = sorted(documents.rglob("*.md"))
    changed.write_text(changed.read_text("utf-8") + "\n\n# New\n\nA paragraph more.\n", "utf-8")
    gone.unlink()
    (documents / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")


def _remember(memories: MemoryStore, source: Path) -> None:
    first = memories.add("Cones bend at 1222", scope="studio/firing", source=f"{source}#1")
    assert first.memory is not None
    memories.update(first.memory.id, confidence=0.25, tags=["cone", "Ünïcode"])
    memories.add("A key", scope="studio", key="kiln", value={"kind": "front", "hot": True})
    memories.supersede(first.memory.id, "Cones bend at 1230", scope="studio/firing")
    gone = memories.add("To be deleted", scope="studio", ttl=timedelta(days=9))
    assert gone.memory is not None
    memories.delete(gone.memory.id, reason="wrong")
    kept, refused, _ = (
        memories.propose(f"Proposal {number}", scope="studio", rationale="heard")
        for number in range(3)
    )
    assert kept.candidate is not None
    assert refused.candidate is not None
    memories.promote(kept.candidate.id)
    memories.reject(refused.candidate.id, reason="no")
    memories.context("cones", budget_tokens=200)


def _schedule(mind: Mind) -> None:
    scheduler = AgentScheduler(mind.db, lambda _: Reporter())
    row = scheduler.add(Schedule(agent="reporter", trigger=every("1h")))
    scheduler.run_here(row.schedule_id)
    scheduler.run_here(row.schedule_id)
