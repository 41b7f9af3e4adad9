"""The bundled sample: complete, readable by the libraries that LSM reads with, and as generated."""

import email
import email.policy
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import docx
import openpyxl
import pptx
import pypdfium2
import pytest

from lsm.sample import QUESTION, SEARCHES, library_path
from tests.sample_questions import QUESTIONS

LIBRARY = Path(library_path())
GENERATOR = Path(__file__).parent.parent / "tools" / "make_sample.py"
KINDS = {
    ".md": 19,
    ".txt": 3,
    ".rst": 2,
    ".html": 3,
    ".pdf": 2,
    ".docx": 2,
    ".eml": 2,
    **dict.fromkeys((".pptx", ".xlsx", ".csv", ".epub", ".odt", ".ipynb", ".json", ".jsonl"), 1),
    **dict.fromkeys((".yaml", ".toml", ".py", ".sql"), 1),
}
TEXTS = {".md", ".txt", ".rst", ".html", ".eml", ".csv", ".yaml", ".toml", ".json", ".jsonl"}


def test_the_library_holds_every_kind_of_document() -> None:
    kinds = Counter(path.suffix for path in documents())

    assert kinds == KINDS


def test_the_library_is_smaller_than_600_kilobytes() -> None:
    size = sum(path.stat().st_size for path in files())

    assert size < 600_000


def test_two_folders_carry_tags() -> None:
    found = {
        path.relative_to(LIBRARY).as_posix(): json.loads(path.read_text("utf-8"))
        for path in files()
        if path.name == ".lsm_tags.json"
    }

    assert found == {
        "studio/.lsm_tags.json": {"tags": ["studio", "ceramics"]},
        "observatory/solar/.lsm_tags.json": {"tags": ["solar", "energy"]},
    }


def test_the_thirty_questions_are_different_and_their_answers_exist() -> None:
    missing = [path for _, path in QUESTIONS if not (LIBRARY / path).is_file()]

    assert missing == []
    assert len({question for question, _ in QUESTIONS}) == 30


def test_the_tour_searches_for_a_number_that_stands_in_one_text_only() -> None:
    texts = [path for path in documents() if SEARCHES[0].encode() in path.read_bytes()]

    assert [path.name for path in texts] == ["harbour-black.md"]


def test_the_second_search_of_the_tour_shares_no_word_with_any_text() -> None:
    texts = [path.read_text("utf-8") for path in documents() if path.suffix in TEXTS]

    words = {word for text in texts for word in re.findall(r"\w+", text.lower())}

    assert not words & set(SEARCHES[1].split())


def test_the_two_policies_answer_the_question_of_the_tour_differently() -> None:
    folder = LIBRARY / "studio/policies"

    old = (folder / "returns-policy-2024.md").read_text("utf-8")
    new = (folder / "returns-policy-2026.md").read_text("utf-8")

    assert "crazed" in QUESTION
    assert "is not a reason for a refund" in " ".join(old.split())
    assert "crazing on functional ware is a fault" in new


@pytest.mark.parametrize(
    ("path", "page", "words"),
    [
        ("observatory/papers/sky-brightness-survey.pdf", 1, "A two-year sky survey"),
        ("observatory/papers/sky-brightness-survey.pdf", 3, "Quay, Port Ammer 19.84 20.41 +0.57"),
        ("observatory/papers/sky-brightness-survey.pdf", 5, "page 5 of 5"),
        ("observatory/solar/feasibility-report.pdf", 4, "€12,600 in 84 shares"),
        ("observatory/solar/feasibility-report.pdf", 5, "earth ring of 50 mm2 copper"),
    ],
)
def test_a_page_of_a_pdf_has_its_text(path: str, page: int, words: str) -> None:
    document = pypdfium2.PdfDocument(LIBRARY / path)

    text = document[page - 1].get_textpage().get_text_range()

    assert words in " ".join(text.split())
    assert len(document) == 5


