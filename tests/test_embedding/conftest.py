"""A server on this machine that speaks what the remote embedders speak."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Reply:
    body: Any  # bytes are sent as they are, anything else as JSON
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class EmbeddingServer:
    """Answers each request with the next of `script`, then with what `answer` makes of it."""

    url: str = ""
    answer: Callable[[dict[str, Any]], Reply] = lambda _: Reply({})
    script: list[Reply] = field(default_factory=list)
    questions: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    stalled: threading.Event = field(default_factory=threading.Event)

    def reply_to(self, path: str, key: str | None, question: dict[str, Any]) -> Reply:
        self.paths.append(path)
        self.keys.append(key)
        self.questions.append(question)
        return self.script.pop(0) if self.script else self.answer(question)


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    shared = EmbeddingServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = shared.reply_to(self.path, self.headers["Authorization"], question)
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            if len(body) < int(reply.headers.get("Content-Length", "0")):
                self.close_connection = "Hang-Up" in reply.headers
                if not self.close_connection:
                    shared.stalled.wait(30)
                    self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        shared.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield shared
        shared.stalled.set()
        http.shutdown()
        thread.join()
