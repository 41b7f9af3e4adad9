"""The pages in a real Chromium, by keyboard, with a hostile library, and for everybody."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lsm.agents.memory import Writer
from lsm.app import Mind
from tests.test_web import chromium as browsers
from tests.test_web.chromium import Screen, canary, chromium, serving
from tests.test_web.stage import furnish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome

    from tests.test_web.chromium import Canary

pytestmark = pytest.mark.skipif(bool(browsers.missing()), reason=browsers.missing())

PAGES = {
    "start": "/",
    "search": "/?q=when+do+lamps+go+out",
    "ask": "/ask?q=why+not+a+wind+turbine",
    "memory": "/memory",
    "review": "/memory/review",
    "schedules": "/schedules",
    "library": "/library",
    "documents": "/library/documents",
    "errors": "/library/errors",
    "versions": "/library/versions",
    "sources": "/sources",
    "health": "/health",
    "document": "/document/1",
    "lines": "/document/1?view=lines&line=4",
    "changes": "/document/1/compare",
    "nothing": "/nothing",
}
ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "screenshots"
IN_README = {("search", "light"), ("review", "light"), ("schedules", "light")}
ATTACK = """# A harmless title

<script>window.pwned = 1; fetch("{canary}/script")</script>
<img src="{canary}/image.png" onerror="window.pwned = 1">
<svg onload="window.pwned = 1"><image href="{canary}/svg.png"/></svg>
<link rel="stylesheet" href="{canary}/style.css"><link rel="prefetch" href="{canary}/prefetch">
<iframe src="{canary}/frame"></iframe><video src="{canary}/video" autoplay></video>
<meta http-equiv="refresh" content="0;url={canary}/refresh">

