"""Build the documentation as a website, and see that it needs nothing from anywhere.

Zensical itself refuses a link that leads nowhere; this looks at what a page would fetch.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "site"
_ELSEWHERE = ("http://", "https://", "//")
# What a browser fetches by itself, and by which attribute; a link is fetched when it is clicked.
_FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address = given.get(_FETCHED.get(tag, ""))
        if address and given.get("rel") != "canonical":
            self.fetched.append(address)


def fetched_from_elsewhere(text: str) -> list[str]:
    """Addresses of other machines that a browser asks when it shows the page *text*."""
    page = _Page()
    page.feed(text)
    return [address for address in page.fetched if address.startswith(_ELSEWHERE)]


def pages_in_navigation() -> set[str]:
    """Paths of the pages that can be reached from every page."""
    return set(_paths(tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]["nav"]))


def _paths(entries: Any) -> list[str]:
    if isinstance(entries, str):
        return [entries]
    values = entries.values() if isinstance(entries, dict) else entries
    return [path for value in values for path in _paths(value)]


@click.command()
def run() -> None:
    """Build the site into site/, strictly."""
    zensical = Path(sys.executable).with_name("zensical")
    done = subprocess.run((zensical, "build", "--clean", "--strict"), cwd=ROOT, check=False)
    if done.returncode:
        raise click.ClickException("a page leads nowhere; see above")
    for path in sorted(SITE.rglob("*.html")):
        for address in fetched_from_elsewhere(path.read_text("utf-8")):
            raise click.ClickException(f"{path.relative_to(ROOT)} fetches {address}")
    click.echo("built; look at it with: python3 -m http.server --directory site")


if __name__ == "__main__":
    run()
