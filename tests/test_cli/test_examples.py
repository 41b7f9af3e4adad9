"""Every command shows how it is used, and what it shows can be typed."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click
import pytest

from lsm.cli import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

_REMARK = re.compile(r" {3,}.*")  # what stands to the right of an example explains it


def every(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """*command* and all below it, with what is typed to call them."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from every(found, f"{name} {inner}")


def examples(command: click.Command) -> list[str]:
    """The lines of its help that can be typed."""
    lines = [line.strip() for line in f"{command.help}\n{command.epilog}".splitlines()]
    return [_REMARK.sub("", line) for line in lines if line.startswith("lsm ")]


ALL = dict(every(cli, "lsm"))


@pytest.mark.parametrize("name", [name for name in ALL if name != "lsm"])
def test_every_command_has_an_example_of_its_own(name: str) -> None:
    assert any(line.startswith(name) for line in examples(ALL[name]))


@pytest.mark.parametrize(
    "example", sorted({line for command in ALL.values() for line in examples(command)})
)
def test_every_example_can_be_typed(example: str) -> None:
    words = shlex.split(example)[1:]
    ends = [words.index(mark) for mark in (">", "|") if mark in words]

    parse(cli, words[: min(ends, default=len(words))])


@pytest.mark.parametrize("name", ALL)
def test_every_option_is_explained(name: str) -> None:
    options = [param for param in ALL[name].params if isinstance(param, click.Option)]

    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("name", ALL)
def test_every_command_says_what_it_does_in_a_sentence(name: str) -> None:
    first = (ALL[name].help or "").partition("\n\n")[0]

    assert re.fullmatch(r"[A-Z].*[.)]", " ".join(first.split()))


def parse(command: click.Command, words: list[str]) -> None:
    """Raises click.UsageError if *words* cannot follow *command*; runs nothing."""
    with command.make_context(command.name, words) as context:
        if isinstance(command, click.Group):
            rest = [*context._protected_args, *context.args]
            if rest or not command.invoke_without_command:
                _, inner, words = command.resolve_command(context, rest)
                assert inner is not None
                parse(inner, words)
