"""The verbs of the command line over HTTP."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from lsm.web.api import OPERATIONS, PREFIX, description

if TYPE_CHECKING:
    from pathlib import Path

    from httpx import Response
    from starlette.testclient import TestClient

    from tests.test_api.conftest import GatedMind

NEXT = re.compile(r'<(.+)>; rel="next"')


def test_every_operation_is_described_once_and_by_a_name_of_its_own() -> None:
    document = description(OPERATIONS)

    names = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(names) == len(set(names)) == len(OPERATIONS)


def test_the_description_is_served(api: TestClient) -> None:
    served = api.get("openapi.json")

    assert served.json() == json.loads(msgspec.json.encode(description(OPERATIONS)))


READ = [
    "search?query=kiln",
    "search?query=kiln&k=1&mode=text&ext=.txt&tag=none&since=7d&version=1",
    "ask?question=when is the kiln fired",
    "show?id=1",
    "documents",
    "errors",
    "status",
    "stats",
    "doctor",
    "jobs",
    "memories",
    "memories/search?query=kiln",
    "memories/stats",
    "candidates",
    "agents",
    "schedules",
    "schedules/next?cron=0 9 * * MON-FRI&tz=Europe/Berlin&n=3",
    "remote",
    "cache",
    "cache/stats",
]


@pytest.mark.parametrize("mind", ["sqlite", "postgres"], indirect=True)
def test_what_is_answered_is_what_is_described(api: TestClient, mind: GatedMind) -> None:
    memory = post(api, "memories", text="Fired on Fridays", tags=["kiln"], scope="studio").json()
    post(api, "memories", text="Ada rotates the keys", propose=True)
    schedule = post(api, "schedules", agent="librarian", every="1h").json()
    one = f"memories/{memory['id']}"
    more = [one, f"{one}/history", f"schedules/{schedule['schedule_id']}"]
    (ops, wrong) = ({each.path: each for each in OPERATIONS if each.method == "GET"}, [])

    for address in (*READ, *more, f"{more[2]}/next", f"{more[2]}/history"):
        answer = api.get(address)
        assert answer.status_code == 200, (address, answer.text)
        path = "/" + address.partition("?")[0]
        path = path.replace(memory["id"], "{memory_id}")
        path = path.replace(schedule["schedule_id"], "{schedule_id}")
        wrong += [(address, error) for error in violations(ops[path].path, answer)]

    assert wrong == []


def test_answers_are_what_the_commands_print(api: TestClient, mind: GatedMind) -> None:
    hits = mind.search("kiln", 3, mode="text")

    found = api.get("search", params={"query": "kiln", "k": 3, "mode": "text"})
    shown = api.get("show", params={"id": hits[0].path})

    assert found.json() == json.loads(msgspec.json.encode(hits))
    assert shown.json() == json.loads(msgspec.json.encode(mind.show(hits[0].path)))


def test_a_memory_is_added_found_changed_and_forgotten(api: TestClient) -> None:
    added = post(api, "memories", text="Fired on Fridays", scope="studio", ttl="2w")
    place = added.headers["location"].removeprefix(f"{PREFIX}/")

    changed = api.patch(place, json={"text": "Fired on Saturdays", "expect_version": 1})
    late = api.patch(place, json={"text": "Fired on Sundays", "expect_version": 1})
    history = api.get(f"{place}/history")
    gone = api.delete(place)
    back = api.post(f"{place}/restore", json={"version": 1})
    purged = api.post(f"{place}/purge", json={})

    assert added.status_code == 201
    assert (changed.json()["text"], changed.json()["version"]) == ("Fired on Saturdays", 2)
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    assert [each["action"] for each in history.json()] == ["added", "updated"]
    assert gone.json()["status"] == "deleted"
    assert back.json()["text"] == "Fired on Fridays"
    assert purged.json()["rows"] > 0
    assert api.get(place).status_code == 404


def test_a_candidate_is_reviewed(api: TestClient) -> None:
    first, second = (
        post(api, "memories", text=text, propose=True).json()["candidate_id"]
        for text in ("Fired on Fridays", "Fired on Sundays")
    )

    promoted = api.post(f"candidates/{first}/promote", json={"text": "Fired on Saturdays"})
    rejected = api.post(f"candidates/{second}/reject", json={"reason": "no"})
    again = api.post(f"candidates/{second}/promote", json={})

    assert (promoted.json()["status"], promoted.json()["text"]) == ("active", "Fired on Saturdays")
    assert (rejected.json()["status"], rejected.json()["reason"]) == ("rejected", "no")
    assert (again.status_code, again.json()["code"]) == (409, "refused")
    assert api.get("candidates").json() == []


def test_a_list_is_read_to_its_end_page_by_page(api: TestClient, mind: GatedMind) -> None:
    for number in range(5):
        mind.memories.add(f"Fact number {number}")
        mind.memories.propose(f"Proposal number {number}")
    for hours in range(1, 6):
        post(api, "schedules", agent="librarian", every=f"{hours}h")

    for name, key, count in (
        ("memories", "id", 5),
        ("candidates", "id", 5),
        ("schedules", "schedule_id", 5),
        ("documents", "path", 2),
    ):
        found = everything(api, f"{name}?limit=2")
        assert len({row[key] for row in found}) == len(found) == count, name


def test_a_schedule_is_paused_resumed_run_and_ended(api: TestClient) -> None:
    added = post(api, "schedules", agent="librarian", cron="0 9 * * MON-FRI", tz="Europe/Berlin")
    place = added.headers["location"].removeprefix(f"{PREFIX}/")

    paused = api.post(f"{place}/pause", json={})
    resumed = api.post(f"{place}/resume", json={})
    run = api.post(f"{place}/run", json={})
    seen = api.get(run.headers["location"].removeprefix(f"{PREFIX}/"))
    ended = api.delete(place)

    assert added.status_code == 201
    assert [each.json()["state"] for each in (paused, resumed, ended)] == [
        "paused",
        "active",
        "retired",
    ]
    assert (run.status_code, seen.json()["state"]) == (202, "pending")


def test_an_ingest_is_a_job_that_can_be_followed(
    api: TestClient, mind: GatedMind, documents: Path
) -> None:
    (documents / "new.txt").write_text("Something new.\n")

    begun = post(api, "ingest", paths=[str(documents)])
    place = begun.headers["location"].removeprefix(f"{PREFIX}/")
    events = parsed(api.get(f"{place}/events"))
    ended = api.get(place).json()

    assert (begun.status_code, begun.json()["kind"]) == (202, "ingest")
    assert events[-1] == ("completed", ended)
    assert (ended["result"]["version"], ended["result"]["files"]["new"]) == (2, 1)
    assert api.get("jobs").json()[0]["job_id"] == ended["job_id"]


def test_one_ingest_runs_at_a_time_and_can_be_cancelled(
    api: TestClient, mind: GatedMind, documents: Path
) -> None:
    (documents / "new.txt").write_text("Something new.\n")
    mind.gate.clear()
    begun = post(api, "ingest")
    place = begun.headers["location"].removeprefix(f"{PREFIX}/")

    running = api.get("status").json()["jobs"]
    second = post(api, "ingest")
    cancelled = api.delete(place)
    mind.gate.set()
    parsed(api.get(f"{place}/events"))
    late = api.delete(place)

    assert [job["job_id"] for job in running] == [begun.json()["job_id"]]
    assert (second.status_code, second.json()["code"]) == (409, "refused")
    assert cancelled.status_code == 202
    assert api.get(place).json()["result"]["interrupted"] is True
    assert (late.status_code, "has ended already" in late.json()["detail"]) == (409, True)


def test_what_an_agent_did_is_the_result_of_its_job(api: TestClient) -> None:
    begun = post(api, "agents/librarian/runs", params={})
    place = begun.headers["location"].removeprefix(f"{PREFIX}/")

    events = parsed(api.get(f"{place}/events"))
    run = api.get(f"runs/{events[-1][1]['result']['run_id']}")

    assert events[-1][0] == "completed"
    assert (run.json()["state"], violations("/runs/{run_id}", run)) == ("succeeded", [])


REFUSED: list[tuple[str, str, Any, int, str, str]] = [
    ("GET", "search", None, 400, "invalid", "missing required field query"),
    (
        "GET",
        "search?query=x&kk=1",
        None,
        400,
        "invalid",
        "kk: is no parameter here; did you mean k",
    ),
    ("GET", "search?query=x&k=0", None, 400, "invalid", "k: expected int >= 1"),
    ("GET", "search?query=x&k=1&k=2", None, 400, "invalid", "k: is given twice"),
    ("GET", "search?query=x&k=9999999999999999999", None, 400, "invalid", "k: expected int"),
    ("GET", "search?query=x&mode=fast", None, 400, "invalid", "mode"),
    ("GET", "search?query=x&since=soon", None, 400, "invalid", "since"),
    ("GET", "search?query=x&version=99", None, 404, "not_found", "version of the library: 99"),
    ("GET", "search?query=x&version=1&as_of=2026-01-01", None, 409, "refused", "exclude"),
    ("GET", "show?id=/etc/passwd", None, 404, "not_found", "/etc/passwd"),
    ("GET", "show?id=99999999999999999999", None, 404, "not_found", "9999"),
    ("GET", "show?id=%00", None, 404, "not_found", "document"),
    ("GET", "memories/none", None, 404, "not_found", "no such memory: none"),
    ("GET", "memories/%00", None, 404, "not_found", "memory"),
    ("GET", "memories?cursor=x", None, 400, "invalid", "cursor"),
    ("GET", "jobs/none/events", None, 404, "not_found", "no such job: none"),
    ("GET", "schedules/next?cron=0 0 31 2 *", None, 409, "cron", "cron '0 0 31 2 *'"),
    ("GET", "schedules/next?cron=0 0 1 1 *&tz=Atlantis", None, 404, "not_found", "Atlantis"),
    ("GET", "nothing", None, 404, "not_found", "Not Found"),
    ("GET", "nothing%0Aelse", None, 404, "not_found", "Not Found"),
    ("PUT", "memories", {}, 405, "method_not_allowed", ""),
    ("POST", "memories", {}, 400, "invalid", "missing required field text"),
    ("POST", "memories", [], 400, "invalid", "must be a JSON object"),
    ("POST", "memories", b"{", 400, "invalid", "is not JSON"),
    ("POST", "memories", b"[" * 100_000, 400, "invalid", "is not JSON"),
    ("POST", "memories", {"text": "x", "trust": "user"}, 400, "invalid", "trust"),
    ("POST", "memories", {"text": "x", "source": "/no.md"}, 404, "not_found", "/no.md"),
    ("POST", "ingest", {"paths": ["/"]}, 409, "refused", "add it: lsm ingest"),
    ("POST", "ingest", {"paths": ["notes"]}, 400, "invalid", "paths"),
    ("POST", "remote/arxiv/search", {"query": "x"}, 404, "not_found", "enabled source: arxiv"),
    ("POST", "agents/nobody/runs", {}, 404, "not_found", "nobody"),
    ("POST", "agents/librarian/runs", {"params": {"x": 1}}, 409, "refused", "x"),
    ("POST", "schedules", {"agent": "librarian"}, 409, "refused", "exactly one of every, cron"),
]


@pytest.mark.parametrize(("method", "address", "body", "status", "code", "told"), REFUSED)
def test_what_cannot_be_is_a_problem_with_a_code_and_one_line(
    reading: TestClient, method: str, address: str, body: Any, status: int, code: str, told: str
) -> None:
    content = body if isinstance(body, bytes) else None if body is None else json.dumps(body)

    answer = reading.request(method, address, content=content)

    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert told in problem["detail"]
    assert "\n" not in problem["detail"]


def test_a_wrong_method_is_told_the_right_ones(reading: TestClient) -> None:
    answer = reading.put("memories", json={})

    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


def post(api: TestClient, address: str, **body: Any) -> Response:
    return api.post(address, json=body)


def everything(api: TestClient, address: str) -> list[dict[str, Any]]:
    """Every row of a list, through all its pages."""
    found: list[dict[str, Any]] = []
    while address:
        answer = api.get(address)
        assert len(answer.json()) <= 2
        found += answer.json()
        onward = NEXT.fullmatch(answer.headers.get("link", ""))
        address = f"http://127.0.0.1{onward[1]}" if onward else ""
    return found


def parsed(stream: Response) -> list[tuple[str, Any]]:
    """Name and data of each event."""
    assert stream.headers["content-type"].startswith("text/event-stream")
    events = [event.split("\n") for event in stream.text.strip().split("\n\n")]
    return [
        (lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: ")))
        for lines in events
        if not lines[0].startswith(":")
    ]


def violations(path: str, answer: Response) -> list[str]:
    """Where *answer* is not what the description says of *path*."""
    document = description(OPERATIONS)
    told = document["paths"][PREFIX + path]["get"]["responses"]["200"]["content"]
    schema = told["application/json"]["schema"] | {"components": document["components"]}
    return [error.message for error in Draft202012Validator(schema).iter_errors(answer.json())]
