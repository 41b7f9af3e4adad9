"""Local Second Mind: documents, agents' memory and schedules in one database.

    import lsm

    with lsm.open("~/mind") as mind:
        mind.ingest("~/notes")
        for hit in mind.search("how do we rotate keys", k=5):
            print(hit.path, hit.start_line, hit.text)

Everything else is an attribute of the `lsm.app.Mind` that `open` gives: ``mind.memories``,
``mind.scheduler``, ``mind.remote``, ``mind.cache``, ``mind.db``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from lsm.app import Mind

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def open(  # noqa: A001 - lsm.open
    home: str | os.PathLike[str] | None = None,
    database: str | os.PathLike[str] | None = None,
) -> Mind:
    """Open the mind at *home*; both are made if they are not there.

    It may be shared between threads, and opened by any number of processes at once.

    Args:
        home: a folder; None for ``LSM_HOME`` or the platform's place for user data.
        database: ``postgresql://...``, ``sqlite:///path`` or a path; None for what the home's
            ``lsm.toml`` says, by default ``lsm.db`` in the home.

    Raises:
        lsm.errors.LsmError: a setting is wrong, or the database cannot be opened.
    """
    from lsm.app import Mind

    return Mind(home, database)
