"""What the doctor tells."""

from __future__ import annotations

import msgspec

MEND = "lsm doctor --repair mends it"
RESTORE = "restore a backup: lsm db restore FILE"
RESCUE = f"{RESTORE}; without one, lsm export DIR saves what can still be read"


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str  # what was found and, if it is not ok, what to do


class Diagnosis(msgspec.Struct, frozen=True):
    """Everything that was looked at."""

    ok: bool
    checks: tuple[Check, ...]

    def failed(self) -> frozenset[str]:
        """Names of the checks that are not ok."""
        return frozenset(check.name for check in self.checks if not check.ok)


def told(name: str, problems: list[str], remedy: str, sound: str = "sound") -> Check:
    """A check with what was found, if anything, and what to do about it."""
    if problems:
        return Check(name, ok=False, detail=f"{'; '.join(problems)}; {remedy}")
    return Check(name, ok=True, detail=sound)
