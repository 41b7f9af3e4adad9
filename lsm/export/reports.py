"""Reports that agents left, as Markdown, a file a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.export.folder import file_name

if TYPE_CHECKING:
    from lsm.db import Database, Row
    from lsm.export.folder import Folder

_RUNS = """
SELECT r.run_id, r.schedule_id, s.agent_name, r.state, r.slot_at, r.started_at, r.finished_at,
       r.report
  FROM lsm_agent_runs r JOIN lsm_agent_schedules s ON s.schedule_id = r.schedule_id
 WHERE r.report IS NOT NULL AND r.report <> '' AND r.run_id > :after
 ORDER BY r.run_id LIMIT 200
"""


def write_reports(db: Database, target: Folder) -> int:
    """Write each report to ``reports/AGENT/TIME-RUN.md``; how many."""
    after, count = "", 0
    while runs := db.rows(_RUNS, after=after):
        for run in runs:
            moment = run["slot_at"][:16].replace("-", "").replace(":", "")
            name = f"reports/{file_name(run['agent_name'])}/{moment}-{file_name(run['run_id'])}.md"
            target.write(name, _page(run))
        after, count = runs[-1]["run_id"], count + len(runs)
    return count


def _page(run: Row) -> str:
    # The report last and as it is: it is Markdown, and may hold anything.
    facts = {
        "run": run["run_id"],
        "agent": run["agent_name"],
        "schedule": run["schedule_id"],
        "state": run["state"],
        "started": run["started_at"],
        "finished": run["finished_at"],
    }
    head = [f"{name}: {value}" for name, value in facts.items() if value]
    return "\n".join(["---", *head, "---", "", run["report"].rstrip(), ""])
