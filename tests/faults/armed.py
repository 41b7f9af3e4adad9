"""Commands that die at a point: ``python -m tests.faults.armed PORT FOLDER DATABASE VISIT POINTS``.

One interpreter imports everything once and forks for each command. At each point in turn the
command that passes it is killed there; then everything is looked over, and the command is run
again. Answers with one line of JSON: by point, what went wrong.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lsm.embedding
from lsm import failpoints
from lsm.app import Mind
from lsm.clock import from_text, utc_now
from lsm.errors import LsmError
from lsm.selftest.deeds import contradictions
from tests.test_migration.old_home import OldHome, entry, memory, schedule
from tests.test_providers.played import main as lsm_with_played_sources

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = """
[library]
roots = [{notes}]
[remote.providers.arxiv]
enabled = true
"""
DECLARED = """
[[agents.schedules]]
agent = "curator"
every = "{interval}s"
"""
BEFORE_THE_FORKS = (
    *(f"lsm.cli.{each}" for each in ("db", "library", "memory", "migrate_database", "remote")),
    *("lsm.cli.schedule", "lsm.db.postgres", "lsm.moving_in", "lsm.vectordb.sqlite_vec"),
)
KEPT = "the harbour light is painted red"


@dataclass
class Place:
    """A home, documents, and what is done there."""

    port: int
    folder: Path
    database: str  # "": the home's own
    turn: int = 0  # of the trials, so that each does something new
    said: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def file(self) -> Path:
        """The database's, on SQLite."""
        return self.home / "lsm.db"

    def begin(self) -> None:
        """Make the home, with something in it that must stay."""
        self.home.mkdir(mode=0o700)
        self.configure("")
        self.write("kept.md", f"# Kept\n\nAs we know, {KEPT}.\n")
        self.do("ingest")
        self.do("memory", "add", KEPT)
        self.do("schedule", "add", "curator", "--every", "1s")

    def configure(self, more: str) -> None:
        notes = SETTINGS.format(notes=json.dumps(str(self.folder / "notes")))
        (self.home / "lsm.toml").write_text(notes + more)

    def write(self, name: str, text: str) -> None:
        path = self.folder / "notes" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def change(self) -> None:
        """An edition of a document that nobody has read yet."""
        self.write("changing.md", f"# Changing\n\nThis is edition {self.turn} of it.\n")

    def do(self, *words: str) -> Any:
        """Run a command that has to succeed; its JSON."""
        told = self.folder / "told"
        status = self.run(*words, "--json", told=told)
        assert status == 0, (words, status, _errors(self))
        return json.loads(told.read_text())

    def run(self, *words: str, armed: str = "", told: Path | None = None) -> int:
        """The status of a command in a process of its own; -9: it was killed."""

        def command() -> int:
            failpoints.arm(armed)
            os.dup2(_new(told or Path(os.devnull)), 1)
            os.dup2(_new(self.folder / "errors"), 2)
            return lsm_with_played_sources(self.port, [*self.before(), *words])

        return _forked(command)

    def before(self) -> list[str]:
        """The words before each command."""
        return ["--home", str(self.home), *(("--database", self.database) * bool(self.database))]

    def found(self) -> list[str]:
        """What is wrong with the database, as another process sees it."""
        if not self.database and not self.file.exists():
            return []
        told = self.folder / "found"
        assert _forked(lambda: told.write_text(json.dumps(_problems(self))) and 0) == 0
        return json.loads(told.read_text())


