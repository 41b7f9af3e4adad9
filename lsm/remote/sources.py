"""Remote sources as the faces use them: list, search, keep."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

import lsm
from lsm.clock import utc_now
from lsm.config.models.remote import BUILT_IN, ProviderConfig
from lsm.errors import InvalidError
from lsm.remote.answers import Answers, Question, Served
from lsm.remote.errors import RemoteError
from lsm.remote.feed_state import FeedState
from lsm.remote.keeping import kept_document
from lsm.remote.pacing import Pacing
from lsm.remote.results import Found, RemoteAnswer
from lsm.remote.storage import RemoteCache

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsm.clock import Clock
    from lsm.config.models.remote import RemoteConfig
    from lsm.db import Database
    from lsm.remote.fetch import Gate
    from lsm.remote.keeping import KeptDocument
    from lsm.remote.network import Network
    from lsm.remote.providers.base import Provider
    from lsm.remote.providers.page import Readable

T = TypeVar("T")
_HOMEPAGE = "https://pypi.org/project/local-second-mind/"


@dataclass(frozen=True)
class SourceInfo:
    """What `lsm remote list` shows of a source."""

    name: str
    kind: str
    enabled: bool
    key_variable: str  # the environment variable that may hold its key; "" if it takes none
    has_key: bool
    cache_minutes: int
    entries: int  # answers held


@dataclass(frozen=True)
class _Options:
    ttl: timedelta
    refresh: bool
    offline: bool


class RemoteSources:
    """The sources of a configuration.

    Args:
        config: says which may be asked. None of the others ever is.
        db: the shared database.
        readable: makes a web page readable.
        network: the way out; None is the real one. Tests give their own.
        clock: what now is.
    """

    def __init__(
        self,
        config: RemoteConfig,
        db: Database,
        readable: Readable,
        network: Network | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._config = config
        self._db = db
        self._readable = readable
        self._network = network
        self._now = clock
        self.cache = RemoteCache(db, clock, config.cache_mb * 1024 * 1024)
        self.feeds = FeedState(db, clock)

    def sources(self) -> list[SourceInfo]:
        """Every source there is, enabled or not."""
        held = {provider.provider: provider.entries for provider in self.cache.stats().providers}
        names = dict.fromkeys((*BUILT_IN, *self._config.providers))
        return [self._info(name, held.get(name, 0)) for name in names]

    def search(
        self,
        provider: str,
        query: str,
        *,
        k: int = 10,
        refresh: bool = False,
        offline: bool = False,
    ) -> RemoteAnswer:
        """The *k* best results for *query*.

        Args:
            provider: a name in the configuration.
            query: words; for a page its address; for feeds words, or nothing for all items.
            k: 1 to 200.
            refresh: ask even if a fresh answer is held.
            offline: ask nobody; a stale answer will do.

        Raises:
            RemoteError: nobody answered, and nothing is held.
            ConfigError: the source is unknown or not enabled.
            InvalidError: *query* or *k* cannot be asked for.
        """
        from lsm.remote.providers.base import MAX_RESULTS

        if not 1 <= k <= MAX_RESULTS:
            raise InvalidError("k", f"must be 1 to {MAX_RESULTS}, not {k}")
        if refresh and offline:
            raise InvalidError("refresh", "asks a server, and offline forbids it; choose one")
        source = self._provider(provider)
        options = _Options(self._ttl(provider), refresh, offline)
        outcomes = self._ask_all(provider, source, source.questions(query, k), options)
        served = [outcome for outcome in outcomes if isinstance(outcome, tuple)]
        errors = [outcome for outcome in outcomes if isinstance(outcome, RemoteError)]
        if not served:
            raise errors[0].about(provider)
        return RemoteAnswer(
            provider=provider,
            query=query,
            cached=all(answer.cached for answer, _ in served),
            stale=any(answer.stale for answer, _ in served),
            results=tuple(source.choose([results for _, results in served], query, k)),
            created_at=min(answer.created_at for answer, _ in served),
            problems=(
                *(answer.problem for answer, _ in served if answer.problem),
                *(error.problem for error in errors),
            ),
        )

    def mark_shown(self, answer: RemoteAnswer) -> None:
        """Note that somebody has seen *answer*: call it once its results are printed."""
        if self._config.kind_of(answer.provider) == "feed":
            self._provider(answer.provider).mark_seen(answer.results)

    def keep(
        self, answer: RemoteAnswer, numbers: Sequence[int], store: Callable[[KeptDocument], T]
    ) -> list[T]:
        """Hand results of *answer* to *store*, which puts them into the library.

        Args:
            answer: what a search brought.
            numbers: which of its results, counted from 1.
            store: called once for each; what it returns is returned.

        Raises:
            InvalidError: there is no result of that number; nothing was stored.
        """
        last = len(answer.results)
        for number in numbers:
            if not 1 <= number <= last:
                raise InvalidError("number", f"{number} is not among the results, 1 to {last}")
        kept: list[T] = []
        for number in numbers:
            result = answer.results[number - 1]
            kept.append(store(kept_document(result, answer.provider, answer.created_at or "")))
            if self._config.kind_of(answer.provider) == "feed":
                self._provider(answer.provider).mark_seen([result])
        return kept

    def _info(self, name: str, entries: int) -> SourceInfo:
        from lsm.remote.providers import key_variable

        settings = self._config.providers.get(name, ProviderConfig())
        kind = self._config.kind_of(name)
        assert kind is not None  # noqa: S101 - the configuration has been checked
        variable = key_variable(kind, settings)
        return SourceInfo(
            name=name,
            kind=kind,
            enabled=settings.enabled,
            key_variable=variable,
            has_key=bool(variable and os.environ.get(variable, "").strip()),
            cache_minutes=settings.minutes(kind),
            entries=entries,
        )

    def _provider(self, name: str) -> Provider:
        from lsm.remote.providers import open_provider

        return open_provider(name, self._config, self._readable, self.feeds, self._now)

    def _ttl(self, name: str) -> timedelta:
        kind = self._config.kind_of(name)
        assert kind is not None  # noqa: S101 - its provider has been opened
        return timedelta(minutes=self._config.providers[name].minutes(kind))

    def _ask_all(
        self, name: str, source: Provider, questions: Sequence[Any], options: _Options
    ) -> list[tuple[Served, list[Found]] | RemoteError]:
        def outcome(question: Any) -> tuple[Served, list[Found]] | RemoteError:
            try:
                return self._ask_one(name, source, question, options)
            except RemoteError as error:
                return error

        if len(questions) == 1:
            return [outcome(questions[0])]
        with ThreadPoolExecutor(self._gate.network.limits.at_once) as pool:
            return list(pool.map(outcome, questions))

    def _ask_one(
        self, name: str, source: Provider, parameters: Any, options: _Options
    ) -> tuple[Served, list[Found]]:
        from lsm.remote.fetch import Web
        from lsm.remote.providers.base import results_in

        question = Question(name, parameters, options.ttl, options.refresh, options.offline)
        served = self._answers.get(
            question, lambda held: source.ask(parameters, Web(self._gate), held)
        )
        try:
            return served, results_in(served.response)
        except msgspec.ValidationError:
            # Somebody else has written that row. It is as good as none.
            self.cache.forget(name, parameters)
        served = self._answers.get(
            question, lambda held: source.ask(parameters, Web(self._gate), held)
        )
        return served, results_in(served.response)

    @cached_property
    def _answers(self) -> Answers:
        return Answers(self._db, self.cache, self._now, self._gate.network.sleep)

    @cached_property
    def _gate(self) -> Gate:
        from lsm.remote.fetch import Gate
        from lsm.remote.network import Network

        contact = f"; mailto:{self._config.contact}" if self._config.contact else ""
        agent = f"local-second-mind/{lsm.__version__} (+{_HOMEPAGE}{contact})"
        return Gate(self._network or Network(), Pacing(self._db, self._now), self._now, agent)
