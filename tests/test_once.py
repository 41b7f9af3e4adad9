"""What is made at its first use is made once, whoever comes first."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import lsm
from lsm.once import once

if TYPE_CHECKING:
    from pathlib import Path

AT_ONCE = 16
# In a process of its own: in this one most modules have been imported long ago.
EVERYTHING_AT_ONCE = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
import lsm

sys.setswitchinterval(1e-6)
with lsm.open(sys.argv[1]) as mind:
    deeds = [
        lambda: mind.search("rotate keys"), lambda: mind.search("keys", mode="text"),
        lambda: mind.search("keys", mode="vector"), lambda: mind.ask("when do we rotate keys"),
        lambda: mind.memories.search("keys"),
        lambda: mind.memories.context("keys", budget_tokens=100),
        lambda: mind.status(), lambda: mind.catalogue.stats(), lambda: mind.catalogue.part(1),
        lambda: mind.remote.sources(), lambda: mind.cache.stats(), lambda: mind.roots(),
        lambda: mind.scheduler.schedules(), lambda: mind.agency.directory.agents(),
        lambda: mind.show("#1"), lambda: mind.embedder.embed_query("keys"),
    ]
    start = threading.Barrier(len(deeds))

    def do(deed):
        start.wait()
        deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        for done in [pool.submit(do, deed) for deed in deeds]:
            done.result()
"""


def test_threads_that_come_at_once_share_what_the_first_makes() -> None:
    made: list[object] = []
    start = threading.Barrier(AT_ONCE)

    class Holder:
        @once
        def thing(self) -> object:
            made.append(object())
            threading.Event().wait(0.05)  # long enough for the others to come
            return made[-1]

    holder = Holder()

    def use(_: int) -> object:
        start.wait()
        return holder.thing

    with ThreadPoolExecutor(AT_ONCE) as pool:
        got = set(map(id, pool.map(use, range(AT_ONCE))))

    assert (len(made), got) == (1, {id(made[0])})


def test_what_could_not_be_made_is_tried_again() -> None:
    class Holder:
        tries = 0

        @once
        def thing(self) -> str:
            self.tries += 1
            if self.tries == 1:
                raise OSError("not yet")
            return "made"

    holder = Holder()
    with pytest.raises(OSError, match="not yet"):
        _ = holder.thing

    assert (holder.thing, holder.thing, holder.tries) == ("made", "made", 2)


def test_a_fresh_mind_stands_everything_being_asked_at_once(tmp_path: Path) -> None:
    (tmp_path / "keys.md").write_text("# Keys\n\nWe rotate keys every 90 days.\n", "utf-8")
    home = str(tmp_path / "home")
    with lsm.open(home) as mind:
        mind.ingest(str(tmp_path / "keys.md"))

    done = subprocess.run(
        (sys.executable, "-c", EVERYTHING_AT_ONCE, home),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
