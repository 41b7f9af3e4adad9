"""Headings, paragraphs and lines to sections: what the parsers of binary formats share."""

import re

from lsm.ingest.document import ParseError, Section

MAX_TEXT = 64 * 2**20  # characters of one document
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")


class Blocks:
    """Takes blocks of text in reading order and makes sections of them.

    Formats without lines of their own get those of their text, counted through the
    whole document, so that two sections never claim the same line.
    """

    def __init__(self) -> None:
        self._sections: list[Section] = []
        self._headings: list[tuple[int, str]] = []
        self._page: int | None = None
        self._text: list[str] = []
        self._line = 1
        self._size = 0
        self._tight = False

    def heading(self, text: str, level: int) -> None:
        """Begin a section under *text*; level 1 is the outermost. Its line is text, too."""
        shown = " ".join(clean(text).split())
        if not shown:
            return
        self._finish()
        self._headings = [entry for entry in self._headings if entry[0] < level]
        self._headings.append((level, shown[:200]))
        self.paragraph(text)

    def path(self, headings: tuple[str, ...], *, page: int | None = None) -> None:
        """Begin a section under *headings*, which are not part of the text."""
        self._finish()
        self._headings = list(enumerate(headings, start=1))
        self._page = page

    def paragraph(self, text: str) -> None:
        """Add a block that stands apart from its neighbours."""
        self._add(text, tight=False)

    def line(self, text: str) -> None:
        """Add a block that belongs to the ones around it: a list item, a table row."""
        self._add(text, tight=True)

    def sections(self) -> tuple[Section, ...]:
        """What has been collected, in order; sections without text are left out."""
        self._finish()
        return tuple(self._sections)

    def _add(self, text: str, *, tight: bool) -> None:
        block = clean(text).strip("\n")
        if not block.strip():
            return
        self._size += len(block)
        if self._size > MAX_TEXT:
            raise ParseError("too_large", f"its text is over {MAX_TEXT >> 20} million characters")
        if self._text and not (tight and self._tight):
            self._text.append("\n")
        self._text.append(block + "\n")
        self._tight = tight

    def _finish(self) -> None:
        if not self._text:
            return
        # The blank line keeps the sections apart when their texts are joined.
        text = "".join(self._text) + "\n"
        heading = tuple(shown for _, shown in self._headings)
        self._sections.append(
            Section(text=text, heading=heading, start_line=self._line, page=self._page)
        )
        self._line += text.count("\n")
        self._text = []


def clean(text: str) -> str:
    r"""*text* without NUL and with ``"\n"`` as its only line end."""
    return _LINE_ENDS.sub("\n", text.replace("\0", ""))


def one_line(value: object) -> str:
    """*value* as at most 200 printable characters, for the reason of an error."""
    line = " ".join(str(value).split())[:200]
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def keywords(*values: str | None) -> tuple[str, ...]:
    """The words or phrases of comma- or semicolon-separated lists, each once, in order."""
    parts = (part.strip() for value in values for part in re.split(r"[,;\n]", value or ""))
    return tuple(dict.fromkeys(part[:200] for part in parts if part))


def short(**values: object) -> dict[str, str]:
    """Metadata without the empty entries, each value one line of at most 500 characters."""
    texts = {name: " ".join(str(value or "").split())[:500] for name, value in values.items()}
    return {name: text.replace("\0", "") for name, text in texts.items() if text}
