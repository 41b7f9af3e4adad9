"""What others have written runs nothing, hides nothing, fetches nothing, wherever it is shown."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lsm.agents.ledger import Ledger, pending_run
from lsm.agents.memory import Source, Writer
from lsm.agents.runtime import Outcome
from lsm.agents.scheduler import AgentScheduler, Terms
from lsm.agents.schedules import Schedule, every
from lsm.app import Mind
from lsm.clock import utc_now
from lsm.remote.feed_state import FeedState
from lsm.remote.storage import RemoteCache
from lsm.web.prose import prose
from lsm.web.texts import visible
from tests.test_web.browser import Browser, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lxml import html

    from lsm.agents.runtime import RunContext

SCRIPTS = (
    "<script>alert(1)</script>", "<ScRiPt src=//evil.example/x.js></sCrIpT>", "</script><script>",
    "<img src=x onerror=alert(1)>", "<img src='https://evil.example/beacon.png'>",
    "<svg onload=alert(1)>", "<svg><script>alert(1)</script></svg>",
    "<iframe src='javascript:alert(1)'></iframe>", "<body onload=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>", "<a href=jAvAsCrIpT&colon;alert(1)>x</a>",
    "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)></style>",
    "<object data='data:text/html,x'>", "<embed src=//evil.example/x.swf>",
    "<form action=//evil.example><input name=q>", "<base href=//evil.example/>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<style>@import '//evil.example/x.css';</style>",
    "<div style='background:url(//evil.example/x)'>", "<details open ontoggle=alert(1)>",
    "<input autofocus onfocus=alert(1)>", "<video><source onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>", "<!--><script>alert(1)</script-->",
    "<![CDATA[<script>alert(1)</script>]]>", "<?xml version='1.0'?><script>",
    "<textarea></textarea><script>alert(1)</script>", "<title></title><script>alert(1)</script>",
    "\"><script>alert(1)</script>", "'><script>alert(1)</script>", "\" onmouseover=\"alert(1)",
    "' onmouseover='alert(1)", "` onmouseover=`alert(1)", "\" autofocus onfocus=alert(1) x=\"",
    "\"/><svg/onload=alert(1)>", "{{7*7}}", "{% raw %}", "{{ ''.__class__.__mro__ }}", "${7*7}",
    "<%= 7*7 %>", "#{7*7}", "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;alert(1)",
    "%3Cscript%3Ealert(1)", "\\u003cscript\\u003e", "\u202etxt.exe\u202c", "\u2066abc\u2069",
    "a\u200bb", "\ufeffx", "\x1b[31mred", "x\x07y", "\u2028alert(1)", "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>", "vbscript:msgbox(1)", "//evil.example",
)  # fmt: skip
MARKDOWN = (
    "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](java\nscript:alert(1))",
    "[x](<javascript:alert(1)>)", "[x](&#106;avascript:alert(1))", "[x](data:text/html,<script>)",
    "[x](vbscript:x)", "[x](file:///etc/passwd)", "[x](//evil.example)",
    "[x]: javascript:alert(1)\n\n[x]", "<javascript:alert(1)>",
    "![x](https://evil.example/b.png)", "![x](data:image/svg+xml,<svg onload=alert(1)>)",
    "![x][r]\n\n[r]: https://evil.example/b.png",
    "[![x](https://evil.example/b.png)](https://evil.example)",
    "[x](https://evil.example \"a\\\" onclick=alert(1)\")", "```<script>\nalert(1)\n```",
    "`<script>alert(1)</script>`", "# <script>alert(1)</script>",
    "| <img src=x onerror=1> |\n|---|", "<div onclick=alert(1)>\n\n**x**\n\n</div>",
    "[a](https://x.example/?\"onmouseover=alert(1))", "***" * 200, "> " * 500, "[" * 5000,
    "* a\n" * 300, "`" * 3000,
)  # fmt: skip
ACTING = {
    "script", "link", "iframe", "object", "embed", "base", "style", "img", "video", "audio",
    "source", "template", "applet", "frame", "marquee", "portal",
}  # fmt: skip
SOME = 30
ADDRESS = re.compile(r"(/(?!/)|#|https?://|mailto:)")
UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
PAGES = (
    "/", "/?q=alert", "/?q=evil&mode=text&k=200", "/ask?q=alert", "/memory", "/memory?q=alert",
    "/memory/review", "/schedules", "/library", "/library/documents", "/library/errors",
    "/sources", "/sources/arxiv", "/health",
)  # fmt: skip


@pytest.fixture(scope="module")
def infested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Somebody in front of a home in which every text is one that attacks."""
    folder = tmp_path_factory.mktemp("infested")
    library = folder / "library"
    library.mkdir()
    _write_documents(library)
    with Mind(str(folder / "home")) as mind:
        mind.ingest(str(library))
        _remember(mind)
        _run(mind)
        RemoteCache(mind.db).put("arxiv", {"query": " ".join(SCRIPTS)}, {"results": []}, None)
        feeds = FeedState(mind.db)
        for number, text in enumerate(SCRIPTS):
            feeds.save(
                f"https://feeds.example/{number}?{text}", text.replace("\x00", ""), None, None
            )
        with Server(mind) as server:
            yield server.browser()


