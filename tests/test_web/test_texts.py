"""Texts of others as they are shown: short where they are long, plain where they have signs."""

from __future__ import annotations

import pytest

from lsm.web.prose import prose
from lsm.web.render import brief
from lsm.web.texts import snippet, unsigned


def test_of_a_very_long_path_the_beginning_and_the_name_are_shown() -> None:
    path = f"/mnt/disk/{'deep/' * 60}the-name.md"

    shown = brief(path)

    assert shown.startswith("/mnt/disk/deep/")
    assert shown.endswith("deep/the-name.md")
    assert "\u2026" in shown
    assert len(shown) <= 100
    assert brief("/mnt/disk/the-name.md") == "/mnt/disk/the-name.md"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a **bold\nthing** b", "a bold\nthing b"),
        ("a **bold\n\nthing** b", "a **bold\n\nthing** b"),
        ("2 ** 3 ** 4", "2 ** 3 ** 4"),
        ("__a__ `b` ``c`d`` ~~e~~", "a b c`d e"),
        ("[a](x) ![b](y)", "a b"),
        ("| a | b |\n|---|:-:|\n| c | d |", "a \u00b7 b\n\nc \u00b7 d"),
        ("- a\n* b\n1. c\n> d\n## e", "a\nb\nc\nd\ne"),
        ("---\ntags: [x]\n---\na", "a"),
        ("a\n- - -\nb", "a\n\nb"),
    ],
)
def test_signs_of_markdown_are_left_out(text: str, plain: str) -> None:
    assert [line.strip() for line in unsigned(text).split("\n")] == plain.split("\n")


def test_a_snippet_says_in_which_line_it_begins() -> None:
    found = snippet("# Keys\n\nSome words.\n\nThe **kiln** is hot.\n", "kiln", markdown=True)

    assert found.line == 4
    assert [piece.text for piece in found.pieces if piece.marked] == ["kiln"]


def test_what_is_wider_than_the_page_is_reached_by_keyboard() -> None:
    made = prose("```\ncode\n```\n\n| a |\n|---|\n| b |\n")

    assert '<pre tabindex="0">' in str(made)
    assert '<table tabindex="0">' in str(made)


def test_a_heading_that_the_title_was_cut_from_is_not_said_twice() -> None:
    title = "A long title of many words " * 12

    assert "long title" not in str(prose(f"# {title}\n\nText.\n", title=title[:200]))
    assert "<h2" in str(prose("# Keys and locks\n\nText.\n", title="Keys"))
