"""Coming in: by a link that works once, or by typing its key, or the token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from lsm.errors import NotFoundError
from lsm.web.keys import SESSION
from lsm.web.problems import problem
from lsm.web.site import body_in

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from lsm.web.site import Site


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the form sends: the key of a link, or the token."""

    key: str


def routes(site: Site) -> list[BaseRoute]:
    """Of the entrance."""

    def open_link(request: Request) -> Response:
        # A browser that only looks ahead must not use the key up.
        if request.method == "HEAD" or "prefetch" in request.headers.get("sec-purpose", ""):
            return Response(status_code=503)
        if site.keys.redeem(request.path_params["key"]):
            # Not a redirect: after one, a browser that came from another program's page would
            # not send the cookie along. The page goes on by itself.
            return _let_in(site, site.renderer.page(None, "welcome.html"))
        if site.keys.is_session(request.cookies.get(site.cookie, "")):
            return RedirectResponse("/", 303)  # used already, by this very browser
        detail = "That link has been used. Ask for another: lsm serve --link"
        return site.renderer.page(None, "sign_in.html", {"detail": detail}, 401)

    def form(_: Request) -> Response:
        return site.renderer.page(None, "sign_in.html", {"detail": ""})

    async def sign_in(request: Request) -> Response:
        given = await body_in(request, SignIn)
        key = given.key.strip().rpartition("/")[2]  # the whole link will do
        if site.keys.redeem(key) or site.keys.is_token(key):
            return _let_in(site, Response(b'{"then":"/"}', media_type="application/json"))
        request_id: str = request.scope["state"]["request_id"]
        return problem(401, "that is neither a link's key nor the token", request_id)

    async def new_link(request: Request) -> Response:
        # For `lsm serve --link`: the token may have more links, a browser may not.
        if "authorization" not in request.headers:
            raise NotFoundError("page", "/links")
        body = msgspec.json.encode({"path": f"/open/{site.keys.new_link()}"})
        return Response(body, media_type="application/json")

    return [
        Route("/open/{key}", open_link),
        Route("/sign-in", form),
        Route("/sign-in", sign_in, methods=["POST"]),
        Route("/links", new_link, methods=["POST"]),
    ]


def _let_in(site: Site, response: Response) -> Response:
    response.set_cookie(
        site.cookie,
        site.keys.new_session(),
        max_age=int(SESSION.total_seconds()),
        path="/",
        httponly=True,
        samesite="strict",
    )
    return response
