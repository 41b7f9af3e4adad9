"""Agent memory beside LangGraph's SqliteStore and the MCP memory server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmarks.findings import Finding, Table, interleaved, median, ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.memory_peers import Peers, Server, Store

_STORES = ("lsm", "SqliteStore")
_ROUNDS = 5
_FULL = 2  # of PRAGMA synchronous
_CALLS = {"put": 20, "get": 100, "list": 5, "list_one": 20, "search": 5}  # in a round
_NAMES = {
    "put": "put, a commit each",
    "get": "get by key",
    "list": "ten by filter, 1 in 100 qualifies",
    "list_one": "the same below one user of ten",
    "search": "ten by meaning and filter, 1 in 4 qualifies",
}
_CHECKS = {
    "keeps_created_at": "created_at survives an update",
    "failed_batch_changes_nothing": "a batch whose embedding fails changes nothing",
    "delete_leaves_no_vector": "a deleted memory leaves no vector",
    "erasing_leaves_no_byte": "an erased memory leaves no byte in the file",
    "pages_are_complete": "five pages of a vector search hold all 50",
    "filtered_ten": "ten are found where ten qualify",
    "filtered_ten_of_three_texts": "... each with three indexed fields",
    "keyword_ranks_first": "a match by keyword alone ranks first",
    "metadata_keeps_scope": "no metadata changes the scope",
    "opened_no_socket": "no socket is opened",
}
_WRITERS, _WRITES = 4, 50
_TOGETHER = f"{_WRITERS} processes x {_WRITES} writes: no error, and all are there"


def battery(peers: Peers) -> Finding:
    """What must hold for memories to be trusted, checked on each store."""
    columns = {name: _checked(peers, name) for name in _STORES}
    columns["MCP memory server"] = _server_checked(peers)
    rows = tuple(
        (question, *(_verdict(columns[name].get(question)) for name in columns))
        for question in (*_CHECKS.values(), _TOGETHER)
    )
    about = (
        "Each check puts memories into an empty store and looks at what is left. LSM runs as a "
        f"LangGraph store through the same calls as SqliteStore. {_versions(peers)}"
    )
    note = (
        "`-`: the server has no such thing (times of creation, pages, ranks, filters, scopes, "
        "vectors), or could not be run here. Its failed batch is one of two observations, the "
        "second about an entity that does not exist. LSM erases with `purge`, SqliteStore and the "
        "server with the one deletion they have."
    )
    return Finding("Memory that can be trusted", about, Table(("", *columns), rows), (note,))


def speed(peers: Peers, sizes: list[int]) -> Finding:
    """Put, get, list and search in stores of each of *sizes*."""
    rows = tuple(row for size in sizes for row in _measured(peers, size))
    about = (
        "LangGraph's interface on both sides: the same paragraphs, the same embedder, WAL and "
        f"`synchronous=FULL`, a process each, {_ROUNDS} rounds in turn, medians of a round's mean "
        f"call. A filled store was put in batches of 1,000. {_versions(peers)}"
    )
    note = (
        "Both sync once a commit, as asserted before the clock starts. A put of LSM also writes "
        "the full text, the history and the labels that filters read, about three times the pages."
    )
    head = ("memories", "", "lsm", "SqliteStore", "SqliteStore / lsm")
    return Finding("Memory, beside LangGraph's SqliteStore", about, Table(head, rows), (note,))


def _measured(peers: Peers, size: int) -> list[tuple[str, ...]]:
    with peers.store("lsm") as ours, peers.store("SqliteStore") as theirs:
        stores = {"lsm": ours, "SqliteStore": theirs}
        filled = {name: [store.ask("fill", size)] for name, store in stores.items()}
        durability = {name: store.ask("durability") for name, store in stores.items()}
        assert all(each == ["wal", _FULL] for each in durability.values()), durability
        rows = [_row(size, "fill, in all", filled, 1.0)]
        for method, count in _CALLS.items():
            for store in stores.values():
                store.ask(method, 1)  # loads what is loaded at the first use
            tasks = {name: _task(store, method, count) for name, store in stores.items()}
            rows.append(_row(size, _NAMES[method], interleaved(tasks, _ROUNDS), 1000.0))
    return rows


def _task(store: Store, method: str, count: int) -> Callable[[], float]:
    return lambda: store.ask(method, count)


def _row(size: int, name: str, found: dict[str, list[float]], unit: float) -> tuple[str, ...]:
    ours, theirs = found["lsm"], found["SqliteStore"]
    times = (f"{unit * median(each):.2f} {'s' if unit == 1 else 'ms'}" for each in (ours, theirs))
    return f"{size:,}", name, *times, f"{ratio(theirs, ours):.2f}"


def _checked(peers: Peers, name: str) -> dict[str, bool]:
    with peers.store(name) as store:
        found = {question: store.ask(check) for check, question in _CHECKS.items()}
    path = peers.fresh("store.db")
    peers.store(name, path).__exit__(None, None, None)  # makes the file
    writers = [peers.store(name, path) for _ in range(_WRITERS)]
    for number, writer in enumerate(writers):
        writer.say(["write_many", str(number), _WRITES])
    acknowledged = sum(writer.heard() for writer in writers)
    kept = writers[0].ask("written")
    for writer in writers:
        writer.__exit__(None, None, None)
    return found | {_TOGETHER: acknowledged == kept == _WRITERS * _WRITES}


def _server_checked(peers: Peers) -> dict[str, bool]:
    server = peers.server(peers.fresh("memory.jsonl"))
    if server is None:
        return {}
    with server:
        found = {
            _CHECKS["failed_batch_changes_nothing"]: _batch_is_whole(server),
            _CHECKS["erasing_leaves_no_byte"]: _erased(server),
        }
    path = peers.fresh("memory.jsonl")
    writers = [each for each in (peers.server(path) for _ in range(_WRITERS)) if each is not None]
    acknowledged = 0
    for turn in range(_WRITES):
        for number, writer in enumerate(writers):
            writer.send("create_entities", entities=[_entity(f"{number}-{turn}", "some words")])
        acknowledged += sum(writer.result()[0] for writer in writers)
    kept = len(writers[0].call("read_graph")[1]["entities"])
    for writer in writers:
        writer.__exit__(None, None, None)
    return found | {_TOGETHER: acknowledged == kept == _WRITERS * _WRITES}


def _batch_is_whole(server: Server) -> bool:
    server.call("create_entities", entities=[_entity("here", "at first")])
    added = [
        {"entityName": "here", "contents": ["new"]},
        {"entityName": "nowhere", "contents": ["new"]},
    ]
    went_well, _ = server.call("add_observations", observations=added)
    entities = server.call("read_graph")[1]["entities"]
    return not went_well and entities[0]["observations"] == ["at first"]


def _erased(server: Server) -> bool:
    server.call("create_entities", entities=[_entity("gone", "a Quetzalcoatlus")])
    server.call("delete_entities", entityNames=["gone"])
    assert os.path.exists(server.path)
    with open(server.path, encoding="utf-8") as file:
        return "Quetzalcoatlus" not in file.read()


def _entity(name: str, words: str) -> dict[str, object]:
    return {"name": name, "entityType": "note", "observations": [words]}


def _verdict(held: bool | None) -> str:  # noqa: FBT001 - a table's cell
    return "-" if held is None else "yes" if held else "**no**"


def _versions(peers: Peers) -> str:
    return "; ".join(f"{name} {version}" for name, version in peers.versions().items()) + "."
