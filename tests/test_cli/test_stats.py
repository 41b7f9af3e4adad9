"""`lsm stats`: never of a library that is no longer there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lsm.db import open_database
from lsm.ingest.stats_cache import StatsCache

if TYPE_CHECKING:
    from tests.test_cli.command import Place

SHAPE = {
    "version", "documents", "chunks", "bytes", "by_type", "by_folder", "by_tag", "growth",
    "largest", "newest", "errors", "errors_by_code", "computed_at",
}  # fmt: skip


def test_it_tells_what_the_library_is_made_of(sample: Place) -> None:
    told = sample.lsm("stats", "--json").json
    shown = sample.lsm("stats")

    assert set(told) >= SHAPE
    assert told["documents"] == sum(group["documents"] for group in told["by_type"]) == 45
    assert told["growth"][-1]["chunks"] == told["chunks"]
    assert set(told["largest"][0]) == {"path", "title", "bytes", "modified_at"}
    lines = shown.text.splitlines()
    assert lines[0].startswith(f"version 1: 45 documents, {told['chunks']} chunks")
    assert any(line.startswith("by tag") for line in lines)
    assert (shown.code, shown.err) == (0, "")


def test_they_are_those_of_the_library_as_it_is_and_computed_once(place: Place) -> None:
    empty = place.lsm("stats").text
    place.write(".lsm_tags.json", '{"tags": ["all"]}')
    place.lsm("ingest", "notes")
    before = place.lsm("stats", "--json").json
    again = place.lsm("stats", "--json").json

    for change in (edit, tag, prune, wipe):
        change(place)

        after = place.lsm("stats", "--json").json
        assert after == computed_anew(place) | {"computed_at": after["computed_at"]}, change
        assert after | {"computed_at": ""} != before | {"computed_at": ""}, change
        before = after

    assert empty == "version 0: 0 documents, 0 chunks, 0 bytes\n"
    assert again["computed_at"] <= before["computed_at"]
    assert (before["documents"], before["by_tag"]) == (0, [])


def edit(place: Place) -> None:
    place.write("keys.md", "# Keys\n\nWe rotate keys every 30 days.\n")
    place.lsm("ingest")


def tag(place: Place) -> None:
    place.write("studio/.lsm_tags.json", '{"tags": ["hot"]}')
    place.lsm("ingest")


def prune(place: Place) -> None:
    place.lsm("db", "prune", "--keep-versions", "1")


def wipe(place: Place) -> None:
    for path in (*place.documents.rglob("*.md"), *place.documents.rglob("*.txt")):
        path.unlink()
    place.lsm("ingest", "--confirm-delete")


def computed_anew(place: Place) -> dict[str, Any]:
    """Without what is held."""
    with open_database(str(place.home / "lsm.db")) as db:
        cache = StatsCache(db)
        cache.invalidate()
        return msgspec.json.decode(msgspec.json.encode(cache.get()))
