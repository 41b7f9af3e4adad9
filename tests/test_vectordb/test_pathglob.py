"""Globs over paths: what each form means, and that none is an error or slow."""

from __future__ import annotations

import os
from fnmatch import translate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.vectordb.pathglob import compiled, fixed_start

HOME = os.path.expanduser("~")


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("notes", "/home/ann/notes/a.md"),
        ("notes/", "/home/ann/notes/deep/a.md"),
        ("./notes", "/home/ann/notes/a.md"),
        ("a.md", "/home/ann/notes/a.md"),
        ("*.md", "/home/ann/notes/a.md"),
        ("**.md", "/home/ann/notes/a.md"),
        ("notes/**.md", "/home/ann/notes/x/y/a.md"),
        ("notes/*.md", "/home/ann/notes/a.md"),
        ("notes/**/*.md", "/home/ann/notes/a.md"),
        ("notes/**/*.md", "/home/ann/notes/x/y/a.md"),
        ("ann/**/x/**/a.*", "/home/ann/1/x/2/3/a.md"),
        ("ann/**/x/**/a.*", "/home/ann/x/b/x/a.md"),
        ("/home/*/notes", "/home/ann/notes/a.md"),
        ("/home/**", "/home/ann"),
        ("/", "/home/ann"),
        (".", "/home/ann"),
        ("**", "/home/ann"),
        ("//home//ann", "/home/ann/a.md"),
        ("~/notes/*", HOME + "/notes/a.md"),
        ("?.md", "/x/a.md"),
        ("[ab].md", "/x/b.md"),
        ("[!ab].md", "/x/c.md"),
        ("[a-c1].md", "/x/b.md"),
        ("[a-]x", "/-x"),
        ("[!]", "/!"),
        ("[^a]", "/^"),
        ("[--&~|]", "/|"),
        ("[", "/["),
        ("a[b", "/a[b"),
        ("[]", "/[]"),
        ("a(b)+.md", "/a(b)+.md"),
        ("$HOME", "/$HOME"),
        ("a\nb", "/a\nb"),
        ("*", "/a\nb"),
        ("a*b*c", "/aXbXbXc"),
        ("a*bc*c", "/abcbc"),
        ("C:/docs", "C:/docs/a.md"),
        ("https://arxiv.org/**", "https://arxiv.org/abs/2601.01234v2"),
        ("https://*.org/abs/*", "https://arxiv.org/abs/2601.01234v2"),
        ("https://arxiv.org", "https://arxiv.org/abs/2601.01234v2"),
        ("arxiv.org/**", "https://arxiv.org/abs/2601.01234v2"),
        ("http://a.org/x?b=1", "http://a.org/x?b=1"),
    ],
)
def test_the_path_is_meant(pattern: str, path: str) -> None:
    assert compiled(pattern).match(path)
    assert path.startswith(fixed_start(pattern))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("notes", "/home/ann/notes2/a.md"),
        ("notes", "/home/ann/mynotes"),
        ("notes/*.md", "/home/ann/notes/x/a.md"),
        ("/notes", "/home/notes"),
        ("/home/**", "/home"),
        ("*.md", "/a.mdx"),
        ("?.md", "/ab.md"),
        ("a?b", "/a/b"),
        ("a[!x]b", "/a/b"),
        ("a[+-9]b", "/a/b"),
        ("[z-a]", "/m"),
        ("[ab]", "/c"),
        ("a*b", "/a/b"),
        ("**/x/*.md", "/y/a.md"),
        ("a*b*c", "/abXb"),
        ("Notes", "/notes"),
        ("C:/docs", "/x/C:/docs"),
    ],
)
def test_the_path_is_not_meant(pattern: str, path: str) -> None:
    assert not compiled(pattern).match(path)


@pytest.mark.parametrize(
    ("pattern", "start"),
    [
        ("/home/ann/**/*.md", "/home/ann/"),
        ("/home/ann/", "/home/ann"),
        ("/home/a[nm]n", "/home/a"),
        ("/a//./b?", "/a/b"),
        ("/a/b**.md", "/a/b"),
        ("notes/*.md", ""),
        ("**/x", ""),
        ("/", "/"),
    ],
)
def test_the_start_that_every_such_path_has(pattern: str, start: str) -> None:
    assert fixed_start(pattern) == start


names = st.text("ab-]![*?^\\.&~|é\n", min_size=1, max_size=8)


@given(
    st.lists(names, min_size=1, max_size=4).map("/".join), st.lists(names, min_size=1).map("/".join)
)
def test_every_text_is_a_pattern(pattern: str, path: str) -> None:
    compiled(pattern).match("/" + path)

    assert not compiled("/" + pattern).match("/" + path) or ("/" + path).startswith(
        fixed_start("/" + pattern)
    )


@given(st.text("ab*?", min_size=1, max_size=8), st.text("ab", min_size=1, max_size=8))
def test_within_a_name_it_means_what_the_standard_library_means(pattern: str, name: str) -> None:
    import re

    expected = re.match(translate(pattern), name) is not None

    assert (compiled("/" + pattern).match("/" + name) is not None) == expected


@given(
    st.lists(st.sampled_from(["a", "b", "**"]), min_size=1, max_size=6),
    st.text("ab", min_size=1, max_size=7),
)
def test_double_stars_mean_any_folders(pattern: list[str], folders: str) -> None:
    expected = means(pattern, list(folders))

    assert bool(compiled("/" + "/".join(pattern)).match("/" + "/".join(folders))) == expected


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("a*" * 200 + "b", "/" + "a" * 5000),
        ("**/a/" * 200 + "b", "/a" * 3000),
        ("**/*a*/" * 100 + "b", "/aaaa" * 1000),
        ("?*" * 500 + "b", "/" + "a" * 2000),
        ("[!b]*" * 300 + "b", "/" + "a" * 2000),
        ("*" * 5000, "/" + "a" * 5000),
    ],
)
def test_no_pattern_keeps_the_machine_busy(pattern: str, path: str) -> None:
    compiled(pattern).match(path)


def means(pattern: list[str], folders: list[str]) -> bool:
    """The definition, by trying everything; what a pattern names includes what is below it."""
    if not pattern:
        return True
    if pattern == ["**"]:
        return bool(folders)
    if pattern[0] == "**":
        return means(pattern[1:], folders) or (bool(folders) and means(pattern, folders[1:]))
    return bool(folders) and folders[0] == pattern[0] and means(pattern[1:], folders[1:])
