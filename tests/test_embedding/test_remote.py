"""Remote embedders against a server on this machine."""

from __future__ import annotations

import socket
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lsm.clock import utc_now
from lsm.embedding import EmbeddingSettings, ollama, open_embedder, openai
from lsm.embedding.backend import BackendEmbedder
from lsm.errors import ConfigError, EmbeddingError
from tests.test_embedding.conftest import EmbeddingServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.embedding.base import Embedder

KEY = "sk-canary-7f3a"
TEXTS = ["a", "bb", "ccc", "dddd", "eeeee"]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def waits() -> list[float]:
    """Seconds slept between attempts; nobody sleeps."""
    return []


@pytest.fixture(params=["openai", "ollama"])
def speak(
    request: pytest.FixtureRequest, server: EmbeddingServer, waits: list[float]
) -> Callable[..., Embedder]:
    """Opens the embedder of either kind on a server that knows its protocol."""
    kind = request.param
    server.answer = {"openai": openai_answer, "ollama": ollama_answer}[kind]

    def open_one(**settings: Any) -> Embedder:
        chosen = EmbeddingSettings(base_url=server.url, **settings)
        module = {"openai": openai, "ollama": ollama}[kind]
        return BackendEmbedder(module.open_backend("m", chosen, waits.append), chosen)

    return open_one


@pytest.fixture
def openai_embedder(server: EmbeddingServer, waits: list[float]) -> Embedder:
    server.answer = openai_answer
    settings = EmbeddingSettings(base_url=server.url, attempts=3)
    return BackendEmbedder(openai.open_backend("m", settings, waits.append), settings)


def test_documents_come_back_in_order_and_of_unit_length(speak: Callable[..., Embedder]) -> None:
    vectors = speak().embed_documents(TEXTS)

    assert vectors.dtype == np.float32
    assert vectors == pytest.approx(np.array([unit(text) for text in TEXTS]), abs=1e-6)


def test_no_texts_ask_for_no_vectors(
    speak: Callable[..., Embedder], server: EmbeddingServer
) -> None:
    assert speak(dimension=2).embed_documents([]).shape == (0, 2)
    assert server.questions == []


def test_batches_hold_as_many_tokens_as_they_may(
    speak: Callable[..., Embedder], server: EmbeddingServer
) -> None:
    embedder = speak(batch_tokens=4, dimension=2)

    vectors = embedder.embed_documents(TEXTS)

    # a, bb: 1 token each as estimated; ccc, dddd, eeeee: 2 each.
    assert [question["input"] for question in server.questions] == [
        ["a", "bb", "ccc"],
        ["dddd", "eeeee"],
    ]
    assert vectors == pytest.approx(np.array([unit(text) for text in TEXTS]), abs=1e-6)


def test_the_dimension_is_counted_once(
    speak: Callable[..., Embedder], server: EmbeddingServer
) -> None:
    embedder = speak()

    assert (embedder.dimension, embedder.dimension) == (2, 2)
    assert len(server.questions) == 1


def test_a_known_dimension_is_not_counted_again(server: EmbeddingServer) -> None:
    settings = EmbeddingSettings(base_url=server.url)

    embedder = open_embedder("ollama:m", settings, known_dimension=768)

    assert embedder.dimension == 768
    assert server.questions == []


def test_a_wanted_dimension_is_asked_of_the_server_and_told_in_the_name(
    speak: Callable[..., Embedder], server: EmbeddingServer
) -> None:
    embedder = speak(dimension=2)

    embedder.embed_query("a")

    assert server.questions[0]["dimensions"] == 2
    assert embedder.model.endswith(":m?dimension=2")


def test_prefixes_reach_the_server(speak: Callable[..., Embedder], server: EmbeddingServer) -> None:
    embedder = speak(query_prefix="q: ", document_prefix="d: ", dimension=2)

    embedder.embed_query("a")
    embedder.embed_documents(["a"])

    assert [question["input"] for question in server.questions] == [["q: a"], ["d: a"]]


