"""Runs the installed `lsm` as a person or a program would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LSM = Path(sys.executable).parent / "lsm"


@dataclass(frozen=True)
class Result:
    """What a finished command left behind."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Standard output."""
        return self.out.decode()

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Place:
    """A home, a folder of documents beside it, and the command that is run there."""

    folder: Path
    home: Path
    documents: Path

    def lsm(self, *arguments: str | Path, **environment: str) -> Result:
        """Run the command here to its end."""
        done = subprocess.run(
            [LSM, *arguments],
            cwd=self.folder,
            env=self.environment(**environment),
            capture_output=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())

    def lsm_typing(self, typed: str, *arguments: str | Path, **environment: str) -> Result:
        """Run the command here while somebody types."""
        done = subprocess.run(
            [LSM, *arguments],
            cwd=self.folder,
            env=self.environment(**environment),
            capture_output=True,
            timeout=120,
            check=False,
            input=typed.encode(),
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Run the command here without waiting for it."""
        return subprocess.Popen(
            [LSM, *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def environment(self, **more: str) -> dict[str, str]:
        """A terminal's, without what this machine's user has set."""
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        return kept | {"HOME": str(self.folder), "LSM_HOME": str(self.home), "TZ": "UTC"} | more

    def write(self, name: str, text: str | bytes) -> Path:
        """A document."""
        path = self.documents / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path


def bytes_of(home: Path) -> dict[str, bytes]:
    """Every file of *home*: nobody but the driver may open a database by its own name."""
    found: dict[str, bytes] = {}
    for path in sorted(home.iterdir()):
        if path.is_file() and not path.is_symlink():
            other = home.parent / "looked-at"
            os.link(path, other)
            found[path.name] = other.read_bytes()
            other.unlink()
        else:
            found[path.name] = b""
    return found
