"""Answers: the passages that answer best, quoted word for word and cited."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsm.query.answers import Answer, Citation, quoted_answer
from lsm.query.terms import cleaned, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsm.embedding.base import Embedder
    from lsm.query.search import Hit, Searcher, SearchOptions
    from lsm.query.written import Writer

__all__ = ["Answer", "Answerer", "Citation"]

_QUOTE = 320  # characters a quote is grown to, sentence by sentence
_LONGEST = 600  # a sentence longer than this is cut
_NEAR = 0.3  # a cosine below this is that of texts about different things, with any model
_FRONT_MATTER = re.compile(r"---\n.*?\n(?:---|\.\.\.)(?:\n|\Z)", re.DOTALL)
# A sentence ends at a full stop before a blank, or at a line break that ends a block.
_SENTENCE = re.compile(
    r"\S.*?(?:[.!?\u3002](?=[\s\"')\]]|\Z)|\n[ \t]*\n|\n(?=[ \t]*[-*#|>\d])|\Z)", re.DOTALL
)


class Answerer:
    """Answers questions from the library."""

    def __init__(
        self,
        searcher: Searcher,
        embedder: Callable[[], Embedder],
        writer: Writer | None = None,
    ) -> None:
        """*writer* is a language model; without one, everything is quoted."""
        self._searcher = searcher
        self._embedder = embedder
        self._writer = writer

    def ask(self, question: str, k: int = 5, options: SearchOptions | None = None) -> Answer:
        """The best *k* passages, the sentences that answer quoted; or what a model makes of them.

        Raises:
            InvalidError: as `Searcher.search`.
        """
        hits = _relevant(self._searcher.search(question, k, options))
        citations = self._cite(cleaned(question), hits)
        if self._writer is None or not citations:
            return quoted_answer(citations)
        from lsm.query.written import written_answer

        numbered = dict(enumerate(hits, 1))
        return written_answer(question, numbered, citations, self._writer)

    def _cite(self, question: str, hits: Sequence[Hit]) -> tuple[Citation, ...]:
        spans = [_sentences(hit.text) for hit in hits]
        texts = [
            hit.text[start:end]
            for hit, found in zip(hits, spans, strict=True)
            for start, end in found
        ]
        if not texts:
            return ()
        closeness = iter(self._closeness(question, texts))
        return tuple(
            _citation(number, hit, found, [next(closeness) for _ in found])
            for number, (hit, found) in enumerate(zip(hits, spans, strict=True), 1)
            if found
        )

    def _closeness(self, question: str, texts: list[str]) -> list[float]:
        """How well each sentence answers: meaning, and words in common."""
        embedder = self._embedder()
        cosines = embedder.embed_documents(texts) @ embedder.embed_query(question)
        words = set(parsed(question).words)
        return [
            float(cosine) + _shared(words, text)
            for cosine, text in zip(cosines.tolist(), texts, strict=True)
        ]


def _relevant(hits: Sequence[Hit]) -> Sequence[Hit]:
    """*hits*, or none where no word of the question was found and no meaning comes near."""
    if any("text" in hit.parts or hit.parts.get("vector", 0.0) >= _NEAR for hit in hits):
        return hits
    return ()


def _sentences(text: str) -> list[tuple[int, int]]:
    """Where sentences begin and end in *text*; front matter holds none."""
    spans: list[tuple[int, int]] = []
    front = _FRONT_MATTER.match(text)
    for match in _SENTENCE.finditer(text, front.end() if front else 0):
        start, end = match.span()
        end = start + min(len(text[start:end].rstrip()), _LONGEST)
        if end > start:
            spans.append((start, end))
    return spans


def _shared(words: set[str], text: str) -> float:
    if not words:
        return 0.0
    own = set(parsed(text).words)
    # Stems differ by endings: the first five letters stand for the word.
    stems = {word[:5] for word in own}
    return sum(word[:5] in stems for word in words) / len(words)


def _citation(
    number: int, hit: Hit, spans: Sequence[tuple[int, int]], closeness: Sequence[float]
) -> Citation:
    start, end = _grown(spans, closeness)
    quote = hit.text[start:end]
    first = hit.start_line + hit.text.count("\n", 0, start)
    return Citation(
        n=number,
        path=hit.path,
        start_line=first,
        end_line=first + quote.count("\n"),
        page=hit.page,
        quote=quote,
        title=hit.title,
        chunk_id=hit.chunk_id,
    )


def _grown(spans: Sequence[tuple[int, int]], closeness: Sequence[float]) -> tuple[int, int]:
    """The closest sentence and, while there is room, its closer neighbours."""
    first = last = max(range(len(spans)), key=closeness.__getitem__)
    while True:
        before = closeness[first - 1] if first > 0 else float("-inf")
        after = closeness[last + 1] if last + 1 < len(spans) else float("-inf")
        if before == after == float("-inf"):
            break
        grown = (first - 1, last) if before > after else (first, last + 1)
        if spans[grown[1]][1] - spans[grown[0]][0] > _QUOTE:
            break
        first, last = grown
    return spans[first][0], spans[last][1]
