"""`lsm schedule service`: a file that the service manager takes, and that starts the scheduler."""

from __future__ import annotations

import os
import plistlib
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.test_cli.command import LSM

if TYPE_CHECKING:
    from pathlib import Path

    from tests.test_cli.command import Place

MANAGERS = ["--systemd", "--launchd"]
HOMES = ["home", 'p%d $HOME ${x} "q" \\b']


@pytest.mark.parametrize("name", HOMES)
def test_it_starts_the_scheduler_of_this_home(place: Place, name: str) -> None:
    unit = place.lsm("--home", name, "schedule", "service", "--systemd", "--json").json
    entries = plistlib.loads(place.lsm("--home", name, "schedule", "service", "--launchd").out)

    (line,) = [line for line in unit["text"].splitlines() if line.startswith("ExecStart=")]
    words = shlex.split(line.partition("=")[2].replace("%%", "%").replace("$$", "$"))
    wanted = [str(LSM), "--home", str(place.folder / name), "schedule", "start"]
    assert words == entries["ProgramArguments"] == wanted
    assert entries["KeepAlive"] == {"SuccessfulExit": False}
    assert entries["StandardErrorPath"].startswith(str(place.folder / name))
    assert unit["path"] == str(place.folder / ".config/systemd/user/lsm-scheduler.service")
    assert unit["installed"] is False
    assert not (place.folder / ".config").exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_it(place: Place, tmp_path: Path) -> None:
    place.lsm("--home", HOMES[-1], "schedule", "service", "--systemd", "--install")
    unit = place.folder / ".config/systemd/user/lsm-scheduler.service"
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)

    done = subprocess.run(
        ("systemd-analyze", "--user", "verify", unit),
        env={"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(runtime), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("manager", MANAGERS)
def test_what_it_names_is_what_runs(place: Place, manager: str) -> None:
    place.lsm("schedule", "add", "digest", "--every", "1s")
    told = place.lsm("schedule", "service", manager, "--json").json
    if manager == "--systemd":
        (line,) = [line for line in told["text"].splitlines() if line.startswith("ExecStart=")]
        command = shlex.split(line.partition("=")[2])
    else:
        command = plistlib.loads(told["text"].encode())["ProgramArguments"]

    running = subprocess.Popen(
        command, cwd="/", env={"HOME": "/nonexistent"}, stdout=subprocess.PIPE, text=True
    )

    assert running.stdout is not None
    assert "digest" in running.stdout.readline()
    running.terminate()
    running.communicate(timeout=30)
    assert running.returncode == 0


def test_what_is_there_is_written_over_only_when_told_to(place: Place) -> None:
    service = ("schedule", "service", "--systemd", "--install")
    first = place.lsm(*service, "--json").json
    path = place.folder / first["path"]
    before = path.read_bytes()

    again = place.lsm(*service)
    refused = place.lsm("--home", "other", *service)
    kept = path.read_bytes()
    named = place.lsm("--home", "other", *service, "--name", "second", "--json").json
    forced = place.lsm("--home", "other", *service, "--force")

    assert first["installed"] is True
    assert (again.code, refused.code, forced.code) == (0, 1, 0)
    assert "--force" in refused.err
    assert kept == before
    assert named["path"] != first["path"]
    assert b"other" in path.read_bytes()
    assert list(path.parent.iterdir()) != []
    assert not any(each.name.endswith(".new") for each in path.parent.iterdir())


@pytest.mark.parametrize(
    ("before", "after", "code", "says"),
    [
        ([], [], 2, "name one of --systemd and --launchd"),
        ([], ["--systemd", "--name", "../x"], 2, "--name"),
        (["--database", "postgresql://me:secret@host/db"], ["--systemd"], 2, "password"),
    ],
)
def test_what_cannot_be_a_service_is_one_line(
    place: Place, before: list[str], after: list[str], code: int, says: str
) -> None:
    done = place.lsm(*before, "schedule", "service", *after)

    assert (done.code, done.out) == (code, b"")
    assert len(done.err.splitlines()) == 1
    assert says in done.err
    assert "secret" not in done.err


def test_another_database_is_named_from_the_root(place: Place) -> None:
    told = place.lsm("--database", "x.db", "schedule", "service", "--systemd").text

    assert f'"--database" "{place.folder / "x.db"}"' in told


def test_it_does_not_start_with_settings_that_are_wrong(place: Place) -> None:
    place.home.mkdir(mode=0o700)
    (place.home / "lsm.toml").write_text("nonsense = 1\n")

    done = place.lsm("schedule", "service", "--systemd", "--install")

    assert done.code == 2
    assert "nonsense" in done.err
