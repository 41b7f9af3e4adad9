"""The Python interface: `lsm.open` and what it gives."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import lsm
from lsm.errors import ConfigError, InvalidError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lsm.app import Mind


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Three documents."""
    folder = tmp_path / "notes"
    (folder / "studio").mkdir(parents=True)
    (folder / "keys.md").write_text("# Keys\n\nWe rotate keys every 90 days.\n")
    (folder / "studio" / "kiln.txt").write_text("The kiln is fired on Fridays.\n")
    (folder / "studio" / "firing.md").write_text("---\ntags: [heat]\n---\nThe kiln cools.\n")
    return folder


@pytest.fixture
def mind(tmp_path: Path, notes: Path) -> Iterator[Mind]:
    """A home into which they are ingested."""
    with lsm.open(str(tmp_path / "home")) as opened:
        opened.ingest(str(notes))
        yield opened


def test_open_makes_the_home_and_closes_it(tmp_path: Path) -> None:
    with lsm.open(str(tmp_path / "home")) as mind:
        assert mind.status()["version"] == 0

    assert [path.name for path in (tmp_path / "home").iterdir()] == ["lsm.db"]
    with pytest.raises(StorageError, match="closed"):
        mind.status()


def test_the_home_may_begin_with_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    with lsm.open("~/mind") as mind:
        assert mind.home == str(tmp_path / "mind")


@pytest.mark.parametrize("form", ["{}", "sqlite://{}"])
def test_the_database_may_stand_elsewhere(tmp_path: Path, form: str) -> None:
    url = form.format(tmp_path / "elsewhere.db")

    with lsm.open(str(tmp_path / "home"), database=url) as mind:
        assert mind.status()["database"]["path_or_url"] == str(tmp_path / "elsewhere.db")

    assert not (tmp_path / "home").exists()


def test_on_postgresql_the_home_holds_no_database(tmp_path: Path, postgres_url: str) -> None:
    with lsm.open(str(tmp_path / "home"), database=postgres_url) as mind:
        assert mind.status()["database"]["engine"] == "postgres"

    assert not (tmp_path / "home" / "lsm.db").exists()


def test_ingest_returns_the_fields_of_the_json(mind: Mind, notes: Path) -> None:
    (notes / "late.md").write_text("late")
    (notes / "broken.docx").write_text("no zip")

    report = mind.ingest(str(notes))

    assert report.version == 2
    assert (report.files.seen, report.files.new, report.files.unchanged) == (5, 1, 3)
    assert report.chunks.added == 1
    assert [error.path for error in report.errors] == [str(notes / "broken.docx")]
    assert report.seconds >= 0


def test_ingest_takes_the_options_of_the_command_as_keywords(mind: Mind, notes: Path) -> None:
    forced = mind.ingest(force=True)
    (notes / "late.md").write_text("late")
    tried = mind.ingest(dry_run=True)

    assert forced.files.unchanged == 3
    assert (tried.files.new, tried.version, tried.dry_run) == (1, None, True)
    assert mind.overview().files == 3


def test_a_hit_has_the_fields_of_the_json(mind: Mind, notes: Path) -> None:
    hit = mind.search("how often do we rotate keys", k=1)[0]

    assert (hit.rank, hit.path, hit.title) == (1, str(notes / "keys.md"), "Keys")
    assert (hit.start_line, hit.end_line, hit.page) == (1, 3, None)
    assert "90 days" in hit.text
    assert hit.version == 1
    assert hit.chunk_id > 0
    assert hit.score > 0
    assert hit.tags == ()
    assert hit.parts


@pytest.mark.parametrize("one_or_several", ["md", ["md"], (".md",), {"MD"}])
def test_ext_and_tag_are_one_or_several(mind: Mind, one_or_several: object) -> None:
    found = mind.search("kiln keys", ext=one_or_several)

    assert {os.path.basename(hit.path) for hit in found} == {"keys.md", "firing.md"}
    assert len(mind.search("kiln", tag="heat")) == len(mind.search("kiln", tag=["heat"])) == 1


@pytest.mark.parametrize(
    ("choices", "named"),
    [
        ({"mode": "fuzzy"}, "mode"),
        ({"modus": "text"}, "modus"),
        ({"since": "soon"}, "since"),
        ({"as_of": "soon"}, "as-of"),
        ({"as_of": 99}, "as-of"),
        ({"k": 0}, "k"),
    ],
)
def test_a_choice_that_cannot_be_is_named(
    mind: Mind, choices: dict[str, object], named: str
) -> None:
    with pytest.raises(InvalidError, match=named):
        mind.search("keys", **choices)  # pyright: ignore[reportArgumentType]


def test_ask_and_show_give_what_the_commands_print(mind: Mind, notes: Path) -> None:
    answer = mind.ask("how often do we rotate keys", k=1)

    assert answer.citations[0].path == str(notes / "keys.md")
    assert answer.citations[0].quote in (notes / "keys.md").read_text()
    assert mind.show(str(notes / "keys.md")).text == (notes / "keys.md").read_text()


