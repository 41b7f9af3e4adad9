"""Agents that a user writes: what a file says, and what is told of one that is wrong."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lsm.agents.builtin import BUILT_IN
from lsm.agents.definitions import parse_definition, read_definition
from lsm.agents.directory import Directory
from lsm.agents.llm.toolbox import TOOLS
from lsm.agents.params import Param, checked_params
from lsm.errors import ConfigError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """\
---
name: scout
description: |
  Looks around
  everywhere
tools: [search, propose, search]
model: ollama:llama3.2
lifetime: 2w
scope: agents/scout
params:
  topic: What to look for
  days: {description: How far back, default: 7}
budgets: {time: 5m, tool_calls: 20, tokens: 50000, remote_calls: 0}
---
# Task

Look for {{topic}} and {{ topic }}.
"""


def test_a_file_says_all_there_is_to_say_of_an_agent() -> None:
    found = parse_definition(WHOLE, "agents/scout.md", tuple(TOOLS))

    assert (found.name, found.description) == ("scout", "Looks around everywhere")
    assert (found.tools, found.model) == (("search", "propose"), "ollama:llama3.2")
    assert (found.lifetime, found.scope) == ("2w", "agents/scout")
    assert found.params == {
        "topic": Param("What to look for", required=True),
        "days": Param("How far back", default=7),
    }
    assert (found.budgets.time, found.budgets.tool_calls) == ("5m", 20)
    assert found.asked({"topic": "moss", "days": 7}) == (
        "# Task\n\nLook for moss and moss.\n\n- days: 7"
    )


def test_another_word_is_another_hash() -> None:
    first = parse_definition(WHOLE, "scout.md", tuple(TOOLS))
    same = parse_definition(WHOLE, "elsewhere/scout.md", tuple(TOOLS))
    other = parse_definition(WHOLE + " ", "scout.md", tuple(TOOLS))

    assert first.hash == same.hash != other.hash


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Just do it.", "begins with no front matter"),
        ("---\ndescription: x\n", "begins with no front matter"),
        ("---\n---\nDo it.", "description: is missing"),
        ("---\ndescription: ' '\n---\nDo it.", "description: say in a few words"),
        ("---\ndescription: x\n---\n\n", "says nothing below its front matter"),
        (
            "---\ndescription: x\ntool: [search]\n---\nDo.",
            "tool: no such field; did you mean tools",
        ),
        ("---\ndescription: x\ntools: search\n---\nDo.", "tools: expected a list"),
        ("---\ndescription: x\ntools: [serch]\n---\nDo.", "'serch'; did you mean search"),
        ("---\ndescription: x\nname: other\n---\nDo.", "name: is 'other', but the file is called"),
        ("---\ndescription: x\nmodel: gpt\n---\nDo.", "model: 'gpt' is no model"),
        ("---\ndescription: x\nlifetime: soon\n---\nDo.", "lifetime: 'soon' is no duration"),
        ("---\ndescription: x\nscope: a//b\n---\nDo.", "scope: "),
        ("---\ndescription: x\nbudgets: {time: never}\n---\nDo.", "time: a run must end"),
        (
            "---\ndescription: x\nbudgets: {tokns: 5}\n---\nDo.",
            "tokns: no such field; did you mean",
        ),
        ("---\ndescription: x\nbudgets: {tokens: 5}\n---\nDo.", "budgets.tokens: expected"),
        ("---\ndescription: x\n---\nDo {{topc}}.", "is no parameter; declare it"),
        ("---\ndescription: [x\n---\nDo.", "not valid YAML at line"),
        ("---\ndescription: &a x\nname: *a\n---\nDo.", r"aliases \(\*\) are not allowed"),
        ("---\n- x\n---\nDo.", "expected a mapping"),
        ("---\ndescription: !!python/object:os.system x\n---\nDo.", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_field(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_definition(text, "agents/scout.md", tuple(TOOLS))

    assert str(caught.value).startswith("agents/scout.md: ")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff\xfe", "not UTF-8 at byte 0"), (b"x" * 70_000, "larger than 64 KB")],
)
def test_a_file_that_is_no_agent_is_not_read(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "scout.md").write_bytes(content)

    with pytest.raises(ConfigError, match=said):
        read_definition(str(tmp_path / "scout.md"), ())


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "scout.md")

    with pytest.raises(ConfigError, match="not a regular file"):
        read_definition(str(tmp_path / "scout.md"), ())


def test_every_agent_that_comes_with_lsm_is_listed_and_sound(tmp_path: Path) -> None:
    found = {info.name: info for info in Directory(str(tmp_path)).agents()}

    assert set(found) >= {*BUILT_IN, "researcher"}
    assert all(info.problem is None and info.kind == "built-in" for info in found.values())
    assert found["researcher"].needs_model


def test_a_new_agent_can_be_run_as_it_is_written(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path / "home"))

    path = directory.write_template("scout", 'says "hello": and: more')

    info = directory.info("scout")
    assert info.file == path
    assert info.description == 'says "hello": and: more'
    assert "topic" in info.params
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(tmp_path / "home").st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("name", "said"),
    [("Scout", "may hold a-z"), ("../x", "may hold a-z"), ("digest", "comes with lsm")],
)
def test_a_name_that_cannot_be_an_agents_is_refused(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        Directory(str(tmp_path)).write_template(name, "x")


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path))
    directory.write_template("scout", "the first")

    with pytest.raises(InvalidError, match="is there already"):
        directory.write_template("scout", "the second")

    assert directory.info("scout").description == "the first"


def test_a_file_that_is_wrong_is_listed_with_its_problem_beside_the_others(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path))
    directory.write_template("scout", "x")
    (tmp_path / "agents" / "broken.md").write_text("no front matter")
    (tmp_path / "agents" / "digest.md").write_text(WHOLE)

    problems = {info.name: info.problem for info in directory.agents() if info.kind == "yours"}

    assert problems["scout"] is None
    assert "begins with no front matter" in (problems["broken"] or "")
    assert "comes with lsm" in (problems["digest"] or "")


@pytest.mark.parametrize(
    ("name", "said"),
    [("scuot", "did you mean scout"), ("../scout", "no such agent"), ("", "agent")],
)
def test_an_agent_that_there_is_not_is_told_by_the_nearest(
    tmp_path: Path, name: str, said: str
) -> None:
    directory = Directory(str(tmp_path))
    directory.write_template("scout", "x")

    with pytest.raises(NotFoundError, match=said):
        directory.info(name)


def test_what_is_not_given_has_its_default() -> None:
    declared = {"topic": Param("x", required=True), "days": Param(default=7)}

    assert checked_params("scout", declared, {"topic": "moss"}) == {"topic": "moss", "days": 7}
    assert checked_params("scout", declared, {"topic": 1, "days": 0}) == {"topic": 1, "days": 0}
