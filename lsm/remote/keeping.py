"""Results as documents of the library."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsm.remote.results import Found

_LONGEST_VALUE = 2000  # characters of one piece of metadata
_MOST_TAGS, _LONGEST_TAG = 20, 100


@dataclass(frozen=True)
class KeptDocument:
    """What the library is given of a result."""

    source_path: str  # its URL
    title: str
    text: str  # Markdown: the title, who and when, the URL, and all the source gave
    tags: tuple[str, ...]
    modified_at: str | None  # when it was published
    # What the source says besides, as short texts; "provider" and "retrieved_at" always.
    metadata: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def content_hash(self) -> str:
        """SHA-256 of the text, 64 hex digits: kept again unchanged, nothing is new."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def kept_document(result: Found, provider: str, retrieved_at: str, asked: str = "") -> KeptDocument:
    """*result*, fetched from *provider* at *retrieved_at*, as a document.

    Args:
        result: what was found.
        provider: who said it; a tag of the document.
        retrieved_at: when.
        asked: the address of a page as somebody typed it, which may have led to another.
    """
    metadata = dict(_texts(result)) | {"provider": provider, "retrieved_at": retrieved_at}
    return KeptDocument(
        source_path=asked or address_of(result),
        title=result.title,
        text=_markdown(result),
        tags=tuple(dict.fromkeys((provider, *_categories(result)))),
        modified_at=result.published,
        metadata=metadata,
    )


def address_of(result: Found) -> str:
    """What *result* is kept under; "" if it has nothing of the kind."""
    # Feeds may give items no address; they are told apart by their id within the feed.
    feed = result.metadata.get("feed_url", "")
    return result.url or (f"{feed}#{result.metadata.get('id', '')}" if feed else "")


def _categories(result: Found) -> Iterator[str]:
    for tag in (result.metadata.get("categories") or ())[:_MOST_TAGS]:
        if name := " ".join(str(tag).split())[:_LONGEST_TAG]:
            yield name


def _markdown(result: Found) -> str:
    authors = ", ".join(str(name) for name in result.metadata.get("authors") or ())
    venue = str(result.metadata.get("venue") or result.metadata.get("feed") or "")
    day = (result.published or "")[:10]
    byline = " · ".join(part for part in (authors, venue, day) if part)
    # A page's first heading is its title once more, as a rule.
    text = result.text.removeprefix(f"## {result.title}\n").lstrip("\n")
    parts = (f"# {result.title}", byline, result.url and f"<{result.url}>", text)
    return "\n\n".join(part for part in parts if part) + "\n"


def _texts(result: Found) -> Iterator[tuple[str, str]]:
    for key, value in result.metadata.items():
        listed = value if isinstance(value, list) else [value]
        text = ", ".join(str(each) for each in listed if not isinstance(each, (dict, list)))
        if text and key not in ("new", "categories"):
            yield key, text[:_LONGEST_VALUE]
