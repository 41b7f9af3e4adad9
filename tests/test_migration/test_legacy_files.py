"""Manifest, schedules, answers and feeds of the predecessor, as they are and where they are."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from lsm.errors import InvalidError
from lsm.ingest.manifest import get_next_version, load_manifest
from lsm.remote.feed_state import FeedState
from lsm.remote.inherited import question
from lsm.remote.storage import RemoteCache
from tests.test_migration.moving import bring, counts, stored, table
from tests.test_migration.old_home import (
    entry,
    fingerprint,
    manifest_key,
    memory,
    result,
    schedule,
    short_hash,
)

if TYPE_CHECKING:
    from pathlib import Path

    from lsm.app import Mind
    from tests.test_migration.old_home import OldHome


# -- the manifest --------------------------------------------------------------------------


def test_a_file_is_known_by_its_real_name_with_all_that_was_known_of_it(
    mind: Mind, old: OldHome, tmp_path: Path
) -> None:
    path = tmp_path / "Docs" / "READ Me.MD"
    path.parent.mkdir()
    path.write_bytes(b"text")
    old.write_manifest({manifest_key(path): entry(b"text", version=7)})

    report = bring(mind, old)

    [state] = load_manifest(mind.db).values()
    assert counts(report.kinds["manifest"]) == {"imported": 1}
    assert state.source_path == str(path)
    assert (state.mtime_ns, state.file_size) == (1776557706926039385, 4)
    assert state.file_hash == entry(b"text")["file_hash"]
    assert (state.version, state.updated_at) == (7, "2026-02-18T11:00:00.000000Z")
    assert (state.embedding_model, state.document_id, state.checked_ns) == (None, None, 0)
    assert get_next_version(mind.db) == 8


def test_a_file_that_is_gone_is_known_as_it_was_called(sqlite_mind: Mind, old: OldHome) -> None:
    old.write_manifest({"/no/such/folder/naïve.md": entry()})

    bring(sqlite_mind, old)

    assert list(load_manifest(sqlite_mind.db)) == ["/no/such/folder/naïve.md"]


@pytest.mark.parametrize(("data", "name"), [(b"one", "A.md"), (b"two!", "a.md"), (b"six", "a.MD")])
def test_files_that_differ_in_case_alone_are_told_apart_by_size_and_bytes(
    sqlite_mind: Mind, old: OldHome, tmp_path: Path, data: bytes, name: str
) -> None:
    for spelled, text in (("A.md", b"one"), ("a.md", b"two!"), ("a.MD", b"six")):
        (tmp_path / spelled).write_bytes(text)
    old.write_manifest({manifest_key(tmp_path / "a.md"): entry(data)})

    bring(sqlite_mind, old)

    assert list(load_manifest(sqlite_mind.db)) == [str(tmp_path / name)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mtime_ns", "1.5"),
        ("mtime_ns", "true"),
        ("mtime_ns", "null"),
        ("mtime_ns", "9223372036854775808"),
        ("mtime_ns", "NaN"),
        ("size", "-1"),
        ("size", '"4"'),
        ("file_hash", '"ABC"'),
        ("file_hash", "null"),
        ("updated_at", '"soon"'),
        ("version", "0"),
        ("version", "1" + "0" * 5000),
    ],
    ids=lambda text: text[:20],
)
def test_an_entry_that_cannot_be_typed_is_set_aside_to_the_letter(
    sqlite_mind: Mind, old: OldHome, name: str, value: str
) -> None:
    spelled = json.dumps(entry(version=1) | {name: "HERE"}).replace('"HERE"', value)
    old.manifest.parent.mkdir()
    old.manifest.write_text(f'{{"/good": {json.dumps(entry())},"/bad" : {spelled} }}', "utf-8")

    report = bring(sqlite_mind, old)

    [aside] = table(sqlite_mind, "lsm_legacy_quarantine")
    assert counts(report.kinds["manifest"]) == {"imported": 1, "quarantined": 1}
    assert aside["original"] == f'"/bad": {spelled}'.encode()


@pytest.mark.parametrize("value", ["5", "null", "[]", '"text"', "NaN"])
def test_an_entry_that_is_no_object_is_set_aside(
    sqlite_mind: Mind, old: OldHome, value: str
) -> None:
    old.manifest.parent.mkdir()
    old.manifest.write_text(f'{{"/bad": {value}}}', "utf-8")

    report = bring(sqlite_mind, old)

    assert counts(report.kinds["manifest"]) == {"quarantined": 1}


@pytest.mark.parametrize("path", ["relative.md", "", "/a\\u0000b", "/half \\ud800"])
def test_what_is_no_path_is_set_aside(sqlite_mind: Mind, old: OldHome, path: str) -> None:
    old.manifest.parent.mkdir()
    old.manifest.write_text(f'{{"{path}": {json.dumps(entry())}}}', "utf-8")

    report = bring(sqlite_mind, old)

    assert counts(report.kinds["manifest"]) == {"quarantined": 1}


def test_a_name_that_is_no_utf_8_keeps_its_bytes(sqlite_mind: Mind, old: OldHome) -> None:
    old.manifest.parent.mkdir()
    old.manifest.write_text(f'{{"/bytes \\udcff": {json.dumps(entry())}}}', "utf-8")

    report = bring(sqlite_mind, old)

    assert counts(report.kinds["manifest"]) == {"imported": 1}
    assert list(load_manifest(sqlite_mind.db)) == ["/bytes \uf7ff"]


def test_of_two_entries_for_one_path_the_last_counts_and_the_first_is_kept(
    mind: Mind, old: OldHome
) -> None:
    old.manifest.parent.mkdir()
    first, last = json.dumps(entry(b"1")), json.dumps(entry(b"22"))
    old.manifest.write_text(f'{{"/a": {first}, "/a": {last}}}', "utf-8")

    report = bring(mind, old)
    again = bring(mind, old)

    assert counts(report.kinds["manifest"]) == {"imported": 1, "quarantined": 1}
    assert counts(again.kinds["manifest"]) == {"identical": 1, "quarantined": 1}
    assert load_manifest(mind.db)["/a"].file_size == 2
    assert table(mind, "lsm_legacy_quarantine")[0]["original"] == f'"/a": {first}'.encode()


def test_what_lsm_has_read_itself_is_not_overwritten(
    sqlite_mind: Mind, old: OldHome, tmp_path: Path
) -> None:
    path = tmp_path / "docs" / "Keys.md"
    path.parent.mkdir()
    path.write_bytes(b"# Keys\n\nrotate")
    sqlite_mind.ingest(str(path.parent))
    before = load_manifest(sqlite_mind.db)
    old.write_manifest({manifest_key(path): entry(b"older")})

    report = bring(sqlite_mind, old)

    assert counts(report.kinds["manifest"]) == {"merged": 1}
    assert load_manifest(sqlite_mind.db) == before


def test_the_next_ingest_reads_every_known_file_once_and_all_is_well(
    sqlite_mind: Mind, old: OldHome, tmp_path: Path
) -> None:
    path = tmp_path / "docs" / "Keys.md"
    path.parent.mkdir()
    path.write_bytes(b"# Keys\n\nrotate")
    old.write_manifest({manifest_key(path): entry(b"# Keys\n\nrotate", version=3)})
    bring(sqlite_mind, old)
    known = sqlite_mind.manifest_problems()

    first = sqlite_mind.ingest(str(path.parent))
    second = sqlite_mind.ingest(str(path.parent))

    assert (known, sqlite_mind.manifest_problems()) == ([], [])
    assert (first.files.new, first.version) == (1, 4)
    assert (second.files.new, second.files.changed, second.version) == (0, 0, None)


# -- schedules -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interval", "trigger"),
    [
        ("hourly", {"kind": "interval", "every_s": 3600}),
        ("daily", {"kind": "interval", "every_s": 86400}),
        ("weekly", {"kind": "interval", "every_s": 604800}),
        ("90s", {"kind": "interval", "every_s": 90}),
        ("*/5 9-17 * * mon-fri", {"kind": "cron", "expr": "*/5 9-17 * * 1-5", "tz": "UTC"}),
        ("0 9 * * * 0", {"kind": "cron", "expr": "0 9 * * *", "tz": "UTC"}),
    ],
)
def test_a_schedule_asks_for_what_it_asked_for(
    sqlite_mind: Mind, old: OldHome, interval: str, trigger: dict[str, Any]
) -> None:
    old.write_schedules(schedule(interval=interval, concurrency_policy="queue"))

    report = bring(sqlite_mind, old)

    [row] = table(sqlite_mind, "lsm_agent_schedules")
    config = json.loads(row["config_json"])
    assert counts(report.kinds["schedules"]) == {"imported": 1}
    assert config["trigger"] == trigger
    assert config["params"] == {"topic": "keys"}
    assert config["policy"] == {"overlap": "queue"}


def test_a_schedule_is_paused_and_remembers_when_it_ran(mind: Mind, old: OldHome) -> None:
    old.write_schedules(schedule(queued_runs=2, last_status="failed", last_error="no net"))

    report = bring(mind, old)
    resumed = mind.scheduler.resume(table(mind, "lsm_agent_schedules")[0]["schedule_id"])

    [row] = [vars(each) for each in mind.scheduler.schedules()]
    [note] = report.notes
    assert report.problems == []
    assert "lsm schedule resume curator:" in note.reason
    assert "2 waiting runs are not started" in note.reason
    assert (row["last_run_at"], row["last_status"]) == ("2026-02-20T09:00:00.000000Z", "failed")
    assert (row["last_error"], row["queued_runs"]) == ("no net", 0)
    # In the phase it had, to the microsecond.
    assert resumed.next_run_at is not None
    assert resumed.next_run_at[14:] == "00:00.123456Z"


def test_a_schedule_of_ours_is_not_started_twice(mind: Mind, old: OldHome) -> None:
    from lsm.agents.schedules import Schedule, every

    ours = Schedule(agent="curator", trigger=every("1h"), params={"topic": "keys"})
    mind.scheduler.add(ours)
    old.write_schedules(schedule())

    report = bring(mind, old)

    [row] = table(mind, "lsm_agent_schedules")
    assert counts(report.kinds["schedules"]) == {"merged": 1}
    assert (row["state"], row["last_run_at"]) == ("active", "2026-02-20T09:00:00.000000Z")


def test_entries_that_cannot_be_read_stay_apart(sqlite_mind: Mind, old: OldHome) -> None:
    old.write_schedules(schedule(interval=5), schedule(interval=7), schedule(params="x"))

    report = bring(sqlite_mind, old)

    assert counts(report.kinds["schedules"]) == {"imported": 3}


def test_a_run_that_was_going_on_is_lost(sqlite_mind: Mind, old: OldHome) -> None:
    old.write_schedules(schedule(running=True, last_status="running"))

    bring(sqlite_mind, old)

    [row] = table(sqlite_mind, "lsm_agent_schedules")
    assert (row["last_status"], row["last_error"]) == ("lost", "the predecessor left it as running")


def test_schedules_keep_apart_whatever_place_they_have_in_the_list(
    mind: Mind, old: OldHome
) -> None:
    rows = [schedule(0), schedule(1, "research"), schedule(2), schedule(3, interval="daily")]
    old.write_schedules(*rows)
    bring(mind, old)
    before = table(mind, "lsm_agent_schedules")
    old.write_schedules(rows[3], rows[1], rows[0], rows[2])

    report = bring(mind, old)

    assert len(before) == 4
    assert counts(report.kinds["schedules"]) == {"identical": 4}
    assert table(mind, "lsm_agent_schedules") == before


def test_entries_that_ask_for_the_same_in_other_words_stay_apart(mind: Mind, old: OldHome) -> None:
    old.write_schedules(
        schedule(0, interval="hourly", concurrency_policy="queue"),
        schedule(1, interval="3600s", confirmation_mode="deny"),
        schedule(2, interval="3600s"),
    )

    report = bring(mind, old)

    rows = [json.loads(row["config_json"]) for row in table(mind, "lsm_agent_schedules")]
    assert counts(report.kinds["schedules"]) == {"imported": 3}
    assert sum("key" not in row for row in rows) == 1
    assert report.verified


@pytest.mark.parametrize(
    "damage",
    [
        {"interval": "sometimes"},
        {"interval": None},
        {"interval": 5},
        {"interval": "* * * * * 30"},
        {"params": [1]},
        {"params": {"x": float("nan")}},
        {"last_run_at": "then"},
        {"queued_runs": "two"},
        {"running": "yes"},
        {"concurrency_policy": "often"},
    ],
    ids=str,
)
def test_a_schedule_that_cannot_be_read_is_paused_and_says_why(
    sqlite_mind: Mind, old: OldHome, damage: dict[str, Any]
) -> None:
    old.write_schedules(schedule(**damage), schedule(1, "research"))

    report = bring(sqlite_mind, old)

    rows = {row["agent_name"]: row for row in table(sqlite_mind, "lsm_agent_schedules")}
    broken = rows["curator"]
    assert counts(report.kinds["schedules"]) == {"imported": 2}
    assert (broken["state"], broken["pause_reason"]) == ("paused", "unreadable")
    assert broken["last_error"]
    assert broken["last_error"] in report.problems[0].reason
    assert rows["research"]["pause_reason"] == "imported"


@pytest.mark.parametrize("row", [5, None, [], {}, {"agent_name": ""}, {"agent_name": 7}], ids=str)
def test_an_entry_without_an_agent_is_set_aside(
    sqlite_mind: Mind, old: OldHome, row: object
) -> None:
    old.write_schedules(row, row)

    report = bring(sqlite_mind, old)

    assert counts(report.kinds["schedules"]) == {"quarantined": 2}
    assert len(table(sqlite_mind, "lsm_legacy_quarantine")) == 2


# -- answers and feeds ---------------------------------------------------------------------


def test_an_answer_is_found_by_today_s_question_and_is_as_old_as_it_is(
    mind: Mind, old: OldHome
) -> None:
    old.write_answer("arxiv", "dark matter", results=[result("One"), result("Two")])

    report = bring(mind, old)

    held = RemoteCache(mind.db).look("arxiv", question("dark matter"))
    assert held is not None
    assert counts(report.kinds["remote_cache"]) == {"imported": 1}
    assert [each["title"] for each in held.response] == ["One", "Two"]
    assert held.response[0]["metadata"] == {"year": 2024}
    assert (held.created_at, held.fresh) == ("2026-02-28T12:00:00.000000Z", False)


def test_how_long_an_answer_counts_is_what_the_old_configuration_said(
    sqlite_mind: Mind, old: OldHome
) -> None:
    config = {"remote_providers": [{"name": "arxiv", "cache_ttl": 60}, {"name": 5}, "x"]}
    (old.root / "config.json").write_text(json.dumps(config), "utf-8")
    old.write_answer("arxiv", "a")
    old.write_answer("other", "a")

    bring(sqlite_mind, old)

    ends = {r["provider"]: r["expires_at"] for r in table(sqlite_mind, "lsm_remote_cache")}
    assert ends == {
        "arxiv": "2026-02-28T12:01:00.000000Z",
        "other": "2026-03-01T12:00:00.000000Z",
    }


def test_a_newer_answer_of_ours_stays(mind: Mind, old: OldHome) -> None:
    from datetime import timedelta

    RemoteCache(mind.db).put("arxiv", question("a"), [], timedelta(days=1))
    old.write_answer("arxiv", "a")

    report = bring(mind, old)

    held = RemoteCache(mind.db).look("arxiv", question("a"))
    assert counts(report.kinds["remote_cache"]) == {"merged": 1}
    assert held is not None
    assert held.response == []


@pytest.mark.parametrize(
    "changes",
    [
        {"saved_at": 1.5},
        {"saved_at": True},
        {"saved_at": 10**30},
        {"results": {}},
        {"results": [5]},
        {"provider": 5},
        {"query": "another one"},
        {"extra": 1},
    ],
    ids=str,
)
def test_an_answer_that_cannot_be_typed_is_set_aside_to_the_byte(
    sqlite_mind: Mind, old: OldHome, changes: dict[str, Any]
) -> None:
    blob = {"provider": "arxiv", "query": "a", "saved_at": 1, "results": []} | changes
    path = old.write_answer("arxiv", "a")
    path.write_text(json.dumps(blob), "utf-8")

    report = bring(sqlite_mind, old)

    [aside] = table(sqlite_mind, "lsm_legacy_quarantine")
    assert counts(report.kinds["remote_cache"]) == {"quarantined": 1}
    assert aside["original"] == path.read_bytes()
    assert report.verified


def test_downloads_of_others_are_none_of_ours(sqlite_mind: Mind, old: OldHome) -> None:
    old.write_answer("arxiv", "a")
    papers = old.root / "Downloads" / "scholarly"
    papers.mkdir()
    (papers / "10.1000_182.json").write_text("{}", "utf-8")
    (papers / f"{short_hash('x')}.json").write_text('{"title": 1}', "utf-8")
    (papers / f"{short_hash('y')}.json").write_text("<html>", "utf-8")

    report = bring(sqlite_mind, old)

    assert counts(report.kinds["remote_cache"]) == {"imported": 1}
    assert report.problems == []


def test_what_a_feed_has_shown_is_not_new_again(mind: Mind, old: OldHome) -> None:
    url = "https://example.org/feed"
    seen = [f"id {number}" for number in range(11_000)] + ["\ud800"]
    old.write_feed(url, [*seen, "id 1"])
    FeedState(mind.db).mark_seen(url, ["ours"])

    report = bring(mind, old)
    again = bring(mind, old)

    assert counts(report.kinds["feeds"]) == {"merged": 1}
    assert counts(again.kinds["feeds"]) == {"merged": 1}
    assert FeedState(mind.db).seen(url, [*seen, "ours", "new"]) == {*seen, "ours"}
    assert report.verified


def test_feeds_and_answers_in_one_folder_are_told_apart(sqlite_mind: Mind, old: OldHome) -> None:
    old.write_answer("rss", "a")
    old.write_feed("https://example.org/feed", [])

    report = bring(sqlite_mind, old)

    assert counts(report.kinds["remote_cache"]) == {"imported": 1}
    assert counts(report.kinds["feeds"]) == {"imported": 1}


# -- places --------------------------------------------------------------------------------


def test_files_are_where_the_old_configuration_says(sqlite_mind: Mind, old: OldHome) -> None:
    old.remember(memory())
    old.write_schedules(schedule())
    old.write_manifest({"/a": entry()})
    moved = old.root / "elsewhere"
    moved.mkdir()
    old.database.rename(moved / "mem.db")
    old.schedules.rename(moved / "schedules.json")
    old.manifest.rename(moved / "files.json")
    config = {
        "agents": {"agents_folder": "elsewhere", "memory": {"sqlite_path": "mem.db"}},
        "ingest": {"manifest": str(moved / "files.json")},
    }
    path = old.root.parent / "old config.yaml"
    path.write_text(json.dumps(config), "utf-8")  # JSON is YAML

    report = bring(sqlite_mind, old, config=str(path))

    assert [report.kinds[kind].imported for kind in ("memories", "schedules", "manifest")] == [
        1,
        1,
        1,
    ]


def test_files_are_where_the_plan_called_them_if_they_are_nowhere_else(
    sqlite_mind: Mind, old: OldHome
) -> None:
    old.remember(memory())
    old.write_manifest({"/a": entry()})
    old.database.rename(old.root / "memories.db")
    old.manifest.rename(old.root / "manifest.json")

    report = bring(sqlite_mind, old)

    assert report.kinds["memories"].imported == report.kinds["manifest"].imported == 1


def test_a_second_file_of_a_kind_is_named_and_left_alone(sqlite_mind: Mind, old: OldHome) -> None:
    old.write_manifest({"/a": entry()})
    (old.root / "manifest.json").write_text('{"/b": {}}', "utf-8")

    report = bring(sqlite_mind, old)

    unused = [each.path for each in report.sources if each.state == "unused"]
    assert unused == [str(old.root / "manifest.json")]
    assert report.kinds["manifest"].source == 1


def test_a_folder_with_nothing_of_a_predecessor_is_refused_and_says_what_was_looked_for(
    sqlite_mind: Mind, old: OldHome
) -> None:
    with pytest.raises(InvalidError, match=r"Agents/memory\.sqlite3") as refused:
        bring(sqlite_mind, old)

    assert refused.value.exit_code == 2


def test_a_memory_that_is_on_a_server_is_no_empty_memory(sqlite_mind: Mind, old: OldHome) -> None:
    config = {"agents": {"memory": {"storage_backend": "postgresql"}}}
    (old.root / "config.json").write_text(json.dumps(config), "utf-8")

    report = bring(sqlite_mind, old)

    assert report.kinds["memories"].state == "unreadable"
    assert "PostgreSQL" in report.problems[0].reason


def test_nothing_of_the_source_changes(mind: Mind, old: OldHome) -> None:
    old.remember(memory(1), memory(2, value_json="NaN"))
    old.write_schedules(schedule())
    old.write_manifest({"/a": entry()})
    old.write_statistics()
    old.write_answer("arxiv", "a")
    for path in old.root.rglob("*"):
        os.utime(path, ns=(10**18, 10**18))
    before = fingerprint(old.root)

    bring(mind, old, apply=False)
    bring(mind, old)

    assert fingerprint(old.root) == before


def test_statistics_are_left_out_for_they_are_derived(sqlite_mind: Mind, old: OldHome) -> None:
    old.write_statistics()
    before = stored(sqlite_mind)["lsm_meta"]

    report = bring(sqlite_mind, old)

    assert counts(report.kinds["stats_cache"]) == {"skipped": 1}
    assert (report.problems, stored(sqlite_mind)["lsm_meta"]) == ([], before)
