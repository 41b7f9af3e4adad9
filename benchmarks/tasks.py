"""What is measured in a process of its own: ``python -m benchmarks.tasks NAME ARGUMENT...``.

Each prints one JSON object. Imports are done before a clock starts.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def measured(name: str, *arguments: str) -> dict[str, Any]:
    """What the task *name* printed in a fresh process."""
    command = (sys.executable, "-m", "benchmarks.tasks", name, *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def ingest(home: str, folder: str) -> dict[str, Any]:
    """Ingest *folder* into the fresh *home*: seconds, the model's loading included."""
    import lsm
    from lsm.ingest.pipeline import IngestOptions

    with lsm.open(home) as mind:
        began = time.perf_counter()
        report = mind.ingest(folder, options=IngestOptions())
        taken = time.perf_counter() - began
    assert report.files.new == report.files.seen, report.errors
    return {"seconds": taken, "files": report.files.new, "chunks": report.chunks.added}


def embed_lsm(texts: str) -> dict[str, Any]:
    """Embed the texts in the JSON file *texts* with LSM's default embedder."""
    from lsm.embedding import open_embedder

    embedder = open_embedder()
    return _embedded(embedder.embed_documents, texts)


def embed_package(texts: str) -> dict[str, Any]:
    """Embed the same with the package the weights come from."""
    import importlib.util
    from pathlib import Path

    import numpy as np
    import wordllama

    spec = importlib.util.find_spec("wordllama")
    assert spec is not None
    assert spec.origin is not None
    model = wordllama.WordLlama.load(cache_dir=Path(spec.origin).parent, disable_download=True)

    def embed(many: list[str]) -> NDArray[Any]:
        return np.asarray(model.embed(many, norm=True))

    return _embedded(embed, texts)


def _embedded(embed: Callable[[list[str]], NDArray[Any]], path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8") as file:
        texts: list[str] = json.load(file)
    embed(texts[:100])  # loads what is loaded at the first use
    began = time.perf_counter()
    vectors = embed(texts)
    taken = time.perf_counter() - began
    assert vectors.shape == (len(texts), 256)
    return {"seconds": taken}


def move(source: str, target: str) -> dict[str, Any]:
    """Move the database at *source* to *target*: seconds, by stage and in all, and peak memory."""
    import resource

    from lsm.db import open_database
    from lsm.migration.database.digest import Progress, digest
    from lsm.migration.database.moving import Move

    stages: dict[str, float] = {}
    began = last = time.perf_counter()
    stage = "reading"

    def on_progress(step: Progress) -> None:
        nonlocal last, stage
        now = time.perf_counter()
        # What passed since the step before belongs to the stage that was begun there.
        stages[stage] = stages.get(stage, 0.0) + now - last
        last, stage = now, step.stage

    with open_database(source) as db:
        report = Move(db, target, on_progress=on_progress).apply()
        stages[stage] = stages.get(stage, 0.0) + time.perf_counter() - last
        taken = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found = digest(db)
    assert report.verified, report.problems
    assert report.rows == sum(found.rows.values())
    return {
        "seconds": taken,
        "stages": stages,
        "rows": report.rows,
        "bytes": found.bytes,
        "digest": report.digest.target,
        "peak_mb": peak,
    }


_TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "ingest": ingest,
    "embed_lsm": embed_lsm,
    "embed_package": embed_package,
    "move": move,
}

if __name__ == "__main__":
    print(json.dumps(_TASKS[sys.argv[1]](*sys.argv[2:])))
