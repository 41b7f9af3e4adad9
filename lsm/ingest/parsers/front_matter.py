"""The YAML or TOML block some Markdown files begin with."""

import re
from dataclasses import dataclass, field
from typing import Any

from lsm.ingest.parsers.outline import plain

_FENCES = {"---": ("---", "..."), "+++": ("+++",)}
_MAX_SIZE = 64 * 1024  # characters
_MAX_ALIASES = 32  # more is not a person's way to write a title and some tags
_MAX_DEPTH = 32
_MAX_TAGS = 200
_SEPARATORS = re.compile(r"[,;\n]")


@dataclass(frozen=True)
class FrontMatter:
    """What a file says about itself before it begins."""

    lines: int  # that it takes, fences counted; 0: there is none
    title: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    ignored: bool = False  # it is there and cannot be used


def read_front_matter(lines: list[str]) -> FrontMatter:
    """The front matter of a file of *lines*. Never fails: what is bad is ignored, and said so."""
    closing = _FENCES.get(lines[0].rstrip())
    if closing is None:
        return FrontMatter(0)
    end = next((i for i in range(1, len(lines)) if lines[i].rstrip() in closing), None)
    if end is None:
        return FrontMatter(0)
    text = "\n".join(lines[1:end])
    load = _load_yaml if closing[0] == "---" else _load_toml
    fields = load(text) if len(text) <= _MAX_SIZE else None
    if not isinstance(fields, dict):
        # Two thematic breaks with nothing between are not bad front matter.
        return FrontMatter(end + 1, ignored=bool(text.strip()))
    known = {str(key).lower(): value for key, value in fields.items()}
    return FrontMatter(
        lines=end + 1,
        title=_text(known.get("title")),
        tags=_tags(known.get("tags"), known.get("keywords"), known.get("tag")),
        metadata=_metadata(known),
    )


def _load_yaml(text: str) -> Any:
    """Plain texts, lists and mappings, whatever tags say; None where YAML or a limit is broken."""
    import yaml

    # The base loader makes no objects, dates or numbers, and merges nothing: stricter than the
    # safe one, and a date stays as it was written.
    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        return yaml.load(text, loader) if _is_harmless(yaml.parse(text, loader)) else None  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _is_harmless(events: Any) -> bool:
    import yaml

    depth = aliases = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            aliases += 1
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        tag = getattr(event, "tag", None)
        if aliases > _MAX_ALIASES or depth > _MAX_DEPTH or (tag and "python" in tag):
            return False
    return True


def _load_toml(text: str) -> Any:
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def _metadata(known: dict[str, Any]) -> dict[str, str]:
    sources = {
        "author": known.get("author") or known.get("authors"),
        "date": known.get("date") or known.get("created"),
        "language": known.get("lang") or known.get("language"),
    }
    return {key: text for key, value in sources.items() if (text := _text(value))}


def _text(value: Any) -> str | None:
    """A short text out of a scalar, a list of them, or a mapping with a name."""
    if isinstance(value, dict):
        value = value.get("name")
    if isinstance(value, list):
        return plain(", ".join(filter(None, map(_scalar, value[:20])))) or None
    return _scalar(value)


def _scalar(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("name")
    if value is None or isinstance(value, dict | list) or value in ("", "~", "null"):
        return None
    return plain(str(value)) or None


def _tags(*values: Any) -> tuple[str, ...]:
    """Tags as a list, or as one text with commas (or spaces, where it has no comma)."""
    found: list[str] = []
    for value in values:
        if isinstance(value, str):
            parts = _SEPARATORS.split(value) if _SEPARATORS.search(value) else value.split()
        else:
            parts = [_scalar(one) or "" for one in value] if isinstance(value, list) else []
        found.extend(plain(part).removeprefix("#") for part in parts[:_MAX_TAGS])
    return tuple(dict.fromkeys(tag for tag in found if tag))[:_MAX_TAGS]
