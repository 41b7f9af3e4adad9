"""`lsm agent` and `lsm ask` with a language model, through the installed entry point."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.test_agents.model_server import Fail, ModelServer, Say, Seen, Use, model_server, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.test_cli.command import Place

KEY = "sk-canary-0987654321"


@pytest.fixture
def server(place: Place) -> Iterator[ModelServer]:
    """A model that the place's configuration names."""
    with model_server(steps(Say("nothing"))) as running:
        place.home.mkdir(mode=0o700)
        (place.home / "lsm.toml").write_text(
            f'[llm]\nmodel = "openai:scripted"\nbase_url = "{running.url}"\nretries = 0\n'
            'api_key_env = "MY_KEY"\n'
        )
        yield running


def test_a_new_agent_is_written_listed_run_and_read_again(
    place: Place, server: ModelServer
) -> None:
    server.brain = keeper
    place.lsm("ingest", "notes")

    made = place.lsm("agent", "new", "scout", "--description", "finds rules", "--json")
    listed = place.lsm("agent", "list", "--json")
    ran = place.lsm("agent", "run", "scout", "--param", "topic=keys", "--json", MY_KEY=KEY)
    shown = place.lsm("agent", "show", ran.json["run_id"], "--json")

    assert made.json["file"] == str(place.home / "agents" / "scout.md")
    (row,) = [row for row in listed.json if row["name"] == "scout"]
    assert (row["description"], row["kind"]) == ("finds rules", "yours")
    assert ran.code == 0, ran.err
    assert {"run_id", "state", "report", "memories", "candidates"} <= set(ran.json)
    assert ran.json["report"].startswith("Every 90 days [1].\n\n## Sources\n\n- [1] ")
    assert [each["text"] for each in ran.json["candidates"]] == ["Keys rotate every 90 days"]
    assert ran.json["memories"] == []
    assert shown.json == ran.json
    assert server.last.headers["authorization"] == f"Bearer {KEY}"
    assert not [
        path for path in place.home.iterdir() if path.is_file() and holds_key(path.name, place)
    ]


def test_a_dry_run_says_what_it_would_change(place: Place, server: ModelServer) -> None:
    server.brain = keeper
    place.lsm("ingest", "notes")

    told = place.lsm(
        "agent", "run", "researcher", "--param", "question=keys?", "--dry-run", MY_KEY=KEY
    )

    assert told.code == 0, told.err
    assert "would propose: Keys rotate every 90 days" in told.err
    assert place.lsm("memory", "candidates", "--json").json == []


def test_a_grant_is_given_listed_used_and_taken_back(place: Place, server: ModelServer) -> None:
    agents = place.home / "agents"
    agents.mkdir()
    (agents / "scout.md").write_text("---\ndescription: x\ntools: [remember]\n---\nGo.\n")
    server.brain = lambda seen: (
        Say("done") if seen.results else Use([("remember", {"text": "Kilns are hot"})])
    )

    without = place.lsm("agent", "run", "scout", "--json", MY_KEY=KEY)
    granted = place.lsm("agent", "grant", "scout", "remember", "--for", "7d", "--json")
    listed = place.lsm("agent", "grants", "--json")
    with_it = place.lsm("agent", "run", "scout", "--json", MY_KEY=KEY)
    revoked = place.lsm("agent", "revoke", granted.json["grant_id"], "--json")

    assert without.json["memories"] == []
    assert [row["grant_id"] for row in listed.json] == [granted.json["grant_id"]]
    assert [each["text"] for each in with_it.json["memories"]] == ["Kilns are hot"]
    assert revoked.json["revoked_at"] is not None
    assert place.lsm("agent", "grants", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "researcher", "--param", "quesion=x"), "did you mean question?"),
        (("run", "researcher"), "parameter question: researcher needs it"),
        (("run", "digest", "--param", "days=1"), "digest takes no parameters"),
        (("run", "researcher", "--param", "question=x", "--allow", "x"), "no such tool"),
        (("grant", "researcher", "remember", "--for", "soon"), "'soon' is no duration"),
        (("grant", "researcher", "remember", "--for", "7d"), "does not list remember"),
        (("new", "digest"), "digest comes with lsm"),
    ],
)
def test_what_cannot_be_is_one_line(place: Place, arguments: tuple[str, ...], said: str) -> None:
    done = place.lsm("agent", *arguments)

    assert done.code in (1, 2)
    assert said in done.err
    assert done.err.count("\n") == 1


