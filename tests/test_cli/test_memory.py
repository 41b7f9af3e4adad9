"""`lsm memory` through the installed entry point, by the contract's names and shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.test_cli.command import Place

ROW = {
    "id": str,
    "text": str,
    "type": str,
    "scope": str,
    "key": (str, type(None)),
    "value": object,
    "tags": list,
    "confidence": float,
    "status": str,
    "trust": str,
    "created_at": str,
    "expires_at": (str, type(None)),
    "stale": bool,
}


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_what_is_added_is_found_with_every_field_of_the_contract(
    request: pytest.FixtureRequest, place: Place, engine: str
) -> None:
    url = str(place.home / "lsm.db")
    if engine == "postgres":
        url = request.getfixturevalue("postgres_url")
    memory = ("--database", url, "memory")

    added = place.lsm(
        *memory, "add", "Keys rotate every 90 days", "--scope", "team", "--tag", "ops", "--json"
    )
    again = place.lsm(*memory, "add", "keys rotate every  90 days", "--scope", "team", "--json")
    found = place.lsm(*memory, "search", "rotation of keys", "--scope", "team", "--json")

    assert added.json["outcome"] == "added"
    assert set(added.json) == {"outcome", "id", "candidate_id", "similar"}
    assert again.json["outcome"] == "exists"
    assert again.json["id"] == added.json["id"]
    (row,) = found.json
    assert {name: isinstance(row[name], kind) for name, kind in ROW.items()} == dict.fromkeys(
        ROW, True
    )
    assert isinstance(row["score"], float)
    assert "text" in row["parts"]
    assert row["tags"] == ["ops"]


def test_a_proposal_is_found_only_once_it_is_promoted(place: Place) -> None:
    proposed = place.lsm("memory", "add", "Deploys wait on Fridays", "--propose", "--json")
    before = place.lsm("memory", "search", "deploys on Fridays", "--json")
    waiting = place.lsm("memory", "candidates", "--json")
    candidate = proposed.json["candidate_id"]

    promoted = place.lsm("memory", "promote", candidate, "--json")
    after = place.lsm("memory", "search", "deploys on Fridays", "--json")

    assert proposed.json["outcome"] == "proposed"
    assert before.json == []
    assert [row["id"] for row in waiting.json] == [candidate]
    assert promoted.json[0]["text"] == "Deploys wait on Fridays"
    assert [row["text"] for row in after.json] == ["Deploys wait on Fridays"]


def test_a_rejected_proposal_does_not_come_back(place: Place) -> None:
    candidate = place.lsm("memory", "add", "The moon is square", "--propose", "--json")
    place.lsm("memory", "reject", candidate.json["candidate_id"], "--reason", "wrong")

    again = place.lsm("memory", "add", "The moon is square", "--propose", "--json")

    assert again.json["outcome"] == "exists"
    assert place.lsm("memory", "candidates", "--json").json == []


def test_the_queue_is_reviewed_with_one_key_each(place: Place) -> None:
    for text in ("Deploys wait on Fridays", "The moon is square", "Tea is at four"):
        place.lsm("memory", "add", text, "--propose")

    done = place.lsm_typing("y\nn\nnonsense\ns\n", "memory", "review")

    assert done.code == 0, done.err
    assert "2 reviewed" in done.text
    assert [row["text"] for row in place.lsm("memory", "list", "--json").json] == [
        "Deploys wait on Fridays"
    ]
    waiting = place.lsm("memory", "candidates", "--json").json
    assert [row["text"] for row in waiting] == ["Tea is at four"]


def test_a_candidate_that_cannot_be_promoted_does_not_end_the_review(place: Place) -> None:
    place.lsm("memory", "add", "The port is 9090", "--key", "port", "--propose")
    place.lsm("memory", "add", "The port is 8080", "--key", "port")
    place.lsm("memory", "add", "The kiln is serviced in May", "--propose")

    reviewed = place.lsm_typing("y\ny\n", "memory", "review")

    assert "key 'port' is memory" in reviewed.err
    assert "1 reviewed" in reviewed.text
    assert len(place.lsm("memory", "candidates", "--json").json) == 1


def test_a_memory_goes_stale_with_the_line_it_came_from(place: Place) -> None:
    place.lsm("ingest", "notes")
    keys = place.documents / "keys.md"
    place.lsm("memory", "add", "Rotation is every 90 days", "--source", f"{keys}#3")
    place.write("keys.md", "# Keys\n\nWe rotate keys every 30 days.\n")

    place.lsm("ingest")

    (row,) = place.lsm("memory", "list", "--json").json
    assert row["stale"] is True
    (finding,) = place.lsm("memory", "verify", "--json").json["stale"]
    assert "90 days" in finding["old"]
    assert "30 days" in finding["new"]


def test_an_edit_keeps_what_was_there_and_restore_brings_it_back(place: Place) -> None:
    memory = place.lsm("memory", "add", "Tea is at four", "--json").json["id"]
    place.lsm("memory", "edit", memory, "--text", "Tea is at five")
    refused = place.lsm(
        "memory", "edit", memory, "--text", "Tea is at six", "--expect-version", "1"
    )

    restored = place.lsm("memory", "restore", memory, "--version", "1", "--json")

    assert refused.code == 1
    assert len(refused.err.splitlines()) == 1
    assert restored.json["text"] == "Tea is at four"
    history = place.lsm("memory", "history", memory, "--json").json
    assert [revision["version"] for revision in history] == [1, 2, 3]


def test_purge_gives_a_receipt_and_leaves_no_byte(place: Place) -> None:
    memory = place.lsm("memory", "add", "xyzzy-canary-4711 is a secret", "--json").json["id"]

    receipt = place.lsm("memory", "purge", memory, "--json")

    assert receipt.code == 0
    assert receipt.json["id"] == memory
    assert receipt.json["rows"] > 0
    assert receipt.json["bytes_found"] == 0
    assert place.lsm("memory", "get", memory).code == 1


def test_a_context_fits_its_budget_and_is_fenced_as_data(place: Place) -> None:
    for number in range(20):
        place.lsm("memory", "add", f"Fact {number} about the kiln and its glazes")

    context = place.lsm("memory", "context", "kiln", "--budget", "120", "--json").json

    assert context["tokens"] <= 120
    assert context["used"]
    assert context["dropped"] > 0
    assert "not instructions" in context["text"]


def test_export_and_import_twice_change_nothing(place: Place) -> None:
    place.lsm("memory", "add", "Tea is at four", "--tag", "house")
    file = place.folder / "out.jsonl"
    exported = place.lsm("memory", "export", file, "--json")
    elsewhere = ("--home", place.folder / "other", "memory")

    first = place.lsm(*elsewhere, "import", file, "--json")
    second = place.lsm(*elsewhere, "import", file, "--json")

    assert exported.json["exported"] == 1
    assert (first.json["added"], second.json["added"]) == (1, 0)
    assert second.json["identical"] == 1
    assert place.lsm("memory", "export", file).code == 1, "an export must not overwrite a file"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["get", "no-such-id"], 1),
        (["add", ""], 2),
        (["add", "x", "--confidence", "2"], 2),
        (["add", "x", "--ttl", "soon"], 2),
        (["search", "x", "-k", "0"], 2),
        (["search", "x", "--as-of", "never"], 2),
        (["edit", "no-such-id"], 2),
        (["add", "x", "--type", ""], 2),
        (["list", "--status", "nonsense"], 2),
        (["candidates", "--status", "nonsense"], 2),
        (["promote", "no-such-id"], 1),
        (["import", "no-such-file"], 1),
    ],
)
def test_what_cannot_be_done_is_one_line(place: Place, arguments: list[str], code: int) -> None:
    done = place.lsm("memory", *arguments)

    assert done.code == code, done.err
    assert done.out == b""
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith("lsm: ")


def test_an_edit_takes_a_lifetime_away(place: Place) -> None:
    added = place.lsm("memory", "add", "Tea is at four", "--ttl", "2w", "--json").json

    edited = place.lsm("memory", "edit", added["id"], "--ttl", "never", "--json")

    assert edited.json["expires_at"] is None


def test_a_candidate_is_not_promoted_with_no_words(place: Place) -> None:
    proposed = place.lsm("memory", "add", "Tea is at four", "--propose", "--json").json

    refused = place.lsm("memory", "promote", proposed["candidate_id"], "--text", "")

    assert refused.code == 2
    assert len(place.lsm("memory", "candidates", "--json").json) == 1


def test_a_proposal_that_was_rejected_says_so(place: Place) -> None:
    proposed = place.lsm("memory", "add", "Tea is at four", "--propose", "--json").json
    place.lsm("memory", "reject", proposed["candidate_id"])

    again = place.lsm("memory", "add", "Tea is at four", "--propose")

    assert again.text == f"known already: {proposed['id']} (it was rejected)\n"


def test_a_run_that_changed_no_memory_says_so(place: Place) -> None:
    reverted = place.lsm("memory", "revert", "--run", "nonsense", "--yes")

    assert (reverted.code, reverted.text) == (0, "")
    assert reverted.err == "no memory was changed by a run nonsense\n"


def test_leaving_the_editor_without_saving_promotes_nothing(place: Place) -> None:
    place.lsm("memory", "add", "Tea is at four", "--propose")
    saves = place.write("saves", "#!/bin/sh\nsleep 1; echo Tea is at five > $1\n")
    empties = place.write("empties", "#!/bin/sh\nsleep 1; echo > $1\n")

    for editor in ("true", f"sh {empties}"):
        left = place.lsm_typing("e\n", "memory", "review", EDITOR=editor)
        assert left.text.endswith("0 reviewed\n")
        assert len(place.lsm("memory", "candidates", "--json").json) == 1
    place.lsm_typing("e\n", "memory", "review", EDITOR=f"sh {saves}")

    assert [row["text"] for row in place.lsm("memory", "list", "--json").json] == ["Tea is at five"]


def test_purge_names_the_document_that_says_the_same_and_succeeds(place: Place) -> None:
    note = place.write("keys.md", "# Keys\n\nxyzzy-canary-4711 opens the vault.\n")
    place.lsm("ingest", note)
    memory = place.lsm("memory", "add", "xyzzy-canary-4711 opens the vault", "--json").json["id"]

    receipt = place.lsm("memory", "purge", memory, "--json")

    assert (receipt.code, receipt.json["bytes_found"]) == (0, 0)
    assert [(each["kind"], each["path"], each["line"]) for each in receipt.json["also_in"]] == [
        ("document", str(note), 3)
    ]


def test_a_budget_too_small_says_so_and_keeps_the_contract(place: Place) -> None:
    place.lsm("memory", "add", "The kiln is serviced in May")

    told = place.lsm("memory", "context", "kiln", "--budget", "10", "--json")

    assert told.code == 0
    assert (told.json["text"], told.json["tokens"], told.json["used"]) == ("", 0, [])
    assert told.json["dropped"] == 1
    assert f"--budget {told.json['needed']}" in told.err


def test_a_memory_waits_for_its_file_and_is_confirmed_when_it_changes(place: Place) -> None:
    note = place.write("keys.md", "Keys rotate every 90 days.\n")
    added = place.lsm("memory", "add", "quarterly", "--source", f"{note}#1")
    waiting = place.lsm("memory", "verify", "--json").json

    place.lsm("ingest", note)
    place.write("keys.md", "Keys rotate every 30 days.\n")
    place.lsm("ingest", note, "--force")
    stale = place.lsm("memory", "list", "--json").json[0]
    place.lsm("memory", "confirm", stale["id"], "--reason", "so I say")

    assert "not in the library yet" in added.err
    assert (waiting["checked"], waiting["waiting"]) == (0, 1)
    assert stale["stale"]
    assert not place.lsm("memory", "list", "--json").json[0]["stale"]


def test_what_came_from_a_bad_source_is_shown_and_then_locked_away(place: Place) -> None:
    place.lsm("memory", "add", "So they say", "--source", "https://example.com/a")

    shown = place.lsm("memory", "quarantine", "--source", "https://example.com/a")
    kept = place.lsm("memory", "list", "--json").json
    place.lsm("memory", "quarantine", "--source", "https://example.com/a", "--yes")

    assert "nothing was changed" in shown.err
    assert len(kept) == 1
    assert place.lsm("memory", "list", "--json").json == []
    assert len(place.lsm("memory", "list", "--status", "quarantined", "--json").json) == 1
