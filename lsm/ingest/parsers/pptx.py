"""PowerPoint presentations: a slide is a page; its notes follow it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lsm.ingest.document import Document, ParseError
from lsm.ingest.parsers.blocks import Blocks
from lsm.ingest.parsers.ooxml import damage_told_plainly, metadata_of, package, tags_of, title_of

if TYPE_CHECKING:
    from pptx.slide import Slide

MAX_SLIDES = 5_000
_MAX_GROUPS = 20  # groups within groups


def parse(data: bytes, name: str) -> Document:
    """One section a slide under the slide's title, and one for its notes, if it has any.

    Raises:
        ParseError: too_many_pages, and see `lsm.ingest.parsers.ooxml`.
    """
    del name
    import pptx

    buffer = package(data)
    with damage_told_plainly("presentation"):
        presentation = pptx.Presentation(buffer)
        if len(presentation.slides) > MAX_SLIDES:
            raise ParseError("too_many_pages", f"it has more than {MAX_SLIDES:,} slides")
        blocks = Blocks()
        for number, slide in enumerate(presentation.slides, start=1):
            _read_slide(slide, number, blocks)
        properties = presentation.core_properties
        return Document(
            sections=blocks.sections(),
            title=_given_title(title_of(properties)),
            tags=tags_of(properties),
            metadata=metadata_of(properties, properties.author),
        )


def _read_slide(slide: "Slide", number: int, blocks: Blocks) -> None:
    title = slide.shapes.title
    title_text = title.text_frame.text if title is not None else ""
    heading = " ".join(title_text.split())
    blocks.path((heading,) if heading else (), page=number)
    blocks.paragraph(title_text)
    title_id = None if title is None else title.shape_id
    for shape in slide.shapes:
        if shape.shape_id != title_id:
            _read_shape(shape, blocks, _MAX_GROUPS)
    notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    if notes is not None and notes.text.strip():
        blocks.path((heading, "Notes") if heading else ("Notes",), page=number)
        blocks.paragraph(notes.text)


def _read_shape(shape: Any, blocks: Blocks, groups_left: int) -> None:
    if shape.has_text_frame:
        _read_paragraphs(shape.text_frame.paragraphs, blocks)
    elif getattr(shape, "has_table", False):
        for row in shape.table.rows:
            cells = (" ".join(cell.text_frame.text.split()) for cell in row.cells)
            blocks.line("\t".join(cells).rstrip("\t"))
    elif hasattr(shape, "shapes") and groups_left:
        for member in shape.shapes:
            _read_shape(member, blocks, groups_left - 1)


def _read_paragraphs(paragraphs: Iterable[Any], blocks: Blocks) -> None:
    """A text box as one block: its lines are points of one list more often than not."""
    lines = ("  " * paragraph.level + paragraph.text for paragraph in paragraphs)
    blocks.paragraph("\n".join(line for line in lines if line.strip()))


def _given_title(title: str | None) -> str | None:
    # What PowerPoint and python-pptx write when nobody gave one.
    return None if title in ("PowerPoint Presentation", "Presentation") else title