def test_the_protocols_paths_and_the_key(
    openai_embedder: Embedder, server: EmbeddingServer
) -> None:
    openai_embedder.embed_query("a")
    server.answer = ollama_answer
    open_embedder("ollama:m", EmbeddingSettings(base_url=server.url + "/")).embed_query("a")

    assert set(server.paths) == {"/embeddings", "/api/embed"}
    assert set(server.keys) == {f"Bearer {KEY}", None}


def test_answers_out_of_order_are_put_in_order(
    openai_embedder: Embedder, server: EmbeddingServer
) -> None:
    def backwards(question: dict[str, Any]) -> Reply:
        return Reply({"data": openai_answer(question).body["data"][::-1]})

    server.answer = backwards

    vectors = openai_embedder.embed_documents(TEXTS)

    assert vectors == pytest.approx(np.array([unit(text) for text in TEXTS]), abs=1e-6)


@pytest.mark.parametrize("indices", [[0, 0], [1, 2], [-1, 0]])
def test_answers_that_fit_no_text_are_refused(
    openai_embedder: Embedder, server: EmbeddingServer, indices: list[int]
) -> None:
    data = [{"index": index, "embedding": [1.0, 2.0]} for index in indices]
    server.script = [Reply({"data": data})]

    with pytest.raises(EmbeddingError, match="not numbered from 0"):
        openai_embedder.embed_documents(["a", "b"])


@pytest.mark.parametrize(
    ("retry_after", "waited"), [("7", 7.0), ("0", 0.0), (None, 0.5), ("soon", 0.5)]
)
def test_a_busy_server_is_given_the_time_it_asks_for(
    speak: Callable[..., Embedder],
    server: EmbeddingServer,
    waits: list[float],
    retry_after: str | None,
    waited: float,
) -> None:
    headers = {"Retry-After": retry_after} if retry_after else {}
    server.script = [Reply({"error": "slow down"}, 429, headers)]

    speak(dimension=2).embed_query("a")

    assert waits == [waited]


def test_a_date_to_come_back_at_is_understood(
    openai_embedder: Embedder, server: EmbeddingServer, waits: list[float]
) -> None:
    at = format_datetime(utc_now() + timedelta(seconds=30), usegmt=True)
    past = format_datetime(utc_now() - timedelta(days=1), usegmt=True)
    server.script = [Reply({}, 503, {"Retry-After": date}) for date in (at, past)]

    openai_embedder.embed_query("a")

    assert 0 < waits[0] <= 30
    assert waits[1] == 0


def test_a_server_that_asks_for_too_long_a_wait_is_not_waited_for(
    openai_embedder: Embedder, server: EmbeddingServer, waits: list[float]
) -> None:
    server.script = [Reply({"error": "quota"}, 429, {"Retry-After": "86400"})]

    with pytest.raises(EmbeddingError, match=r"429 .*: quota; it asks to wait 86400 s"):
        openai_embedder.embed_query("a")

    assert waits == []


def test_a_server_that_stays_broken_is_given_up_with_longer_waits(
    openai_embedder: Embedder, server: EmbeddingServer, waits: list[float]
) -> None:
    server.script = [Reply(b"<html>oops</html>", 500) for _ in range(3)]

    with pytest.raises(EmbeddingError) as caught:
        openai_embedder.embed_query("a")

    assert str(caught.value) == (
        f"{server.url}/embeddings: HTTP 500 Internal Server Error; gave up after 3 attempts"
    )
    assert waits == [0.5, 1.0]


def test_a_connection_that_breaks_is_tried_again(
    openai_embedder: Embedder, server: EmbeddingServer, waits: list[float]
) -> None:
    server.script = [Reply(b"{", headers={"Content-Length": "100", "Hang-Up": "yes"})]

    vector = openai_embedder.embed_query("a")

    assert vector == pytest.approx(unit("a"), abs=1e-6)
    assert waits == [0.5]


