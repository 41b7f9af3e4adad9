"""Public test collections, in the shape that BEIR made usual.

A folder with ``corpus.jsonl`` (``_id`` or ``id``, ``title``, ``text``), ``queries.jsonl`` (``_id``
or ``id``, ``text``) and ``qrels.tsv`` or ``qrels/test.tsv`` (query id, document id, grade; a head
is left out). Thakur et al. 2021, "BEIR: A Heterogeneous Benchmark for Zero-shot Evaluation of
Information Retrieval Models".
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsm.errors import AccessError, InvalidError
from lsm.paths import shown
from lsm.query.evaluation.questions import GRADES, Question, json_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

_CORPUS, _QUERIES = "corpus.jsonl", "queries.jsonl"
_QRELS = ("qrels.tsv", os.path.join("qrels", "test.tsv"))
_PER_FOLDER = 1000


@dataclass(frozen=True)
class Collection:
    """Where one is, and what it asks."""

    name: str
    folder: str
    questions: list[Question]


def is_collection(folder: str) -> bool:
    """Whether the files of one are in *folder*."""
    there = [os.path.exists(os.path.join(folder, name)) for name in (_CORPUS, _QUERIES)]
    return all(there) and any(os.path.exists(os.path.join(folder, name)) for name in _QRELS)


def read_collection(folder: str) -> Collection:
    """The collection in *folder*; queries without a relevant document are left out.

    Raises:
        InvalidError: a file is missing, or a line of one is wrong.
        AccessError: it cannot be read.
    """
    if not is_collection(folder):
        needed = f"{_CORPUS}, {_QUERIES} and {_QRELS[0]}"
        raise InvalidError(shown(folder), f"this is no test collection, which has {needed}")
    grades = _grades(folder)
    path = os.path.join(folder, _QUERIES)
    questions = [
        Question(key, _text(path, place, row, "text"), grades[key])
        for place, row in _lines(path)
        if (key := _id(path, place, row)) in grades
    ]
    if not questions:
        raise InvalidError(shown(folder), "none of its queries has a relevant document")
    return Collection(os.path.basename(os.path.abspath(folder)), folder, questions)


def write_documents(collection: Collection, place: str) -> list[str]:
    """Write each document as a Markdown file below *place*; their ids, by number.

    What is there already is left as it is, so that an ingest of it need not be repeated. A
    document without a word is not written: nothing could find it.

    Raises:
        InvalidError: a line of the corpus is wrong.
    """
    ids: list[str] = []
    path = os.path.join(collection.folder, _CORPUS)
    for where, row in _lines(path):
        title, text = str(row.get("title") or ""), _text(path, where, row, "text")
        if text.strip() or title.strip():
            _write(_path(place, len(ids)), f"# {title}\n\n{text}\n" if title else f"{text}\n")
        ids.append(_id(path, where, row))
    _remove_from(place, len(ids))
    return ids


def number_of(path: str) -> int:
    """The number of the document that `write_documents` wrote to *path*."""
    return int(os.path.splitext(os.path.basename(path))[0])


def _path(place: str, number: int) -> str:
    return os.path.join(place, f"{number // _PER_FOLDER:04}", f"{number:07}.md")


def _write(path: str, text: str) -> None:
    raw = text.encode("utf-8", "replace")
    if os.path.exists(path):
        with open(path, "rb") as file:
            if file.read() == raw:
                return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(raw)


def _remove_from(place: str, number: int) -> None:
    """Take out what a longer corpus left behind."""
    while os.path.exists(path := _path(place, number)):
        os.remove(path)
        number += 1


def _grades(folder: str) -> dict[str, dict[str, int]]:
    path = next(p for name in _QRELS if os.path.exists(p := os.path.join(folder, name)))
    found: dict[str, dict[str, int]] = {}
    for number, line in enumerate(_raw(path).decode("utf-8", "replace").splitlines(), 1):
        cells = [cell.strip() for cell in line.split("\t")]
        if cells == [""] or (number == 1 and not cells[-1].lstrip("-").isdecimal()):
            continue
        if len(cells) != 3 or not cells[2].lstrip("-").isdecimal():
            problem = "a line has a query's id, a document's id and a grade, with tabs between them"
            raise InvalidError(f"{shown(path)}, line {number}", problem)
        query, document, grade = cells[0], cells[1], int(cells[2])
        if grade > GRADES[-1]:
            raise InvalidError(f"{shown(path)}, line {number}", f"grade {grade} is above 10")
        if grade > 0:
            found.setdefault(query, {})[document] = grade
    return found


def _lines(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from json_lines(path, _raw(path))


def _raw(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise AccessError(f"{shown(path)}: {error.strerror}") from error


def _id(path: str, place: str, row: dict[str, Any]) -> str:
    found = row.get("_id", row.get("id"))
    if not isinstance(found, str | int) or found == "":
        raise InvalidError(f"{shown(path)}, {place}", "there is no id")
    return str(found)


def _text(path: str, place: str, row: dict[str, Any], name: str) -> str:
    found = row.get(name)
    if not isinstance(found, str):
        raise InvalidError(f"{shown(path)}, {place}", f"there is no {name}")
    return found