def test_parameters_are_checked_when_a_schedule_is_made_too(place: Place) -> None:
    wrong = place.lsm("schedule", "add", "digest", "--every", "1h", "--param", "days=1")
    place.home.mkdir(mode=0o700, exist_ok=True)
    entry = '[[agents.schedules]]\nagent = "digest"\nevery = "1h"\nparams = { days = 1 }\n'
    (place.home / "lsm.toml").write_text(entry)
    declared = place.lsm("schedule", "start", "--once")

    assert (wrong.code, declared.code) == (2, 2)
    assert "digest takes no parameters" in wrong.err
    assert "digest takes no parameters" in declared.err


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("", "llm.model: no language model is configured"),
        ('[llm]\nmodel = "gpt-5"\n', "is no model"),
        ('[llm]\nmodel = "anthropic:x"\n', "the environment variable ANTHROPIC_API_KEY is not set"),
        ('[llm]\nmodel = "openai:x"\nbase_url = "https://a:b@c/"\n', "without a name or key in it"),
    ],
)
def test_without_a_model_the_setting_is_named(place: Place, config: str, said: str) -> None:
    place.home.mkdir(mode=0o700)
    (place.home / "lsm.toml").write_text(config)

    done = place.lsm("agent", "run", "researcher", "--param", "question=x")

    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1


def test_a_missing_extra_is_named(place: Place, server: ModelServer) -> None:
    stub = place.folder / "stub" / "pydantic_ai"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text("raise ImportError('as if it were not installed')")

    done = place.lsm(
        *("agent", "run", "researcher", "--param", "question=x"),
        MY_KEY=KEY,
        PYTHONPATH=str(stub.parent),
    )

    assert done.code == 2
    assert "a language model needs: pip install 'local-second-mind[llm]'" in done.err


def test_a_question_is_answered_by_the_model_and_checked(place: Place, server: ModelServer) -> None:
    place.lsm("ingest", "notes")
    server.brain = steps(
        Say('Keys are rotated every 90 days. [1]\nQUOTES\n[1] "We rotate keys every 90 days."')
    )

    written = place.lsm("ask", "how often do we rotate keys", "--json", MY_KEY=KEY)
    quoted = place.lsm("ask", "how often do we rotate keys", "--no-llm", "--json")

    assert written.code == 0, written.err
    assert written.json["model"] == "openai:scripted"
    assert written.json["answer"] == "Keys are rotated every 90 days. [1]"
    (citation,) = written.json["citations"]
    assert {"n", "path", "start_line", "end_line", "page", "quote"} <= set(citation)
    assert citation["quote"] == "We rotate keys every 90 days"
    assert quoted.json["model"] is None


def test_a_model_that_fails_costs_a_line_and_not_the_answer(
    place: Place, server: ModelServer
) -> None:
    place.lsm("ingest", "notes")
    server.brain = steps(Fail(500, {"error": {"message": f"the key {KEY} is bad"}}))

    done = place.lsm("ask", "how often do we rotate keys", "--json", MY_KEY=KEY)

    assert done.code == 0
    assert done.err.count("\n") == 1
    assert "HTTP 500, the server failed" in done.err
    assert KEY not in done.err + done.text
    assert done.json["model"] is None
    assert "90 days" in done.json["answer"]


def test_interrupted_it_ends_at_once_and_says_so(place: Place, server: ModelServer) -> None:
    asked = threading.Event()

    def slow(_: Seen) -> Any:
        asked.set()
        return Fail(500, after_s=15)

    server.brain = slow
    (place.home / "lsm.toml").write_text(
        f'[llm]\nmodel = "openai:scripted"\nbase_url = "{server.url}"\n'
    )
    running = place.start("agent", "run", "researcher", "--param", "question=x")
    assert asked.wait(60)

    running.send_signal(signal.SIGINT)

    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in errors
    assert "lsm: stopped" in errors


def keeper(seen: Seen) -> Any:
    """Looks, proposes, reports."""
    if not seen.results:
        return Use([("search", {"query": "rotate keys", "k": 1})])
    if len(seen.results) == 1:
        return Use([("propose", {"text": "Keys rotate every 90 days", "sources": [1]})])
    return Say("Every 90 days [1].")


def holds_key(name: str, place: Place) -> bool:
    from tests.test_cli.command import bytes_of

    return KEY.encode() in bytes_of(place.home)[name]
