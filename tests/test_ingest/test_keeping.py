"""Texts of the web are documents like files, but no scan ever takes them out."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from lsm.agents.memory import MemoryStore, SourceWatch
from lsm.clock import utc_now
from lsm.db import open_database
from lsm.errors import EmbeddingError, InvalidError, NotFoundError
from lsm.ingest.audit import manifest_problems
from lsm.ingest.keeping import KeepReport, KeepSettings, Kept, KeptDocuments
from lsm.ingest.messages import Limits
from lsm.ingest.overview import library_overview
from lsm.ingest.stats_cache import StatsCache
from lsm.query.search import Searcher, SearchOptions
from lsm.vectordb import open_chunk_index
from lsm.vectordb.documents import DocumentReader
from tests.test_ingest.library import (
    SMALL,
    Library,
    either_db,
    either_library,
    library,
    on_sqlite,
    paragraphs,
    problems_of,
    refusing,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lsm.db import Database

__all__ = ["either_db", "either_library", "library", "on_sqlite"]

PAGE = "https://example.org/skies"
OTHER = "http://example.org/other?a=1&b=[2]"


@dataclass(frozen=True)
class Said:
    """What is to be kept."""

    source_path: str
    text: str
    title: str = "Dark skies"
    tags: tuple[str, ...] = ("page",)
    modified_at: str | None = "2026-02-03T00:00:00.000000Z"
    metadata: Mapping[str, str] = field(
        default_factory=lambda: {"provider": "page", "retrieved_at": "2026-03-01"}
    )

    @property
    def content_hash(self) -> str:
        return sha256(self.text.encode()).hexdigest()


FIRST = Said(PAGE, "# Dark skies\n\nThe light of the zodiac is faint.\n")
SECOND = replace(FIRST, text="# Dark skies\n\nThe light of the zodiac is bright.\n")


def test_what_is_kept_is_new_then_unchanged_then_changed(either_library: Library) -> None:
    library = either_library
    kept = documents(library)

    states = [keep(kept, text) for text in (FIRST, FIRST, SECOND)]

    assert [(report.kept[0].state, report.version) for report in states] == [
        ("new", 1),
        ("unchanged", None),
        ("changed", 2),
    ]
    assert states[0].kept == (Kept(PAGE, "Dark skies", "new"),)
    assert current(library.db, PAGE) == SECOND.text
    assert problems_of(library.db) == []


def test_one_keep_is_one_version_however_many_change(library: Library) -> None:
    kept = documents(library)
    keep(kept, FIRST)

    report = keep(kept, SECOND, replace(FIRST, source_path=OTHER), replace(SECOND, title="Twice"))

    assert [(each.url, each.state) for each in report.kept] == [(PAGE, "changed"), (OTHER, "new")]
    assert (report.version, library_overview(library.db).version) == (2, 2)


def test_other_metadata_alone_is_no_change(library: Library) -> None:
    kept = documents(library)
    keep(kept, FIRST)

    report = keep(kept, replace(FIRST, metadata={"provider": "page", "cited_by": "7"}))

    assert (report.kept[0].state, report.version) == ("unchanged", None)


@pytest.mark.parametrize("options", [{}, {"force": True}, {"verify": True}])
def test_no_ingest_takes_it_out(library: Library, options: dict[str, bool]) -> None:
    keep(documents(library), FIRST)
    library.write("a.md", paragraphs("one"))
    library.ingest()
    os.unlink(library.root / "a.md")

    report = library.ingest(confirm_delete=True, **options)

    assert (report.files.gone, report.errors) == (1, [])
    assert current(library.db, PAGE) == FIRST.text
    assert manifest_problems(library.db) == []


def test_a_file_with_the_same_words_is_a_file_of_its_own(library: Library) -> None:
    keep(documents(library), FIRST)
    library.write("saved.md", FIRST.text)

    report = library.ingest()

    assert (report.files.new, report.files.moved) == (1, 0)
    assert current(library.db, PAGE) == FIRST.text
    assert library.text("saved.md") == FIRST.text


def test_it_is_found_by_its_words_address_tag_type_and_time(library: Library) -> None:
    keep(documents(library), FIRST, replace(FIRST, source_path=OTHER, text="# Other\n\nFaint.\n"))
    library.write("a.md", "The zodiac of files.\n")
    library.ingest()
    searcher = Searcher(library.db, open_chunk_index(library.db), lambda: library.model)

    def found(**options: object) -> list[str]:
        hits = searcher.search("zodiac faint", 9, SearchOptions(mode="text", **options))
        return [hit.path for hit in hits]

    assert set(found(path="https://example.org/**")) == {PAGE}
    assert set(found(path="http://**")) == {OTHER}
    assert set(found(path="example.org/*")) == {PAGE, OTHER}
    assert set(found(ext=["web"])) == set(found(tag=["page"])) == {PAGE, OTHER}
    assert set(found(since="2026-02-03", ext=["web"])) == {PAGE, OTHER}
    assert found(since="2026-02-04", ext=["web"]) == []


def test_dropped_it_is_gone_as_it_is_and_stays_as_it_was(either_library: Library) -> None:
    library = either_library
    kept = documents(library)
    keep(kept, FIRST)

    version = kept.drop([PAGE])

    assert version == 2
    assert kept.rows() == []
    assert DocumentReader(library.db).at_path(PAGE) is None
    assert current(library.db, PAGE, 1) == FIRST.text
    assert problems_of(library.db) == []
    assert keep(kept, FIRST).kept[0].state == "new"


@pytest.mark.parametrize("which", ["nothing", "a file"])
def test_only_what_is_kept_is_dropped(library: Library, which: str) -> None:
    kept = documents(library)
    keep(kept, FIRST)
    library.write("a.md", paragraphs("one"))
    library.ingest()
    name = library.path("a.md") if which == "a file" else "https://example.org/unknown"

    with pytest.raises(NotFoundError):
        kept.drop([PAGE, name])

    assert [row.url for row in kept.rows()] == [PAGE]
    assert library.paths() != []


def test_what_has_no_address_is_refused(library: Library) -> None:
    with pytest.raises(InvalidError, match="no web address"):
        keep(documents(library), replace(FIRST, source_path="/etc/passwd"))


def test_a_text_that_the_model_refuses_does_not_stop_the_others(library: Library) -> None:
    library.model.poison["bright"] = refusing

    report = keep(documents(library), SECOND, replace(FIRST, source_path=OTHER))

    assert [(error.url, error.code) for error in report.errors] == [(PAGE, "embedding")]
    assert [each.url for each in report.kept] == [OTHER]
    assert library_overview(library.db).errors == 0


def test_a_model_that_is_down_keeps_nothing(library: Library) -> None:
    library.model.poison[""] = refusing

    with pytest.raises(EmbeddingError):
        keep(documents(library), FIRST)

    assert problems_of(library.db) == []
    assert library_overview(library.db).version == 0


def test_what_a_transaction_gave_up_can_be_written_again(either_library: Library) -> None:
    library = either_library
    kept = documents(library)
    prepared = kept.prepare([FIRST])
    with pytest.raises(InterruptedError), library.db.transaction():  # noqa: PT012
        kept.write(prepared)
        raise InterruptedError
    # Meanwhile somebody else takes the version that ours would have had.
    keep(kept, replace(FIRST, source_path=OTHER))

    report = kept.write(prepared)

    assert (report.kept[0].state, report.version) == ("new", 2)
    assert problems_of(library.db) == []


def test_who_comes_second_leaves_what_the_first_has_kept(library: Library) -> None:
    kept = documents(library)
    late = kept.prepare([FIRST])
    with open_database(library.db.url) as other:
        keep(documents(replace(library, db=other)), SECOND)

    report = kept.write(late)

    assert (report.kept[0].state, report.version) == ("unchanged", None)
    assert current(library.db, PAGE) == SECOND.text


def test_status_and_statistics_tell_files_from_what_is_kept(either_library: Library) -> None:
    library = either_library
    cache = StatsCache(library.db)
    library.write("a.md", paragraphs("one"))
    library.ingest()
    before = cache.get()

    keep(documents(library), FIRST)

    overview, stats = library_overview(library.db), cache.get()
    assert (overview.files, overview.kept) == (1, 1)
    assert (before.documents, stats.documents) == (1, 2)
    assert {group.name for group in stats.by_type} == {".md", ".web"}
    assert "https://example.org" in {group.name for group in stats.by_folder}


def test_a_memory_rests_on_the_kept_words_and_is_stale_when_they_change(
    either_library: Library,
) -> None:
    library = either_library
    kept, memories = documents(library), MemoryStore(library.db)
    keep(kept, FIRST)

    by_words = memories.add("The light of the zodiac is faint.", source=PAGE).id
    by_line = memories.add("A line", source=f"{PAGE}#3").id
    elsewhere = memories.add("Elsewhere", source="https://example.org/unknown").id
    fresh = [memories.sources(each)[0] for each in (by_words, by_line, elsewhere)]
    keep(kept, SECOND)

    assert [source.kind for source in fresh] == ["chunk", "chunk", "url"]
    assert {source.ref for source in fresh[:2]} == {PAGE}
    found = [memories.get(each) for each in (by_words, by_line, elsewhere)]
    assert [memory.stale for memory in found if memory] == [True, True, False]
    # To have kept a page does not make it true.
    assert {memory.trust for memory in found if memory} == {"untrusted"}


def test_another_model_embeds_it_again_at_the_next_ingest(library: Library) -> None:
    from tests.test_ingest.library import Model

    keep(documents(library), FIRST)
    library.model = Model("other@1")

    report = library.ingest()

    assert report.chunks.embedded == 1
    assert keep(documents(library), FIRST).kept[0].state == "unchanged"


def documents(library: Library) -> KeptDocuments:
    watch = SourceWatch(library.db)
    settings = KeepSettings(SMALL, Limits(), utc_now, watch.chunks_changed)
    return KeptDocuments(library.db, open_chunk_index(library.db), lambda: library.model, settings)


def keep(kept: KeptDocuments, *texts: Said) -> KeepReport:
    return kept.write(kept.prepare(texts))


def current(db: Database, url: str, version: int | None = None) -> str:
    reader = DocumentReader(db)
    found = reader.at_path(url) if version is None else reader.at_path(url, version)
    assert found is not None
    chunks = reader.chunks([place.chunk_id for place in found.outline])
    return "".join(chunks[place.chunk_id].text for place in found.outline)
