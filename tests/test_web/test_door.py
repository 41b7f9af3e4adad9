"""Who gets in, from where, and with what. Whatever the answer, what it carries."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lsm.errors import AccessError, ConfigError
from lsm.web.guard import HEADERS
from lsm.web.keys import SESSION, TOKEN_NAME, Keys, load_token
from lsm.web.limits import Bucket
from lsm.web.site import Lately
from tests.test_web.browser import HOST, ORIGIN, PORT, Browser, Server

if TYPE_CHECKING:
    from pathlib import Path

PAGES = (
    "/", "/?q=kiln", "/ask", "/ask?q=kiln", "/memory", "/memory/review", "/schedules", "/library",
    "/library/documents", "/library/errors", "/library/versions", "/sources", "/sources/arxiv",
    "/health", "/document/1", "/document/1/compare",
)  # fmt: skip
EVERYWHERE = (
    *PAGES, "/nothing", "/document/999999", "/static/style.css", "/static/nothing.js", "/sign-in",
    "/open/wrong", "/document/1/file", "/passage/1", "/api/nothing", "/mcp",
)  # fmt: skip
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("host", [HOST, f"localhost:{PORT}", f"[::1]:{PORT}", f"LOCALHOST:{PORT}"])
def test_it_answers_to_its_own_names(looking: Server, host: str) -> None:
    headers = {"host": host, "authorization": f"Bearer {looking.token}"}

    assert looking.ask("GET", "/memory", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "", "127.0.0.1", "localhost", f"localhost.:{PORT}", f"127.0.0.1.evil.example:{PORT}",
        "127.0.0.1:80", f"127.0.0.1:{PORT}@evil.example", f"evil.example:{PORT}", "evil.example",
        f"127.0.0.1:{PORT}/a", f"127.0.0.1:{PORT}?x=", f"127.1:{PORT}", f"0.0.0.0:{PORT}",
        f"2130706433:{PORT}", f"[::ffff:127.0.0.1]:{PORT}", f"127.0.0.1:0{PORT}",
        f"@127.0.0.1:{PORT}", f"::1:{PORT}",
    ],
)  # fmt: skip
def test_it_answers_to_no_other_name(looking: Server, host: str) -> None:
    headers = {"host": host, "authorization": f"Bearer {looking.token}"}

    for path in ("/", "/static/style.css", "/act/reject", "/mcp"):
        assert looking.ask("GET", path, headers=headers).status_code == 421, path


@pytest.mark.parametrize(
    "origin",
    [
        "null", "http://evil.example", "https://127.0.0.1:8321", "http://127.0.0.1",
        "http://127.0.0.1:9999", "http://localhost:8321", "http://[::1]:8321", "file://",
        "http://127.0.0.1:8321.evil.example", "", "chrome-extension://abc", f"{ORIGIN}/",
    ],
)  # fmt: skip
def test_another_origin_is_refused_whatever_it_holds(looking: Server, origin: str) -> None:
    headers = {"origin": origin, "authorization": f"Bearer {looking.token}"} | JSON

    for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"):
        answer = looking.ask(method, "/act/reject", headers=headers, content=b"{}")
        assert answer.status_code == 403, method


@pytest.mark.parametrize(
    ("site", "mode", "dest", "allowed"),
    [
        ("same-origin", "cors", "empty", True),
        ("none", "navigate", "document", True),
        ("cross-site", "navigate", "document", True),  # a link; without the cookie, as it happens
        ("same-site", "navigate", "document", True),
        ("cross-site", "no-cors", "image", False),
        ("same-site", "no-cors", "script", False),
        ("same-site", "cors", "empty", False),
        ("cross-site", "navigate", "iframe", False),
        ("cross-site", "websocket", "websocket", False),
        ("nonsense", "cors", "empty", False),
    ],
)
def test_other_sites_may_link_here_and_nothing_else(
    page: Browser, site: str, mode: str, dest: str, *, allowed: bool
) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    lone = Browser(page.server, page.session, headers)

    for path in PAGES[:3]:
        assert (lone.get(path).status_code == 200) is allowed


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 404),
        ({"sec-fetch-site": "none"}, 404),
        ({"origin": ORIGIN}, 404),
        ({}, 403),  # neither: only with the token
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "http://evil.example"}, 403),
    ],
)
def test_a_change_with_a_cookie_must_come_from_our_own_pages(
    page: Browser, headers: dict[str, str], status: int
) -> None:
    lone = Browser(page.server, page.session, headers)

    # 404: it got through to the action, which knows no such candidate.
    assert lone.act("reject", id="nobody").status_code == status


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 404),
        ("application/json; charset=utf-8", 404),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
    ],
)
def test_a_change_must_be_json(page: Browser, kind: str, status: int) -> None:
    body = b'{"id": "nobody"}'

    answer = page._ask("POST", "/act/reject", content=body, headers={"content-type": kind})

    assert answer.status_code == status


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_no_page_takes_anything_but_a_look(page: Browser, method: str) -> None:
    for path in PAGES:
        answer = page._ask(method, path, headers=JSON, content=b"{}")
        assert answer.status_code == 405, path


@pytest.mark.parametrize("name", ["promote", "delete", "run", "ingest", "add-root", "purge-cache"])
def test_a_look_never_acts(page: Browser, name: str) -> None:
    assert page.get(f"/act/{name}?id=1&path=/").status_code == 405


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer "},
        {"authorization": "Basic dXNlcjpwdw=="},
        {"cookie": "lsm_8321=1.2.3"},
        {"cookie": "lsm_8321="},
        {"cookie": "lsm_8321=99999999999.aaaaaaaa.0000000000000000000000000000000000000000"},
    ],
)
def test_nobody_gets_in_without_the_token(looking: Server, headers: dict[str, str]) -> None:
    for path in (*PAGES, "/nothing", "/mcp", "/api/nothing", "/act/reject"):
        answer = looking.ask("GET", path, headers=headers)
        assert answer.status_code == 401, path
        assert "kiln" not in answer.text


def test_a_wrong_token_is_not_made_good_by_a_cookie(page: Browser) -> None:
    assert page.get("/", headers={"authorization": "Bearer wrong"}).status_code == 401


def test_the_token_in_the_address_opens_nothing(looking: Server) -> None:
    for path in (f"/?token={looking.token}", f"/?access_token={looking.token}"):
        assert looking.ask("GET", path).status_code == 401


def test_a_link_lets_in_one_browser_once(looking: Server) -> None:
    path = f"/open/{looking.site.keys.new_link()}"

    first, second = looking.ask("GET", path), looking.ask("GET", path)

    assert (first.status_code, second.status_code) == (200, 401)
    cookie = first.headers["set-cookie"]
    assert cookie.startswith("lsm_8321=")
    for part in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"):
        assert part in cookie
    assert "Domain" not in cookie
    session = cookie.partition("=")[2].partition(";")[0]
    assert Browser(looking, session).get("/memory").status_code == 200
    assert looking.token not in first.text + str(first.headers)


@pytest.mark.parametrize("headers", [{"sec-purpose": "prefetch;prerender"}, {}])
def test_a_browser_that_looks_ahead_does_not_use_up_the_link(
    looking: Server, headers: dict[str, str]
) -> None:
    path = f"/open/{looking.site.keys.new_link()}"

    looking.ask("GET" if headers else "HEAD", path, headers=headers)

    assert looking.ask("GET", path).status_code == 200


@pytest.mark.parametrize("what", ["token", "key", "link"])
def test_the_form_takes_link_key_and_token(looking: Server, what: str) -> None:
    key = looking.site.keys.new_link()
    typed = {"token": looking.token, "key": key, "link": f"{ORIGIN}/open/{key}"}[what]

    answer = looking.ask("POST", "/sign-in", json={"key": typed}, headers={"origin": ORIGIN})

    assert answer.status_code == 200
    assert "HttpOnly" in answer.headers["set-cookie"]


def test_the_form_takes_nothing_else(looking: Server) -> None:
    for body in ({"key": "wrong"}, {"key": ""}, {}, {"key": "x", "more": 1}, []):
        answer = looking.ask("POST", "/sign-in", json=body, headers={"origin": ORIGIN})
        assert answer.status_code in (400, 401)
        assert "set-cookie" not in answer.headers


def test_only_the_token_makes_links(looking: Server, page: Browser) -> None:
    bearer = {"authorization": f"Bearer {looking.token}"}

    made = looking.ask("POST", "/links", json={}, headers=bearer)

    assert looking.ask("GET", made.json()["path"]).status_code == 200
    assert page._ask("POST", "/links", json={}).status_code == 404


def test_a_cookie_runs_out() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    later = [now]
    keys = Keys("t" * 43, lambda: later[0])
    session = keys.new_session()

    later[0] = now + SESSION - timedelta(seconds=1)
    assert keys.is_session(session)
    later[0] = now + SESSION
    assert not keys.is_session(session)


def test_a_cookie_outlives_the_server() -> None:
    assert Keys("a" * 43).is_session(Keys("a" * 43).new_session())


def test_a_cookie_of_another_home_is_none_here() -> None:
    assert not Keys("a" * 43).is_session(Keys("b" * 43).new_session())


@pytest.mark.parametrize("let_in", [True, False])
def test_every_answer_carries_the_same_headers(page: Browser, *, let_in: bool) -> None:
    for path in EVERYWHERE:
        answer = page.get(path) if let_in else page.server.ask("GET", path)

        expected = dict(HEADERS)
        if path.endswith("/file") and let_in:
            expected["content-security-policy"] = "sandbox; default-src 'none'"
        assert {name: answer.headers.get(name) for name in expected} == expected, path
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "server" not in answer.headers


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_no_other_method_and_no_preflight(page: Browser, method: str) -> None:
    headers = {"access-control-request-method": "POST"}

    assert page._ask(method, "/act/reject", headers=headers).status_code == 405


def test_no_policy_allows_what_stands_in_the_page() -> None:
    policy = HEADERS["content-security-policy"]

    assert "unsafe" not in policy
    assert "http" not in policy
    for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert part in policy


def test_a_body_beyond_the_limit_is_not_read(page: Browser) -> None:
    def endless() -> Any:
        for _ in range(100):
            yield b" " * 100_000

    for content in (b" " * 1_000_001, endless()):
        assert page._ask("POST", "/act/reject", content=content, headers=JSON).status_code == 413


def test_headers_beyond_the_limit_are_refused(page: Browser) -> None:
    assert page.get("/", headers={"x-long": "x" * 17_000}).status_code == 431


@pytest.mark.parametrize(
    "path",
    ["/?q=" + "x" * 2001, "/?q=kiln&k=201", "/?q=x&k=-1", "/document/1?line=1e9", "/?k=\u0663"],
)
def test_what_is_asked_for_is_bounded(page: Browser, path: str) -> None:
    assert page.get(path).status_code == 400


def test_too_many_changes_are_told_to_wait(server: Server) -> None:
    hurried = Server(server.mind, burst=3)
    with hurried:
        browser = hurried.browser()
        answers = [browser.act("reject", id="x") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [404, 404, 404, 429, 429]
    assert answers[-1].headers["retry-after"] == "1"


def test_a_bucket_fills_again() -> None:
    now = [0.0]
    bucket = Bucket(10, 2, lambda: now[0])

    assert [bucket.take("a") for _ in range(3)] == [0, 0, 0.1]
    assert bucket.take("b") == 0
    now[0] = 0.1
    assert bucket.take("a") == 0


def test_what_took_long_to_count_is_kept_for_a_while_and_what_did_not_is_not() -> None:
    now, counted = [0.0], [0]

    def slow() -> int:
        now[0] += 1.0
        counted[0] += 1
        return counted[0]

    lately = Lately(lambda: now[0])

    assert [lately.get("a", slow), lately.get("a", slow), lately.get("b", slow)] == [1, 1, 2]
    now[0] += 20.0
    assert lately.get("a", slow) == 3
    lately.forget()
    assert lately.get("a", slow) == 4
    quick = Lately(lambda: 0.0)
    assert [quick.get("a", slow), quick.get("a", slow)] == [5, 6]


def test_a_fault_says_nothing_but_its_number(
    server: Server, own: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret of /somewhere/private")

    monkeypatch.setattr(server.site.ingesting, "stop", broken)

    answer = own.act("stop-ingest")

    assert answer.status_code == 500
    told = answer.json()
    assert "secret" not in answer.text
    assert told["code"] == "internal_server_error"
    assert any(told["request_id"] in line and "ZeroDivisionError" in line for line in server.said)


def test_the_token_is_its_owner_s_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        token = load_token(str(tmp_path))
    finally:
        os.umask(before)
    path = tmp_path / TOKEN_NAME

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(token) == 43
    assert os.listdir(tmp_path) == [TOKEN_NAME]
    path.chmod(0o644)
    assert load_token(str(tmp_path)) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_in_the_token_s_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("x" * 43, "ascii")
    (tmp_path / TOKEN_NAME).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(AccessError):
        load_token(str(tmp_path))


def test_what_is_no_token_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / TOKEN_NAME).write_text("short", "ascii")

    with pytest.raises(ConfigError, match="delete the file"):
        load_token(str(tmp_path))
