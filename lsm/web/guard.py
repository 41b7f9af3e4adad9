"""The door: what every request must be before anything of ours sees it.

Outermost of all, in this order: the name it was sent to, where it comes from, who sends it, how
much of it there is. Whatever answers, what leaves carries the same headers. Nothing here asks what
a request is about.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from lsm.web.limits import Bucket, Limits
from lsm.web.problems import problem
from lsm.web.site import cookie_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from lsm.web.keys import Keys

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_SAFE = ("GET", "HEAD", "OPTIONS")
_METHODS = (*_SAFE, "POST", "PUT", "PATCH", "DELETE")
_OPEN = ("/static/", "/open/")  # what one needs in order to come in
_OPEN_PAGES = ("/sign-in",)
PROGRAMS = ("/api/", "/mcp")  # answered in JSON, not in pages


class BodyError(HTTPException):
    """The body is longer than any we take, or does not arrive."""


class Refusal(Exception):  # noqa: N818 - nothing went wrong with us
    """An answer to a request that goes no further."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class Door:
    """What the guard knows of this server."""

    keys: Keys
    port: int
    limits: Limits = field(default_factory=Limits)
    # Draws a page for people who are not let in; programs get a problem in JSON.
    page: Callable[[int, str], Response] | None = None
    say: Callable[[str], None] = field(default=lambda text: print(text, file=sys.stderr))  # noqa: T201

    @property
    def cookie(self) -> str:
        """The cookie's name."""
        return cookie_name(self.port)

    def hosts(self) -> frozenset[str]:
        """Every spelling under which a browser may call us."""
        return frozenset(f"{name}:{self.port}" for name in ("127.0.0.1", "localhost", "[::1]"))


class Guard:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door
        self._hosts = door.hosts()
        self._changes = Bucket(door.limits.per_second, door.limits.burst)
        self._strangers = Bucket(door.limits.per_second, door.limits.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            # Nothing of ours speaks over a web socket.
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = secrets.token_hex(6)
        scope.setdefault("state", {})["request_id"] = request_id
        sent = _Sent(send)
        try:
            self._check(scope)
            await self._app(scope, self._bounded(receive), sent)
        except Refusal as refusal:
            await self._refuse(scope, refusal, request_id)(scope, receive, sent)
        except BodyError as error:
            if not sent.started:
                await problem(error.status_code, error.detail, request_id)(scope, receive, sent)
        except Exception as error:  # noqa: BLE001 - the last door: nothing may leave but a number
            self._door.say(f"lsm: request {request_id} failed: {type(error).__name__}: {error}")
            if not sent.started:
                detail = "something went wrong here; the server's log names it by the request id"
                await problem(500, detail, request_id)(scope, receive, sent)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        size = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
        if size > self._door.limits.header_bytes:
            raise Refusal(431, f"the headers have {size} bytes; send fewer")
        self._check_host(headers)
        self._check_method(scope["method"])
        self._check_origin(scope, headers)
        caller = self._caller(scope, headers)
        if scope["method"] not in _SAFE:
            self._check_change(headers, scope["method"])
            self._pace(self._changes, caller)

    def _check_host(self, headers: Headers) -> None:
        names = headers.getlist("host")
        if len(names) != 1 or names[0].lower() not in self._hosts:
            raise Refusal(421, f"this server answers to {', '.join(sorted(self._hosts))} only")

    def _check_method(self, method: str) -> None:
        if method not in _METHODS:
            raise Refusal(405, f"{method} is not a method here", allow=", ".join(_METHODS))

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        for origin in headers.getlist("origin"):
            # Never from request.url: that is made of what the caller sent.
            if origin != f"http://{headers['host'].lower()}":
                raise Refusal(403, "requests from other sites are refused")
        site = headers.get("sec-fetch-site", "none")
        if site in ("same-origin", "none"):
            return
        looking = scope["method"] in ("GET", "HEAD")
        going = headers.get("sec-fetch-mode") == "navigate"
        if not (looking and going and headers.get("sec-fetch-dest") == "document"):
            raise Refusal(403, "requests from other sites are refused")

    def _check_change(self, headers: Headers, method: str) -> None:
        """A change must come from our own pages, or from a program that holds the token."""
        own = "sec-fetch-site" in headers or "origin" in headers  # and both were looked at
        if not own and not headers.get("authorization"):
            raise Refusal(403, "say where the request comes from: Origin, or the token")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        # A bare POST any site can send, but not with the token, and no other method unasked (CORS).
        bare = not has_body and (method != "POST" or "authorization" in headers)
        if kind != "application/json" and not bare:
            raise Refusal(415, "send application/json")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > self._door.limits.body_bytes:
            raise BodyError(413, f"at most {self._door.limits.body_bytes:,} bytes are taken")

    def _caller(self, scope: Scope, headers: Headers) -> str:
        """Who sends it, as a name for the limits."""
        path: str = scope["path"]
        authorization = headers.get("authorization")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() == "bearer" and self._door.keys.is_token(token.strip()):
                return "token"
        elif (session := self._session(headers)) is not None:
            return session
        elif path.startswith(_OPEN) or path in _OPEN_PAGES:
            return "stranger"
        self._pace(self._strangers, "all")
        raise Refusal(401, "open the link that lsm serve prints", www_authenticate="Bearer")

    def _session(self, headers: Headers) -> str | None:
        for cookie in headers.get("cookie", "").split(";"):
            name, _, value = cookie.strip().partition("=")
            if name == self._door.cookie and self._door.keys.is_session(value):
                return value
        return None

    def _pace(self, bucket: Bucket, caller: str) -> None:
        seconds = bucket.take(caller)
        if seconds:
            raise Refusal(429, "too many requests; wait", retry_after=str(int(seconds) + 1))

    def _refuse(self, scope: Scope, refusal: Refusal, request_id: str) -> Response:
        wants_page = not scope["path"].startswith(PROGRAMS) and scope["method"] in _SAFE
        if wants_page and refusal.status == 401 and self._door.page is not None:
            response = self._door.page(401, refusal.detail)
            response.headers.update(refusal.headers)
            return response
        return problem(refusal.status, refusal.detail, request_id, refusal.headers)

    def _bounded(self, receive: Receive) -> Receive:
        """*receive* that gives up on a body too long, or too slow."""
        limits = self._door.limits
        taken, ended = 0, False

        async def bounded() -> Message:
            nonlocal taken, ended
            if ended:
                return await receive()  # waits for the caller to hang up: as long as it takes
            try:
                message = await asyncio.wait_for(receive(), limits.seconds)
            except TimeoutError:
                raise BodyError(408, f"the request took over {limits.seconds:.0f} s") from None
            taken += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if taken > limits.body_bytes:
                raise BodyError(413, f"at most {limits.body_bytes:,} bytes are taken")
            return message

        return bounded


class _Sent:
    """`send`, with our headers on whatever leaves."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            message = {**message, "headers": _guarded(message.get("headers", []))}
        await self._send(message)


def _guarded(raw: Any) -> list[tuple[bytes, bytes]]:
    ours = {name.encode(): value.encode() for name, value in HEADERS.items()}
    kept = [
        (name, value)
        for name, value in raw
        if name.lower() not in ours
        and name.lower() != b"server"
        and not name.lower().startswith(b"access-control-")
    ]
    given = {name.lower(): value for name, value in raw}
    own = given.get(b"content-security-policy", b"")
    if own.startswith(b"sandbox"):
        ours[b"content-security-policy"] = own  # stricter: a file of somebody else's
    return [*kept, *ours.items()]
