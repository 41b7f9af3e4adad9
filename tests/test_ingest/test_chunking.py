"""The chunker: what it promises of every document, and where it prefers to cut."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.ingest import chunking
from lsm.ingest.chunking import ChunkOptions, chunk
from lsm.ingest.document import Document, ParseError, Section

SMALL = ChunkOptions(target=40, maximum=60)

texts = st.text(st.sampled_from("ab.\n\n  \té\u0301\u200d。🇦`-#\u00a0"), max_size=400)
headings = st.lists(st.sampled_from(["A", "B"]), max_size=3).map(tuple)
pages = st.sampled_from([None, 1, 2])
sections = st.builds(Section, text=texts, heading=headings, page=pages)
documents = st.lists(sections, max_size=6).map(lambda s: Document(sections=tuple(s)))


@given(documents)
def test_chunks_partition_the_text(document: Document) -> None:
    whole = "".join(section.text for section in document.sections)

    chunks = chunk(document, SMALL)

    assert "".join(one.text for one in chunks) == (whole if whole.strip() else "")


@given(documents)
def test_no_chunk_is_blank_or_longer_than_the_maximum(document: Document) -> None:
    sizes = [len(one.text.strip()) for one in chunk(document, SMALL)]

    assert all(1 <= size <= SMALL.maximum for size in sizes)


@given(documents)
def test_a_chunk_has_one_page(document: Document) -> None:
    page_of = [s.page for s in document.sections for char in s.text if not char.isspace()]

    chunks = chunk(document, SMALL)

    assert [one.page for one in chunks for char in one.text if not char.isspace()] == page_of


@given(documents.filter(lambda document: len(document.sections) == 1))
def test_lines_are_those_of_the_first_and_last_character(document: Document) -> None:
    start = 0
    text = document.sections[0].text
    for one in chunk(document, SMALL):
        first = start + len(one.text) - len(one.text.lstrip())
        last = start + len(one.text.rstrip())
        assert one.start_line == 1 + text.count("\n", 0, first)
        assert one.end_line == 1 + text.count("\n", 0, last)
        start += len(one.text)


@given(documents)
def test_a_heading_holds_for_everything_in_its_chunk(document: Document) -> None:
    heading_of = [s.heading for s in document.sections for char in s.text if not char.isspace()]

    chunks = chunk(document, SMALL)

    at = 0
    for one in chunks:
        inside = heading_of[at : at + sum(not char.isspace() for char in one.text)]
        at += len(inside)
        # Below it, or a bare heading above it.
        assert all(
            heading[: len(one.heading)] == one.heading or one.heading[: len(heading)] == heading
            for heading in inside
        )


def test_lines_count_from_where_the_section_begins() -> None:
    document = Document(sections=(Section(text="\n\none\ntwo\n\n", start_line=10),))

    (only,) = chunk(document)

    assert (only.start_line, only.end_line) == (12, 13)


def test_a_document_of_blank_space_has_no_chunks() -> None:
    assert chunk(plain(" \n\n\t")) == []


def test_a_short_section_is_one_chunk() -> None:
    text = sentences(40)

    assert [one.text for one in chunk(plain(text))] == [text]


def test_big_sections_do_not_share_a_chunk() -> None:
    document = Document(sections=(section("A", sentences(60)), section("B", sentences(60))))

    assert [one.heading for one in chunk(document)] == [("A",), ("B",)]


def test_tiny_neighbours_share_a_chunk_under_their_common_heading() -> None:
    document = Document(
        sections=(section("T", "# T\n\n"), section("T/A", "## A\na\n"), section("T/B", "## B\nb\n"))
    )

    (only,) = chunk(document)

    assert only.heading == ("T",)


def test_a_bare_heading_goes_with_its_first_child() -> None:
    body = sentences(60)
    document = Document(sections=(section("T", "# T\n\n"), section("T/A", body)))

    (only,) = chunk(document)

    assert (only.text, only.heading) == ("# T\n\n" + body, ("T", "A"))


def test_cuts_fall_at_blank_lines_where_there_are_any() -> None:
    text = "".join(sentences(30) + "\n\n" for _ in range(30))

    chunks = chunk(plain(text))

    assert len(chunks) > 1
    assert all(one.text.endswith("\n\n") for one in chunks)


@pytest.mark.parametrize(
    ("piece", "ending"),
    [("a line of words\n", "\n"), ("One sentence of many. ", ". "), ("これは文です。", "。")],
)
def test_without_blank_lines_cuts_fall_at_the_next_best_place(piece: str, ending: str) -> None:
    chunks = chunk(plain(piece * 500))

    assert len(chunks) > 1
    assert all(one.text.endswith(ending) for one in chunks)


def test_a_fence_that_fits_is_not_cut() -> None:
    fence = "```\n" + "code()\n\n" * 150 + "```\n\n"
    text = sentences(80) + "\n\n" + fence + sentences(80) + "\n"

    chunks = chunk(plain(text))

    assert any(fence in one.text for one in chunks)


@pytest.mark.parametrize(
    "cluster",
    ["e\u0301\u0302", "\U0001f468\u200d\U0001f469", "\U0001f1e9\U0001f1ea", "\u1100\u1161"],
)
def test_characters_that_combine_are_not_parted(cluster: str) -> None:
    chunks = chunk(plain(cluster * 3000))

    assert len(chunks) > 1
    assert {one.text.replace(cluster, "") for one in chunks} == {""}


def test_a_cluster_longer_than_a_chunk_is_cut() -> None:
    chunks = chunk(plain("e" + "\u0301" * 10_000))

    assert [len(one.text) for one in chunks] == [2000] * 5 + [1]


@pytest.mark.parametrize("with_headings", [True, False])
@pytest.mark.parametrize("place", [3, 40])
def test_an_insertion_leaves_the_chunks_far_from_it_alone(place: int, with_headings: bool) -> None:
    paragraphs = [f"{sentences(random.Random(i).randint(3, 20), seed=i)}\n\n" for i in range(300)]
    before = chunk(by_heading(paragraphs) if with_headings else plain("".join(paragraphs)))
    paragraphs.insert(place, sentences(12, seed=999) + "\n\n")

    after = chunk(by_heading(paragraphs) if with_headings else plain("".join(paragraphs)))

    kept = {one.text for one in before} & {one.text for one in after}
    assert len(kept) >= 0.9 * len(before)


def test_an_insertion_among_tiny_sections_leaves_those_far_from_it_alone() -> None:
    entries = [section(f"Log/v{i}", f"## v{i}\n{sentences(2, seed=i)}\n\n") for i in range(300)]
    before = chunk(Document(sections=tuple(entries)))
    entries.insert(5, section("Log/new", "## new\nSomething else.\n\n"))

    after = chunk(Document(sections=tuple(entries)))

    kept = {one.text for one in before} & {one.text for one in after}
    assert len(kept) >= 0.9 * len(before)


def test_a_log_without_blank_lines_resynchronises_too() -> None:
    lines = [f"2026-01-01 12:00:{i} {sentences(1, seed=i)}\n" for i in range(2000)]
    before = chunk(plain("".join(lines)))
    lines.insert(10, "an unexpected line\n")

    after = chunk(plain("".join(lines)))

    kept = {one.text for one in before} & {one.text for one in after}
    assert len(kept) >= 0.9 * len(before)


def test_chunks_of_a_long_text_are_about_the_target() -> None:
    chunks = chunk(plain("".join(sentences(10, seed=i) + "\n\n" for i in range(300))))

    sizes = [len(one.text) for one in chunks]
    assert 1000 <= sum(sizes) / len(sizes) <= 1500
    assert min(sizes) >= 600


@pytest.mark.parametrize("extra", [0, 1])
def test_more_than_the_most_chunks_are_refused(extra: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunking, "MAX_CHUNKS", 10)
    pages = tuple(Section(text="words\n", page=number) for number in range(10 + extra))

    if extra:
        with pytest.raises(ParseError, match="10 chunks") as caught:
            chunk(Document(sections=pages))
        assert caught.value.code == "too_many_chunks"
    else:
        assert len(chunk(Document(sections=pages))) == 10


@pytest.mark.parametrize(("target", "maximum"), [(15, 100), (100, 99)])
def test_sizes_that_cannot_be_kept_are_refused(target: int, maximum: int) -> None:
    with pytest.raises(ValueError, match="chunk sizes"):
        ChunkOptions(target=target, maximum=maximum)


WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa")


def sentences(count: int, *, seed: int = 0) -> str:
    choose = random.Random(seed)
    made = (" ".join(choose.choices(WORDS, k=choose.randint(2, 7))) for _ in range(count))
    return " ".join(f"{sentence.capitalize()}." for sentence in made)


def plain(text: str) -> Document:
    return Document(sections=(Section(text=text),))


def section(path: str, text: str) -> Section:
    return Section(text=text, heading=tuple(path.split("/")))


def by_heading(paragraphs: list[str]) -> Document:
    # Headings go with the text, so that an insertion makes a section longer.
    groups: list[list[str]] = [[]]
    for paragraph in paragraphs:
        if hash_of(paragraph) % 8 == 0:
            groups.append([])
        groups[-1].append(paragraph)
    return Document(
        sections=tuple(
            Section(text=f"## {group[0][:20]}\n\n{''.join(group)}", heading=(group[0][:20],))
            for group in groups
            if group
        )
    )


def hash_of(text: str) -> int:
    return sum(text.encode())
