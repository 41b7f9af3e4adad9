"""Remote sources as the faces use them: list, search, keep."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

import lsm
from lsm.clock import to_text, utc_now
from lsm.config.models.remote import BUILT_IN, ProviderConfig
from lsm.errors import ConfigError, InvalidError
from lsm.once import once
from lsm.remote.answers import Answers, Question, Served
from lsm.remote.errors import RemoteError
from lsm.remote.feed_state import FeedState
from lsm.remote.keeping import kept_document
from lsm.remote.pacing import Pacing
from lsm.remote.results import Found, RemoteAnswer
from lsm.remote.storage import RemoteCache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.clock import Clock
    from lsm.config.models.remote import Kind, RemoteConfig
    from lsm.db import Database
    from lsm.remote.fetch import Gate
    from lsm.remote.keeping import KeptDocument
    from lsm.remote.network import Network
    from lsm.remote.providers.base import Provider, Readers

# Who looks every day must not be told yesterday's answer because it is a second short of stale.
_RECENT = timedelta(hours=1)
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


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How a source is asked."""

    refresh: bool = False  # even if a fresh answer is held
    offline: bool = False  # nobody; a stale answer will do
    newest: bool = False  # for the newest rather than the best, where the source can tell
    recent: bool = False  # an answer of more than an hour ago will not do


@dataclass(frozen=True)
class _Options:
    ttl: timedelta
    asking: Asking