@pytest.mark.parametrize(
    ("path", "heading", "cell"),
    [
        ("studio/firing/element-replacement.docx", "First firing", "29.6"),
        ("observatory/solar/grant-application.docx", "2. What we ask for", "57.7 %"),
    ],
)
def test_a_word_document_has_headings_and_a_table(path: str, heading: str, cell: str) -> None:
    document = docx.Document(str(LIBRARY / path))

    headings = [
        paragraph.text
        for paragraph in document.paragraphs
        if paragraph.style is not None and paragraph.style.name == "Heading 1"
    ]
    cells = [found.text for row in document.tables[0].rows for found in row.cells]

    assert heading in headings
    assert cell in cells


def test_the_slides_have_titles_and_speaker_notes() -> None:
    deck = pptx.Presentation(str(LIBRARY / "studio/classes/beginners-wheel-course.pptx"))

    titles = [slide.shapes.title.text for slide in deck.slides if slide.shapes.title]
    notes = [
        slide.notes_slide.notes_text_frame.text
        for slide in deck.slides
        if slide.notes_slide.notes_text_frame
    ]

    assert titles[1] == "Week 1: Centring"
    assert len(titles) == 7
    assert all(notes)


def test_the_workbook_has_two_sheets_with_numbers_in_them() -> None:
    book = openpyxl.load_workbook(LIBRARY / "studio/glazes/glaze-recipes.xlsx", read_only=True)

    recipes = list(book["Recipes"].iter_rows(values_only=True))
    tiles = list(book["Test tiles"].iter_rows(values_only=True))
    book.close()

    parts = [[part for part in row[3:12] if isinstance(part, int)] for row in recipes[1:]]
    assert [sum(recipe) for recipe in parts] == [100] * 6
    assert [row[0] for row in tiles[1:]] == list(range(201, 215))


@pytest.mark.parametrize(
    ("path", "mimetype", "member", "words"),
    [
        (
            "observatory/visitor-handbook.epub",
            "application/epub+zip",
            "OEBPS/chapter-3.xhtml",
            "the Three Rowers",
        ),
        (
            "studio/lease-renewal-letter.odt",
            "application/vnd.oasis.opendocument.text",
            "content.xml",
            "two cylinders of 47 kg",
        ),
    ],
)
def test_a_zipped_text_names_its_type_first(
    path: str, mimetype: str, member: str, words: str
) -> None:
    with zipfile.ZipFile(LIBRARY / path) as archive:
        first = archive.infolist()[0]

        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert archive.read("mimetype").decode() == mimetype
        assert words in archive.read(member).decode()


def test_both_parts_of_the_mail_say_the_same() -> None:
    raw = (LIBRARY / "observatory/solar/installer-reply.eml").read_bytes()
    message = email.message_from_bytes(raw, policy=email.policy.default)

    plain = message.get_body(("plain",))
    html = message.get_body(("html",))

    assert plain is not None
    assert html is not None
    assert "from 7 to 12 years, until 30 April 2037" in plain.get_content()
    assert "from 7 to 12 years, until 30 April 2037" in html.get_content()


def test_the_binary_documents_are_what_the_generator_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, GENERATOR, tmp_path], check=True, capture_output=True)

    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*"))
    different = [
        str(path) for path in written if contents(tmp_path / path) != contents(LIBRARY / path)
    ]

    assert len(written) == 8
    assert different == []


def contents(path: Path) -> dict[str, bytes]:
    """What is in a file, unpacked: another zlib packs the same members into other bytes."""
    raw = path.read_bytes()
    if not raw.startswith(b"PK"):
        return {"": raw}
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def files() -> list[Path]:
    return [
        Path(folder, name)
        for folder, _, names in os.walk(LIBRARY)
        for name in names
        if "__pycache__" not in folder
    ]


def documents() -> list[Path]:
    return [path for path in files() if path.name != ".lsm_tags.json"]