def test_threads_may_share_it(mind: Mind, notes: Path) -> None:
    queries = ["rotate keys", "kiln fired on Fridays", "the kiln cools"] * 8
    alone = [[hit.path for hit in mind.search(query)] for query in queries]

    with ThreadPoolExecutor(4) as pool:
        searched = pool.map(lambda query: [hit.path for hit in mind.search(query)], queries)
        (notes / "late.md").write_text("zygomorphic")
        report = pool.submit(mind.ingest)
        found = list(searched)

    late = str(notes / "late.md")
    assert [[path for path in paths if path != late] for paths in found] == alone
    assert report.result().files.new == 1


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nowhere", "there is no such file or folder"),
        ("home", "this is the home of lsm itself"),
        ("link-to-home", "this is the home of lsm itself"),
        ("home/lsm.db", "this belongs to lsm itself"),
        ("notes/link-to-database", "this belongs to lsm itself"),
    ],
)
def test_what_cannot_be_a_root_is_refused(
    mind: Mind, tmp_path: Path, place: str, told: str
) -> None:
    (tmp_path / "link-to-home").symlink_to(tmp_path / "home")
    (tmp_path / "notes" / "link-to-database").symlink_to(tmp_path / "home" / "lsm.db")

    for act in (mind.ingest, mind.add_root):
        with pytest.raises(InvalidError, match=told):
            act(str(tmp_path / place))

    assert mind.roots() == [str(tmp_path / "notes")]


def test_the_home_inside_a_root_is_left_out(tmp_path: Path, notes: Path) -> None:
    with lsm.open(str(notes / "mind")) as mind:
        (notes / "mind" / "lsm.toml").write_text("")

        report = mind.ingest(str(notes))

    assert report.files.new == 3


def test_roots_come_from_the_configuration_and_from_what_was_named(
    tmp_path: Path, notes: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "lsm.toml").write_text(f"[library]\nroots = ['{notes}']\n")

    with lsm.open(str(home)) as mind:
        before = mind.roots()
        mind.add_root(str(other))
        mind.add_root(str(notes / "studio"))  # a root holds it already

        assert before == [str(notes)]
        assert mind.roots() == mind.status()["roots"] == [str(notes), str(other)]


def test_to_ask_for_the_roots_writes_nothing(tmp_path: Path, notes: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "lsm.toml").write_text(f"[library]\nroots = ['{notes}']\n")

    with lsm.open(str(home)) as mind:
        assert mind.roots() == [str(notes)]
        mind.status()
        mind.ingest(dry_run=True)

        assert mind.db.tuples("SELECT count(*) FROM lsm_roots") == [(0,)]


def test_what_a_root_of_the_configuration_held_goes_when_it_goes(
    tmp_path: Path, notes: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "lsm.toml").write_text(f"[library]\nroots = ['{notes}']\n")
    with lsm.open(str(home)) as mind:
        mind.ingest()
    (home / "lsm.toml").write_text("[library]\nroots = []\n")

    with lsm.open(str(home)) as mind:
        tried = mind.ingest(dry_run=True)
        asked = mind.ingest()
        done = mind.ingest(confirm_delete=True)

        assert tried.unconfirmed == asked.unconfirmed == 3
        assert (asked.files.gone, done.files.gone) == (0, 3)
        assert mind.overview().files == 0


def test_to_watch_nothing_is_refused(tmp_path: Path) -> None:
    with (
        lsm.open(str(tmp_path / "home")) as mind,
        pytest.raises(InvalidError, match="no folder is known yet"),
    ):
        next(mind.watch())


def test_a_wrong_configuration_stops_it_before_a_database_is_made(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "lsm.toml").write_text("[nonsense]\n")

    with pytest.raises(ConfigError, match="nonsense"):
        lsm.open(str(home))

    assert [path.name for path in home.iterdir()] == ["lsm.toml"]


def test_dates_may_be_dates(tmp_path: Path) -> None:
    with lsm.open(str(tmp_path / "home")) as mind:
        (tmp_path / "a.md").write_text("Lichens grow slowly.\n")
        mind.ingest(str(tmp_path / "a.md"))

        today = datetime.now(UTC)

        assert mind.search("lichens", as_of=today.date() + timedelta(days=1), mode="text")
        assert mind.search("lichens", since=today - timedelta(days=1), mode="text")
        assert not mind.search("lichens", as_of=today - timedelta(days=400), mode="text")


def test_a_hit_leads_to_its_file_whatever_the_file_is_called(tmp_path: Path) -> None:
    file = os.path.join(os.fsencode(tmp_path), b"caf\xe9.md")
    with open(file, "w") as document:
        document.write("Lichens grow slowly.\n")
    with lsm.open(str(tmp_path / "home")) as mind:
        mind.ingest(os.fsdecode(file))

        (hit,) = mind.search("lichens", mode="text")

        assert os.fsencode(hit.os_path) == file


def test_a_question_about_nothing_in_the_library_gets_no_quotes(tmp_path: Path) -> None:
    with lsm.open(str(tmp_path / "home")) as mind:
        (tmp_path / "a.md").write_text("Lichens grow slowly.\n")
        mind.ingest(str(tmp_path / "a.md"))

        answer = mind.ask("xyzzyqwert")

        assert answer.citations == ()


def test_an_answer_quotes_no_front_matter(tmp_path: Path) -> None:
    with lsm.open(str(tmp_path / "home")) as mind:
        (tmp_path / "a.md").write_text("---\ntitle: Lichens\ntags: [moss]\n---\n\nThey grow.\n")
        mind.ingest(str(tmp_path / "a.md"))

        (citation,) = mind.ask("how do lichens grow").citations

        assert (citation.quote, citation.start_line) == ("They grow.", 6)
