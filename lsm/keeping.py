"""Wires remote sources to the library: what they find is kept as documents."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.errors import InvalidError
from lsm.ingest.confined import ConfinedError, call
from lsm.ingest.keeping import KeepError, KeepReport, KeepSettings, KeptDocuments
from lsm.ingest.messages import Limits
from lsm.ingest.webtext import PageBytes, PageText
from lsm.once import once
from lsm.paths import is_address
from lsm.remote.addresses import check_url
from lsm.remote.errors import RemoteError
from lsm.remote.keeping import address_of
from lsm.remote.providers.base import Readers
from lsm.remote.providers.feed_formats import FeedBytes, feed_in
from lsm.remote.providers.page import ReadablePage
from lsm.wiring import pipeline_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.app import Mind
    from lsm.ingest.keeping import KeptRow
    from lsm.remote.keeping import KeptDocument
    from lsm.remote.providers.feed_formats import Feed
    from lsm.remote.results import RemoteAnswer


# What one page or feed may cost.
LIMITS = Limits()


class Keeping:
    """What is kept of the web in one mind."""

    def __init__(self, mind: Mind) -> None:
        self._mind = mind

    def keep(self, *what: str, k: int = 10, numbers: Sequence[int] = (), **how: bool) -> KeepReport:
        """Keep web pages, or the results of a search, as documents under their addresses.

        One version holds all that changed. What has the same words as before is left alone.

        Args:
            what: addresses; or the name of a source and what to ask it for.
            k: so many results of a search.
            numbers: which of them, counted from 1; all if none is named.
            how: ``refresh``, ``offline`` and ``newest`` as for a search. A page is always fetched
                anew, unless ``offline``.

        Raises:
            InvalidError: neither addresses nor a source and a query.
            RemoteError: a search brought nothing. Pages that fail are in the report.
            ConfigError: the source is unknown or not enabled.
        """
        if what and all(is_address(each) for each in what):
            answers, errors = self._pages(what, offline=how.get("offline", False))
        elif len(what) == 2:
            answer = self._mind.remote.search(*what, k=k, **how)
            if numbers:
                answer = self._mind.remote.chosen(answer, numbers)
            answers, errors = [answer], []
        else:
            raise InvalidError(
                "keep", "name a source and a query, or addresses that begin with https://"
            )
        return self._stored(answers, errors)

    def drop(self, *urls: str) -> int | None:
        """Take what was kept under *urls* out of the library as it is; the version that did.

        Raises:
            NotFoundError: nothing is kept under one of them; then nothing was dropped.
        """
        kept = {row.url for row in self.kept()}
        return self.documents.drop([url if url in kept else _plain(url) for url in urls])

    def kept(self) -> list[KeptRow]:
        """Every kept document, by address."""
        return self.documents.rows()

    @once
    def documents(self) -> KeptDocuments:
        """The documents, apart from where they came from."""
        from lsm.agents.memory import SourceWatch
        from lsm.vectordb import open_chunk_index

        mind = self._mind
        settings = pipeline_settings(mind.config.library, mind.home, mind.db)
        return KeptDocuments(
            mind.db,
            open_chunk_index(mind.db),
            lambda: mind.embedder,
            KeepSettings(
                settings.chunking,
                settings.limits,
                mind.clock,
                SourceWatch(mind.db, mind.clock).chunks_changed,
            ),
        )

    def _pages(
        self, urls: Sequence[str], *, offline: bool
    ) -> tuple[list[RemoteAnswer], list[KeepError]]:
        remote = self._mind.remote
        source = remote.page_source()
        answers: list[RemoteAnswer] = []
        errors: list[KeepError] = []
        for url in dict.fromkeys(urls):
            try:
                answers.append(
                    remote.search(source, url, k=1, refresh=not offline, offline=offline)
                )
            except RemoteError as error:
                errors.append(KeepError(url, error.code, error.problem))
            except InvalidError as error:
                errors.append(KeepError(url, "refused_url", str(error)))
        return answers, errors

    def _stored(self, answers: Sequence[RemoteAnswer], errors: list[KeepError]) -> KeepReport:
        remote, documents = self._mind.remote, self.documents
        found: list[KeptDocument] = []
        for answer in answers:
            found += remote.documents(answer)
            about = answer.query if is_address(answer.query) else answer.provider
            errors += [KeepError(about, "stale", problem) for problem in answer.problems]
        prepared = documents.prepare([each for each in found if each.source_path])
        errors += [
            KeepError("", "no_address", f"{each.title!r} has no address to be kept under")
            for each in found
            if not each.source_path
        ]
        # Seen because it is kept: both, or neither.
        with self._mind.db.transaction():
            report = documents.write(prepared)
            kept = {each.url for each in report.kept}
            for answer in answers:
                shown = tuple(each for each in answer.results if address_of(each) in kept)
                remote.mark_shown(replace(answer, results=shown))
        return KeepReport(report.kept, report.version, (*errors, *report.errors))


def readers() -> Readers:
    """What reads strangers' pages and feeds: children that may not harm us."""
    return Readers(page=_page, feed=_feed)


def _page(data: bytes, media_type: str, charset: str) -> ReadablePage:
    """What a person reads on a web page. Raises ValueError for what cannot be read."""
    try:
        answer = call(
            "lsm.ingest.webtext:readable", _packed(PageBytes(data, media_type, charset)), LIMITS
        )
    except ConfinedError as error:
        raise ValueError(error.reason) from error
    page = msgspec.msgpack.decode(answer, type=PageText)
    return ReadablePage(page.title, page.text, page.metadata)


def _feed(raw: FeedBytes) -> Feed | None:
    """The feed in *raw*, or None. Raises RemoteError for what cannot be read."""
    try:
        return feed_in(call("lsm.remote.providers.feed_formats:answer", _packed(raw), LIMITS))
    except ConfinedError as error:
        problem = f"the feed cannot be read: {error.reason}"
        raise RemoteError("not_an_answer", problem) from error


def _packed(value: Any) -> bytes:
    return msgspec.msgpack.encode(value)


def _plain(url: str) -> str:
    """*url* as it is stored: a fragment is no part of it."""
    try:
        return check_url(url, plain_http=True).url
    except RemoteError:
        return url
