"""`lsm schedule service`: the scheduler as a service of the user's own, started at login."""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from lsm.cli import output
from lsm.cli.options import as_json
from lsm.errors import AccessError, ConfigError, InvalidError, RefusedError

if TYPE_CHECKING:
    from lsm.cli import Settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

# What a scheduler needs not. Only what the service manager of a user can do by itself, without
# name spaces, which many machines deny to users: with those the unit would not start there.
_UNIT = """\
# Written by `lsm schedule service`. Keys of remote services: systemctl --user edit {name}
[Unit]
Description=Local Second Mind: runs agents on their schedules

[Service]
Type=exec
ExecStart={command}
Restart=on-failure
RestartSec=10
# A wrong setting does not mend itself.
RestartPreventExitStatus=2
TimeoutStopSec=60
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6

[Install]
WantedBy=default.target
"""


@dataclass(frozen=True)
class _Service:
    """A file for a service manager."""

    path: str  # where the manager looks for it
    text: bytes
    steps: tuple[str, ...]  # what to type once it is there


@click.command()
@click.option("--systemd", "manager", flag_value="systemd", help="A unit (Linux).")
@click.option("--launchd", "manager", flag_value="launchd", help="A property list (macOS).")
@click.option("--install", is_flag=True, help="Write it where the service manager looks.")
@click.option("--force", is_flag=True, help="Over one that is there.")
@click.option("--name", default="lsm-scheduler", show_default=True, metavar="N", help="Its name.")
@as_json
@click.pass_obj
def service(
    settings: Settings, manager: str | None, name: str, as_json: bool, **given: bool
) -> None:
    """Print what makes the scheduler a service of yours, or install it.

    \b
    lsm schedule service --systemd --install
    """
    if manager is None:
        raise InvalidError("service", "name one of --systemd and --launchd")
    if not _NAME.fullmatch(name):
        raise InvalidError("--name", f"{name!r} is not made of letters, digits, - and _")
    command = _command(settings)
    made = _systemd(name, command) if manager == "systemd" else _launchd(name, command)
    if given["install"]:
        _write(made, force=given["force"])
    if as_json:
        output.print_json(
            {
                "path": made.path,
                "text": made.text.decode(),
                "installed": given["install"],
                "steps": made.steps,
            }
        )
    elif given["install"]:
        click.echo(f"written: {made.path}")
        click.echo("now type:")
        for step in made.steps:
            click.echo(f"  {step}")
    else:
        click.echo(made.text, nl=False)
        click.echo(f"to go to {made.path}; --install writes it there", err=True)


def _command(settings: Settings) -> list[str]:
    """The scheduler of this home and database, wherever it is started from.

    Raises:
        ConfigError: the home's settings are wrong, so it would not start.
    """
    from lsm.config import config_path, home_path, load_config

    home = home_path(settings.home)
    load_config(config_path(home))
    options = ["--home", os.path.abspath(home)]
    if settings.database:
        options += ["--database", _absolute(settings.database)]
    return [*_program(), *options, "schedule", "start"]


def _absolute(database: str) -> str:
    if "://" in database and urlsplit(database).password:
        raise ConfigError(
            "--database", "its password would stand in a file; use ~/.pgpass, or [database] url"
        )
    return database if "://" in database else os.path.abspath(os.path.expanduser(database))


def _program() -> list[str]:
    typed = shutil.which(sys.argv[0])
    if typed is not None and os.path.basename(typed).startswith("lsm"):
        return [os.path.abspath(typed)]
    return [sys.executable, "-c", "from lsm.cli import main; main()"]


def _systemd(name: str, command: list[str]) -> _Service:
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    text = _UNIT.format(name=name, command=" ".join(map(_quoted, command)))
    steps = (
        "systemctl --user daemon-reload",
        f"systemctl --user enable --now {name}",
        "loginctl enable-linger  # to run while you are not logged in, too",
    )
    return _Service(os.path.join(base, "systemd", "user", f"{name}.service"), text.encode(), steps)


def _quoted(word: str) -> str:
    """*word* as one argument in a unit file, systemd.service(5): nothing in it is expanded."""
    if any(ord(character) < 32 for character in word):
        raise InvalidError("service", f"{word!r} has a control character in its name")
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(plain, escaped)
    return f'"{word}"'


def _launchd(name: str, command: list[str]) -> _Service:
    label = f"local-second-mind.{name}"
    path = os.path.join(os.path.expanduser("~/Library/LaunchAgents"), f"{label}.plist")
    log = os.path.join(command[command.index("--home") + 1], f"{name}.log")
    entries = {
        "Label": label,
        "ProgramArguments": command,
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        "ExitTimeOut": 60,
        "ProcessType": "Background",
        "LowPriorityIO": True,
        "Umask": 0o077,
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    steps = (f"launchctl bootstrap gui/$(id -u) '{path}'",)
    return _Service(path, plistlib.dumps(entries, sort_keys=False), steps)


def _write(made: _Service, *, force: bool) -> None:
    """Whole, or not at all.

    Raises:
        RefusedError: another one is there.
        AccessError: it cannot be written.
    """
    try:
        if os.path.lexists(made.path):
            with open(made.path, "rb") as file:
                if file.read() == made.text:
                    return
            if not force:
                raise RefusedError(
                    f"{made.path} is there and is another; --force writes over it, "
                    "--name gives this one its own"
                )
        os.makedirs(os.path.dirname(made.path), mode=0o755, exist_ok=True)
        beside = f"{made.path}.{os.getpid()}.new"
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(made.text)
        os.replace(beside, made.path)
    except OSError as error:
        raise AccessError(f"{made.path}: {error.strerror}") from error
