"""`lsm migrate database` and `lsm db digest`, as a person and a program call them."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from lsm.cli import Settings
from lsm.cli.db_digest import digest
from lsm.cli.migrate_database import database
from lsm.config import load_config
from lsm.config.edit import check_url, set_database
from lsm.db import open_database
from lsm.errors import ConfigError, InvalidError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import click
    from click.testing import Result

SETTINGS = '# Mine.\n[library]\nroots = []  # none\n\n[database]\n# where it is\nurl = "lsm.db"\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a few rows and settings of its own."""
    home = tmp_path / "mind"
    home.mkdir(mode=0o700)
    (home / "lsm.toml").write_text(SETTINGS, "utf-8")
    with open_database(str(home / "lsm.db")) as db:
        db.run("INSERT INTO lsm_versions (version, created_at) VALUES (1, 'now')")
    return home


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_moving_prints_json_and_both_digests(
    home: Path, place: Callable[[str], str], engine: str
) -> None:
    target = place(engine)

    planned = run(home, database, "--to", target, "--json").stdout
    done = run(home, database, "--to", target, "--apply", "--json").stdout

    would, did = json.loads(planned), json.loads(done)
    assert would["kinds"] == did["kinds"]
    assert did["kinds"]["lsm_versions"] == {
        "source": 1,
        "imported": 1,
        "identical": 0,
        "merged": 0,
        "conflict": 0,
        "quarantined": 0,
        "skipped": 0,
    }
    assert (would["dry_run"], would["verified"], did["dry_run"], did["verified"]) == (
        True,
        False,
        False,
        True,
    )
    ours = json.loads(run(home, digest, "--json").stdout)
    theirs = json.loads(run(home, digest, "--json", place=target).stdout)
    assert did["digest"] == {"source": ours["all"], "target": theirs["all"]}
    assert ours == theirs
    assert ours["tables"].keys() == ours["rows"].keys() >= {"lsm_chunks", "lsm_agent_memories"}


def test_moving_says_what_to_set(home: Path, place: Callable[[str], str]) -> None:
    target = place("sqlite")

    planned = run(home, database, "--to", target).stdout
    done = run(home, database, "--to", target, "--apply").stdout

    assert "would move 7 rows of 2 tables, about 1 MiB" in planned
    assert "nothing has been changed: run it with --apply" in planned
    assert f'[database]\nurl = "{target}"' in done
    assert (home / "lsm.toml").read_text("utf-8") == SETTINGS


def test_switching_names_the_new_database_and_keeps_every_comment(
    home: Path, place: Callable[[str], str]
) -> None:
    target = place("postgres")

    run(home, database, "--to", target, "--apply", "--switch")

    text = (home / "lsm.toml").read_text("utf-8")
    assert text == SETTINGS.replace('"lsm.db"', f'"{target}"')
    assert stat.S_IMODE((home / "lsm.toml").stat().st_mode) == 0o600
    assert run(home, digest).stdout == run(home, digest, place=str(home / "lsm.db")).stdout


def test_what_cannot_be_moved_is_named_and_fails(home: Path, place: Callable[[str], str]) -> None:
    with open_database(str(home / "lsm.db")) as db:
        db.run("INSERT INTO lsm_meta (key, value) VALUES ('k', :value)", value="\0")

    result = run(home, database, "--to", place("postgres"), "--apply", "--switch", code=1)

    assert "lsm: lsm_meta k: value has the character NUL in it" in result.stderr
    assert "not moved" in result.stdout
    assert (home / "lsm.toml").read_text("utf-8") == SETTINGS


def test_a_refusal_changes_no_setting(home: Path, tmp_path: Path) -> None:
    with open_database(str(tmp_path / "full.db")) as db:
        db.run("INSERT INTO lsm_versions (version, created_at) VALUES (9, 'theirs')")

    with pytest.raises(RefusedError):
        run(home, database, "--to", str(tmp_path / "full.db"), "--apply", "--switch")

    assert (home / "lsm.toml").read_text("utf-8") == SETTINGS


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--to", ""), "name a database"),
        (("--to", "x.db", "--switch"), "goes together with --apply"),
        (("--to", "x.db", "--restart"), "goes together with --apply"),
        (("--to", "postgresql://me:secret@h/d", "--apply", "--switch"), r"holds a password; keep"),
    ],
)
def test_wrong_usage_is_told_before_anything_opens(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    with pytest.raises(InvalidError, match=told) as raised:
        run(tmp_path / "nothing", database, *arguments)

    assert "secret" not in str(raised.value)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    "url", ["postgresql://u:p@h/d", "postgresql://h/d?password=p", "postgresql://h/d?sslpassword=p"]
)
def test_no_password_is_written_into_a_file(url: str) -> None:
    with pytest.raises(InvalidError, match="holds a password"):
        check_url(url)


def test_a_setting_is_made_where_there_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "lsm.toml"

    set_database(str(path), 'a "quoted" \\ path\n')

    assert load_config(str(path)).database.url == 'a "quoted" \\ path\n'
    assert [each.name for each in tmp_path.iterdir()] == ["lsm.toml"]


def test_a_file_that_is_no_configuration_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "lsm.toml").write_text("[database\n", "utf-8")

    with pytest.raises(ConfigError):
        set_database(str(tmp_path / "lsm.toml"), "x")

    assert (tmp_path / "lsm.toml").read_text("utf-8") == "[database\n"


def run(
    home: Path, command: click.Command, *arguments: str, code: int = 0, place: str | None = None
) -> Result:
    result = CliRunner().invoke(command, arguments, obj=Settings(str(home), place))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result
