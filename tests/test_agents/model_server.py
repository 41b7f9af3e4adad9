"""A server that speaks OpenAI's chat completions and Anthropic's messages, with a model that the
test writes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Seen:
    """A request as the model gets it."""

    messages: list[dict[str, Any]]
    tools: list[str]
    headers: dict[str, str]
    path: str = ""

    @property
    def system(self) -> str:
        return "\n".join(m["content"] for m in self.messages if m["role"] == "system")

    @property
    def results(self) -> list[str]:
        """What tools have answered so far, oldest first."""
        return [m["content"] for m in self.messages if m["role"] == "tool"]

    @property
    def words(self) -> str:
        """All that was written to the model but the program's own rules."""
        return "\n".join(
            m["content"] for m in self.messages if m["role"] in ("user", "tool") and m["content"]
        )


@dataclass(frozen=True)
class Say:
    """An answer in words."""

    text: str
    tokens: int = 10
    finish: str = "stop"


@dataclass(frozen=True)
class Use:
    """An answer that wants tools to be used: (name, arguments)."""

    calls: list[tuple[str, Any]]
    text: str = ""
    tokens: int = 10


@dataclass(frozen=True)
class Fail:
    """No answer."""

    status: int = 500
    body: Any = field(default_factory=lambda: {"error": {"message": "out of order"}})
    after_s: float = 0.0


Brain = Callable[[Seen], "Say | Use | Fail"]


@dataclass
class ModelServer:
    """What the tests see of the server."""

    url: str
    brain: Brain
    requests: list[Seen] = field(default_factory=list)
    count: int = 0
    location: str = ""  # where a redirect leads

    @property
    def last(self) -> Seen:
        return self.requests[-1]


@contextmanager
def model_server(brain: Brain) -> Iterator[ModelServer]:
    """A server on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            is_anthropic = self.path.startswith("/v1/messages")
            seen = Seen(
                body["messages"],
                [tool.get("name") or tool["function"]["name"] for tool in body.get("tools", [])],
                {name.lower(): value for name, value in self.headers.items()},
                self.path,
            )
            state.requests.append(seen)
            answer = state.brain(seen)
            if isinstance(answer, Fail):
                time.sleep(answer.after_s)
                self.send(answer.status, answer.body)
            else:
                state.count += 1
                write = message if is_anthropic else completion
                self.send(200, write(answer, state.count))

        def send(self, status: int, body: Any) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if state.location:
                    self.send_header("Location", state.location)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                pass  # whoever asked has gone

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state = ModelServer(f"http://127.0.0.1:{server.server_address[1]}/v1", brain)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def completion(answer: Say | Use, number: int) -> dict[str, Any]:
    """*answer* as OpenAI writes it."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    finish = "tool_calls"
    if isinstance(answer, Use):
        message["tool_calls"] = [
            {
                "id": f"call_{number}_{place}",
                "type": "function",
                "function": {
                    "name": name,
                    "arguments": given if isinstance(given, str) else json.dumps(given),
                },
            }
            for place, (name, given) in enumerate(answer.calls)
        ]
    else:
        finish = answer.finish
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1767268800,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": answer.tokens,
            "completion_tokens": answer.tokens,
            "total_tokens": 2 * answer.tokens,
        },
    }


def message(answer: Say | Use, number: int) -> dict[str, Any]:
    """*answer* as Anthropic writes it."""
    content: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.text else []
    if isinstance(answer, Use):
        content += [
            {"type": "tool_use", "id": f"toolu_{number}_{place}", "name": name, "input": given}
            for place, (name, given) in enumerate(answer.calls)
        ]
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": content,
        "stop_reason": "tool_use" if isinstance(answer, Use) else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": answer.tokens, "output_tokens": answer.tokens},
    }


def steps(*answers: Say | Use | Fail) -> Brain:
    """A model that gives *answers* one after the other, the last one for ever."""
    left = list(answers)

    def brain(_: Seen) -> Say | Use | Fail:
        return left.pop(0) if len(left) > 1 else left[0]

    return brain
