"""The content of the corpus of bad inputs, through the real parsing children."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from lsm.ingest.chunking import ChunkOptions
from lsm.ingest.messages import Answer, ParseRequest, Startup
from lsm.ingest.parsers import parser_for
from lsm.ingest.sandbox import ParserPool
from tests.bad_inputs.corpus import INGESTED, SKIPPED, Case, cases, make_all, unmake

_GOOD = 50
_OF_THE_WALK = {SKIPPED, "too_deep", "permission_denied"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Path, Case]]:
    folder = tmp_path_factory.mktemp("bad")
    yield make_all(folder)
    unmake(folder)


def test_every_bad_file_gets_its_due_and_no_good_one_suffers(
    made: dict[Path, Case], tmp_path: Path
) -> None:
    bad = {path: case for path, case in made.items() if is_for_parsers(path)}
    good = [tmp_path / f"good{number}.md" for number in range(_GOOD)]
    for path in good:
        path.write_text(f"# {path.name}\n\nA good text.\n")

    answers = answers_for([*good, *bad])

    wrong = {
        case.name: (outcome_of(answers[path]), sorted(case.outcomes))
        for path, case in bad.items()
        if outcome_of(answers[path]) not in case.outcomes
    }
    assert wrong == {}
    assert [outcome_of(answers[path]) for path in good] == [INGESTED] * _GOOD
    assert all(answer.reason.isprintable() for answer in answers.values())


def test_the_cases_have_names_of_their_own() -> None:
    names = [case.name for case in cases()]

    assert len(names) == len(set(names))


def test_what_is_not_for_parsers_is_left_to_the_walk(made: dict[Path, Case]) -> None:
    others = [case for path, case in made.items() if not is_for_parsers(path)]

    assert {case.name for case in others if not case.outcomes & _OF_THE_WALK} == set()


def is_for_parsers(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode) and parser_for(path.name) is not None


def answers_for(paths: list[Path]) -> dict[Path, Answer]:
    def requests() -> Iterator[ParseRequest]:
        for path in paths:
            found = path.lstat()
            yield ParseRequest(path=os.fsencode(path), device=found.st_dev, inode=found.st_ino)

    with ParserPool(2, Startup(chunking=ChunkOptions())) as pool:
        results = list(pool.results(requests()))
    return {Path(os.fsdecode(result.request.path)): result.answer for result in results}


def outcome_of(answer: Answer) -> str:
    return INGESTED if answer.status == "parsed" else answer.code
