"""A person's own questions, and the measurements that later ones are compared with."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from lsm.clock import to_text, utc_now
from lsm.errors import DamagedError, InvalidError, NotFoundError
from lsm.query.evaluation.comparing import Baseline
from lsm.query.evaluation.questions import Question

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lsm.clock import Clock
    from lsm.db import Database

_ADD_QUERY = """
INSERT INTO lsm_eval_queries (query_id, query, created_at)
VALUES (:query_id, :query, :now)
    ON CONFLICT (query_id) DO NOTHING
"""
_EXPECT = """
INSERT INTO lsm_eval_expected (query_id, expected_id, pattern, grade)
VALUES (:query_id, :expected_id, :pattern, :grade)
    ON CONFLICT (query_id, expected_id) DO UPDATE
   SET grade = excluded.grade
"""
_ALL = """
SELECT q.query, e.pattern, e.grade
  FROM lsm_eval_queries q
  JOIN lsm_eval_expected e ON e.query_id = q.query_id
 ORDER BY q.created_at, q.query_id, e.grade DESC, e.expected_id
"""
_REMOVE = "DELETE FROM lsm_eval_queries WHERE query_id = :query_id"
_EXPECT_NO_MORE = """
DELETE FROM lsm_eval_expected WHERE query_id = :query_id AND expected_id = :expected_id
"""
_REMOVE_EMPTY = """
DELETE FROM lsm_eval_queries
 WHERE query_id = :query_id
   AND NOT EXISTS (SELECT 1 FROM lsm_eval_expected e WHERE e.query_id = :query_id)
"""
_SAVE = """
INSERT INTO lsm_eval_baselines (name, created_at, result_json)
VALUES (:name, :now, :result_json)
    ON CONFLICT (name) DO UPDATE
   SET created_at  = excluded.created_at,
       result_json = excluded.result_json
"""
_BASELINE = "SELECT created_at, result_json FROM lsm_eval_baselines WHERE name = :name"
_NAMES = "SELECT name, created_at FROM lsm_eval_baselines ORDER BY created_at, name"
_FORGET = "DELETE FROM lsm_eval_baselines WHERE name = :name"
_LONGEST_NAME = 100


class EvaluationStore:
    """Questions by query, and baselines by name."""

    def __init__(self, db: Database, clock: Clock = utc_now) -> None:
        self._db = db
        self._now = clock

    def add(self, questions: Iterable[Question]) -> None:
        """Keep *questions*; one that is there expects what it did and this, by the newer grade."""
        now = to_text(self._now())
        with self._db.transaction():
            for each in questions:
                query_id = _hash(each.query)
                self._db.run(_ADD_QUERY, query_id=query_id, query=each.query, now=now)
                for pattern, grade in each.grades.items():
                    self._db.run(
                        _EXPECT,
                        query_id=query_id,
                        expected_id=_hash(pattern),
                        pattern=pattern,
                        grade=grade,
                    )

    def questions(self) -> list[Question]:
        """All of them, the oldest first, each with what is most relevant first."""
        grades: dict[str, dict[str, int]] = {}
        for query, pattern, grade in self._db.tuples(_ALL):
            grades.setdefault(query, {})[pattern] = grade
        return [Question(query, query, expected) for query, expected in grades.items()]

    def remove(self, query: str, patterns: Sequence[str] = ()) -> None:
        """Forget *query*, or only that it expects *patterns*; with the last of these it goes, too.

        Raises:
            NotFoundError: there is no such query, or it does not expect one of them.
        """
        query_id = _hash(query)
        with self._db.transaction():
            if not patterns and not self._db.run(_REMOVE, query_id=query_id):
                raise NotFoundError("query", query)
            for each in patterns:
                expected_id = _hash(each)
                if not self._db.run(_EXPECT_NO_MORE, query_id=query_id, expected_id=expected_id):
                    raise NotFoundError(f"expectation of {query!r}", each)
            self._db.run(_REMOVE_EMPTY, query_id=query_id)

    def save(self, name: str, baseline: Baseline) -> None:
        """Keep *baseline* under *name*, in place of an earlier one.

        Raises:
            InvalidError: it is no name.
        """
        check_name(name)
        text = msgspec.json.encode(baseline).decode()
        self._db.run(_SAVE, name=name, now=to_text(self._now()), result_json=text)

    def baseline(self, name: str) -> tuple[Baseline, str]:
        """The one called *name*, and when it was saved.

        Raises:
            NotFoundError: there is none.
            DamagedError: it cannot be read.
        """
        rows = self._db.rows(_BASELINE, name=name)
        if not rows:
            raise NotFoundError("baseline", name)
        try:
            found = msgspec.json.decode(rows[0]["result_json"], type=Baseline)
        except msgspec.MsgspecError as error:
            raise DamagedError(f"the baseline {name!r} cannot be read: {error}") from error
        return found, rows[0]["created_at"]

    def baselines(self) -> list[tuple[str, str]]:
        """Names and when each was saved, the oldest first."""
        return self._db.tuples(_NAMES)

    def forget(self, name: str) -> None:
        """Delete the baseline called *name*.

        Raises:
            NotFoundError: there is none.
        """
        if not self._db.run(_FORGET, name=name):
            raise NotFoundError("baseline", name)


def check_name(name: str) -> None:
    """Refuse what no baseline can be called.

    Raises:
        InvalidError: it is empty, too long, or cannot be shown.
    """
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidError("name", f"{name!r} is not 1 to {_LONGEST_NAME} characters to be read")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
