"""Follows feeds and saved searches: what is new is proposed as a memory, or kept as a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec

from lsm.agents.builtin.told import lines_of
from lsm.agents.memory import Writer
from lsm.agents.params import Param
from lsm.agents.runtime import Outcome, RunError
from lsm.errors import InvalidError, LsmError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lsm.agents.runtime import Apply, RunContext
    from lsm.agents.tools import AgentTools
    from lsm.agents.watching import KeptNews, NewItem, NewItems
    from lsm.db import Database

_MOST_SOURCES = 20  # of one schedule: each is to have its share of a run
_MOST_KEPT = 200  # documents of a run, all in one transaction
_SNIPPET = 280  # characters of a candidate


class _Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    provider: str
    query: str


class Told(msgspec.Struct, frozen=True):
    """What a watcher is told."""

    feeds: tuple[str, ...] = ()
    searches: tuple[_Search, ...] = ()
    mode: Literal["propose", "keep"] = "propose"
    most: int | None = None
    scope: str | None = None


@dataclass
class _Found:
    """What the sources brought."""

    news: list[NewItems]
    problems: list[str]


class Watcher:
    """Takes up what is new, each item once.

    What it does with an item and the fact that it has are one transaction, so that a run that dies
    leaves everything to the next.
    """

    DESCRIPTION: ClassVar[str] = "follows feeds and saved searches; proposes or keeps what is new"
    PARAMS: ClassVar[Mapping[str, Param]] = {
        "feeds": Param('["news", "https://example.org/feed.xml"]'),
        "searches": Param('[{"provider": "arxiv", "query": "sky brightness"}]'),
        "mode": Param("propose (as candidates for review) or keep (as documents)"),
        "most": Param("20: so many items a run; the others wait"),
        "scope": Param("where candidates go, such as reading/physics"),
    }

    def __init__(self, tools: AgentTools) -> None:
        self._tools = tools

    def run(self, context: RunContext, /) -> Outcome:
        """Ask every source; nothing is written before the run is recorded as succeeded."""
        orders = told(context.params)
        found = self._looked(orders, context)
        keeping = orders.mode == "keep" and not context.dry_run
        kept = self._tools.watching.prepare(found.news) if keeping else None
        context.check()
        count = sum(len(news.items) for news in found.news)
        return Outcome(
            report=_report(found, kept, orders.mode),
            result={
                "mode": orders.mode,
                "new": count,
                "waiting": sum(news.waiting for news in found.news),
                "problems": len(found.problems) + (len(kept.problems) if kept else 0),
            },
            apply=(self._effects(found.news, kept, orders, context.run_id),) if count else (),
        )

    def _looked(self, orders: Told, context: RunContext) -> _Found:
        watching, purpose = self._tools.watching, f"watcher {orders.mode}"
        left = self._most(orders)
        share = max(1, left // (len(orders.feeds) + len(orders.searches)))
        found = _Found([], [])
        for source in (*orders.feeds, *orders.searches):
            context.check()
            try:
                if isinstance(source, str):
                    news = watching.of_feed(source, purpose, min(share, left))
                else:
                    asked = (source.provider, source.query)
                    news = watching.of_search(*asked, purpose, min(share, left))
            except LsmError as error:
                found.problems.append(f"{_named(source)}: {error}")
            else:
                found.news.append(news)
                left -= len(news.items)
        if not found.news:
            raise RunError("; ".join(found.problems), retryable=True)
        return found

    def _most(self, orders: Told) -> int:
        if orders.mode == "keep":
            return min(orders.most or _MOST_KEPT, _MOST_KEPT)
        limit = self._tools.watching.most_candidates()
        return min(orders.most or limit, limit)

    def _effects(
        self, found: Sequence[NewItems], kept: KeptNews | None, orders: Told, run_id: str
    ) -> Apply:
        def keep(_: Database) -> None:
            if kept is not None:
                kept.write()

        if kept is not None:
            return keep
        # What strangers say is proposed as theirs, whoever scheduled the run.
        writer = Writer(trust="untrusted", author="watcher", run_id=run_id)

        def propose(_: Database) -> None:
            memories = self._tools.memories.acting(writer)
            for news in found:
                for item in news.items:
                    memories.propose(
                        _sentence(item, news.name),
                        type="news",
                        scope=orders.scope or "global",
                        tags=("news", news.provider),
                        source=item.url or None,
                        provenance=news.name[:200],
                        rationale="new since the last look",
                    )
                self._tools.watching.take_up(news)

        return propose


def told(params: Mapping[str, Any]) -> Told:
    """*params* as a watcher follows them; one feed or search need not be in a list.

    Raises:
        InvalidError: a value cannot be followed, or nothing is named to be watched.
    """
    given = dict(params)
    for name, one in (("feeds", str), ("searches", dict)):
        if isinstance(given.get(name), one):
            given[name] = [given[name]]
    try:
        orders = msgspec.convert(given, Told)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$.")
        raise InvalidError(f"parameter {place.rstrip('`') or 'of watcher'}", problem) from error
    count = len(orders.feeds) + len(orders.searches)
    if not 1 <= count <= _MOST_SOURCES:
        raise InvalidError(
            "watcher",
            f"name 1 to {_MOST_SOURCES} feeds and searches, not {count}: "
            "--param feeds='[\"https://example.org/feed.xml\"]'",
        )
    if orders.most is not None and orders.most < 1:
        raise InvalidError("parameter most", "must be at least 1")
    return orders


def _named(source: str | _Search) -> str:
    return source if isinstance(source, str) else f"{source.provider}: {source.query}"


def _sentence(item: NewItem, name: str) -> str:
    day = f", {item.published[:10]}" if item.published else ""
    snippet = item.snippet[:_SNIPPET]
    return f"{item.title} ({name[:100]}{day})" + (f": {snippet}" if snippet else "")


def _report(found: _Found, kept: KeptNews | None, mode: str) -> str:
    count = sum(len(news.items) for news in found.news)
    what = "kept as documents" if mode == "keep" else "proposed for review"
    lines = ["# New elsewhere", "", f"{count} items {what}." if count else "Nothing new."]
    for news in found.news:
        lines += lines_of(news)
    problems = [*found.problems, *(kept.problems if kept else ())]
    problems += [f"{news.name}: {news.problem}" for news in found.news if news.problem]
    if problems:
        lines += ["", "## Could not be read", "", *(f"- {_one_line(each)}" for each in problems)]
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())
