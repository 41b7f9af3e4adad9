"""What agents learn: kept, reviewed, recalled, explained, and forgotten when asked to."""

from lsm.agents.memory.desk import Writer
from lsm.agents.memory.forgetting import Suspicion
from lsm.agents.memory.provenance import SourceWatch
from lsm.agents.memory.records import Record
from lsm.agents.memory.store import MemoryStore
from lsm.agents.memory.values import (
    AddResult,
    Candidate,
    Context,
    Hit,
    Memory,
    Name,
    NewMemory,
    Page,
    Source,
    as_candidate_row,
    as_row,
)

__all__ = [
    "AddResult",
    "Candidate",
    "Context",
    "Hit",
    "Memory",
    "MemoryStore",
    "Name",
    "NewMemory",
    "Page",
    "Record",
    "Source",
    "SourceWatch",
    "Suspicion",
    "Writer",
    "as_candidate_row",
    "as_row",
]
