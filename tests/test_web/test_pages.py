"""What each page shows, and what its buttons do."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urldefrag

import pytest

from lsm.agents.memory import Writer
from lsm.app import Mind
from lsm.remote.storage import RemoteCache
from tests.test_web.browser import ORIGIN, Browser, Server, words

if TYPE_CHECKING:
    from pathlib import Path

    from lxml import html

PAGES = (
    "/", "/?q=lamps", "/ask", "/ask?q=why+not+wind", "/memory", "/memory/review", "/schedules",
    "/library", "/library/documents", "/library/errors", "/library/versions", "/sources",
    "/sources/arxiv", "/health",
)  # fmt: skip


def test_every_link_of_every_page_leads_somewhere(page: Browser) -> None:
    todo, seen, broken = list(PAGES), set[str](), list[str]()

    while todo and len(seen) < 250:
        address = urldefrag(todo.pop(0)).url
        # One of each kind is followed: document after document would say nothing new.
        kind = re.sub(r"\d+|=[^&]*|[0-9A-Za-z]{20,}", "#", address)
        if kind in seen:
            continue
        seen.add(kind)
        answer = page.get(address)
        if answer.status_code not in (200, 302):
            broken.append(f"{address}: {answer.status_code}")
        elif "location" in answer.headers:
            todo.append(answer.headers["location"])
        elif "html" in answer.headers["content-type"]:
            todo += [link for link in links(answer.text) if link.startswith("/")]

    assert broken == []
    assert len(seen) > 30


@pytest.mark.parametrize("address", PAGES)
def test_a_home_with_nothing_in_it_says_what_to_do_next(tmp_path: Path, address: str) -> None:
    with Mind(str(tmp_path / "home")) as mind, Server(mind) as server:
        seen = server.browser().see(address)

    assert seen.xpath("//main//a | //main//code | //main//input | //main//li")
    assert len(seen.xpath("//h1")) == 1


def test_every_page_is_drawn_from_either_engine(tmp_path: Path, database_url: str) -> None:
    (tmp_path / "notes").mkdir()
    note = tmp_path / "notes" / "keys.md"
    note.write_text("# Keys\n\nWe rotate keys every 90 days.\n", "utf-8")
    with Mind(str(tmp_path / "mind"), database_url) as mind, Server(mind) as server:
        mind.ingest(str(note.parent))
        mind.memories.add("Keys rotate", source=f"{note}#3")
        propose(server, "Keys rotate each quarter")
        server.browser().act("schedule", agent="curator", every="1h")
        note.write_text("# Keys\n\nWe rotate keys every 30 days.\n", "utf-8")
        mind.ingest()

        for address in (*PAGES, "/?q=keys", "/document/1", "/document/1/compare"):
            assert server.browser().get(address).status_code == 200, (address, server.said)
        assert "30 days" in words(server.browser().see("/document/1/compare"))


@pytest.mark.parametrize("address", [*PAGES, "/document/1", "/nothing"])
def test_every_page_has_its_landmarks_and_one_title(page: Browser, address: str) -> None:
    from lxml import html

    seen = html.fromstring(page.get(address).text)

    for wanted in ("//header", "//nav[@aria-label]", "//main[@id='main']", "//a[@class='skip']"):
        assert len(seen.xpath(wanted)) >= 1, wanted
    assert len(seen.xpath("//h1")) == 1
    assert seen.xpath("//html/@lang") == ["en"]
    ids = seen.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert seen.xpath("//*[@style] | //script[not(@src)] | //style") == []


def test_search_marks_the_words_and_leads_to_their_line(page: Browser) -> None:
    seen = page.see("/?q=colour+temperature")

    first = seen.xpath("//ol[@class='hits']/li")[0]
    assert "colour" in [mark.text.lower() for mark in first.xpath(".//mark")]
    there = page.get(first.xpath(".//a/@href")[0])
    assert there.status_code == 302
    document = page.see(there.headers["location"])
    assert "Colour temperature" in words(document.xpath("//*[@id='here']")[0])


def test_a_snippet_has_no_signs_of_markdown(page: Browser) -> None:
    texts = [words(each) for each in page.see("/?q=lamps+hours").xpath("//p[@class='snippet']")]

    assert texts != []
    assert not [text for text in texts if "**" in text or "## " in text or "|---" in text]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("q=lamps&ext=.pdf", ".pdf"),
        ("q=lamps&path=**/observatory/**", "observatory"),
        ("q=lamps&tag=dark-sky&mode=text", "lighting"),
        ("q=lamps&as_of=1", "observatory"),
    ],
)
def test_filters_narrow_the_search(page: Browser, query: str, shown: str) -> None:
    places = page.see(f"/?{query}").xpath("//ol[@class='hits']//p[@class='place']/bdi")

    assert places != []
    assert all(shown in place.text for place in places)


@pytest.mark.parametrize(
    "query", ["q=x&since=yesterdayish", "q=x&as_of=99", "q=x&mode=magic", "q=x&as_of=soon"]
)
def test_what_is_wrong_with_a_search_is_said_beside_it(page: Browser, query: str) -> None:
    from lxml import html

    answer = page.get(f"/?{query}")

    assert answer.status_code == 400
    seen = html.fromstring(answer.text)
    assert seen.xpath("//*[@role='alert']")[0].text.strip()
    assert seen.xpath("//input[@id='q']/@value") == ["x"]


def test_an_answer_quotes_and_leads_to_the_line(page: Browser) -> None:
    seen = page.see("/ask?q=why+not+a+wind+turbine")

    cited = seen.xpath("//ol[@class='citations']/li")
    assert cited != []
    assert page.get(cited[0].xpath(".//a/@href")[0]).headers["location"].endswith("#here")


def test_a_document_shows_what_rests_on_it_and_that_it_went_stale(page: Browser) -> None:
    memory = page.see("/memory?q=2200+K").xpath("//ul[@class='cards']/li[1]//a/@href")[0]
    source = page.see(memory).xpath("//ul[@class='sources']//a/@href")[0]

    seen = page.see(urldefrag(source).url)

    note = seen.xpath("//aside//ul[@class='notes']/li")[0]
    assert note.xpath(".//a/@href")[0] == memory
    assert "no longer says so" in words(note)


def test_two_states_of_a_document_are_compared_line_by_line(page: Browser) -> None:
    changed = "lighting-rules-2026"
    rows = page.see("/?q=colour+temperature+2000").xpath("//ol[@class='hits']/li")
    mine = next(row for row in rows if changed in words(row))
    document = page.get(mine.xpath(".//a/@href")[0]).headers["location"].partition("?")[0]

    seen = page.see(f"{document}/compare")

    out = [words(row) for row in seen.xpath("//tr[@class='out']")]
    came = [words(row) for row in seen.xpath("//tr[@class='in']")]
    assert any("2200 K" in text for text in out)
    assert any("2000 K" in text for text in came)
    assert any("told at the gate" in text for text in came)
    assert len(out) == 1


def test_an_old_state_is_marked_as_one(page: Browser) -> None:
    document = (
        page.get(
            page.see("/?q=outdoor+lighting+rules+2026&path=**/lighting-rules-2026.md").xpath(
                "//ol[@class='hits']//a/@href"
            )[0]
        )
        .headers["location"]
        .partition("?")[0]
    )

    then, now = page.see(f"{document}?v=1"), page.see(document)

    assert "as of version 1" in words(then)
    assert "2200 K" in words(then)
    assert "2000 K" in words(now)


def test_lines_have_addresses_in_either_view(page: Browser) -> None:
    lines = page.see("/document/1?view=lines&line=3")
    prose = page.see("/document/1?view=read&line=3")

    assert "3" in words(lines.xpath("//li[@id='here']")[0])
    assert len(prose.xpath("//*[@id='here']")) == 1


def test_the_file_itself_is_a_download_in_a_sandbox(page: Browser, furnished: Path) -> None:
    path = "".join(page.see("/document/1").xpath("//article//p[@class='place']/bdi/text()"))
    name = path.rpartition("/")[2]

    answer = page.get("/document/1/file")

    file = next((furnished.parent / "library").rglob(name))
    assert answer.content == file.read_bytes()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


def test_a_link_in_the_place_of_a_file_is_not_followed(
    server: Server, own: Browser, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret", "utf-8")
    for name in ("keys.md", "kiln.txt"):
        (tmp_path / "notes" / name).unlink()
        (tmp_path / "notes" / name).symlink_to(tmp_path / "secret")

    for number in (1, 2):
        answer = own.get(f"/document/{number}/file")
        assert answer.status_code == 404
        assert "secret" not in answer.text.replace("secret_", "")


@pytest.mark.parametrize(
    "address",
    ["/document/..%2f..%2fetc", "/document/-1", "/document/1%00", "/document/%2e%2e/file",
     "/static/..%2f..%2f..%2fapp.py", "/static/../application.py", "/static/%2e%2e/server.py"],
)  # fmt: skip
def test_nothing_but_a_number_names_a_document(page: Browser, address: str) -> None:
    assert page.get(address).status_code == 404


# -- memory --------------------------------------------------------------------------------


def test_review_shows_the_proposal_with_what_is_like_it(page: Browser) -> None:
    entries = page.see("/memory/review").xpath("//ol[@class='queue']/li")

    kiln = next(entry for entry in entries if "Friday evenings" in words(entry))
    assert "The kiln is fired on Fridays" in words(kiln.xpath(".//aside")[0])
    assert "firing log" in words(kiln)
    attack = next(entry for entry in entries if "Ignore earlier" in words(entry))
    assert attack.xpath(".//span[@title='look twice']")


def test_promoting_in_other_words_is_remembered(server: Server, own: Browser) -> None:
    waiting = propose(server, "Keys rotate each quarter")

    done = own.act("promote", id=waiting, text="Keys rotate every 90 days")

    assert done.status_code == 200
    assert [memory.text for memory in server.mind.memories.list()] == ["Keys rotate every 90 days"]
    assert own.see("/memory/review").xpath("//ol[@class='queue']") == []


def test_promoting_into_another_takes_its_place(server: Server, own: Browser) -> None:
    old = server.mind.memories.add("Keys rotate each year").id
    waiting = propose(server, "Keys rotate each quarter")

    own.act("promote", id=waiting, into=old)

    assert [memory.text for memory in server.mind.memories.list()] == ["Keys rotate each quarter"]
    assert "superseded" in words(own.see(f"/memory/{old}"))


def test_rejecting_twice_is_refused_in_words(server: Server, own: Browser) -> None:
    waiting = propose(server, "Keys rotate each quarter")
    own.act("reject", id=waiting, reason="wrong")

    again = own.act("reject", id=waiting)

    assert again.status_code == 409
    assert "rejected already" in again.json()["detail"]


def test_a_memory_can_be_edited_deleted_and_brought_back(server: Server, own: Browser) -> None:
    there = own.act("remember", text="Bread on Thursdays", tags="bread, home", days="30").json()
    memory_id = there["then"].rpartition("/")[2]

    edited = own.act("edit", id=memory_id, text="Bread on Fridays", version=1)
    stale = own.act("edit", id=memory_id, text="Bread on Mondays", version=1)
    own.act("delete", id=memory_id)
    gone = words(own.see(f"/memory/{memory_id}"))
    own.act("restore", id=memory_id)

    assert (edited.status_code, stale.status_code) == (200, 409)
    assert "deleted" in gone
    seen = own.see(f"/memory/{memory_id}")
    assert "Bread on Fridays" in words(seen.xpath("//h1")[0])
    assert [words(each) for each in seen.xpath("//ol[@class='history']//strong")] == [
        "restored", "deleted", "updated", "added",
    ]  # fmt: skip
    memory = server.mind.memories.get(memory_id)
    assert memory
    assert memory.tags == ("bread", "home")
    assert memory.expires_at


def test_memories_go_on_page_by_page(server: Server, own: Browser) -> None:
    for number in range(120):
        server.mind.memories.add(f"Fact number {number} of many", source=None)

    found: list[str] = []
    address: str | None = "/memory"
    while address:
        seen = own.see(address)
        found += seen.xpath("//ul[@class='cards']/li/a/@href")
        address = next(iter(seen.xpath("//a[@rel='next']/@href")), None)

    assert len(found) == len(set(found)) == 120


# -- schedules -----------------------------------------------------------------------------


def test_the_timeline_shows_runs_skips_misses_and_what_is_to_come(page: Browser) -> None:
    seen = page.see("/schedules")

    states = {state.partition(" ")[2] for state in seen.xpath("//rect/@class")}
    assert states >= {"succeeded", "failed", "skipped", "missed", "coming"}
    titles = [words(each) for each in seen.xpath("//rect/title")]
    assert any("missed" in title and "2 slots before it" in title for title in titles)
    assert "paused" in words(seen)


def test_a_schedule_shows_its_history_and_a_run_its_report(page: Browser) -> None:
    digest = page.see("/schedules").xpath("//a[text()='digest']/@href")[0]
    seen = page.see(digest)
    run = seen.xpath("//table//a/@href")[-1]

    report = page.see(run)

    assert "succeeded" in words(seen)
    assert [words(row) for row in report.xpath("//article//table//tr")][1] == "observatory 0 1"


def test_a_schedule_is_added_run_paused_and_resumed(server: Server, own: Browser) -> None:
    added = own.act("schedule", agent="curator", every="1h").json()
    schedule_id = added["then"].removeprefix("/schedules/")

    run = own.act("run", id=schedule_id)
    again = own.act("run", id=schedule_id)
    own.act("pause", id=schedule_id)
    paused = server.mind.scheduler.get(schedule_id).state
    own.act("resume", id=schedule_id)

    assert run.json()["then"].startswith("/runs/")
    assert "waiting" in again.json()["detail"]
    assert (paused, server.mind.scheduler.get(schedule_id).state) == ("paused", "active")
    assert own.act("cancel", id=run.json()["then"].rpartition("/")[2]).status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        {"agent": "nobody", "every": "1h"},
        {"agent": "curator"},
        {"agent": "curator", "cron": "99 * * * *"},
        {"agent": "curator", "every": "1h", "cron": "0 * * * *"},
        {"agent": "curator", "cron": "0 8 * * *", "tz": "Nowhere/Land"},
    ],
)
def test_a_schedule_that_cannot_be_is_refused_in_words(own: Browser, given: dict[str, str]) -> None:
    answer = own.act("schedule", **given)

    assert answer.status_code in (400, 404)
    assert answer.json()["detail"]


# -- library, sources, health --------------------------------------------------------------


def test_a_folder_is_added_and_read(server: Server, own: Browser, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    (more / "bread.md").write_text("# Bread\n\nSeaweed rye, on Thursdays.\n", "utf-8")

    done = own.act("add-root", path=str(more))
    wait_until_read(server)

    assert done.json()["then"] == "/library"
    assert "Bread" in words(own.see("/library/documents").xpath("//tbody")[0])
    assert str(more) in words(own.see("/library"))
    assert any(line.startswith("ingest: 1 files, 1 new") for line in server.said)


@pytest.mark.parametrize("path", ["relative/path", "", "/no/such/folder/at/all"])
def test_a_folder_that_is_none_is_refused(own: Browser, path: str) -> None:
    assert own.act("add-root", path=path).status_code == 400


def test_only_one_ingest_runs_at_a_time_and_it_can_be_stopped(
    server: Server, own: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    going, seen = threading.Event(), threading.Event()

    def endless(*_: object, should_stop: object = None, **__: object) -> object:
        seen.set()
        while not should_stop():  # pyright: ignore
            going.wait(0.01)
        return Mind.ingest(server.mind)

    monkeypatch.setattr(server.mind, "ingest", endless)
    first = own.act("ingest")
    assert seen.wait(10)

    second = own.act("ingest")
    told = server.site.ingesting.told()
    stopped = own.act("stop-ingest")
    wait_until_read(server)

    assert (first.status_code, second.status_code, stopped.status_code) == (200, 409, 200)
    assert told.running
    assert told.mine
    assert own.act("stop-ingest").status_code == 409


def test_documents_errors_and_versions_go_on_page_by_page(
    server: Server, own: Browser, tmp_path: Path
) -> None:
    for number in range(120):
        (tmp_path / "notes" / f"note-{number:03}.md").write_text(f"# Note {number}\n", "utf-8")
        (tmp_path / "notes" / f"bad-{number:03}.pdf").write_bytes(b"%PDF-1.7 nothing")
    server.mind.ingest()

    for address, row, count in (
        ("/library/documents", "//tbody/tr/td[1]/a/@href", 122),
        ("/library/errors", "//tbody/tr/td[1]/bdi/text()", 120),
    ):
        found: list[str] = []
        following: str | None = address
        while following:
            seen = own.see(following)
            found += seen.xpath(row)
            following = next(iter(seen.xpath("//a[@rel='next']/@href")), None)
        assert len(found) == len(set(found)) == count


def test_kept_answers_are_listed_and_deleted(server: Server, own: Browser) -> None:
    cache = RemoteCache(server.mind.db)
    for number in range(60):
        cache.put("arxiv", {"query": f"question {number}"}, {"results": []}, None)

    first = own.see("/sources/arxiv")
    second = own.see(first.xpath("//a[@rel='next']/@href")[0])
    done = own.act("purge-cache", provider="arxiv")

    rows = [*first.xpath("//tbody/tr"), *second.xpath("//tbody/tr")]
    assert len({words(row) for row in rows}) == 60
    assert done.json()["said"] == "60 kept answers deleted."


def test_health_shows_every_check_of_the_doctor(page: Browser) -> None:
    checks = page.see("/health").xpath("//ul[@class='checks']/li/strong/text()")

    assert set(checks) >= {"home", "disk", "config", "database", "integrity", "index", "roots"}


@pytest.mark.parametrize("theme", ["light", "dark", "purple", '"><script>'])
def test_the_colours_chosen_come_with_the_page(page: Browser, theme: str) -> None:
    cookie = f"{page.server.site.cookie}={page.session}; lsm_theme={theme.replace(chr(34), '')}"

    seen = page.get("/", headers={"cookie": cookie}).text

    chosen = re.findall(r'<html lang="en"(?: data-theme="(\w+)")?>', seen)
    assert chosen == [theme if theme in ("light", "dark") else ""]


def test_an_action_takes_nothing_it_does_not_know(own: Browser) -> None:
    for body in ({"id": "x", "colour": "red"}, {"id": 5}):
        assert own.act("reject", **body).status_code == 400
    assert own._ask("POST", "/act/reject", json=["x"]).status_code == 400
    assert own.act("no-such-action").status_code == 404
    assert own.act("_given").status_code == 404
    deep = b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    answer = own._ask(
        "POST", "/act/reject", content=deep, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400


def propose(server: Server, text: str) -> str:
    """A candidate of an agent; its id."""
    agent = server.mind.memories.acting(Writer(trust="agent", author="assistant"))
    candidate = agent.propose(text).candidate
    assert candidate
    return candidate.id


def wait_until_read(server: Server) -> None:
    until = time.monotonic() + 60
    while server.site.ingesting.told().running:
        assert time.monotonic() < until
        time.sleep(0.02)


def links(text: str) -> list[str]:
    from lxml import html

    tree: html.HtmlElement = html.fromstring(text)
    return [link.removeprefix(ORIGIN) for link in tree.xpath("//a/@href")]