@pytest.mark.parametrize(
    "refusal",
    [
        {"status": 413, "body": b"Payload Too Large"},
        {"status": 400, "body": {"error": {"message": "maximum context length is 8192"}}},
        {"status": 400, "body": {"error": "the input length exceeds the context length"}},
    ],
)
def test_a_batch_that_is_too_long_is_halved_until_it_fits(
    speak: Callable[..., Embedder], server: EmbeddingServer, refusal: dict[str, Any]
) -> None:
    answer = server.answer
    server.answer = lambda question: (
        Reply(**refusal) if len(question["input"]) > 1 else answer(question)
    )

    vectors = speak(dimension=2).embed_documents(TEXTS)

    assert vectors == pytest.approx(np.array([unit(text) for text in TEXTS]), abs=1e-6)


def test_a_text_that_is_too_long_by_itself_is_named_by_its_index(
    speak: Callable[..., Embedder], server: EmbeddingServer
) -> None:
    answer = server.answer
    server.answer = lambda question: (
        Reply(b"", 413) if "dddd" in question["input"] else answer(question)
    )

    with pytest.raises(EmbeddingError, match=r"^text 3 is too long for the model: .* HTTP 413"):
        speak(dimension=2).embed_documents(TEXTS)


def test_any_other_refusal_is_neither_halved_nor_tried_again(
    openai_embedder: Embedder, server: EmbeddingServer
) -> None:
    server.script = [Reply({"error": {"message": "no such\nmodel"}}, 400)]

    with pytest.raises(EmbeddingError) as caught:
        openai_embedder.embed_documents(TEXTS)

    assert str(caught.value) == f"{server.url}/embeddings: HTTP 400 Bad Request: no such model"
    assert len(server.questions) == 1


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<html>Log in to the hotel's network</html>", "malformed"),
        (b"", "truncated"),
        (b'{"data": [{"index": 0, "embedding": [NaN, 1]}]}', "malformed"),
        (b'{"data": [{"index": 0, "embedding": [null, 1]}]}', r"data\[0\]\.embedding\[0\]"),
        (b'{"data": [{"index": 0, "embedding": "AAAA"}]}', r"data\[0\]\.embedding"),
        (b'{"data": [{"index": 0, "embedding": [1e999, 1]}]}', "Number out of range"),
        (b'{"data": [{"index": 0, "embedding": [0, 0.0]}]}', "text 0: its vector is zero"),
        (b'{"data": [{"index": 0, "embedding": [1]}]}', "text 0: its vector has 1 numbers, not 2"),
        (b'{"data": []}', "text 0: the server answered 0 vectors for 1 texts"),
        (b'{"error": "loading"}', "data"),
        (b"\xff\xfe", "malformed|UTF-8|utf-8"),
    ],
)
def test_an_answer_that_is_no_vector_is_refused_in_one_line(
    server: EmbeddingServer, body: bytes, problem: str
) -> None:
    server.script = [Reply(body)]
    settings = EmbeddingSettings(base_url=server.url)
    embedder = open_embedder("openai:m", settings, known_dimension=2)

    with pytest.raises(EmbeddingError, match=problem) as caught:
        embedder.embed_query("a")

    assert "\n" not in str(caught.value)


def test_a_missing_vector_is_named_by_its_index_in_the_whole(
    speak: Callable[..., Embedder], server: EmbeddingServer
) -> None:
    answer = server.answer
    server.answer = lambda question: answer(
        question | {"input": [text for text in question["input"] if text != "eeeee"]}
    )

    with pytest.raises(EmbeddingError, match="text 4: the server answered 1 vectors for 2 texts"):
        speak(dimension=2, batch_tokens=4).embed_documents(TEXTS)


