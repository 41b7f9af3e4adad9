"""What changes something needs a person's word: typed, for one tool, for a while."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lsm.agents.memory import Suspicion
from lsm.agents.scheduler import AgentScheduler, Terms
from lsm.agents.schedules import Schedule, every
from lsm.errors import ConfigError, InvalidError, NotFoundError, RefusedError
from tests.test_agents.model_server import Say, Seen, Use

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.test_agents.test_llm.conftest import Desk

FACT = "Kilns are hot"
WEEK = timedelta(days=7)


@pytest.fixture(autouse=True)
def scout(request: pytest.FixtureRequest) -> None:
    """An agent that remembers as soon as it may."""
    name = "either" if "either" in request.fixturenames else "desk"
    desk: Desk = request.getfixturevalue(name)
    desk.agent(tools="[search, remember, ingest]")
    desk.server.brain = remembering


def test_without_a_grant_nothing_is_remembered(either: Desk) -> None:
    run = either.run()

    assert run.state == "succeeded"
    assert either.memories() == []
    assert "nobody has granted it; a person can: lsm agent grant scout remember --for 7d" in (
        run.report or ""
    )


def test_with_a_grant_a_scheduled_run_remembers_as_an_agent(either: Desk) -> None:
    either.mind.reasoning.grant("scout", "remember", WEEK)

    (run,) = scheduled_runs(either)

    assert run.state == "succeeded"
    assert either.memories() == [FACT]
    (memory,) = either.mind.memories.list()
    assert (memory.trust, memory.author, memory.status) == ("agent", "agent:scout", "active")
    assert memory.source_run_id == run.run_id


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda desk: desk.mind.reasoning.grants.revoke(
            desk.mind.reasoning.grants.grants()[0].grant_id
        ),
        lambda desk: desk.clock.pass_by(days=8),
    ],
    ids=["revoked", "ran out"],
)
def test_a_grant_that_ends_after_the_call_has_no_effect_at_the_end(
    either: Desk, meanwhile: Callable[[Desk], Any]
) -> None:
    either.mind.reasoning.grant("scout", "remember", WEEK)

    def brain(seen: Seen) -> Any:
        if not seen.results:
            return Use([("remember", {"text": FACT})])
        meanwhile(either)
        return Say("done")

    either.server.brain = brain

    run = either.run()

    assert either.server.last.results == ["will be remembered when the run has ended"]
    assert run.state == "succeeded"
    assert either.memories() == []
    assert "Not remembered, because the grant " in (run.report or "")


def test_a_grant_ends_when_its_time_is_over(desk: Desk) -> None:
    desk.mind.reasoning.grant("scout", "remember", WEEK)
    desk.clock.pass_by(days=7)

    desk.run()

    assert desk.memories() == []
    assert "refused: the grant ran out" in desk.server.last.results[0]


def test_an_agent_that_is_edited_has_to_be_granted_anew(desk: Desk) -> None:
    desk.mind.reasoning.grant("scout", "remember", WEEK)
    desk.agent(tools="[search, remember, ingest, propose]")

    desk.run()

    assert desk.memories() == []
    assert "the agent has been edited since it was granted" in desk.server.last.results[0]


@pytest.mark.parametrize("fate", ["pending", "rejected", "quarantined"])
def test_a_grant_brings_nothing_back_that_a_person_has_not_accepted(
    either: Desk, fate: str
) -> None:
    memories = either.mind.memories
    candidate = memories.propose(FACT).candidate
    assert candidate is not None
    if fate == "rejected":
        memories.reject(candidate.id)
    if fate == "quarantined":
        memory = memories.promote(candidate.id)
        memories.quarantine(Suspicion(since=memories_since(either), reason="odd"))
        assert memories.get(memory.id) is None

    run = either.run(allow=("remember",))

    assert either.memories() == []
    assert "- Not remembered, because the same words wait for a review" in (run.report or "")


def test_a_grant_for_one_tool_is_for_no_other(desk: Desk) -> None:
    desk.mind.reasoning.grant("scout", "ingest", WEEK)

    desk.run()

    assert desk.memories() == []


def test_a_grant_for_one_schedule_is_for_no_other_run(either: Desk) -> None:
    wanted = Schedule(agent="scout", trigger=every("1h"))
    schedule = either.mind.scheduler.add(wanted).schedule_id
    either.mind.reasoning.grant("scout", "remember", WEEK, schedule)

    either.run()
    by_hand = either.memories()
    scheduled_runs(either)

    assert by_hand == []
    assert either.memories() == [FACT]


def test_what_is_allowed_on_the_command_line_holds_for_that_run_only(either: Desk) -> None:
    either.run(allow=("remember",))
    once = either.memories()
    either.mind.memories.delete(either.mind.memories.list()[0].id)

    either.run()

    assert once == [FACT]
    assert either.memories() == []


def test_a_person_may_let_it_read_the_folders(desk: Desk) -> None:
    late = desk.folder / "late.md"
    late.write_text("late")
    desk.mind.add_root(str(late))
    desk.server.brain = lambda seen: Say("done") if seen.results else Use([("ingest", {})])

    refused = desk.run()
    before = desk.mind.overview().files
    desk.run(allow=("ingest",))

    assert "ingest: nobody has granted it" in (refused.report or "")
    assert (before, desk.mind.overview().files) == (2, 3)


def test_a_grant_that_is_used_says_when(desk: Desk) -> None:
    desk.mind.reasoning.grant("scout", "remember", WEEK)
    desk.clock.pass_by(hours=1)

    desk.run()

    (grant,) = desk.mind.reasoning.grants.grants()
    assert grant.last_used_at == "2026-03-01T13:00:00.000000Z"
    assert "@" in grant.granted_by


def test_what_is_over_is_listed_only_when_asked_for(either: Desk) -> None:
    grants = either.mind.reasoning.grants
    first = either.mind.reasoning.grant("scout", "remember", WEEK)
    either.mind.reasoning.grant("scout", "ingest", timedelta(hours=1))
    either.clock.pass_by(hours=2)

    revoked = grants.revoke(first.grant_id)

    assert revoked.revoked_at == "2026-03-01T14:00:00.000000Z"
    assert grants.grants() == []
    assert {each.tool for each in grants.grants(everything=True)} == {"ingest", "remember"}
    with pytest.raises(RefusedError, match="was revoked at"):
        grants.revoke(first.grant_id)


@pytest.mark.parametrize("point", ["finish.after_outputs", "finish.before_commit"])
def test_what_fails_at_the_end_of_a_run_leaves_nothing_of_it(either: Desk, point: str) -> None:
    either.agent(tools="[propose, remember]")
    calls = [("propose", {"text": "Kilns cool slowly"}), ("remember", {"text": FACT})]
    either.server.brain = lambda seen: Say("done") if seen.results else Use(list(calls))
    either.mind.reasoning.grant("scout", "remember", WEEK)
    (before,) = either.mind.reasoning.grants.grants()
    broken = [point]

    def reached(here: str) -> None:
        if here in broken:
            broken.remove(here)
            raise OSError("the disk broke")

    scheduler = AgentScheduler(
        either.mind.db,
        lambda name: either.mind.agency.directory.agent(
            name, either.mind.agency.tools, either.mind.reasoning.reach
        ),
        terms=Terms(clock=either.clock, reached=reached),
    )

    failed = scheduler.run_agent("scout", {})
    left = (either.memories(), either.candidates(), either.mind.reasoning.grants.grants())
    again = scheduler.run_agent("scout", {})

    assert (failed.state, failed.report) == ("failed", None)
    assert left == ([], [], [before])
    assert again.state == "succeeded"
    assert (either.memories(), either.candidates()) == ([FACT], ["Kilns cool slowly"])


@pytest.mark.parametrize(
    ("agent", "tool", "days", "error", "said"),
    [
        ("scout", "remeber", 7, NotFoundError, "did you mean remember"),
        ("scout", "search", 7, ConfigError, "needs no grant"),
        ("scout", "keep", 7, ConfigError, "does not list keep"),
        ("digest", "remember", 7, ConfigError, "does not list remember"),
        ("scuot", "remember", 7, NotFoundError, "did you mean scout"),
        ("scout", "remember", 31, InvalidError, "at most 30d"),
        ("scout", "remember", 0, InvalidError, "more than 0"),
    ],
)
def test_what_cannot_be_granted_is_refused(
    desk: Desk, agent: str, tool: str, days: int, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        desk.mind.reasoning.grant(agent, tool, timedelta(days=days))

    assert desk.mind.reasoning.grants.grants(everything=True) == []


def test_a_grant_names_a_schedule_of_that_agent(desk: Desk) -> None:
    other = desk.mind.scheduler.add(Schedule(agent="digest", trigger=every("1h"))).schedule_id

    with pytest.raises(NotFoundError, match="schedule of scout"):
        desk.mind.reasoning.grant("scout", "remember", WEEK, other)


def remembering(seen: Seen) -> Any:
    """A model that remembers one thing."""
    return Say("done") if seen.results else Use([("remember", {"text": FACT})])


def memories_since(desk: Desk) -> datetime:
    return desk.clock() - timedelta(days=1)


def scheduled_runs(desk: Desk) -> list[Any]:
    """What a scheduler runs an hour later, with nobody there."""
    if not desk.mind.scheduler.schedules():
        desk.mind.scheduler.add(Schedule(agent="scout", trigger=every("1h")))
    desk.clock.pass_by(hours=1)
    return desk.mind.scheduler.run_due()
