"""Questions, and answers that say where they come from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from lsm.errors import LsmError
from lsm.web.problems import status_of
from lsm.web.render import query
from lsm.web.site import MAX_QUERY, body_in, text_in

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from lsm.query.ask import Answer, Citation
    from lsm.web.site import Site

_MARK = re.compile(r"\[(\d{1,3})\]")


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a language model is to answer from the passages."""

    q: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_QUERY)]


@dataclass(frozen=True)
class Said:
    """A stretch of an answer: words, or the number of a citation."""

    text: str
    number: int | None = None


def routes(site: Site) -> list[BaseRoute]:
    """Of questions."""

    def show(request: Request) -> Response:
        # A visit is no question to a model: browsers and others fetch addresses unasked.
        return drawn(request, text_in(request, "q"), llm=False)

    async def write(request: Request) -> Response:
        given = await body_in(request, Question)
        return await run_in_threadpool(partial(drawn, request, given.q, llm=True))

    def drawn(request: Request, question: str, *, llm: bool) -> Response:
        answer, problem = None, None
        try:
            answer = site.mind.ask(question, llm=llm) if question.strip() else None
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
            "writer": "" if llm else site.mind.config.llm.model,
            "overview": None if answer else site.mind.overview(),
        }
        status = status_of(problem) if problem else 200
        return site.renderer.page(request, "ask.html", values, status)

    return [Route("/ask", show), Route("/ask/written", write, methods=["POST"])]


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
