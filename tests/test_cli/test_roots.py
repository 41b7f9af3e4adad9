"""What becomes a root, and how one goes again."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.test_cli.command import Place


def test_a_root_that_is_confirmed_gone_is_not_looked_for_again(place: Place) -> None:
    place.lsm("ingest", "notes")
    shutil.rmtree(place.documents)

    asked = place.lsm("ingest", "--json")
    confirmed = place.lsm("ingest", "--confirm-delete", "--json")

    assert (asked.code, asked.json["files"]["gone"]) == (1, 0)
    assert (confirmed.code, confirmed.json["files"]["gone"]) == (0, 2)
    assert place.lsm("status", "--json").json["roots"] == []


def test_a_folder_takes_in_the_roots_that_lie_in_it(place: Place) -> None:
    place.lsm("ingest", "notes/keys.md")

    place.lsm("ingest", "notes")

    assert place.lsm("status", "--json").json["roots"] == [str(place.documents)]


@pytest.mark.skipif(not os.path.ismount("/proc"), reason="the system invents no files")
def test_what_the_system_invents_never_becomes_a_root(place: Place) -> None:
    refused = place.lsm("ingest", "/proc/self")

    assert refused.code == 2
    assert place.lsm("status", "--json").json["roots"] == []


def test_a_file_of_an_unknown_kind_never_becomes_a_root(place: Place) -> None:
    picture = place.write("photo.jpg", b"\xff\xd8\xff\xe0")

    refused = place.lsm("ingest", picture)

    assert refused.code == 2
    assert "does not read files of this kind" in refused.err
