"""`lsm selftest`: sudden deaths and power cuts, tried on the disk that holds the home."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from lsm.cli.options import as_json as as_json_option
from lsm.cli.output import print_json

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from lsm.cli import Settings
    from lsm.selftest import SelfTest


@click.command()
@click.option(
    "--crash",
    type=click.IntRange(0, 100_000),
    default=25,
    show_default=True,
    metavar="N",
    help="How often a process is killed.",
)
@click.option(
    "--power",
    type=click.IntRange(20, 1_000_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="How often the power is cut, in a simulation of this disk.",
)
@click.option("--seed", type=int, help="Of an earlier run, to see the same again.")
@as_json_option
@click.pass_obj
def selftest(settings: Settings, crash: int, power: int, seed: int | None, as_json: bool) -> None:
    """Kill and cut the power, on your own disk, and see that nothing is lost.

    Works on a database of its own in a temporary folder beside yours, which stays closed. The last
    line is a program known to be broken: the test must notice, or it proves nothing.

    \b
    lsm selftest                a minute
    lsm selftest --crash 1000   longer
    """
    from lsm.config import home_path
    from lsm.selftest import selftest as run

    home = home_path(settings.home)
    os.makedirs(home, mode=0o700, exist_ok=True)
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    with _bar({"kill -9": crash, "power cut": power}) as on_step:
        found = run(home, kills=crash, cuts=power, seed=seed, on_step=on_step)
    if as_json:
        print_json({"ok": found.ok, "seed": seed, "checks": found.checks})
    else:
        _print(found, seed)
    if not found.ok:
        raise SystemExit(1)


def _print(found: SelfTest, seed: int) -> None:
    for check in found.checks:
        word = click.style("ok  ", fg="green") if check.ok else click.style("FAIL", fg="red")
        lost = f"{check.failed} of them with something lost" if check.failed else "nothing lost"
        click.echo(
            f"{word} {check.name:<30} {check.trials:>5} trials, "
            f"{check.acknowledged:>6} writes acknowledged, {lost}, {check.seconds:.0f} s"
        )
        for problem in check.problems if not check.ok else ():
            click.echo(f"     {problem}")
    click.echo(f"seed {seed}", err=True)


@contextmanager
def _bar(totals: dict[str, int]) -> Generator[Callable[[str, int], None]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, int] = {}

        def on_step(name: str, through: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=totals.get(name))
            bar.update(tasks[name], completed=through)  # pyright: ignore[reportArgumentType]

        yield on_step