def _forked(work: Callable[[], int]) -> int:
    """The status of a process that does *work*; -9: it was killed."""
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            code = work()
            sys.stdout.flush()
        finally:
            os._exit(code)  # or it would go on with the parent's work
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _new(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


def _problems(place: Place) -> list[str]:
    try:
        with Mind(str(place.home), place.database or None) as mind:
            found = contradictions(mind)
            if place.said.get("empty"):
                return found
            if not any(KEPT in hit.text for hit in mind.search(KEPT, mode="text")):
                found.append("a document is lost")
            if KEPT not in [each.text for each in mind.memories.search(KEPT)]:
                found.append("a memory is lost")
            return found
    except LsmError as error:
        return [str(error)]


@dataclass(frozen=True)
class Trial:
    """A command that passes a point."""

    words: Callable[[Place], list[str]]  # prepares what it needs, too
    again: Callable[[Place], list[str]] | None = None  # where that is not the same command
    visit: int = 1


def _ingest(place: Place) -> list[str]:
    place.change()
    return ["ingest"]


def _retire(place: Place) -> list[str]:
    place.change()
    place.do("ingest")
    (place.folder / "notes" / "changing.md").unlink()
    return ["ingest"]


def _remember(place: Place) -> list[str]:
    return ["memory", "add", f"Fact number {place.turn}"]


def _promote(place: Place) -> list[str]:
    said = place.do("memory", "add", f"Perhaps {place.turn}", "--propose")
    return ["memory", "promote", said["candidate_id"]]


def _purge(place: Place) -> list[str]:
    return ["memory", "purge", place.do("memory", "add", f"Secret {place.turn}")["id"]]


def _start(place: Place) -> list[str]:
    dues = [row["next_run_at"] for row in place.do("schedule", "list")]
    time.sleep(max(0.0, (from_text(min(dues)) - utc_now()).total_seconds()))
    return ["schedule", "start", "--once"]


def _start_after_a_death(place: Place) -> list[str]:
    assert place.run(*_start(place), armed="claim.after_commit:kill") == -signal.SIGKILL
    return _start(place)


def _reconcile(place: Place) -> list[str]:
    place.configure(DECLARED.format(interval=3600 + place.turn))
    return ["schedule", "start", "--once"]


def _ask(place: Place) -> list[str]:
    return ["remote", "search", "arxiv", f"tides {place.turn}"]


def _backup(place: Place) -> list[str]:
    return ["db", "backup", str(place.folder / f"backup-{place.turn}.db")]


def _restore(place: Place) -> list[str]:
    place.do(*_backup(place))
    return ["db", "restore", str(place.folder / f"backup-{place.turn}.db")]


def _restore_over_a_damaged_one(place: Place) -> list[str]:
    words = _restore(place)
    # Committed, and killed before anything is written back: its log stays.
    assert place.run(*_remember(place), armed="db.after_commit:kill") == -signal.SIGKILL
    with open(place.file, "r+b") as file:
        file.write(b"no database at all")
    return words


def _prune(place: Place) -> list[str]:
    _retire(place)
    place.do("ingest")
    return ["db", "prune", "--keep-versions", "1"]


def _vacuum(_: Place) -> list[str]:
    return ["db", "vacuum"]


def _move_in(place: Place) -> list[str]:
    old = OldHome(place.folder / f"old-{place.turn}")
    old.root.mkdir()
    old.remember(*(memory(1000 * place.turn + number) for number in range(3)))
    old.write_manifest({f"/no such/{place.turn}": entry()})
    old.write_schedules(schedule(place.turn, params={"limit": place.turn}))
    return ["migrate", "legacy", str(old.root), "--apply"]


def _move(place: Place) -> list[str]:
    target = f"sqlite:///{place.folder}/moved-{place.turn}.db"
    return ["migrate", "database", "--to", target, "--apply"]


def _first_start(place: Place) -> list[str]:
    place.said["empty"] = True
    for each in place.home.iterdir():
        each.unlink()
    return ["init"]


TRIALS: dict[str, Trial] = {
    "db.before_commit": Trial(_remember),
    "db.after_commit": Trial(_remember),
    "ingest.before_batch": Trial(_ingest),
    "ingest.before_manifest": Trial(_ingest),
    "ingest.after_retire": Trial(_retire),
    "memory.after_insert": Trial(_remember),
    "memory.mid_promotion": Trial(_promote),
    # The memory is gone by then; what is left to do is to let go of its bytes.
    "memory.before_reclaim": Trial(_purge, again=_vacuum),
    "cache.after_lease": Trial(_ask),
    "cache.before_release": Trial(_ask),
    **{
        f"{step}.{moment}": Trial(_start)
        for step, moments in {
            "plan": ("before_commit", "after_commit"),
            "claim": ("before_commit", "after_commit"),
            "finish": ("before_outputs", "after_outputs", "before_commit", "after_commit"),
        }.items()
        for moment in moments
    },
    "reap.before_commit": Trial(_start_after_a_death),
    "reap.after_commit": Trial(_start_after_a_death),
    "reconcile.before_commit": Trial(_reconcile),
    "prune.before_delete": Trial(_prune),
    "vacuum.before_checkpoint": Trial(_vacuum),
    "backup.before_rename": Trial(_backup),
    **{
        f"restore.{moment}": Trial(_restore)
        for moment in ("copied", "folded_in", "kept", "before_rename", "after_rename")
    },
    "restore.after_unlink_wal": Trial(_restore_over_a_damaged_one),
    **{
        f"migrate.{moment}": Trial(_move_in)
        for moment in ("record", "batch", "batch_done", "before_verify", "before_finish")
    },
    "move.before_mark": Trial(_move, visit=3),
    "move.before_unmark": Trial(_move),
    "db.between_migrations": Trial(_first_start, visit=4),
}
"""In the order in which they are done; the state of the home accumulates."""
# What only a database in a file has.
OF_FILES = ("backup.", "restore.", "vacuum.", "db.between")


def tried(place: Place, point: str, visit: int) -> list[str]:
    """Kill a command at *point*; what is wrong with what it left, or with running it again."""
    place.turn += 1
    trial = TRIALS[point]
    words = trial.words(place)
    status = place.run(*words, armed=f"{point}:kill@{visit or trial.visit}")
    if status != -signal.SIGKILL:
        return [f"not killed: {words} ended with {status}: {_errors(place)}"]
    # A restore over a damaged database has not come to its end: it is damaged still.
    found = [] if point == "restore.after_unlink_wal" else place.found()
    status = place.run(*(trial.again(place) if trial.again else words))
    if status:
        found.append(f"run again, it ended with {status}: {_errors(place)}")
    return found + [f"afterwards: {each}" for each in place.found()]


def _errors(place: Place) -> str:
    return (place.folder / "errors").read_text()


def _load_once() -> None:
    """Modules and the default model: before the forks, for all of them."""
    for module in BEFORE_THE_FORKS:
        import_module(module)
    opened = lsm.embedding.open_embedder
    one = opened("wordllama")
    one.embed_query("once")
    lsm.embedding.open_embedder = partial(_the, one)


def _the(one: Any, *_: Any, **__: Any) -> Any:
    return one


def main(port: str, folder: str, database: str, visit: str, *points: str) -> dict[str, list[str]]:
    _load_once()
    place = Place(int(port), Path(folder), database)
    place.begin()
    found = {point: tried(place, point, int(visit)) for point in TRIALS if point in points}
    shutil.rmtree(place.home)
    return {point: problems for point, problems in found.items() if problems}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201
