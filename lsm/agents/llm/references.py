"""What a run has been shown, numbered, so that its report and its proposals can point at it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from lsm.fencing import one_line

if TYPE_CHECKING:
    from lsm.agents.llm.reach import Page, Passage
    from lsm.agents.memory import Memory

Kind = Literal["passage", "page", "memory"]
_CITED = re.compile(r"\[(\d{1,4}(?:\s*,\s*\d{1,4})*)\](?!\()")


@dataclass(frozen=True)
class Reference:
    """One thing that was shown."""

    number: int  # from 1, in the order in which they were shown
    kind: Kind
    place: str  # path, URL or memory id
    label: str  # one line for a person
    text: str  # all of it that there is
    line: int | None = None  # where in the document it begins, 1-based


class References:
    """Everything a run has been shown so far."""

    def __init__(self) -> None:
        self._found: dict[tuple[Kind, str, int | None], Reference] = {}

    def passage(self, passage: Passage) -> Reference:
        """The number of *passage*, a new one if it was not shown before."""
        page = f", page {passage.page}" if passage.page is not None else ""
        lines = f"{passage.start_line}-{passage.end_line}"
        label = f"{passage.path}:{lines}{page}  {passage.heading or passage.title}"
        return self._put("passage", passage.path, label, passage.text, passage.start_line)

    def page(self, page: Page) -> Reference:
        """As `passage`, of what a remote source answered."""
        place = page.url or f"{page.provider}: {page.title}"
        day = f", {page.published[:10]}" if page.published else ""
        return self._put("page", place, f"{place}  {page.title} ({page.provider}{day})", page.text)

    def memory(self, memory: Memory) -> Reference:
        """As `passage`, of a memory."""
        label = f"memory {memory.id}, {memory.type}, trust {memory.trust}"
        return self._put("memory", memory.id, label, memory.text)

    def get(self, number: int) -> Reference | None:
        """What has that number."""
        return next((each for each in self._found.values() if each.number == number), None)

    def all(self) -> list[Reference]:
        """Everything, in the order of its numbers."""
        return list(self._found.values())

    def has_address(self, url: str) -> bool:
        """Whether a remote source has given *url*, to the letter, in this run."""
        return any(each.kind == "page" and each.place == url for each in self._found.values())

    def cited_in(self, text: str) -> tuple[list[Reference], list[int]]:
        """What *text* cites as ``[n]``, and the numbers in it that are nothing's."""
        numbers = sorted({int(n) for group in _CITED.findall(text) for n in group.split(",")})
        found = {number: self.get(number) for number in numbers}
        return (
            [each for each in found.values() if each is not None],
            [number for number, each in found.items() if each is None],
        )

    def _put(
        self, kind: Kind, place: str, label: str, text: str, line: int | None = None
    ) -> Reference:
        key = (kind, place, line)
        known = self._found.get(key)
        if known is None:
            known = Reference(len(self._found) + 1, kind, place, one_line(label), text, line)
        elif len(text) > len(known.text):
            known = replace(known, text=text)
        self._found[key] = known
        return known
