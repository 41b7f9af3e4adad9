"""Proposing and remembering, with the sources that an agent names for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from lsm.agents.memory import NewMemory, Source, checks
from lsm.agents.memory.edits import PINNED
from lsm.agents.memory.sources import Sources
from lsm.config.models.agents import duration
from lsm.errors import InvalidError, NotFoundError, RefusedError
from lsm.fencing import inert
from lsm.paths import is_address

if TYPE_CHECKING:
    from datetime import timedelta

    from lsm.agents.llm.references import Reference
    from lsm.agents.llm.session import Session

_MOST_SOURCES = 20
_WORD = re.compile(r"\w+")


class ProposeArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of `propose` and `remember`."""

    text: Annotated[str, Meta(description="One fact, preference or decision, in full sentences.")]
    sources: Annotated[
        tuple[int, ...], Meta(max_length=_MOST_SOURCES, description="Its [n]s.")
    ] = ()
    why: Annotated[str, Meta(max_length=2000, description="For the person who decides.")] = ""
    type: Annotated[str, Meta(description="fact, preference, decision, procedure, ...")] = "fact"
    tags: tuple[str, ...] = ()
    replaces: Annotated[int, Meta(ge=0, description="The [n] of a memory it corrects.")] = 0


def propose(session: Session, given: ProposeArguments) -> str:
    """Queue something for review when the run ends."""
    most = session.reach.config.memory.candidates_per_run
    if len(session.proposed) >= most:
        raise RefusedError(f"{most} proposals are the most of one run")
    new = _new(session, given, review=True)
    if any(each.text == new.text for each in session.proposed):
        return "that was proposed already"
    session.proposed.append(new)
    session.plan.append(f"propose: {new.text}")
    return "proposed; a person will decide"


def remember(session: Session, given: ProposeArguments) -> str:
    """Remember something when the run ends; the grant is looked up again then."""
    if given.replaces:
        raise RefusedError("only a person replaces a memory; propose it")
    if len(session.remembered) >= session.reach.config.memory.candidates_per_run:
        raise RefusedError("more is not remembered in one run")
    new = _new(session, given, review=False)
    session.remembered.append(new)
    session.plan.append(f"remember: {new.text}")
    return "will be remembered when the run has ended"


def _new(session: Session, given: ProposeArguments, *, review: bool) -> NewMemory:
    """What was given, checked now: once the run ends, nobody could mend it."""
    if given.type.strip() == PINNED:
        raise RefusedError("only a person pins a memory")
    return NewMemory(
        text=checks.text(given.text),
        type=checks.name("type", given.type),
        tags=checks.tags(given.tags),
        ttl=_lifetime(session),
        sources=_sources(session, given.sources, given.text),
        rationale=inert(given.why),
        supersedes=_replaced(session, given.replaces),
        review=review,
    )


def _lifetime(session: Session) -> timedelta | None:
    text = session.definition.lifetime
    return duration("lifetime", text) if text else None


def _replaced(session: Session, number: int) -> str | None:
    if not number:
        return None
    known = session.shown.get(number)
    if known is None or known.kind != "memory":
        raise InvalidError("replaces", f"[{number}] is no memory")
    return known.place


def _sources(session: Session, numbers: tuple[int, ...], text: str) -> tuple[Source, ...]:
    """What stands behind it: what is named, and the run itself."""
    found: list[Source] = []
    for number in dict.fromkeys(numbers):
        known = session.shown.get(number)
        if known is None:
            raise InvalidError("sources", f"nothing was shown as [{number}]")
        found.append(_source(session, known, text))
    if session.read_remote and not any(source.kind == "url" for source in found):
        # What was read on the way may have shaped the words, named or not.
        found += _strangers(session)[:1]
    return (*found, Source("run", session.context.run_id))


def _source(session: Session, known: Reference, text: str) -> Source:
    if known.kind == "memory":
        return Source("memory", known.place)
    if known.kind == "page" or is_address(known.place):
        return Source("url", known.place, quote=known.text[:500])
    try:
        line = (known.line or 1) + _closest_line(known.text, text)
        return Sources(session.reach.db).named(f"{known.place}#{line}", known.text)
    except (NotFoundError, InvalidError):
        return Source("document", known.place)  # it left the library since it was shown


def _closest_line(passage: str, text: str) -> int:
    """Which line of *passage*, from 0, has most words in common with *text*."""
    words = set(_WORD.findall(text.casefold()))
    lines = passage.split("\n")
    return max(
        range(len(lines)), key=lambda n: len(words & set(_WORD.findall(lines[n].casefold())))
    )


def _strangers(session: Session) -> list[Source]:
    return [
        Source("url", each.place)
        for each in session.shown.all()
        if each.kind == "page" or is_address(each.place)
    ]
