"""The JSON of every command: names and types are a contract."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.test_cli.command import Place

INGEST = {
    "version": (int, None),
    "files": dict.fromkeys(
        ("seen", "new", "changed", "unchanged", "touched", "moved", "gone", "failed", "skipped"),
        int,
    ),
    "chunks": dict.fromkeys(("added", "retired", "embedded", "reused"), int),
    "errors": [{"path": str, "code": str, "reason": str}],
    "seconds": float,
}
HIT = {
    "rank": int,
    "score": float,
    "path": str,
    "title": str,
    "heading": str,
    "start_line": int,
    "end_line": int,
    "page": (int, None),
    "text": str,
    "chunk_id": int,
    "version": int,
    "tags": [str],
    "parts": {},
}
ANSWER = {
    "answer": str,
    "citations": [
        {
            "n": int,
            "path": str,
            "start_line": int,
            "end_line": int,
            "page": (int, None),
            "quote": str,
        }
    ],
    "model": (str, None),
}
STATUS = {
    "version": int,
    "files": int,
    "chunks": int,
    "memories": {},
    "schedules": {},
    "cache": {},
    "database": {"engine": str, "path_or_url": str, "bytes": int},
    "roots": [str],
    "errors": int,
}
DIAGNOSIS = {"ok": bool, "checks": [{"name": str, "ok": bool, "detail": str}]}


def test_init_tells_where_everything_is(place: Place) -> None:
    made = place.lsm("init", "--root", "notes", "--json")

    assert made.json == {
        "home": str(place.home),
        "config": str(place.home / "lsm.toml"),
        "database": str(place.home / "lsm.db"),
    }


def test_ingest_tells_the_contract_s_fields(place: Place) -> None:
    place.write("not-a.pdf", "just words")

    first = place.lsm("ingest", "notes", "--json")
    second = place.lsm("ingest", "--json")

    assert misfits(first.json, INGEST) == []
    assert first.json["version"] == 1
    assert (first.json["files"]["new"], first.json["files"]["failed"]) == (2, 1)
    assert [error["path"] for error in first.json["errors"]] == [str(place.documents / "not-a.pdf")]
    assert first.code == second.code == 3
    assert misfits(second.json, INGEST) == []
    assert second.json["version"] is None


def test_search_gives_a_list_of_hits(sample: Place) -> None:
    hits = sample.lsm("search", "how often is the mirror cleaned", "-k", "4", "--json").json

    assert misfits(hits, [HIT]) == []
    assert [hit["rank"] for hit in hits] == [1, 2, 3, 4]
    assert [hit["score"] for hit in hits] == sorted((h["score"] for h in hits), reverse=True)


def test_ask_gives_an_answer_with_numbered_citations(sample: Place) -> None:
    answer = sample.lsm("ask", "how often is the mirror cleaned", "-k", "3", "--json").json

    assert misfits(answer, ANSWER) == []
    assert [citation["n"] for citation in answer["citations"]] == [1, 2, 3]
    assert all(f"[{citation['n']}]" in answer["answer"] for citation in answer["citations"])
    assert answer["model"] is None


def test_status_tells_the_contract_s_fields(sample: Place) -> None:
    status = sample.lsm("status", "--json").json

    assert misfits(status, STATUS) == []
    assert status["database"]["engine"] == "sqlite"
    assert status["database"]["path_or_url"] == str(sample.home / "lsm.db")
    assert status["roots"] == [str(sample.documents)]


def test_doctor_tells_the_contract_s_fields(sample: Place) -> None:
    told = sample.lsm("doctor", "--json")

    assert misfits(told.json, DIAGNOSIS) == []
    assert told.json["ok"]
    assert told.code == 0


def test_show_gives_the_document_and_its_chunks(sample: Place) -> None:
    path = sample.documents / "studio" / "clay-reclaim.md"

    shown = sample.lsm("show", str(path), "--json").json

    assert shown["path"] == str(path)
    assert shown["text"] == path.read_text()
    assert "".join(chunk["text"] for chunk in shown["chunks"]) == shown["text"]


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_json_is_utf_8_whatever_the_terminal_can_show(place: Place, locale: str) -> None:
    place.write("é.md", "Clés \N{KEY} à tourner, \x1b[31mred\n")
    place.lsm("ingest", "notes")

    found = place.lsm(
        "search", "clés", "--json", LC_ALL=locale, PYTHONCOERCECLOCALE="0", PYTHONUTF8="0"
    )

    assert json.loads(found.out.decode("utf-8"))[0]["text"].startswith("Clés \N{KEY} à tourner")


def misfits(value: Any, shape: Any, at: str = "$") -> list[str]:
    """Where *value* is not of *shape*: fields may be added, none may be missing."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{at} is no object"]
        missing = [f"{at}.{name} is missing" for name in shape if name not in value]
        return missing + [
            misfit
            for name in shape.keys() & value.keys()
            for misfit in misfits(value[name], shape[name], f"{at}.{name}")
        ]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{at} is no list"]
        return [m for n, item in enumerate(value) for m in misfits(item, shape[0], f"{at}[{n}]")]
    kinds = shape if isinstance(shape, tuple) else (shape,)
    fits = value is None if value is None and None in kinds else type(value) in kinds
    return [] if fits else [f"{at} is {value!r}"]
