"""The watcher takes up each item once, whatever happens in between; the digest shows it once."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lsm.app import Mind
from lsm.errors import InvalidError
from lsm.remote.sources import RemoteSources
from tests.test_providers.remote import formats
from tests.test_providers.remote.conftest import READERS
from tests.test_providers.remote.formats import said
from tests.test_providers.replay import Replay, Reply, replaying

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from lsm.agents.rows import RunRow

ROOT = Path(__file__).parents[2]
SETTINGS = """
[remote.providers.arxiv]
enabled = true
[remote.providers.news]
enabled = true
kind = "feed"
urls = ["https://example.org/feed.xml"]
"""
FEED = {"feeds": ["news"]}
SEARCH = {"searches": [{"provider": "arxiv", "query": "tides"}]}


@pytest.fixture
def replay() -> Iterator[Replay]:
    with replaying() as server:
        server.says("example.org", said(formats.RSS))
        server.says("export.arxiv.org", said(formats.ARXIV))
        yield server


@pytest.fixture
def mind(sqlite_url: str, replay: Replay, tmp_path: Path) -> Iterator[Mind]:
    """A mind whose way out ends at *replay*."""
    with opened(settled(tmp_path / "mind"), replay, sqlite_url) as mind:
        yield mind


@pytest.fixture
def either_mind(database_url: str, replay: Replay, tmp_path: Path) -> Iterator[Mind]:
    """The same on each engine."""
    with opened(settled(tmp_path / "mind"), replay, database_url) as mind:
        yield mind


def test_new_items_wait_for_a_review_with_their_address(either_mind: Mind) -> None:
    mind = either_mind
    ended = run(mind, **FEED, **SEARCH)

    candidates = mind.memories.candidates()
    assert (ended.state, ended.error) == ("succeeded", None)
    assert [each.memory.text for each in candidates] == [
        "Low tide on Sunday (Harbour news, 2026-02-28): Very low water.",
        "Fish market (Harbour news, 2026-02-27): Fresh.",
        "Tides in a narrow bay where x<y (arxiv: tides, 2026-01-05): We measure tides & currents.",
        "An old one (arxiv: tides, 2003-09-08): Old.",
    ]
    assert {each.memory.trust for each in candidates} == {"untrusted"}
    assert {each.memory.source_run_id for each in candidates} == {ended.run_id}
    (source,) = mind.memories.sources(candidates[0].memory.id)
    assert (source.kind, source.ref) == ("url", "https://example.org/low")
    assert "[Low tide on Sunday](https://example.org/low)" in (ended.report or "")


def test_kept_items_are_documents_of_one_version(either_mind: Mind) -> None:
    mind = either_mind
    ended = run(mind, mode="keep", **FEED, **SEARCH)

    assert ended.state == "succeeded", ended.error
    assert len(mind.keeping.kept()) == 4
    assert mind.overview().version == 1
    assert mind.search("narrow bay", 1)[0].path == "https://arxiv.org/abs/2601.01234v2"
    assert mind.memories.candidates().items == ()


@pytest.mark.parametrize("mode", ["propose", "keep"])
def test_each_item_is_taken_up_once(mind: Mind, replay: Replay, mode: str) -> None:
    run(mind, mode=mode, **FEED)
    replay.says("example.org", said(formats.RSS.replace(b"Fish market", b"Flea market")))

    again = run(mind, mode=mode, **FEED)

    assert "Nothing new." in (again.report or "")
    assert json.loads(again.result_json or "")["new"] == 0


def test_a_person_s_look_takes_nothing_from_the_watcher(mind: Mind) -> None:
    mind.remote.mark_shown(mind.remote.search("news", ""))

    run(mind, **FEED)

    assert len(mind.memories.candidates()) == 2


def test_what_does_not_fit_a_run_waits_for_the_next(mind: Mind) -> None:
    first = run(mind, most=1, **FEED)
    second = run(mind, most=1, **FEED)

    assert "and 1 more, for the next time" in (first.report or "")
    assert [each.memory.text[:8] for each in mind.memories.candidates()] == ["Low tide", "Fish mar"]
    assert "more" not in (second.report or "")


def test_a_source_that_fails_does_not_stop_the_others(mind: Mind, replay: Replay) -> None:
    replay.says("export.arxiv.org", Reply(b"", 500))

    ended = run(mind, **FEED, **SEARCH)

    assert ended.state == "succeeded"
    assert "arxiv: tides: arxiv: HTTP 500" in (ended.report or "")
    assert len(mind.memories.candidates()) == 2


def test_if_no_source_answers_the_run_fails_and_may_be_tried_again(
    mind: Mind, replay: Replay
) -> None:
    replay.says("example.org", Reply(b"", 500))

    ended = run(mind, **FEED)

    assert ended.state == "failed"
    assert "HTTP 500" in (ended.error or "")


def test_what_strangers_write_is_one_harmless_line(mind: Mind, replay: Replay) -> None:
    title = "# Fine](javascript:x) `rm` &lt;img src=x&gt; *now*\n\n## IGNORE ALL"
    item = f"<item><guid>1</guid><title>{title}</title><link>https://e.example/a)b</link></item>"
    feed = f"<rss version='2.0'><channel><title>T[</title>{item}</channel></rss>"
    replay.says("example.org", said(feed.encode()))

    report = run(mind, **FEED).report or ""

    (line,) = [line for line in report.splitlines() if "Fine" in line]
    assert line.startswith(r"- [\# Fine\](javascript:x) \`rm\` \*now\* \#\# IGNORE ALL](https://")
    assert "\n## IGNORE" not in report
    assert "## T\\[" in report


def test_a_dry_run_takes_up_nothing(mind: Mind) -> None:
    outcome = mind.scheduler.rehearse("watcher", {"mode": "keep"} | FEED)

    assert "Low tide" in (outcome.report or "")
    assert mind.keeping.kept() == []
    assert "Low tide" in (run(mind, mode="keep", **FEED).report or "")


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({}, "name 1 to 20 feeds and searches, not 0"),
        ({"feeds": ["a"] * 21}, "not 21"),
        ({"feeds": ["a"], "mode": "delete"}, "parameter mode: Invalid enum value 'delete'"),
        ({"feeds": 7}, "parameter feeds: Expected `array`, got `int`"),
        ({"searches": [{"provider": "arxiv"}]}, "missing required field `query`"),
        ({"feeds": ["a"], "most": 0}, "parameter most: must be at least 1"),
        ({"feed": ["a"]}, "did you mean feeds?"),
    ],
)
def test_what_it_cannot_follow_is_refused_when_it_is_typed(
    mind: Mind, params: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidError, match=problem.replace("?", r"\?")):
        mind.agency.check_agent("watcher", params)


def test_the_digest_shows_an_item_of_a_feed_once(either_mind: Mind, replay: Replay) -> None:
    mind = either_mind
    first = mind.scheduler.run_agent("digest").report or ""
    second = mind.scheduler.run_agent("digest").report or ""
    newer = b"<item><guid>3</guid><title>Storm</title></item></channel>"
    replay.says("example.org", said(formats.RSS.replace(b"</channel>", newer)))
    mind.cache.purge(everything=True)
    third = mind.scheduler.run_agent("digest").report or ""

    assert "## New in feeds\n\n### Harbour news" in first
    assert "Low tide on Sunday" in first
    assert "feeds" not in second
    assert "Storm" in third
    assert "Low tide" not in third


def test_a_digest_tells_of_a_feed_that_cannot_be_read(mind: Mind, replay: Replay) -> None:
    replay.says("example.org", Reply(b"", 500))

    ended = mind.scheduler.run_agent("digest")

    assert ended.state == "succeeded"
    assert "## Feeds that could not be read" in (ended.report or "")


PLACES = [
    ("lsm.agents.memory.store:MemoryStore.propose", 2, "propose"),  # after one candidate
    ("lsm.remote.watched:WatchedItems.mark", 1, "keep"),  # kept, and not noted
    ("lsm.agents.schedule_store:ScheduleStore.save", 2, "keep"),  # just before the end
]
MORE = [
    ("lsm.watching:Watch.of_feed", 1, "propose"),  # before it asks
    ("lsm.remote.watched:WatchedItems.mark", 2, "propose"),  # one source noted, one not
    ("lsm.agents.claims:Claims.finish", 1, "propose"),  # when it has asked
    ("lsm.remote.watched:WatchedItems.mark", 1, "propose"),  # all proposed, none noted
    ("lsm.ingest.keeping:KeptDocuments.write", 1, "keep"),  # before it is kept
    ("lsm.remote.watched:WatchedItems.mark", 2, "keep"),
]


@pytest.mark.parametrize(
    ("place", "count", "mode"),
    [*PLACES, *(pytest.param(*each, marks=pytest.mark.long) for each in MORE)],
)
def test_killed_anywhere_the_next_run_takes_up_each_item_once(
    place: str, count: int, mode: str, replay: Replay, tmp_path: Path
) -> None:
    home = settled(tmp_path / "home")
    params = {"mode": mode, **FEED, **SEARCH}
    told = [f"--param={name}={json.dumps(value)}" for name, value in params.items()]
    here = ("-m", "tests.test_agents.dying_watcher", place, str(count), str(replay.port))

    died = subprocess.run(
        (sys.executable, *here, "--home", str(home), "agent", "run", "watcher", *told),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert died.returncode == -9, died.stderr
    with opened(home, replay) as mind:
        assert taken_up(mind) == []
        assert run(mind, **params).state == "succeeded"
        assert taken_up(mind) == ["An old o", "Fish mar", "Low tide", "Tides in"]


@contextmanager
def opened(home: Path, replay: Replay, url: str | None = None) -> Generator[Mind]:
    with Mind(str(home), url) as mind:
        mind.remote = RemoteSources(mind.config.remote, mind.db, READERS, replay.network())
        yield mind


def run(mind: Mind, **params: Any) -> RunRow:
    return mind.scheduler.run_agent("watcher", params)


def settled(home: Path) -> Path:
    home.mkdir(mode=0o700)
    (home / "lsm.toml").write_text(SETTINGS)
    return home


def taken_up(mind: Mind) -> list[str]:
    """How each candidate and each kept document begins."""
    candidates = [each.memory.text for each in mind.memories.candidates()]
    return sorted(text[:8] for text in [*candidates, *(row.title for row in mind.keeping.kept())])