@pytest.mark.parametrize("sent", [b"", b'{"data"'])
def test_a_server_that_hangs_is_left_after_the_time_limit(
    server: EmbeddingServer, sent: bytes
) -> None:
    server.script = [Reply(sent, headers={"Content-Length": "100"})]
    settings = EmbeddingSettings(base_url=server.url, timeout_s=0.2)

    with pytest.raises(EmbeddingError, match=r"no answer within 0\.2 s \(embedding\.timeout_s\)$"):
        open_embedder("openai:m", settings).embed_query("a")


def test_a_server_that_is_not_there_is_named_at_once(waits: list[float]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        settings = EmbeddingSettings(base_url=f"http://127.0.0.1:{unused.getsockname()[1]}")
    embedder = BackendEmbedder(ollama.open_backend("m", settings, waits.append), settings)

    with pytest.raises(EmbeddingError, match=r"^http://127\.0\.0\.1:\d+/api/embed: cannot connect"):
        embedder.embed_query("a")

    assert waits == []


def test_a_redirect_is_not_followed(openai_embedder: Embedder, server: EmbeddingServer) -> None:
    server.script = [Reply(b"", 307, {"Location": f"{server.url}/elsewhere"})]

    with pytest.raises(EmbeddingError, match="HTTP 307"):
        openai_embedder.embed_query("a")

    assert server.paths == ["/embeddings"]


def test_no_proxy_stands_before_this_machine(
    openai_embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")

    assert openai_embedder.embed_query("a") == pytest.approx(unit("a"), abs=1e-6)


@pytest.mark.parametrize("status", [400, 401, 403, 413, 429, 500])
def test_the_key_is_shown_nowhere(
    openai_embedder: Embedder, server: EmbeddingServer, status: int
) -> None:
    server.answer = lambda _: Reply({"error": {"message": f"bad key {KEY}"}}, status)

    with pytest.raises(EmbeddingError) as caught:
        openai_embedder.embed_query("a")

    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert KEY not in repr([(str(link), link) for link in chain] + [openai_embedder.model])


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_named_by_its_variable(server: EmbeddingServer, status: int) -> None:
    server.script = [Reply({}, status)]
    settings = EmbeddingSettings(base_url=server.url, api_key_env="MY_KEY")

    with pytest.raises(EmbeddingError, match=r"the key is taken from the variable MY_KEY"):
        open_embedder("openai:m", settings).embed_query("a")


def test_the_key_comes_from_the_variable_that_is_named(
    server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", " other \n")
    server.answer = openai_answer
    settings = EmbeddingSettings(base_url=server.url, api_key_env="MY_KEY")

    open_embedder("openai:m", settings).embed_query("a")

    assert set(server.keys) == {"Bearer other"}


def test_openai_itself_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")

    with pytest.raises(ConfigError, match="the variable OPENAI_API_KEY is not set"):
        open_embedder("openai:text-embedding-3-small")


def test_a_server_of_ones_own_needs_no_key(
    server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    server.answer = openai_answer

    open_embedder("openai:m", EmbeddingSettings(base_url=server.url)).embed_query("a")

    assert set(server.keys) == {None}


@pytest.mark.parametrize("value", ["sk-one\nsk-two", "sk-\u00e9", "sk\x7f"])
def test_what_is_no_key_is_refused_and_not_shown(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", value)

    with pytest.raises(ConfigError) as caught:
        open_embedder("openai:m")

    assert str(caught.value) == "embedding.api_key_env: what OPENAI_API_KEY holds is not a key"


def vector_of(text: str) -> list[float]:
    return [float(len(text)), 1.0]


def unit(text: str) -> list[float]:
    x, y = vector_of(text)
    return [x / (x * x + y * y) ** 0.5, y / (x * x + y * y) ** 0.5]


def openai_answer(question: dict[str, Any]) -> Reply:
    vectors = [vector_of(text) for text in question["input"]]
    data = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return Reply({"object": "list", "data": data, "model": question["model"], "usage": usage})


def ollama_answer(question: dict[str, Any]) -> Reply:
    vectors = [vector_of(text) for text in question["input"]]
    return Reply({"model": question["model"], "embeddings": vectors, "total_duration": 1})
