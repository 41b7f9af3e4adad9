"""What DOCX, PPTX and XLSX have in common: a package of XML parts in a zip file."""

import io
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from lsm.ingest.document import ParseError
from lsm.ingest.parsers.archive import Archive
from lsm.ingest.parsers.blocks import keywords, one_line, short


class CoreProperties(Protocol):
    """What the three libraries agree on; values are whatever they make of the file."""

    @property
    def title(self) -> str | None: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def keywords(self) -> str | None: ...
    @property
    def category(self) -> str | None: ...
    @property
    def created(self) -> object: ...
    @property
    def modified(self) -> object: ...
    @property
    def language(self) -> str | None: ...


def package(data: bytes) -> io.BytesIO:
    """The XML parts of an Office file, screened, as a zip file for a library to open.

    Raises:
        ParseError: what `Archive` raises, unsafe_xml, and wrong_format for other zip files.
    """
    archive = Archive(data)
    if "[Content_Types].xml" not in archive.names:
        raise ParseError("wrong_format", "it is a zip file, but not an Office document")
    return archive.copy_of_xml()


@contextmanager
def damage_told_plainly(what: str) -> Generator[None]:
    """Turn what Office libraries raise on a broken file into a `ParseError`."""
    try:
        yield
    except SyntaxError as error:
        # The base of the errors of lxml and of the standard library's XML parser.
        if "xcessive depth" in str(error):
            raise ParseError("too_deep", f"the XML inside the {what} is nested too deep") from error
        reason = f"the XML inside the {what} is broken: {one_line(error)}"
        raise ParseError("damaged", reason) from error
    except KeyError as error:
        reason = f"a part of the {what} is missing: {one_line(error.args[0] if error.args else '')}"
        raise ParseError("damaged", reason) from error
    except (ValueError, TypeError, AttributeError, IndexError, OSError, AssertionError) as error:
        # The libraries trust the file: whatever they trip over first is what they raise.
        reason = f"it is not a sound {what} ({type(error).__name__})"
        raise ParseError("damaged", reason) from error


def title_of(properties: CoreProperties) -> str | None:
    """The title that the file's author gave it."""
    return " ".join((properties.title or "").split())[:500] or None


def tags_of(properties: CoreProperties) -> tuple[str, ...]:
    """The keywords and the category of the file."""
    return keywords(properties.keywords, properties.category)


def metadata_of(properties: CoreProperties, author: str | None) -> dict[str, str]:
    """Author, subject, language and dates, as short texts."""
    return short(
        author=author,
        subject=properties.subject,
        language=properties.language,
        created=_date(properties.created),
        modified=_date(properties.modified),
    )


def _date(value: object) -> str:
    match = re.match(r"\d{4}-\d\d-\d\d", str(value))
    return match[0] if match else ""
