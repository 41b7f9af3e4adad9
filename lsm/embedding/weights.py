"""Which weights a model name stands for."""

from __future__ import annotations

import hashlib
from pathlib import Path


def identity(kind: str, model: str) -> str:
    """``kind:model``; for a directory, its last name and 12 hex digits over its files.

    So a directory can be moved without embedding anything again, and new weights in the
    old place are noticed. Reads the whole directory: about a second per gigabyte.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return f"{kind}:{model}"
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return f"{kind}:{folder.resolve().name}@{total.hexdigest()[:12]}"


def local_path(model: str) -> str:
    """*model* with ``~`` expanded if that is a directory, else as it is."""
    folder = Path(model).expanduser()
    return str(folder) if folder.is_dir() else model
