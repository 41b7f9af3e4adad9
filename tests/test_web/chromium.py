"""A real Chromium before a real `lsm serve`, and a canary that hears what it fetches."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.test_cli.command import LSM

if TYPE_CHECKING:
    from collections.abc import Generator

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

AXE = Path(__file__).parent / "axe" / "axe.min.js"
WAIT = 20.0  # seconds; how long one waits for what is to appear
_DRIVERS = ("chromedriver",)
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-default-apps", "--disable-sync",
)  # fmt: skip


def missing() -> str:
    """Which program there is none of; "" if a browser can be had."""
    for kind, names in (("Chromium", _BROWSERS), ("chromedriver", _DRIVERS)):
        if not any(map(shutil.which, names)):
            return f"there is no {kind} here"
    return ""


@dataclass
class Screen:
    """A browser in front of a server."""

    driver: Chrome
    base: str

    def go(self, path: str) -> None:
        self.driver.get(self.base + path)

    def press(self, *keys: str) -> None:
        """Type without naming a field: to whatever has the focus."""
        from selenium.webdriver.common.action_chains import ActionChains

        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def one(self, selector: str) -> WebElement:
        """The element, once it is there."""
        self.until(f"document.querySelector({json.dumps(selector)}) !== null")
        return self.driver.find_element("css selector", selector)

    def run(self, script: str, *given: Any) -> Any:
        return self.driver.execute_script(f"return {script}", *given)

    def until(self, condition: str) -> Any:
        """What *condition*, JavaScript, says once it says yes."""
        from selenium.webdriver.support.wait import WebDriverWait

        waiting = WebDriverWait(self.driver, WAIT, poll_frequency=0.05)
        return waiting.until(lambda _: self.run(condition), condition)

    def ready(self) -> None:
        """Until the page's scripts have run."""
        self.until("document.documentElement.classList.contains('scripted')")

    def complaints(self) -> list[str]:
        """What the browser has complained of since it was last asked."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]

    def barriers(self) -> list[str]:
        """What axe finds that keeps somebody out: rule, weight and the first place of it."""
        self.driver.execute_script(AXE.read_text("utf-8"))
        found = self.driver.execute_async_script(
            "axe.run(document, {resultTypes: ['violations']}).then(arguments[0]);"
        )
        return [
            f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:160]}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]


@contextmanager
def chromium(width: int = 1280, height: int = 860) -> Generator[Chrome]:
    """A browser that knows nobody."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for flag in (*_FLAGS, f"--window-size={width},{height}"):
        options.add_argument(flag)
    options.binary_location = next(filter(None, map(shutil.which, _BROWSERS)))
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(
        options=options, service=Service(next(filter(None, map(shutil.which, _DRIVERS))))
    )
    try:
        yield driver
    finally:
        driver.quit()


@contextmanager
def serving(home: Path, *options: str) -> Generator[tuple[str, str]]:
    """`lsm serve` on a free port: its address, and a link that lets one browser in."""
    command = [LSM, "--home", home, "serve", "--port", "0", "--json", *options]
    # What lies beside the home is shown as ~, whatever the machine's folders are called.
    kept = {"PATH": os.environ["PATH"], "HOME": str(home.parent)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=kept
    )
    try:
        assert process.stdout
        told = json.loads(process.stdout.readline())
        yield told["url"].partition("/open/")[0], told["url"]
    finally:
        process.terminate()
        _, err = process.communicate(timeout=30)
        sys.stderr.write(err)  # shown beside a test that fails
    assert process.returncode == 0, err
    assert "Traceback" not in err, err


@dataclass
class Canary:
    """A web server elsewhere that nobody is to ask anything."""

    heard: list[str] = field(default_factory=list)
    address: str = ""


@contextmanager
def canary() -> Generator[Canary]:
    """One on this machine, for what a hostile document names."""
    made = Canary()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.heard.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Nothing: the tests read `heard`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
