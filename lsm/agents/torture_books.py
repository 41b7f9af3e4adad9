"""What must be true of schedules, runs and outputs, whatever has happened to the processes."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from lsm.agents.rows import RunRow
from lsm.agents.schedule_store import ScheduleStore
from lsm.agents.schedules import Every, from_config
from lsm.agents.slots import TICK, count_slots
from lsm.clock import from_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsm.agents.rows import ScheduleRow
    from lsm.db.database import Database

_MISCOUNTED = """
SELECT s.schedule_id
  FROM lsm_agent_schedules s
 WHERE s.queued_runs <> (SELECT COUNT(*)
                           FROM lsm_agent_runs r
                          WHERE r.schedule_id = s.schedule_id AND r.state = 'pending')
"""
_TWICE_LIVE = """
SELECT schedule_id
  FROM lsm_agent_runs
 WHERE state = 'running' AND exclusive
 GROUP BY schedule_id
HAVING COUNT(*) > 1
"""
_RUNS = """
SELECT *
  FROM lsm_agent_runs
 ORDER BY schedule_id, origin, slot_at, attempt
"""
_OUTPUTS = """
SELECT detail_json, COUNT(*), COUNT(DISTINCT substr(job_id, 1, 2))
  FROM lsm_job_status
 WHERE kind = 'torture'
 GROUP BY detail_json
"""
_ENDED = "SELECT COUNT(*) FROM lsm_agent_runs WHERE state = 'succeeded'"
_PARTS = 3  # rows that each run of the torture writes


def queue_problems(db: Database) -> list[str]:
    """What must hold at every commit, and so at any moment anybody looks."""
    with db.snapshot():
        miscounted = [row[0] for row in db.tuples(_MISCOUNTED)]
        twice = [row[0] for row in db.tuples(_TWICE_LIVE)]
    return [
        *(f"{each}: queued_runs is not the number of pending runs" for each in miscounted),
        *(f"{each}: two runs are live" for each in twice),
    ]


def count_ended(db: Database) -> int:
    """How many runs have succeeded so far."""
    return db.tuples(_ENDED)[0][0]


class Books:
    """Everything that was recorded, once all processes have ended."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._runs = [RunRow(**row) for row in db.rows(_RUNS)]
        self._schedules = ScheduleStore(db).all()

    def count(self) -> tuple[int, int]:
        """How many runs were started, and how many succeeded."""
        started = [run for run in self._runs if run.started_at is not None]
        return len(started), sum(run.state == "succeeded" for run in started)

    def problems(self) -> list[str]:
        """Everything that is not as it must be, a line each."""
        return [
            *queue_problems(self._db),
            *self._unfinished(),
            *self._attempts(),
            *self._outputs(),
            *self._overlaps(),
        ]

    def unaccounted(self) -> list[str]:
        """Slots without a row that counts them, where nobody paused, retired or folded any."""
        return [each for row in self._schedules for each in self._unaccounted(row)]

    def _unfinished(self) -> Iterator[str]:
        for run in self._runs:
            if run.state == "running":
                yield f"{run.run_id}: still running though everybody is dead"

    def _attempts(self) -> Iterator[str]:
        """A slot's attempts follow one another, and none follows a success."""
        for slot, group in groupby(
            self._runs, lambda run: (run.schedule_id, run.origin, run.slot_at)
        ):
            attempts = list(group)
            if [run.attempt for run in attempts] != list(range(1, len(attempts) + 1)):
                yield f"{slot}: attempts are missing"
            succeeded = sum(run.state == "succeeded" for run in attempts)
            if succeeded > 1:
                yield f"{slot}: succeeded {succeeded} times"
            if succeeded and attempts[-1].state != "succeeded":
                yield f"{slot}: tried again after its success"

    def _outputs(self) -> Iterator[str]:
        """Each success has its outputs, all and once; nothing else has any."""
        written = {row[0]: (row[1], row[2]) for row in self._db.tuples(_OUTPUTS)}
        for run in self._runs:
            rows, parts = written.pop(run.run_id, (0, 0))
            wanted = _PARTS if run.state == "succeeded" else 0
            if (rows, parts) != (wanted, wanted):
                yield f"{run.run_id}: {run.state} with {rows} outputs instead of {wanted}"
        for orphan in written:
            yield f"{orphan}: outputs of no run"

    def _overlaps(self) -> Iterator[str]:
        """By the order of their fences, exclusive runs of a schedule end before the next begins."""
        by_schedule: defaultdict[str, list[RunRow]] = defaultdict(list)
        fences: Counter[tuple[str, int]] = Counter()
        for run in self._runs:
            if run.fence is not None:
                fences[run.schedule_id, run.fence] += 1
                by_schedule[run.schedule_id].append(run)
        yield from (f"{fence}: given out {n} times" for fence, n in fences.items() if n > 1)
        for schedule_id, runs in by_schedule.items():
            for first, second in pairwise(sorted(runs, key=lambda run: run.fence or 0)):
                if first.exclusive and (first.finished_at or "") > (second.started_at or ""):
                    yield f"{schedule_id}: {second.run_id} began before {first.run_id} ended"

    def _unaccounted(self, row: ScheduleRow) -> Iterator[str]:
        """Every slot up to the next has a row, or is counted in one."""
        trigger = from_config(row.config_json).trigger
        if not isinstance(trigger, Every) or row.next_slot_at is None:
            return
        anchor, until = from_text(row.anchor_at), from_text(row.next_slot_at) - TICK
        slots = count_slots(trigger, anchor, anchor, until)
        counted = sum(
            1 + run.coalesced
            for run in self._runs
            if run.schedule_id == row.schedule_id and run.origin == "slot" and run.attempt == 1
        )
        if slots != counted:
            yield f"{row.schedule_id}: {slots} slots have come, {counted} are accounted for"