def test_nothing_of_theirs_becomes_markup_on_any_page(infested: Browser) -> None:
    todo, seen, problems = [*PAGES], set[str](), list[str]()
    kinds = Counter[str]()

    while todo:
        address = todo.pop()
        # Of each kind of page some, or the attacks would be met a thousand times.
        kind = re.sub(r"=[^&]*|\d+|[0-9A-Za-z-]{20,}", "#", address)
        if address in seen or kinds[kind] == SOME:
            continue
        kinds[kind] += 1
        seen.add(address)
        answer = infested.get(address)
        problems += [f"{address}: {found}" for found in dangers(answer)]
        todo += within(answer)

    assert problems == []
    assert len(seen) > 3 * SOME


def test_every_attack_is_shown_as_the_text_it_is(infested: Browser) -> None:
    shown = infested.get("/memory?q=").text

    assert "&lt;script&gt;alert(1)" in shown
    assert "{{7*7}}" in shown
    assert "49" not in re.sub(r'"[^"]*"|\d{4,}', "", shown)


def test_markdown_of_others_is_only_ever_text_and_links() -> None:
    from lxml import html

    for text in (*SCRIPTS, *MARKDOWN):
        made = prose(f"{text}\n\nand {text}")
        assert made is not None

        tree = html.fragment_fromstring(str(made), create_parent=True)

        assert list(dangers_in(tree)) == [], text
        assert tree.xpath(".//img | .//svg | .//video | .//input") == [], text


@pytest.mark.parametrize("text", SCRIPTS[::3])
def test_what_is_searched_for_comes_back_as_text(infested: Browser, text: str) -> None:
    from urllib.parse import quote

    for page in ("/", "/ask", "/memory", "/library/documents"):
        name = "below" if page.endswith("documents") else "q"
        answer = infested.get(f"{page}?{name}={quote(text, safe='')}")
        assert list(dangers(answer)) == []


@pytest.mark.parametrize("name", ["path", "ext", "tag", "since", "as_of", "mode", "scope", "type"])
def test_filters_come_back_as_text(infested: Browser, name: str) -> None:
    from urllib.parse import quote

    for text in SCRIPTS[1::9]:
        for page in ("/", "/memory"):
            answer = infested.get(f"{page}?q=x&{name}={quote(text, safe='')}")
            assert answer.status_code in (200, 400, 404)
            assert list(dangers(answer)) == []


def test_what_cannot_be_seen_is_spelled_out() -> None:
    assert visible("a\u202eb") == "a\u27e8U+202E\u27e9b"
    assert visible("a\x1b[2Jb") == "a\u241b[2Jb"
    # What scripts need to be written at all stays.
    for needed in (
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\U0001f469\u200d\U0001f52c",
        "\u200f\u05d0",
        "e\u0301",
    ):
        assert visible(needed) == needed


def dangers(answer: Any) -> Iterator[str]:
    """What in an answer could run, fetch, hide or pretend."""
    from lxml import html

    if "location" in answer.headers:
        if not answer.headers["location"].startswith("/"):
            yield f"sent away to {answer.headers['location']}"
        return
    if answer.headers["content-type"].startswith("application/octet-stream"):
        return
    if UNSEEN.search(answer.text):
        yield "a character that cannot be seen"
    yield from dangers_in(html.fromstring(answer.text))


