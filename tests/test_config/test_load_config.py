"""Settings are checked before anything opens, and what is wrong is named."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lsm.app import Mind
from lsm.config import Config, config_path, home_path, load_config
from lsm.config.models import DatabaseConfig
from lsm.errors import ConfigError
from lsm.wiring import database_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a = ", r"not valid TOML: Invalid value \(at end of document\)"),
        ("[library]\nroots = [\n]]", "not valid TOML: .*line 3, column 2"),
        ("[library]\nroots = []\nroots = []", "not valid TOML"),
        (
            '[library]\nroot = ["/x"]',
            r"library\.root: no such setting; did you mean library\.roots",
        ),
        ("[libary]", r"libary: no such setting; did you mean library\?"),
        ("[embedding]\nbaseurl = 'x'", r"did you mean embedding\.base_url"),
        ("[library]\nchunk_max = 1", r"did you mean library\.chunk_maximum"),
        ("url = 'lsm.db'", r"url: no such setting; did you mean database\.url"),
        ("[agents]\nxyz = 1", r"agents\.xyz: no such setting; (?!did you mean agents\?)"),
        ("qqqqqqqq = 1", r"qqqqqqqq: no such setting; see docs/reference/config\.md"),
        ("sqlite_path = 'memories.db'", "lsm migrate legacy"),
        ("manifest = 'm.json'", "lsm migrate legacy"),
        ("[library]\nroots = '/x'", r"library\.roots: expected a list, got text"),
        ("[library]\nroots = [5]", r"library\.roots\[0\]: expected text"),
        ("[library]\nroots = ['']", r"library\.roots\[0\]: '' is no path"),
        ('[library]\nroots = ["/a\\u0000b"]', "is no path"),
        ("[library]\nroots = ['notes']", "'notes' must begin with / or ~"),
        ("[library]\nroots = ['$HOME/notes']", "must begin with / or ~"),
        ("[library]\nhidden = 'yes'", "expected true or false, got text"),
        ("[library]\nhidden = 1", "expected true or false, got a whole number"),
        ("[library]\nchunk_target = -5", "a whole number >= 200"),
        ("[library]\nchunk_target = 1e99", "expected a whole number, got a number"),
        ("[library]\nchunk_target = 99999999999999999999999", "chunk_target"),
        ("[library]\nchunk_target = 3000", "chunk_target: must not be larger than"),
        ("[library]\nseconds_per_file = nan", "seconds_per_file: expected a number > 0"),
        ("[library]\nseconds_per_file = inf", "seconds_per_file: expected a number <= 3600"),
        ("[library]\nworkers = 1000", "workers"),
        ("[embedding]\ntimeout_s = 0", "timeout_s: expected a number > 0"),
        ("[embedding]\ndimension = 0", "dimension"),
        ("library = 5", "library: expected a section, got a whole number"),
        ("[database]\nurl = 5", r"database\.url: expected text"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "lsm.toml"
    path.write_text(text)

    with pytest.raises(ConfigError, match=named) as refused:
        load_config(str(path))

    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def dangling_link(path: Path) -> None:
    path.symlink_to("nothing")


def huge(path: Path) -> None:
    path.write_bytes(b"#" * 10_000_000)


def latin(path: Path) -> None:
    path.write_bytes("roots = 'é'".encode("latin-1"))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (folder, "Is a directory|not a regular file"),
        (pipe, "not a regular file"),
        (dangling_link, "a link to nothing"),
        (huge, "larger than 1 MB"),
        (latin, "not UTF-8 at byte 9"),
    ],
)
def test_what_is_no_configuration_is_refused_and_nothing_is_made(
    tmp_path: Path, make: Callable[[Path], None], told: str
) -> None:
    make(tmp_path / "lsm.toml")

    with pytest.raises(ConfigError, match=told):
        Mind(str(tmp_path))

    assert [path.name for path in tmp_path.iterdir()] == ["lsm.toml"]


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"# only a comment\n", b"[library]\r\n"])
def test_an_empty_configuration_is_the_defaults(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lsm.toml").write_bytes(content)

    assert load_config(config_path(str(tmp_path))) == Config()


def test_no_configuration_is_the_defaults(tmp_path: Path) -> None:
    assert load_config(config_path(str(tmp_path))) == Config()


def test_a_link_to_a_configuration_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text("[library]\nhidden = true\n")
    (tmp_path / "lsm.toml").symlink_to("real.toml")

    assert load_config(config_path(str(tmp_path))).library.hidden


def test_the_option_goes_before_the_environment_before_the_platform(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LSM_HOME", "~/elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert home_path("~/mind") == str(tmp_path / "mind")
    assert home_path(None) == str(tmp_path / "elsewhere")
    monkeypatch.delenv("LSM_HOME")
    assert "lsm" in os.path.basename(home_path(None))


@pytest.mark.parametrize(
    ("configured", "given", "meant"),
    [
        ("", None, "/home/lsm.db"),
        ("mind.db", None, "/home/mind.db"),  # the same wherever one stands
        ("/elsewhere/mind.db", None, "/elsewhere/mind.db"),
        ("postgresql://host/name", None, "postgresql://host/name"),
        ("postgresql://host/name", "other.db", "other.db"),  # from where one stands
    ],
)
def test_where_the_database_is(configured: str, given: str | None, meant: str) -> None:
    config = Config(database=DatabaseConfig(url=configured))

    assert database_url("/home", config, given) == meant
