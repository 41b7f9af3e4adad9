"""What a parser makes of a file, and what the chunker makes of that.

These values cross a process border (the parser runs in a killable child), so they
are msgspec structs: typed, small, and encoded as JSON.
"""

import msgspec


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A run of text under one heading.

    The texts of a document's sections, joined, are the document's text: nothing is
    left out and nothing stands twice.
    """

    text: str  # line ends are "\n"; no NUL; keeps its blank lines and its last "\n"
    heading: tuple[str, ...] = ()  # from the outermost heading to the innermost
    start_line: int = 1  # 1-based line, in the file, of the first line of `text`
    page: int | None = None  # 1-based, only where the format has pages (or slides)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed file."""

    sections: tuple[Section, ...]
    title: str | None = None  # None: the file names none; the caller falls back to its name
    tags: tuple[str, ...] = ()  # from front matter or keywords of the file itself
    # Author, date, language and the like: short texts only.
    metadata: dict[str, str] = {}
    # What the reader should know: "encoding_guess", "no_text_layer", "invalid_bytes",
    # "hidden_characters", "front_matter_ignored", "truncated".
    flags: tuple[str, ...] = ()


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a document that is searched and shown as one.

    The texts of a document's chunks, joined in order, are the document's text again.
    """

    text: str
    heading: tuple[str, ...]
    start_line: int  # 1-based, of the first line of `text` that is not blank
    end_line: int  # 1-based and inclusive, of the last line that is not blank
    page: int | None


class ParseError(Exception):
    """A file cannot be read as what it seems to be."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code  # stable, e.g. "encrypted"; see docs/reference/ingest-codes.md
        self.reason = reason  # one plain line for the person whose file it is
