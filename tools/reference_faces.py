"""The pages on what programs call: the tools of the MCP server, and the HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from reference_schema import table

from lsm import errors
from lsm.agents.cron import CronError
from lsm.config.models.agents import MemoryConfig
from lsm.mcp import fence
from lsm.mcp.clients import NAMES, Machine, find_client
from lsm.mcp.tools import TOOLS
from lsm.web.api import OPERATIONS, PREFIX
from lsm.web.api.inputs import properties
from lsm.web.api.problems import api_status, code_of
from lsm.web.keys import TOKEN_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lsm.mcp.tools import Tool
    from lsm.web.api.operations import Operation

_A_DAY = MemoryConfig().candidates_per_author
_MCP = f"""\
# MCP tools

`lsm mcp` serves these over standard input and output, `lsm serve` at `/mcp` over streamable HTTP.
Every result is JSON, as text and as structured content. Words of documents, memories and web pages
stand between `<lsm-data source="..." trust="...">` and `</lsm-data>`, marks that they cannot write
themselves. A result carries at most {fence.MAX_TEXT:,} bytes of such words. What is wrong with a
call is told in one line, as the result of the tool.

How to connect an assistant: [use with assistants](../how-to/use-with-assistants.md).

| Started with | Memories an assistant adds | Sources it may ask |
| --- | --- | --- |
| nothing | wait for a review, at most {_A_DAY} a day | those enabled but `page` |
| `--trusted` | are remembered at once, as reviewed | those enabled |
| `--read-only` | cannot be added | those enabled but `page` |"""
_CLIENTS = """\
## Where `lsm mcp install` writes

`CLAUDE_CONFIG_DIR` and, on Linux, `XDG_CONFIG_HOME` are followed; `--path` names another file."""
_API = f"""\
# HTTP API

`lsm serve` answers below `{PREFIX}`; `{PREFIX}/openapi.json` describes it for programs (OpenAPI
3.1). Every request carries the token of the home: `Authorization: Bearer TOKEN`. It is in the file
`{TOKEN_NAME}` of the home.

Answers are what the command prints with `--json`. A list that goes on names its next page in the
`Link` header (RFC 8288). A request that changes something has a JSON object as its body, if only
`{{}}`. What begins something long answers 202, and `Location` says where to look.

```text
curl -H "Authorization: Bearer $(cat ~/mind/{TOKEN_NAME})" \\
  'http://127.0.0.1:8321{PREFIX}/search?query=kiln&k=3'
```"""
_EVENTS = f"""\
## Following a job

`GET {PREFIX}/jobs/{{job_id}}/events` is a stream of server-sent events. Each carries the job's row
as JSON; its name is `progress` until the last one, which is `completed` or `failed`. Jobs of other
processes, such as an `lsm ingest` in a terminal, can be followed as well."""
_PROBLEMS = """\
## Problems

An error is `application/problem+json` (RFC 9457): `status`, `title`, a stable `code`, a `detail` of
one line that names what to change, and the `request_id` that the server's log names. What a remote
source did wrong has status 502 and the source's own code."""


def mcp_tools() -> str:
    """Every tool of the MCP server."""
    parts = [_MCP]
    for tool in TOOLS:
        parts += [f"## {tool.name}", _sentence(tool), _fields(tool.takes)]
    return "\n\n".join([*parts, _CLIENTS, _places()])


def http_api() -> str:
    """Every operation of the HTTP API."""
    parts = [_API]
    for group in dict.fromkeys(each.path.split("/")[1] for each in OPERATIONS):
        parts.append(f"## {group}")
        for each in OPERATIONS:
            if each.path.split("/")[1] == group:
                parts += [f"### {each.method} {each.path}", *_operation(each)]
    return "\n\n".join([*parts, _EVENTS, _PROBLEMS, _codes()])


def _sentence(tool: Tool) -> str:
    does = "Changes something" if tool.writes else "Only reads"
    outside = "; asks servers on the internet" if tool.asks_outside else ""
    return f"{tool.description}\n\n*{does}{outside}.*"


def _operation(each: Operation) -> Iterable[str]:
    yield f"{each.summary} Answers {each.status}{', page by page' if each.paged else ''}."
    if each.query.__struct_fields__:
        yield _fields(each.query, "Parameter")
    if each.body is not None and each.body.__struct_fields__:
        yield _fields(each.body, "Body")


def _fields(kind: type[Any], what: str = "Argument") -> str:
    required = {field.name for field in msgspec.structs.fields(kind) if field.required}
    rows = [
        (
            f"`{name}`{'' if name in required else ' (optional)'}",
            _type(shape),
            shape.get("description", ""),
        )
        for name, shape in properties(kind).items()
    ]
    if not rows:
        return "It takes no arguments."
    if not any(meaning for _, _, meaning in rows):
        return table((what, "Type"), [row[:2] for row in rows])
    return table((what, "Type", "Meaning"), rows)


def _type(shape: Mapping[str, Any]) -> str:
    default = shape.get("default")
    given = (
        f"; default `{msgspec.json.encode(default).decode()}`"
        if default not in (None, "", (), {})
        else ""
    )
    if "enum" in shape:
        return "one of " + ", ".join(f"`{value}`" for value in shape["enum"]) + given
    if shape.get("type") == "array":
        return f"list: {_type(shape['items'])}"
    bounds = {"minimum": "from", "maximum": "to", "maxLength": "at most"}
    told = [f"{word} {shape[key]:,}" for key, word in bounds.items() if key in shape]
    unit = " characters" if "maxLength" in shape else ""
    name = {"string": "text", "boolean": "true or false", "object": "object"}.get(
        str(shape.get("type", "")), str(shape.get("type", "anything"))
    )
    return f"{name}{', ' if told else ''}{' '.join(told)}{unit}{given}"


def _places() -> str:
    machines = {
        "macOS": Machine("darwin", "~", {}),
        "Linux": Machine("linux", "~", {}),
        "Windows": Machine("win32", "~", {}),
    }
    clients = [find_client(name) for name in NAMES]
    rows = [
        (
            f"`{client.name}`",
            f"`{client.section}`",
            *(f"`{client.path(machine)}`" for machine in machines.values()),
        )
        for client in clients
    ]
    return table(("Client", "Under", *machines), rows)


def _codes() -> str:
    known: list[type[Exception]] = [CronError]
    known += [kind for kind in vars(errors).values() if isinstance(kind, type)]
    rows = [
        (f"`{code_of(error)}`", str(api_status(error)), (kind.__doc__ or "").splitlines()[0])
        for kind in known
        if issubclass(kind, errors.LsmError)
        for error in [kind.__new__(kind)]
    ]
    return table(("Code", "Status", "When"), sorted(rows))