class RemoteSources:
    """The sources of a configuration.

    Args:
        config: says which may be asked. None of the others ever is.
        db: the shared database.
        readers: what reads pages and feeds.
        network: the way out; None is the real one. Tests give their own.
        clock: what now is.
    """

    def __init__(
        self,
        config: RemoteConfig,
        db: Database,
        readers: Readers,
        network: Network | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._config = config
        self._db = db
        self._readers = readers
        self._network = network
        self._now = clock
        self.cache = RemoteCache(db, clock, config.cache_mb * 1024 * 1024)
        self.feeds = FeedState(db, clock)

    def sources(self) -> list[SourceInfo]:
        """Every source there is, enabled or not."""
        held = {provider.provider: provider.entries for provider in self.cache.stats().providers}
        names = dict.fromkeys((*BUILT_IN, *self._config.providers))
        return [self._info(name, held.get(name, 0)) for name in names]

    def search(self, provider: str, query: str, *, k: int = 10, **how: bool) -> RemoteAnswer:
        """The *k* best results for *query*.

        Args:
            provider: a name in the configuration.
            query: words; for a page its address; for feeds words, or nothing for all items.
            k: 1 to 200.
            how: ``refresh``, ``offline`` and ``newest``, see `Asking`.

        Raises:
            RemoteError: nobody answered, and nothing is held.
            ConfigError: the source is unknown or, unless ``offline``, not enabled.
            InvalidError: *query* or *k* cannot be asked for.
        """
        from lsm.remote.providers.base import MAX_RESULTS

        if not 1 <= k <= MAX_RESULTS:
            raise InvalidError("k", f"must be 1 to {MAX_RESULTS}, not {k}")
        asking = Asking(**how)
        if asking.refresh and asking.offline:
            raise InvalidError("refresh", "asks a server, and offline forbids it; choose one")
        source = self._unasked(provider) if asking.offline else self.opened(provider)
        return self.answer(provider, source, query, k, asking)

    def answer(
        self, provider: str, source: Provider, query: str, k: int, asking: Asking
    ) -> RemoteAnswer:
        """As `search`, from a source that is open already; *k* may be any number."""
        options = _Options(self._ttl(provider), asking)
        questions = source.questions(query, k, newest=asking.newest)
        outcomes = self._ask_all(provider, source, questions, options)
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
        """Note that somebody has seen *answer*: call it once its results are printed or kept.

        Joins the caller's transaction.
        """
        if self._config.kind_of(answer.provider) == "feed":
            self._unasked(answer.provider).mark_seen(answer.results)

    def chosen(self, answer: RemoteAnswer, numbers: Sequence[int]) -> RemoteAnswer:
        """*answer* with only those of its results, counted from 1.

        Raises:
            InvalidError: there is no result of that number.
        """
        last = len(answer.results)
        for number in numbers:
            if not 1 <= number <= last:
                raise InvalidError("number", f"{number} is not among the results, 1 to {last}")
        return replace(answer, results=tuple(answer.results[number - 1] for number in numbers))

    def documents(self, answer: RemoteAnswer) -> list[KeptDocument]:
        """The results of *answer* as documents of the library."""
        retrieved_at, asked = answer.created_at or to_text(self._now()), ""
        if self._config.kind_of(answer.provider) == "page":
            # Under the address that was asked for: wherever it leads today, it is found by that.
            asked = self._unasked(answer.provider).questions(answer.query, 1)[0]["url"]
        return [
            kept_document(result, answer.provider, retrieved_at, asked) for result in answer.results
        ]

    def page_source(self) -> str:
        """The name of the source that reads any page.

        Raises:
            ConfigError: none is enabled.
        """
        names = self.enabled("page")
        if not names:
            raise ConfigError(
                "remote.providers.page.enabled",
                "is not true, so no page is fetched; set it in lsm.toml to allow it",
            )
        return names[0]

    def enabled(self, kind: Kind) -> list[str]:
        """Names of the enabled sources of a kind."""
        names = dict.fromkeys((*BUILT_IN, *self._config.providers))
        return [
            name
            for name in names
            if self._config.kind_of(name) == kind
            and name in self._config.providers
            and self._config.providers[name].enabled
        ]

    def feed_at(self, url: str) -> tuple[str, Provider]:
        """The one feed at *url*, which somebody typed, and the source whose settings it follows.

        Raises:
            ConfigError: feeds are not enabled.
        """
        from lsm.remote.providers import made_provider, provider_key
        from lsm.remote.providers.base import Setting

        listing = [n for n in self.enabled("feed") if url in self._config.providers[n].urls]
        names = listing or self.enabled("feed")
        if not names:
            problem = f"{url} is not fetched: no feed is enabled in lsm.toml; add one of kind feed"
            raise ConfigError("remote.providers", problem)
        # A key is for those it was meant for.
        key_env = self._config.providers[names[0]].key_env if listing else ""
        config = msgspec.structs.replace(
            self._config.providers[names[0]], urls=(url,), key_env=key_env
        )
        setting = Setting(names[0], config, provider_key(names[0], "feed", config), "")
        return names[0], made_provider("feed", setting, self._readers, self.feeds, self._now)

    def opened(self, name: str) -> Provider:
        """The source of that name.

        Raises:
            ConfigError: there is none, or it is not enabled.
        """
        from lsm.remote.providers import open_provider

        return open_provider(name, self._config, self._readers, self.feeds, self._now)

    def _unasked(self, name: str) -> Provider:
        """The source of that name for what sends nothing, so that it need not be enabled.

        Raises:
            ConfigError: there is none, and no answer of one.
        """
        from lsm.remote.providers import made_provider
        from lsm.remote.providers.base import HeldAnswers, Setting

        kind = self._config.kind_of(name)
        if kind is None:
            # A predecessor's sources had names of their own.
            return HeldAnswers() if self.cache.entries_of(name, limit=1) else self.opened(name)
        settings = self._config.providers.get(name, ProviderConfig())
        setting = Setting(name, settings, None, "")
        return made_provider(kind, setting, self._readers, self.feeds, self._now)

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

    def _ttl(self, name: str) -> timedelta:
        kind = self._config.kind_of(name)
        settings = self._config.providers.get(name, ProviderConfig())
        return timedelta(minutes=settings.minutes(kind or "page"))

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

        asking = options.asking
        refresh = asking.refresh or self._is_old(name, parameters, asking)
        question = Question(name, parameters, options.ttl, refresh, asking.offline)
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

    def _is_old(self, name: str, parameters: Any, asking: Asking) -> bool:
        if not asking.recent or asking.offline:
            return False
        held = self.cache.look(name, parameters)
        return held is not None and held.created_at < to_text(self._now() - _RECENT)

    @once
    def _answers(self) -> Answers:
        return Answers(self._db, self.cache, self._now, self._gate.network.sleep)

    @once
    def _gate(self) -> Gate:
        from lsm.remote.fetch import Gate
        from lsm.remote.network import Network

        contact = f"; mailto:{self._config.contact}" if self._config.contact else ""
        agent = f"local-second-mind/{lsm.__version__} (+{_HOMEPAGE}{contact})"
        return Gate(self._network or Network(), Pacing(self._db, self._now), self._now, agent)
