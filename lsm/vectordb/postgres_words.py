"""Words in PostgreSQL: told apart as SQLite's tokenizer does, and ranked by BM25."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lsm.vectordb.spelling import plain, plain_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import LiteralString

    from lsm.db import Database

MAX_PHRASE = 200  # words; the server reads a phrase word within word, and its stack has an end
_K1, _B = 1.2, 0.75  # FTS5's, so that both engines rank alike

_LEXEMES = "SELECT unnest(tsvector_to_array(to_tsvector('english', :text)))"
_PHRASE = "SELECT CAST(phraseto_tsquery('english', :text) AS TEXT)"
_FREQUENCIES = """
SELECT lexeme, (SELECT count(*) FROM {table} WHERE terms @@ CAST(quoted AS tsquery))
  FROM unnest(CAST(:lexemes AS TEXT[]), CAST(:quoted AS TEXT[])) AS a(lexeme, quoted)
"""
_COLLECTION = "SELECT count(*), coalesce(avg(length), 1) FROM {table}"
_MATCHES = """
WITH asked AS (
    SELECT lexeme, weight
      FROM unnest(CAST(:lexemes AS TEXT[]), CAST(:weights AS DOUBLE PRECISION[]))
        AS a(lexeme, weight)
), counted AS MATERIALIZED (
    SELECT f.{key}, f.length, t.lexeme,
           (SELECT sum(CASE w WHEN 'A' THEN 2.0 WHEN 'B' THEN 1.5 ELSE 1.0 END)
              FROM unnest(t.weights) AS w) AS frequency
      FROM {table} f
     CROSS JOIN LATERAL unnest(f.terms) AS t(lexeme, positions, weights)
     WHERE f.terms @@ CAST(:match AS tsquery)
       AND t.lexeme = ANY(CAST(:lexemes AS TEXT[]))
       AND f.{key} IN ({allowed})
)
SELECT {key},
       sum(weight * frequency * (:k1 + 1.0)
           / (frequency + :k1 * (1.0 - :b + :b * length / :mean_length))) AS score
  FROM counted JOIN asked USING (lexeme)
 GROUP BY {key}
 ORDER BY score DESC, {key}
 LIMIT :k
"""


class WordTable:
    """A table of texts as `terms`, with their `length` in words, by a number."""

    def __init__(self, db: Database, table: LiteralString, key: LiteralString) -> None:
        self._db = db
        self._table: LiteralString = table
        self._key: LiteralString = key  # the number's column

    def counts(self, words: Iterable[str]) -> dict[str, int]:
        """The lexemes of *words* that occur, each with how many texts have it."""
        text = plain(" ".join(words))
        if not text:
            return {}
        lexemes = [row[0] for row in self._db.tuples(_LEXEMES, text=text)]
        rows = self._db.tuples(
            _FREQUENCIES.format(table=self._table),
            lexemes=lexemes,
            quoted=[_quoted(lexeme) for lexeme in lexemes],
        )
        return {lexeme: count for lexeme, count in rows if count}

    def best(
        self,
        phrases: Iterable[Sequence[str]],
        counts: Mapping[str, int],
        allowed: LiteralString,
        **given: object,
    ) -> list[tuple[int, float]]:
        """Numbers and BM25 of the texts that fit best, best first.

        Args:
            phrases: all of them must be there; without any, one lexeme is enough.
            counts: the lexemes that rank, as `counts` gave them. Every phrase's must be among
                them: a text that has none is not found.
            allowed: a query for the numbers that may be found.
            given: parameters of *allowed*, and `k`: at most so many.
        """
        match = _expression([self._phrase(words) for words in phrases], counts)
        if not match:
            return []
        size, mean_length = self._db.tuples(_COLLECTION.format(table=self._table))[0]
        rows = self._db.tuples(
            _MATCHES.format(table=self._table, key=self._key, allowed=allowed),
            lexemes=list(counts),
            weights=[_rarity(size, count) for count in counts.values()],
            match=match,
            k1=_K1,
            b=_B,
            mean_length=float(mean_length) or 1.0,
            **given,
        )
        return [(number, float(score)) for number, score in rows]

    def _phrase(self, words: Sequence[str]) -> str:
        first = plain_words(" ".join(words))[:MAX_PHRASE]
        return self._db.tuples(_PHRASE, text=" ".join(first))[0][0]


def _expression(phrases: Iterable[str], lexemes: Iterable[str]) -> str:
    """All of *phrases*; without any, one of *lexemes* is enough."""
    if every := " & ".join(f"({phrase})" for phrase in phrases if phrase):
        return every
    return " | ".join(_quoted(lexeme) for lexeme in lexemes)


def _rarity(count: int, frequency: int) -> float:
    """BM25's weight of a term, as FTS5 computes it: never zero or less."""
    return max(math.log((count - frequency + 0.5) / (frequency + 0.5)), 1e-6)


def _quoted(lexeme: str) -> str:
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"
