"""The small library that ships with LSM, so that everything can be tried before anything is owned.

45 documents of an invented potter on an invented island: what `lsm try`, the tutorial and
the search-quality test read. The binary ones are written by `tools/make_sample.py`.
"""

import os

SEARCHES: tuple[str, ...] = (
    "TML-25-1187",  # a number that stands in one document: full text finds it, meaning cannot
    "software upgrade caused blackout",  # none of these words stands in any of the documents
    "how much darker is the sky over the quay since the lamps were replaced",  # pages of a PDF
)
"""What the tour searches for: a number, a question in other words, something in a PDF."""

QUESTION = "Do we replace a mug whose glaze has crazed?"
"""What the tour asks. Two policies answer it differently; the newer one is right."""


def library_path() -> str:
    """Absolute path of the folder with the sample documents; treat it as read-only."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "library")
