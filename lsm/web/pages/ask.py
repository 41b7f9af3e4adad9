"""Questions, and answers that say where they come from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.routing import Route

from lsm.errors import LsmError
from lsm.web.problems import status_of
from lsm.web.render import query
from lsm.web.site import text_in

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from lsm.query.ask import Answer, Citation
    from lsm.web.site import Site

_MARK = re.compile(r"\[(\d{1,3})\]")


@dataclass(frozen=True)
class Said:
    """A stretch of an answer: words, or the number of a citation."""

    text: str
    number: int | None = None


def routes(site: Site) -> list[BaseRoute]:
    """Of questions."""

    def show(request: Request) -> Response:
        question = text_in(request, "q")
        answer, problem = None, None
        try:
            answer = site.mind.ask(question) if question.strip() else None
        except LsmError as error:
            if status_of(error) not in (400, 502):
                raise
            problem = error
        values = {
            "q": question,
            "answer": answer,
            "paragraphs": _paragraphs(answer) if answer else (),
            "cited": [(each, _address(each)) for each in answer.citations] if answer else (),
            "problem": str(problem) if problem else "",
            "overview": site.mind.overview(),
        }
        status = status_of(problem) if problem else 200
        return site.renderer.page(request, "ask.html", values, status)

    return [Route("/ask", show)]


def _paragraphs(answer: Answer) -> list[list[Said]]:
    """The answer in paragraphs, its ``[1]`` told apart from its words."""
    known = {citation.n for citation in answer.citations}
    return [list(_said(text, known)) for text in answer.answer.split("\n\n")]


def _said(text: str, known: set[int]) -> list[Said]:
    said: list[Said] = []
    at = 0
    for match in _MARK.finditer(text):
        if int(match[1]) in known:
            said += [Said(text[at : match.start()]), Said(match[0], int(match[1]))]
            at = match.end()
    return [*said, Said(text[at:])]


def _address(citation: Citation) -> str:
    return query(f"/passage/{citation.chunk_id}", line=citation.start_line)
