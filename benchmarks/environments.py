"""Interpreters with a peer installed by name, each in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def interpreter_with(folder: str, name: str, *packages: str, ours_behind: bool = False) -> str:
    """An interpreter below *folder* that has *packages* and finds `benchmarks`; made once.

    With *ours_behind* it also finds what is installed here, where it has nothing of that name.
    """
    place = os.path.join(folder, name)
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = os.path.join(place, scripts, "python")
    finished = os.path.join(place, "finished")
    if not os.path.exists(finished):
        ran(sys.executable, "-m", "venv", place)
        ran(python, "-m", "pip", "install", "--quiet", *packages)
        purelib = ran(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
        with open(os.path.join(purelib.strip(), "root.pth"), "w", encoding="utf-8") as file:
            file.write(f"{ROOT}\n")
            if ours_behind:
                file.write(f"{sysconfig.get_path('purelib')}\n")
        with open(finished, "w", encoding="utf-8") as file:
            file.write(" ".join(packages))
    return python


def measured_by(python: str, module: str, *arguments: object) -> dict[str, float]:
    """What ``benchmarks.MODULE.measured(*arguments)`` gives in a fresh process of *python*."""
    program = f"import json; from benchmarks import {module} as m; "
    program += f"print(json.dumps(m.measured(*{arguments!r})))"
    return json.loads(ran(python, "-c", program))


def version_in(python: str, package: str) -> str:
    """Of *package*, as installed for *python*."""
    return ran(python, "-c", f"from importlib.metadata import version; print(version({package!r}))")


def ran(*command: str) -> str:
    """What *command* printed, without the last line's end."""
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.strip()
