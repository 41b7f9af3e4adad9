"""A server without a socket, and those who come to it: with a cookie, a token, or nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from lxml import html
from starlette.testclient import TestClient

from lsm.web.application import application
from lsm.web.keys import load_token
from lsm.web.limits import Limits
from lsm.web.server import ServeOptions, open_site

if TYPE_CHECKING:
    from lsm.app import Mind

PORT = 8321
HOST = f"127.0.0.1:{PORT}"
ORIGIN = f"http://{HOST}"
SAME = {"sec-fetch-site": "same-origin", "origin": ORIGIN}


class Server:
    """The whole application over one mind, and what it said."""

    def __init__(self, mind: Mind, **limits: Any) -> None:
        self.mind = mind
        self.said: list[str] = []
        # Tests ask faster than people do.
        bounds = Limits(**{"burst": 100_000} | limits)
        self.site = open_site(mind, PORT, ServeOptions(), self.said.append)
        self._client = TestClient(
            application(self.site, bounds), base_url=ORIGIN, follow_redirects=False
        )

    @property
    def token(self) -> str:
        return load_token(self.mind.home)

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(self, *why: object) -> None:
        self.site.runner.close()
        self._client.__exit__(*why)

    def ask(self, method: str, path: str, **how: Any) -> Any:
        """One request, with nothing but the headers given."""
        self._client.cookies.clear()
        return self._client.request(method, path, **how)

    def browser(self) -> Browser:
        """Somebody who was let in."""
        return Browser(self, self.site.keys.new_session())


@dataclass(frozen=True)
class Browser:
    """Asks as a browser does from one of our own pages."""

    server: Server
    session: str
    headers: dict[str, str] = field(default_factory=lambda: dict(SAME))

    def get(self, path: str, **how: Any) -> Any:
        """The answer to a visit."""
        return self._ask("GET", path, **how)

    def see(self, path: str) -> html.HtmlElement:
        """The page at *path*, which must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return html.fromstring(answer.text)

    def act(self, name: str, **body: Any) -> Any:
        """The answer to a button or a form."""
        return self._ask("POST", f"/act/{name}", json=body)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The answer to what a script of a page sends."""
        return self._ask("POST", path, json=body)

    def _ask(self, method: str, path: str, **how: Any) -> Any:
        cookie = f"{self.server.site.cookie}={self.session}"
        headers = self.headers | {"cookie": cookie} | how.pop("headers", {})
        return self.server.ask(method, path, headers=headers, **how)


def words(element: html.HtmlElement) -> str:
    """What stands in *element*, on one line."""
    return " ".join(element.text_content().split())