def dangers_in(tree: html.HtmlElement) -> Iterator[str]:
    """Elements and attributes that are not ours."""
    for element in tree.iter():
        tag = element.tag
        if not isinstance(tag, str):
            yield f"a comment: {element}"
            continue
        if tag in ("script", "link") and (element.get("src") or element.get("href", "")).startswith(
            "/static/"
        ):
            continue
        if tag in (
            "script",
            "link",
            "iframe",
            "object",
            "embed",
            "base",
            "style",
            "img",
            "video",
            "template",
        ):
            yield f"an element: {tag}"
        if tag == "meta" and element.get("http-equiv"):
            yield "a meta that acts"
        for name, value in element.attrib.items():
            if name.startswith("on") or name in (
                "style",
                "srcdoc",
                "formaction",
                "background",
                "ping",
            ):
                yield f"an attribute: {name}"
            if name in ("href", "src", "action") and not re.match(
                r"(/(?!/)|#|https?://|mailto:)", value
            ):
                yield f"an address: {value}"
            if name in ("src", "action") and not value.startswith("/"):
                yield f"something fetched: {value}"
        if (
            tag == "a"
            and element.get("href", "").startswith("http")
            and "noopener" not in element.get("rel", "")
        ):
            yield "a link that can look back"


def within(answer: Any) -> list[str]:
    """Where a page leads, but not to every question that can be put and every line."""
    from lxml import html

    if "location" in answer.headers:
        return [answer.headers["location"].partition("?")[0]]
    if "html" not in answer.headers["content-type"]:
        return []
    links = html.fromstring(answer.text).xpath("//a/@href")
    left_out = ("/?", "/static", "//")
    return [
        link.partition("#")[0]
        for link in links
        if link.startswith("/") and not link.startswith(left_out) and "line=" not in link
    ]


def _write_documents(library: Path) -> None:
    for number, text in enumerate(SCRIPTS):
        # A quoted scalar, so that front matter is read whatever is in it.
        quoted = '"' + text[:200].encode("unicode_escape").decode().replace('"', '\\"') + '"'
        front = f"---\ntitle: {quoted}\ntags: [{quoted}]\nauthor: {quoted}\n---\n"
        body = f"\n# alert {text}\n\nalert evil {text}\n\n{text}\n"
        (library / f"{number}.md").write_text(front + body, "utf-8", errors="replace")
        name = re.sub(r"[/\x00]", "_", text)[:60]
        (library / f"{name}.md").write_text("alert evil\n", "utf-8")
        (library / f"{name}.pdf").write_bytes(b"%PDF-1.7 broken")


def _remember(mind: Mind) -> None:
    agent = mind.memories.acting(Writer(trust="untrusted", author=SCRIPTS[0]))
    for number, text in enumerate(SCRIPTS):
        source = Source("url", f"https://x.example/{number}?{text}", quote=text)
        harmful = Source("url", text, quote=text)
        mind.memories.add(
            f"alert {text}", tags=[_word(text)], author=text, key=f"{number}", sources=(harmful,)
        )
        agent.propose(
            f"alert proposed {number} {text}", rationale=text, provenance=text, sources=(source,)
        )


def _word(text: str) -> str:
    return re.sub(r"[\s,\x00-\x1f]", "_", text)[:60]


def _run(mind: Mind) -> None:
    class Agent:
        def run(self, _: RunContext) -> Outcome:
            return Outcome(
                report="\n\n".join((*SCRIPTS, *MARKDOWN)), result={"text": list(SCRIPTS)}
            )

    scheduler = AgentScheduler(mind.db, lambda _: Agent(), terms=Terms())
    row = scheduler.add(Schedule(agent="curator", trigger=every("1h"), params={"x": SCRIPTS[0]}))
    scheduler.run_here(row.schedule_id)
    ledger = Ledger(mind.db, utc_now)
    for number, text in enumerate(SCRIPTS):
        slot = utc_now()
        run = pending_run(row.schedule_id, slot, "slot", slot, slot)
        with ledger.transaction():
            ledger.lock(row.schedule_id)
            ledger.runs.add(replace(run, state="skipped", reason=text, attempt=number + 1))
