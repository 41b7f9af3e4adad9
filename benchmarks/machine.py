"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def description() -> list[tuple[str, str]]:
    """Label and value of everything a reader needs to compare."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return [
        ("date", datetime.now(UTC).strftime("%Y-%m-%d")),
        ("commit", _commit()),
        ("processor", f"{os.cpu_count()} cores, {_processor()}"),
        ("memory", f"{_memory_bytes() / 2**30:.0f} GB"),
        ("system", f"{platform.system()} {platform.release().split('-')[0]}"),
        ("Python", platform.python_version()),
        ("load before", f"{load:.1f}"),
    ]


def _commit() -> str:
    commit = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--", "lsm")
    return f"{commit}, with changes not committed yet" if changed else commit


def _git(*arguments: str) -> str:
    found = subprocess.run(
        ("git", *arguments), cwd=_HERE, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or ("" if found.returncode == 0 else "unknown")


def _processor() -> str:
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_bytes() -> int:
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return 0
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
