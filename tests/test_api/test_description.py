"""The description is true: requests made from it are answered as it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from starlette.applications import Starlette
from starlette.responses import Response

from lsm.app import Mind
from lsm.web.api import OPERATIONS, PREFIX, description, routes
from lsm.web.api.operations import Nothing
from tests.test_api.conftest import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis.schemas import BaseSchema
    from starlette.types import ASGIApp, Receive, Scope, Send

    from lsm.web.api.operations import Operation

# Who may call is the business of the door, which stands before the API.
UNGUARDED = description(OPERATIONS) | {"security": []}
POSITIVE = GenerationMode.POSITIVE
TOKEN = "Bearer of-nobody"  # noqa: S105


class Door:
    """Lets in whoever has the token, as the real one does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and dict(scope["headers"]).get(b"authorization") != TOKEN.encode()
        ):
            kind = {"media_type": "application/problem+json"}
            told = dict.fromkeys(("type", "title", "code", "detail", "request_id"), "")
            problem = json.dumps(told | {"status": 401}).encode()
            await Response(problem, 401, {"www-authenticate": "Bearer"}, **kind)(
                scope, receive, send
            )
            return
        await self._app(scope, receive, send)


@pytest.fixture(scope="session")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    folder = tmp_path_factory.mktemp("described")
    with Mind(str(folder / "home")) as mind:
        mind.ingest(str(written(folder)))
        schema = schemathesis.openapi.from_dict(json.loads(msgspec.json.encode(UNGUARDED)))
        schema.app = Starlette(routes=routes(mind))
        yield schema


@pytest.mark.parametrize(
    "each",
    [each for each in OPERATIONS if not each.path.endswith("/events")],
    ids=lambda each: each.name,
)
@given(data=st.data())
@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_few_requests_of_each_kind_are_answered_as_described(
    described: BaseSchema, data: st.DataObject, each: Operation
) -> None:
    operation = described[PREFIX + each.path][each.method]
    can_be_wrong = each.query is not Nothing or each.body not in (None, Nothing)
    mode = data.draw(st.sampled_from(list(GenerationMode) if can_be_wrong else [POSITIVE]))

    case = data.draw(operation.as_strategy(generation_mode=mode))

    case.call_and_validate()


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_thousands_of_requests_are_answered_as_described(tmp_path: Path, seed: int) -> None:
    with Mind(str(tmp_path / "home")) as mind:
        mind.ingest(str(written(tmp_path)))
        with served(Door(Starlette(routes=routes(mind)))) as address:
            command = (
                *(Path(sys.executable).parent / "st", "run", f"{address}{PREFIX}/openapi.json"),
                *("-H", f"Authorization: {TOKEN}", "--seed", str(seed), "--max-examples", "40"),
            )
            done = subprocess.run(
                command,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                env=dict(os.environ),
                check=False,
            )

    assert done.returncode == 0, done.stdout[-8000:]


class served:  # noqa: N801 - reads as a verb
    """The address of *app* on a real socket."""

    def __init__(self, app: ASGIApp) -> None:
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> str:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
