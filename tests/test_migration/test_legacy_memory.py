"""Memories of the predecessor come in as they are, or are set aside whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lsm.agents.memory import MemoryStore
from lsm.app import Mind
from tests.test_migration.moving import bring, counts, stored, table
from tests.test_migration.old_home import candidate, memory

if TYPE_CHECKING:
    from pathlib import Path

    from tests.test_migration.old_home import OldHome


@pytest.mark.parametrize(
    "text",
    ["0", "null", "false", '""', "[]", "{}", "1.0", "-0.0", "1e300", '"\\u2028 \\ud83d\\ude00"',
     '{"b": 1, "a": [1, 1.0, true, null]}', str(2**80), str(-(2**63) - 1), '"x\\ty"'],
)  # fmt: skip
def test_a_value_is_what_it_was(sqlite_mind: Mind, old: OldHome, text: str) -> None:
    old.remember(memory(value_json=text))

    bring(sqlite_mind, old)

    [row] = table(sqlite_mind, "lsm_agent_memories")
    assert repr(json.loads(row["value_json"])) == repr(json.loads(text))


def test_id_times_confidence_tags_and_run_are_what_they_were(mind: Mind, old: OldHome) -> None:
    old.remember(memory(confidence=0.0, tags_json='["B", "a, b", "ü"]', source_run_id=""))

    bring(mind, old)

    [row] = table(mind, "lsm_agent_memories")
    assert row["id"] == "00000000-0000-4000-8000-000000000001"
    assert row["confidence"] == 0.0
    assert json.loads(row["tags_json"]) == ["B", "a, b", "ü"]
    assert row["source_run_id"] == ""
    assert row["created_at"] == "2026-02-01T12:00:00.123456Z"
    assert row["last_used_at"] == "2026-02-02T12:00:00.000000Z"
    assert row["expires_at"] == "2126-05-01T12:00:00.000000Z"


@pytest.mark.parametrize(
    ("spelled", "instant"),
    [
        ("2026-02-01T12:00:00+00:00", "2026-02-01T12:00:00.000000Z"),
        ("2026-02-01T12:00:00.000001+00:00", "2026-02-01T12:00:00.000001Z"),
        ("2026-02-01T12:00:00Z", "2026-02-01T12:00:00.000000Z"),
        ("2026-02-01T12:00:00", "2026-02-01T12:00:00.000000Z"),
        ("2026-02-01 12:00:00.5", "2026-02-01T12:00:00.500000Z"),
        ("2026-02-01T14:30:00+02:30", "2026-02-01T12:00:00.000000Z"),
        ("0999-02-01T12:00:00+00:00", "0999-02-01T12:00:00.000000Z"),
    ],
)
def test_every_spelling_of_a_time_is_read(
    sqlite_mind: Mind, old: OldHome, spelled: str, instant: str
) -> None:
    old.remember(memory(created_at=spelled))

    bring(sqlite_mind, old)

    assert table(sqlite_mind, "lsm_agent_memories")[0]["created_at"] == instant


@pytest.mark.parametrize(
    ("standing", "status", "trust"),
    [
        ("promoted", "active", "reviewed"),
        ("pending", "pending", "agent"),
        ("rejected", "rejected", "agent"),
        (None, "quarantined", "agent"),
    ],
)
def test_the_review_queue_decides_what_a_memory_is(
    mind: Mind, old: OldHome, standing: str | None, status: str, trust: str
) -> None:
    old.remember(memory(), status=standing)

    bring(mind, old)

    [row] = table(mind, "lsm_agent_memories")
    queue = table(mind, "lsm_agent_memory_candidates")
    assert (row["status"], row["trust"]) == (status, trust)
    assert [entry["status"] for entry in queue] == ([standing] if standing else [])


def test_a_candidate_keeps_its_id_its_words_and_its_times(mind: Mind, old: OldHome) -> None:
    old.remember(memory(), status=None)
    with old.connected() as connection:
        old.queue(
            connection,
            candidate(
                memory()["id"],
                "pending",
                "2026-02-01T12:00:00+00:00",
                id="c-1",
                provenance="memory_ui_ttl_edit",
                rationale="because 😀",
                updated_at="2026-02-03T00:00:00.5+00:00",
            ),
        )

    bring(mind, old)

    [row] = table(mind, "lsm_agent_memory_candidates")
    assert (row["id"], row["provenance"]) == ("c-1", "memory_ui_ttl_edit")
    assert (row["rationale"], row["updated_at"]) == ("because 😀", "2026-02-03T00:00:00.500000Z")


def test_what_has_run_out_or_is_older_than_any_lifetime_comes_in_all_the_same(
    mind: Mind, old: OldHome
) -> None:
    past = {"created_at": "2020-01-01T00:00:00+00:00", "expires_at": "2020-01-02T00:00:00+00:00"}
    far = {"memory_type": "cache", "expires_at": "2099-01-01T00:00:00+00:00"}
    old.remember(memory(1, **past), memory(2, **far))

    report = bring(mind, old)

    ends = {row["expires_at"][:4] for row in table(mind, "lsm_agent_memories")}
    assert counts(report.kinds["memories"]) == {"imported": 2}
    assert ends == {"2020", "2099"}


def test_equal_words_under_one_name_stay_two_memories(mind: Mind, old: OldHome) -> None:
    twin = {"memory_key": "colour", "value_json": '"blue"'}
    old.remember(memory(1, **twin), memory(2, **twin), memory(3, **twin | {"value_json": '"BLUE"'}))

    report = bring(mind, old)

    assert counts(report.kinds["memories"]) == {"imported": 3}
    assert {row["status"] for row in table(mind, "lsm_agent_memories")} == {"active"}
    assert report.verified


def test_what_was_brought_in_leaves_and_comes_back_whatever_it_is(
    mind: Mind, old: OldHome, tmp_path: Path
) -> None:
    twin = {"memory_key": "colour", "value_json": '"blue"', "tags_json": '["a, b", "' + "t" * 300}
    twin["tags_json"] += '"]'
    old.remember(
        memory(1, **twin),
        memory(2, **twin),
        memory(3, memory_key="  k" * 400, value_json=json.dumps("x" * 300_000)),
        memory(4, id="i" * 1400, memory_type="t " * 200, value_json="[" * 300 + "]" * 300),
        memory(5, scope=" a / b", value_json='"<lsm-memories>, say"'),
    )
    bring(mind, old)
    first, again = tmp_path / "first.jsonl", tmp_path / "again.jsonl"
    mind.export_memories(str(first))

    with Mind(str(tmp_path / "other"), str(tmp_path / "other" / "lsm.db")) as other:
        came = other.memories.load(first)
        other.export_memories(str(again))
        twice = other.memories.load(first)

    assert (came.added, twice.identical, came.problems) == (5, 5, ())
    assert again.read_bytes() == first.read_bytes()


def test_a_memory_is_found_by_its_words_and_shown_with_its_history(
    mind: Mind, old: OldHome
) -> None:
    words = '"we fire the kiln on fridays"'
    old.remember(memory(1, value_json=words), memory(2))

    bring(mind, old)

    memories = MemoryStore(mind.db)
    [hit] = [h for h in memories.search("kiln") if h.parts["text"] > 0]
    assert hit.id == memory(1)["id"]
    assert [change.action for change in memories.history(hit.id)] == ["imported"]
    assert mind.engine_problems() == []


@pytest.mark.parametrize(
    "damage",
    [
        {"value_json": '"a\\u0000b"'},
        {"value_json": '{"a\\u0000": 1}'},
        {"value_json": "NaN"},
        {"value_json": "[-Infinity]"},
        {"value_json": "1e999"},
        {"value_json": '"\\ud800"'},
        {"value_json": "{'a': 1}"},
        {"value_json": ""},
        {"value_json": "9" * 5000},
        {"value_json": "[" * 600 + "]" * 600},
        {"value_json": "[" * 100_000 + "]" * 100_000},
        {"value_json": b'{"a": 1}'},
        {"tags_json": '"work"'},
        {"tags_json": "[1]"},
        {"confidence": 1.5},
        {"confidence": "sure"},
        {"confidence": 9e999},
        {"created_at": "yesterday"},
        {"created_at": "9999-12-31T23:59:59-01:00"},
        {"last_used_at": ""},
        {"expires_at": 5},
        {"memory_key": "a\0b"},
        {"memory_type": ""},
        {"scope": "../up"},
        {"id": ""},
    ],
    ids=str,
)
def test_what_cannot_be_typed_is_set_aside_whole_and_the_others_come_in(
    sqlite_mind: Mind, old: OldHome, damage: dict[str, Any]
) -> None:
    old.remember(memory(1), memory(2) | damage, memory(3))

    report = bring(sqlite_mind, old)

    [aside] = [r for r in table(sqlite_mind, "lsm_legacy_quarantine") if r["kind"] == "memories"]
    kept = json.loads(aside["original"])
    assert counts(report.kinds["memories"]) == {"imported": 2, "quarantined": 1}
    assert report.verified
    assert kept == {
        name: {"$blob": value.hex()}
        if isinstance(value, bytes)
        else {"$real": "inf"}
        if value == 9e999
        else str(value)
        if name == "expires_at" and value
        else value
        for name, value in (memory(2) | damage).items()
    }


def test_text_that_is_no_utf_8_is_kept_byte_by_byte(sqlite_mind: Mind, old: OldHome) -> None:
    old.remember(memory())
    with old.connected() as connection:
        connection.execute("UPDATE memories SET memory_key = CAST(x'6162ff63' AS TEXT)")

    report = bring(sqlite_mind, old)

    [aside] = [r for r in table(sqlite_mind, "lsm_legacy_quarantine") if r["kind"] == "memories"]
    assert counts(report.kinds["memories"]) == {"quarantined": 1}
    assert json.loads(aside["original"])["memory_key"] == {"$text": "6162ff63"}


def test_the_last_of_equal_names_in_a_value_counts_and_the_original_is_kept(
    mind: Mind, old: OldHome
) -> None:
    twice = '{"1": "first", "1": "last"}'
    old.remember(memory(value_json=twice))

    bring(mind, old)

    [row] = table(mind, "lsm_agent_memories")
    originals = [json.loads(each["original"]) for each in table(mind, "lsm_legacy_originals")]
    assert json.loads(row["value_json"]) == {"1": "last"}
    assert twice in [each.get("value_json") for each in originals]


def test_a_second_time_nothing_is_written(mind: Mind, old: OldHome) -> None:
    old.remember(memory(1), memory(2), memory(3, value_json="NaN"))
    bring(mind, old)
    before = stored(mind)

    report = bring(mind, old)

    assert counts(report.kinds["memories"]) == {"identical": 2, "quarantined": 1}
    assert report.verified
    assert stored(mind) == before


def test_a_trial_says_the_same_and_changes_nothing(mind: Mind, old: OldHome) -> None:
    old.remember(memory(1), memory(2, confidence=7), status="pending")
    before = stored(mind)

    tried = bring(mind, old, apply=False)
    after = stored(mind)
    done = bring(mind, old)

    assert after == before
    assert (tried.kinds, tried.problems) == (done.kinds, done.problems)
    assert tried.verified


def test_what_changed_in_the_source_follows_and_what_is_new_comes_in(
    mind: Mind, old: OldHome
) -> None:
    old.remember(memory(1), memory(2))
    bring(mind, old)
    with old.connected() as connection:
        connection.execute(
            "UPDATE memories SET value_json = '5', created_at = '2026-02-09T00:00:00+00:00'"
            " WHERE memory_key = 'key 1'"
        )
    old.remember(memory(3))

    report = bring(mind, old)

    found = {row["memory_key"]: row for row in table(mind, "lsm_agent_memories")}
    assert counts(report.kinds["memories"]) == {"imported": 2, "identical": 1}
    assert found["key 1"]["value_json"] == "5"
    assert found["key 1"]["created_at"] == "2026-02-09T00:00:00.000000Z"
    assert report.verified


def test_what_was_changed_on_both_sides_stays_and_the_other_is_kept_beside_it(
    mind: Mind, old: OldHome
) -> None:
    old.remember(memory(1))
    bring(mind, old)
    MemoryStore(mind.db).update(memory(1)["id"], text="as I know it now")
    with old.connected() as connection:
        connection.execute("UPDATE memories SET value_json = '5'")

    report = bring(mind, old)
    again = bring(mind, old)

    [row] = table(mind, "lsm_agent_memories")
    [aside] = table(mind, "lsm_legacy_quarantine")
    assert counts(report.kinds["memories"]) == counts(again.kinds["memories"]) == {"conflict": 1}
    assert row["text"] == "as I know it now"
    assert json.loads(aside["original"])["value_json"] == "5"
    assert again.verified


def test_an_edit_here_is_not_undone_by_another_import(mind: Mind, old: OldHome) -> None:
    old.remember(memory(1))
    bring(mind, old)
    MemoryStore(mind.db).update(memory(1)["id"], text="as I know it now")

    report = bring(mind, old)

    assert counts(report.kinds["memories"]) == {"identical": 1}
    assert table(mind, "lsm_agent_memories")[0]["text"] == "as I know it now"
    assert report.verified


def test_a_purged_memory_leaves_no_word_behind_and_does_not_come_back(
    mind: Mind, old: OldHome
) -> None:
    old.remember(memory(1, value_json='"the unmistakable armadillo"'), memory(2))
    bring(mind, old)

    receipt = MemoryStore(mind.db).purge(memory(1)["id"])
    report = bring(mind, old)

    assert receipt.bytes_found in (0, None)
    assert counts(report.kinds["memories"]) == {"identical": 1, "skipped": 1}
    assert not any(b"armadillo" in r["original"] for r in table(mind, "lsm_legacy_originals"))
    assert report.verified


def test_a_memory_of_the_same_id_that_says_something_else_stays(mind: Mind, old: OldHome) -> None:
    old.remember(memory(1))
    bring(mind, old)
    mind.db.run("DELETE FROM lsm_legacy_items")
    mind.db.run("UPDATE lsm_agent_memories SET confidence = 0.1")

    report = bring(mind, old)

    assert counts(report.kinds["memories"]) == {"conflict": 1}
    assert table(mind, "lsm_agent_memories")[0]["confidence"] == 0.1


def test_a_candidate_of_no_memory_is_set_aside(mind: Mind, old: OldHome) -> None:
    old.remember(memory(1))
    with old.connected() as connection:
        old.queue(connection, candidate("nobody", "pending", "2026-02-01T12:00:00+00:00"))
        old.queue(connection, candidate("odd", "maybe", "2026-02-01T12:00:00+00:00"))

    report = bring(mind, old)

    assert counts(report.kinds["candidates"]) == {"imported": 1, "quarantined": 2}
    assert report.verified


def test_an_edited_memory_s_new_candidate_takes_the_place_of_the_old_one(
    mind: Mind, old: OldHome
) -> None:
    old.remember(memory(1), status="pending")
    bring(mind, old)
    with old.connected() as connection:
        connection.execute("UPDATE memory_candidates SET id = 'new', status = 'promoted'")

    report = bring(mind, old)

    [queued] = table(mind, "lsm_agent_memory_candidates")
    assert (queued["id"], queued["status"]) == ("new", "promoted")
    assert table(mind, "lsm_agent_memories")[0]["status"] == "active"
    assert report.verified
