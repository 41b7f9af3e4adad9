"""A model that is there at once, for tests that ask for many minds."""

from __future__ import annotations

from tests.test_ingest.library import Model


def one_model(*_: object, **__: object) -> Model:
    """What is opened in the place of a model that takes its time to load."""
    return Model()