![a picture]({canary}/picture.png) [press me](javascript:window.pwned=1)
[and me](data:text/html,<script>opener.pwned=1</script>) [or me]({canary}/clicked)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with something of everything in it, which these tests may change."""
    return furnish(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def screen(home: Path) -> Iterator[Screen]:
    """A browser that was let in."""
    with serving(home, "--no-scheduler") as (base, link), chromium() as driver:
        driver.get(link)
        made = Screen(driver, base)
        made.until("location.pathname === '/'")
        yield made


def test_the_link_lets_in_and_leaves_no_key_behind(screen: Screen) -> None:
    screen.go("/")

    assert "/open/" not in screen.driver.current_url
    assert screen.driver.title == "Search · Second Mind"
    assert screen.run("document.cookie") == ""  # no script can read it


def test_by_keyboard_alone_from_a_word_to_its_line(screen: Screen) -> None:
    screen.go("/library")
    screen.ready()

    screen.press("g", "s")
    screen.until("location.pathname === '/'")
    screen.ready()
    screen.press("/", "colour temperature")
    screen.until("document.querySelectorAll('.hits li').length > 0")
    screen.until("location.search.includes('colour')")
    screen.press("\ue00c", "j", "j", "k", "\ue007")  # Escape ... Enter
    screen.until("location.pathname.startsWith('/document/')")

    assert screen.run("location.hash") == "#here"
    assert screen.run("document.getElementById('here').getBoundingClientRect().top") > 0
    assert screen.complaints() == []


def test_by_keyboard_alone_through_the_queue(screen: Screen, home: Path) -> None:
    screen.go("/")
    screen.ready()
    screen.press("\ue00c", "g", "r")
    screen.one(".candidate")
    screen.ready()
    count = screen.run("document.querySelectorAll('.candidate').length")

    screen.press("j", "e")
    screen.until("document.activeElement.tagName === 'TEXTAREA'")
    screen.press(" in winter", "\ue004", "\ue007")  # Tab, Enter
    screen.until(f"document.querySelectorAll('.candidate').length === {count - 1}")
    screen.press("j", "r")
    screen.until(f"document.querySelectorAll('.candidate').length === {count - 2}")
    screen.until("document.activeElement.matches('.candidate')")
    screen.press("p")
    screen.until(f"document.querySelectorAll('.candidate').length === {count - 3}")

    with Mind(str(home)) as mind:
        texts = [memory.text for memory in mind.memories.list(limit=50)]
        assert mind.memories.stats().candidates == count - 3
    assert any(text.endswith(" in winter") for text in texts)
    assert screen.complaints() == []


def test_help_and_colours_by_keyboard(screen: Screen) -> None:
    screen.go("/health")
    screen.ready()

    screen.press("?")
    screen.until("document.getElementById('help').open")
    screen.press("\ue00c")
    screen.until("!document.getElementById('help').open")
    before = screen.run("getComputedStyle(document.body).backgroundColor")
    screen.run("document.getElementById('theme').focus()")
    screen.press("\ue007")
    screen.until(f"getComputedStyle(document.body).backgroundColor !== {before!r}")
    screen.go("/sources")

    assert screen.run("document.documentElement.dataset.theme") == "dark"
    screen.driver.delete_cookie("lsm_theme")


def test_a_hostile_document_runs_nothing_and_fetches_nothing(tmp_path: Path) -> None:
    with canary() as heard:
        home = hostile_home(tmp_path, heard)
        with serving(home, "--no-scheduler") as (base, link), chromium() as driver:
            driver.get(link)
            screen = Screen(driver, base)
            screen.until("location.pathname === '/'")
            for path in (
                "/?q=harmless+title", "/ask?q=harmless+title", "/memory", "/memory/review",
                "/document/1", "/document/1?view=lines", "/document/2", "/document/3",
                "/document/4", "/?q=unbroken",
                "/library/documents", "/schedules",
            ):  # fmt: skip
                screen.go(path)
                screen.ready()
                for scheme in ("javascript", "data", "vbscript"):
                    assert not screen.run(f"document.querySelector('a[href^=\"{scheme}:\"]')")
                assert screen.run("window.pwned") is None
                assert not screen.run(f"{WIDTH}.scrollWidth > {WIDTH}.clientWidth")
                assert screen.complaints() == []

        assert heard.heard == []


def test_a_stranger_is_told_how_to_come_in(screen: Screen) -> None:
    with chromium() as driver:
        stranger = Screen(driver, screen.base)
        stranger.go("/memory")
        stranger.ready()

        assert "lsm serve --link" in driver.page_source
        assert stranger.barriers() == []


@pytest.mark.long
@pytest.mark.parametrize("look", ["light", "dark", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_open_to_everybody(screen: Screen, name: str, look: str) -> None:
    with look_of(screen, look):
        screen.go(PAGES[name])
        screen.ready()
        keep_picture(screen, name, look)

        assert screen.barriers() == []
        assert not screen.run(f"{WIDTH}.scrollWidth > {WIDTH}.clientWidth")
        expected = {"nothing": 1}.get(name, 0)  # the browser itself notes the 404
        assert len(screen.complaints()) == expected


@pytest.mark.long
def test_an_ingest_of_thousands_is_watched_searched_and_stopped(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    for number in range(4000):
        text = f"# Note {number}\n\nThe lamp number {number} stands at the quay.\n"
        (notes / f"{number}.md").write_text(text * 3, "utf-8")
    with (
        serving(tmp_path / "home", "--no-scheduler") as (base, link),
        chromium() as driver,
        windows(driver, base, link) as (screen, other),
    ):
        driver.switch_to.window(screen)
        page = Screen(driver, base)
        page.go("/library")
        page.ready()
        page.one("#root").send_keys(str(notes), "\ue007")
        page.until("!document.querySelector('[data-progress] progress').hidden")
        page.until("/ of 4,000/.test(document.querySelector('[data-stage]').textContent)")
        far = page.run("document.querySelector('[data-stage]').textContent")

        driver.switch_to.window(other)
        page.go("/?q=lamp")
        found = page.until("document.querySelectorAll('.hits li').length")
        driver.switch_to.window(screen)
        page.one('[data-act="stop-ingest"]').click()
        page.until("document.querySelector('[data-progress] progress').hidden")

        assert found > 0
        assert far.startswith("Reading")
        page.until("Number(document.querySelector('.numbers a').textContent.replace(',', '')) > 0")
        assert page.complaints() == []


WIDTH = "document.documentElement"


@contextmanager
def windows(driver: Chrome, base: str, link: str) -> Iterator[tuple[str, str]]:
    """Two windows of one person."""
    driver.get(link)
    Screen(driver, base).until("location.pathname === '/'")
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    yield first, driver.current_window_handle


@contextmanager
def look_of(screen: Screen, look: str) -> Iterator[None]:
    """Light, dark, or as wide as a phone."""
    size = {"phone": (390, 780)}.get(look, (1280, 800))
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
    chosen = [{"name": "prefers-color-scheme", "value": "dark" if look == "dark" else "light"}]
    screen.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    screen.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": chosen})
    yield
    screen.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def keep_picture(screen: Screen, name: str, look: str) -> None:
    """For whoever wants to see it; with LSM_PICTURES set, those of the README anew as well."""
    picture = screen.driver.get_screenshot_as_png()
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{name}-{look}.png").write_bytes(picture)
    if os.environ.get("LSM_PICTURES") and (name, look) in IN_README:
        assert len(picture) < 200_000
        (ROOT / "docs/images").mkdir(exist_ok=True)
        (ROOT / f"docs/images/{name}.png").write_bytes(picture)


def hostile_home(folder: Path, heard: Canary) -> Path:
    """A home in which document, memory and report are out for the reader."""
    library = folder / "library"
    library.mkdir()
    attack = ATTACK.format(canary=heard.address)
    (library / "a.md").write_text(attack, "utf-8")
    (library / "b.html").write_text(f"<title>harmless</title>{attack}", "utf-8")
    wide = f"|{'|'.join(f'column {n}' for n in range(30))}|\n|{'---|' * 30}\n"
    (library / "wide.md").write_text(f"# {'unbroken' * 30}\n\n{wide}\nunbroken\n", "utf-8")
    (library / "\u202egpj.c<img src=x onerror=alert(1)>.md").write_text(attack, "utf-8")
    home = folder / "home"
    with Mind(str(home)) as mind:
        mind.ingest(str(library))
        mind.memories.add(attack[:1500])
        mind.memories.acting(Writer(trust="untrusted", author=attack[:90])).propose(attack[30:1500])
    return home
