"""Jupyter notebooks: their prose and code in order, without what the code put out.

Line numbers are those of the text made here; a notebook's own lines are JSON.
"""

import json
from typing import Any

from lsm.ingest.document import Document, ParseError
from lsm.ingest.encoding import clean, decode, flag_hidden
from lsm.ingest.parsers.markdown import headings
from lsm.ingest.parsers.outline import outline


def parse(data: bytes, name: str) -> Document:  # noqa: ARG001
    """Markdown cells as they are, code cells fenced, by the headings of the Markdown cells.

    Raises:
        ParseError: "invalid_notebook", it is not a notebook's JSON.
    """
    text, flags = decode(data)
    if not text.strip():
        return Document(sections=())
    notebook = _load(text)
    language = _language(notebook)
    cells = (_render(cell, language) for cell in _cells(notebook))
    text = clean("".join(cell for cell in cells if cell))
    lines = text.split("\n")
    found = list(headings(lines))
    title = next((heading.title for heading in found if heading.level == 1), None)
    return Document(
        sections=outline(lines, found),
        title=title or None,
        metadata={"programming_language": language} if language else {},
        flags=flag_hidden(flags, text),
    )


def _load(text: str) -> dict[str, Any]:
    try:
        # Integers stay texts: Python refuses to convert those of 5,000 digits.
        notebook = json.loads(text, parse_int=str)
    except RecursionError as error:
        raise ParseError("invalid_notebook", "its JSON is nested too deep") from error
    except ValueError as error:
        raise ParseError("invalid_notebook", f"its JSON cannot be read: {error}") from error
    if not isinstance(notebook, dict):
        raise ParseError("invalid_notebook", "it is JSON, but not a notebook")
    return notebook


def _cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    cells = notebook.get("cells")
    if cells is None:
        # Format 3 and older: one worksheet holds the cells.
        sheets = notebook.get("worksheets")
        first = sheets[0] if isinstance(sheets, list) and sheets else None
        cells = first.get("cells") if isinstance(first, dict) else None
    if not isinstance(cells, list):
        raise ParseError("invalid_notebook", "it has no list of cells")
    return [cell for cell in cells if isinstance(cell, dict)]


def _language(notebook: dict[str, Any]) -> str:
    metadata = notebook.get("metadata")
    kernel = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    language = kernel.get("language") if isinstance(kernel, dict) else None
    return language if isinstance(language, str) and language.isalnum() else ""


def _render(cell: dict[str, Any], language: str) -> str:
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str) or not source.strip():
        return ""
    source = source.strip("\n")
    if cell.get("cell_type") == "code":
        # A fence longer than any in the code, or the code would end it.
        fence = "```" if "```" not in source else "~~~~~~~~"
        return f"{fence}{language}\n{source}\n{fence}\n\n"
    return source + "\n\n"
