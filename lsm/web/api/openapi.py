"""The description of the API (OpenAPI 3.1), made of the table that is served."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

import lsm
from lsm.web.api.shapes import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.web.api.operations import Operation

PREFIX = "/api/v1"
_ABOUT = (
    "What the commands do, over HTTP: the same verbs, and answers that are what `--json` prints. "
    "Every request carries the token of the home as a bearer. A list that goes on names its next "
    "page in the Link header (RFC 8288). Errors are problems (RFC 9457) with a stable code."
)
_TEMPLATE = "#/components/schemas/{name}"
_NAMED = re.compile(r"\{(\w+)\}")


def description(operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole document."""
    kinds: list[Any] = [Problem]
    for each in operations:
        kinds += [each.answers, each.query, *([each.body] if each.body else [])]
    shapes, named = msgspec.json.schema_components(kinds, ref_template=_TEMPLATE)
    told = dict(zip(map(_key, kinds), shapes, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(PREFIX + each.path, {})[each.method.lower()] = _operation(
            each, told, named
        )
    bodies = {each.body.__name__ for each in operations if each.body}
    queries = {each.query.__name__ for each in operations} - bodies  # shown as parameters
    return {
        "openapi": "3.1.0",
        "info": {"title": "Local Second Mind", "version": lsm.__version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {name: shape for name, shape in named.items() if name not in queries},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(each: Operation, told: dict[Any, Any], named: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": each.summary,
        "content": {each.media: {"schema": told[_key(each.answers)]}},
    }
    if each.paged:
        answer["headers"] = {"Link": {"schema": {"type": "string"}, "description": "The next page"}}
    if each.status in (201, 202) and each.method == "POST":
        answer["headers"] = {"Location": {"schema": {"type": "string"}, "required": True}}
    shown: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.summary,
        "tags": [each.path.split("/")[1]],
        "parameters": [*_in_path(each), *_in_query(told[_key(each.query)], named)],
        "responses": {str(each.status): answer, "default": _problem(told)},
    }
    if each.body is not None:
        content = {"application/json": {"schema": told[_key(each.body)]}}
        shown["requestBody"] = {"required": True, "content": content}
    return shown


def _in_path(each: Operation) -> list[dict[str, Any]]:
    shape = {"type": "string", "minLength": 1}
    return [
        {"name": name, "in": "path", "required": True, "schema": shape}
        for name in _NAMED.findall(each.path)
    ]


def _in_query(shape: dict[str, Any], named: dict[str, Any]) -> list[dict[str, Any]]:
    found = named[shape["$ref"].rpartition("/")[2]]
    required = found.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in found.get("properties", {}).items()
    ]


def _problem(told: dict[Any, Any]) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": told[_key(Problem)]}}
    return {"description": "What went wrong, and what to change.", "content": content}


def _key(kind: Any) -> str:
    return repr(kind)
