"""`lsm remote keep` and what follows from it, through the program and a server that is played."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.test_cli.command import Result
from tests.test_providers.remote import formats
from tests.test_providers.remote.formats import said
from tests.test_providers.replay import Replay, Reply, replaying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.test_cli.command import Place

    Run = Callable[..., Result]

ROOT = Path(__file__).parents[2]
PAGE = "https://example.org/skies"
SETTINGS = """
[remote.providers.arxiv]
enabled = true
[remote.providers.page]
enabled = true
"""


@pytest.fixture
def replay() -> Iterator[Replay]:
    with replaying() as server:
        server.says("export.arxiv.org", said(formats.ARXIV))
        yield server


@pytest.fixture
def lsm(place: Place, replay: Replay) -> Run:
    """Runs the program in *place*, its way out led to *replay*."""
    place.home.mkdir(mode=0o700)
    (place.home / "lsm.toml").write_text(SETTINGS)

    def run(*arguments: str) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "tests.test_providers.played", str(replay.port), *arguments],
            cwd=place.folder,
            env=place.environment(PYTHONPATH=str(ROOT)),
            capture_output=True,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())

    return run


def test_a_kept_page_is_found_cited_shown_updated_and_dropped(
    place: Place, lsm: Run, replay: Replay
) -> None:
    page(replay, "faint")
    _, first, same = documents(
        lsm,
        ["ingest", "notes"],
        ["remote", "keep", PAGE],
        ["remote", "keep", PAGE + "#top"],
    )
    page(replay, "bright")
    changed, found, answer, then, memory, status, ingested, doctor, kept, dropped, after = (
        documents(
            lsm,
            ["remote", "keep", PAGE],
            ["search", "zodiac", "-k", "1", "--path", "https://**"],
            ["ask", "how bright is the zodiac", "-k", "1"],
            ["show", PAGE, "--as-of", "2"],
            ["memory", "add", "The zodiac is bright.", "--source", PAGE],
            ["status"],
            ["ingest", "--force"],
            ["doctor"],
            ["remote", "kept"],
            ["remote", "drop", PAGE],
            ["memory", "list"],
        )
    )

    row = {"url": PAGE, "title": "Skies"}
    assert first == {"kept": [row | {"state": "new"}], "version": 2, "errors": []}
    assert same == {"kept": [row | {"state": "unchanged"}], "version": None, "errors": []}
    assert changed["kept"][0]["state"] == "changed"
    assert (found[0]["path"], found[0]["title"]) == (PAGE, "Skies")
    assert answer["citations"][0]["path"] == PAGE
    assert "faint" in then["text"]
    assert then["metadata"]["provider"] == "page"
    assert (status["files"], status["kept"]) == (2, 1)
    assert (ingested["files"]["gone"], ingested["errors"]) == (0, [])
    assert [check for check in doctor["checks"] if not check["ok"]] == []
    assert [(each["url"], each["provider"], each["version"]) for each in kept] == [
        (PAGE, "page", 3)
    ]
    assert dropped == {"dropped": [PAGE], "version": 4}
    assert place.lsm("show", PAGE).code == 1
    assert [(m["id"], m["trust"], m["stale"]) for m in after] == [(memory["id"], "untrusted", True)]


def test_results_of_a_search_are_kept_as_they_were_numbered(lsm: Run, replay: Replay) -> None:
    lsm("remote", "search", "arxiv", "tides")

    some = lsm("remote", "keep", "arxiv", "tides", "--only", "2", "--json").json
    rest = lsm("remote", "keep", "arxiv", "tides", "--json").json

    assert [each["title"] for each in some["kept"]] == ["An old one"]
    assert [each["state"] for each in rest["kept"]] == ["new", "unchanged"]
    assert (some["version"], rest["version"], len(replay.requests)) == (1, 2, 1)


def test_one_page_that_fails_does_not_stop_the_other(lsm: Run, replay: Replay) -> None:
    page(replay, "faint")

    done = lsm("remote", "keep", "https://example.org:8080/x", PAGE, "--json")

    assert done.code == 3
    assert [each["url"] for each in done.json["kept"]] == [PAGE]
    assert [(e["url"], e["code"]) for e in done.json["errors"]] == [
        ("https://example.org:8080/x", "refused_url")
    ]


def test_what_is_held_is_kept_when_the_page_cannot_be_asked_and_that_is_told(
    lsm: Run, replay: Replay
) -> None:
    page(replay, "faint")
    lsm("remote", "search", "page", PAGE)
    replay.says("example.org", Reply(b"", 500))

    stale = lsm("remote", "keep", PAGE, "--json")
    offline = lsm("remote", "keep", PAGE, "--offline", "--json")

    assert stale.code == 3
    assert (stale.json["kept"][0]["state"], stale.json["errors"][0]["code"]) == ("new", "stale")
    assert (offline.code, offline.json["kept"][0]["state"]) == (0, "unchanged")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["keep", "arxiv"], 2, "name a source and a query, or addresses"),
        (["keep", "arxiv", "tides", "--only", "9"], 2, "9 is not among the results, 1 to 2"),
        (["keep", "crossref", "tides"], 2, "remote.providers.crossref.enabled: is not true"),
        (["keep", "http://127.0.0.1/x"], 1, "127.0.0.1"),
        (["drop", "https://example.org/never"], 1, "no such kept document"),
    ],
)
def test_what_cannot_be_kept_is_one_line(
    lsm: Run, replay: Replay, arguments: list[str], code: int, says: str
) -> None:
    done = lsm("remote", *arguments)

    assert done.code == code, done.err
    assert says in done.err
    assert len(done.err.splitlines()) == 1


def test_off_means_off(place: Place, lsm: Run, replay: Replay) -> None:
    (place.home / "lsm.toml").write_text("")

    done = lsm("remote", "keep", PAGE)

    assert (done.code, replay.requests) == (2, [])
    assert "remote.providers.page.enabled: is not true" in done.err


def test_no_command_writes_json_or_touches_the_tags_of_folders(
    place: Place, lsm: Run, replay: Replay
) -> None:
    odd = b'\xef\xbb\xbf{ "tags" : ["b","a"],\r\n\t"other": 1.0 }\r\n\r\n'
    tags = place.write("studio/.lsm_tags.json", odd)
    before = (tags.stat().st_mtime_ns, tags.stat().st_ino)
    page(replay, "faint")
    replay.says("news.example.org", said(formats.RSS))
    with (place.home / "lsm.toml").open("a") as settings:
        settings.write('[remote.providers.news]\nkind = "feed"\nenabled = true\n')
        settings.write('urls = ["https://news.example.org/feed"]\n')

    commands: list[str] = []
    for command in (
        ["ingest", "notes"],
        ["search", "kiln", "--tag", "a"],
        ["remote", "keep", PAGE],
        ["remote", "keep", "arxiv", "tides"],
        ["remote", "search", "news", ""],
        ["cache", "stats"],
        ["cache", "purge", "--all"],
        ["stats"],
        ["memory", "add", "Kilns are hot", "--source", PAGE],
        ["agent", "run", "watcher", "--param", "feeds=news", "--param", "mode=keep"],
        ["agent", "run", "librarian"],
        ["agent", "run", "digest"],
        ["agent", "run", "curator"],
        ["schedule", "add", "digest", "--every", "1h", "--key", "k"],
        ["schedule", "start", "--once"],
        ["remote", "drop", PAGE],
        ["db", "prune", "--keep-versions", "1"],
        ["doctor"],
        ["status"],
    ):
        commands += [*command, ";"]

    done = lsm(*commands)

    assert (done.code, done.err.count("Traceback")) == (0, 0), done.text + done.err
    files = {path.name for path in place.folder.rglob("*") if path.is_file()}
    assert files - {"lsm.db", "lsm.db-wal", "lsm.db-shm"} == {
        "lsm.toml",
        "keys.md",
        "kiln.txt",
        ".lsm_tags.json",
    }
    assert (tags.read_bytes(), tags.stat().st_mtime_ns, tags.stat().st_ino) == (odd, *before)


def documents(lsm: Run, *commands: list[str]) -> list[Any]:
    """The JSON of each of *commands*, run one after the other in one process."""
    line: list[str] = []
    for command in commands:
        line += [*command, "--json", ";"]
    done = lsm(*line)
    assert done.code == 0, done.err
    found: list[Any] = []
    rest = done.text.lstrip()
    while rest:
        value, end = json.JSONDecoder().raw_decode(rest)
        found.append(value)
        rest = rest[end:].lstrip()
    return found


def page(replay: Replay, word: str) -> None:
    """From now on the page at example.org says *word*; anything else there is missing."""
    body = f"<title>Skies</title><h1>Skies</h1><p>The zodiac is {word}.</p>"
    replay.says("example.org", Reply(body.encode(), 200, formats.HTML))
