"""JSON Schemas of tools, as small as they can be and still say everything."""

from __future__ import annotations

from typing import Any

import msgspec


def input_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of *kind*, in one piece: some clients do not follow references."""
    whole = msgspec.json.schema(kind)
    return _plain({"$ref": whole["$ref"]}, whole["$defs"])


def output_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """As `input_schema`; what a result holds has no defaults, it is all there."""
    return _without_defaults(input_schema(kind))


def _plain(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_plain(each, definitions) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        found = dict(definitions[name])
        # Class names and their docstrings mean nothing to a client.
        found.pop("title", None)
        found.pop("description", None)
        return _plain(found, definitions)
    kept = {key: value for key, value in node.items() if not _says_nothing(key, value)}
    return {key: _plain(value, definitions) for key, value in kept.items()}


def _says_nothing(key: str, value: object) -> bool:
    return (key == "default" and value in ("", (), None)) or (key == "required" and not value)


def _without_defaults(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_defaults(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: _without_defaults(value) for key, value in node.items() if key != "default"}
