"""Named points where a test may make a process die, fail or wait.

``LSM_FAILPOINT=name:kill`` or ``name:kill@3`` (at the third visit), ``name:fail``,
``name:wait=0.5`` (seconds). Several are separated by commas. Without the variable a visit costs
one comparison.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass

from lsm.errors import ConfigError, LsmError

VARIABLE = "LSM_FAILPOINT"
POINTS = frozenset(
    {
        "backup.before_rename",
        "cache.after_lease",
        "cache.before_release",
        "claim.after_commit",
        "claim.before_commit",
        "db.after_commit",
        "db.before_commit",
        "db.between_migrations",
        "finish.after_commit",
        "finish.after_outputs",
        "finish.before_commit",
        "finish.before_outputs",
        "ingest.after_retire",
        "ingest.before_batch",
        "ingest.before_manifest",
        "memory.after_insert",
        "memory.before_reclaim",
        "memory.mid_promotion",
        "migrate.batch",
        "migrate.batch_done",
        "migrate.before_finish",
        "migrate.before_verify",
        "migrate.record",
        "move.before_mark",
        "move.before_unmark",
        "plan.after_commit",
        "plan.before_commit",
        "prune.before_delete",
        "reap.after_commit",
        "reap.before_commit",
        "reconcile.before_commit",
        "restore.after_rename",
        "restore.after_unlink_wal",
        "restore.before_rename",
        "restore.copied",
        "restore.folded_in",
        "restore.kept",
        "vacuum.before_checkpoint",
    }
)
"""Every point there is; a test holds this against the code, and kills a command at each."""


class FailpointError(LsmError):
    """A point was told to fail."""


@dataclass(frozen=True)
class _Order:
    what: str  # kill, fail or wait
    seconds: float
    visit: int  # 1: the first


_armed: dict[str, _Order] = {}
_visits: Counter[str] = Counter()
_turn = threading.Lock()


def arm(text: str) -> None:
    """From now on this process does what *text*, written as the variable is, says; "" for nothing.

    Raises:
        ConfigError: it names no point, or nothing that can be done there.
    """
    orders = _orders(text)
    _armed.clear()
    _visits.clear()
    _armed.update(orders)


def reach(name: str) -> None:
    """Pass the point called *name*: nothing happens unless it is armed.

    Raises:
        FailpointError: it is told to fail.
    """
    if _armed:
        _obey(name)


def _orders(text: str) -> dict[str, _Order]:
    found: dict[str, _Order] = {}
    for part in filter(None, text.split(",")):
        name, _, order = part.partition(":")
        what, _, visit = order.partition("@")
        what, _, seconds = what.partition("=")
        try:
            found[name] = _Order(what, float(seconds or 0), int(visit or 1))
        except ValueError as error:
            raise ConfigError(VARIABLE, f"{part!r} is not NAME:kill, :fail or :wait=S") from error
        if name not in POINTS or what not in ("kill", "fail", "wait"):
            raise ConfigError(VARIABLE, f"{part!r}: choose of {', '.join(sorted(POINTS))}")
    return found


def _obey(name: str) -> None:
    order = _armed.get(name)
    if order is None:
        return
    with _turn:
        _visits[name] += 1
        due = _visits[name] == order.visit
    if not due:
        return
    if order.what == "wait":
        time.sleep(order.seconds)
    elif order.what == "fail":
        raise FailpointError(f"failpoint {name}")
    else:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


arm(os.environ.get(VARIABLE, ""))
