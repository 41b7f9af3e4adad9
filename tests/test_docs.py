"""What the documentation says is what the program does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from lsm.config import CONFIG_NAME
from lsm.db import open_database
from lsm.sample import library_path
from tests.bad_inputs.corpus import INGESTED, SKIPPED, cases
from tests.test_db import test_one_door as one_door

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parent.parent
PAGES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
MEASURED = PAGES["docs/explanation/performance.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")
# On that page: names that are neither Python, nor commands, nor tables.
OTHER_NAMES = {
    "--home", "LSM_HOME", "HOME/agents", "every", "cron", "at", "[[agents.schedules]]", "mind.db",
}  # fmt: skip
PREDECESSOR = "docs/reference/predecessor-names.md"


def test_every_generated_page_is_what_the_code_says() -> None:
    command = (sys.executable, "tools/reference.py", "--check")

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    here = (ROOT / page).parent

    broken = [link for link in LINK.findall(PAGES[page]) if not leads_somewhere(link, here)]

    assert broken == []


@pytest.mark.parametrize("page", PAGES)
def test_no_page_names_a_path_of_the_machine_it_was_written_on(page: str) -> None:
    found = re.findall(r"(?<![\w~.$}])/(?:tmp|root|work|home|Users)/\S*", PAGES[page])

    assert found == []


def test_every_page_can_be_reached_from_the_index() -> None:
    index = {(ROOT / "docs" / link).resolve() for link in LINK.findall(PAGES["docs/index.md"])}

    lost = [page for page in PAGES if (ROOT / page).resolve() not in index]

    assert set(lost) == {"README.md", "docs/index.md"}


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    navigation = tool("website").pages_in_navigation()

    assert navigation == {page.removeprefix("docs/") for page in PAGES} - {"README.md"}


def test_a_page_of_the_site_that_fetches_from_elsewhere_is_noticed() -> None:
    fetched = tool("website").fetched_from_elsewhere

    assert fetched('<script src="https://unpkg.com/x"></script>') == ["https://unpkg.com/x"]
    assert fetched('<a href="https://example.org">x</a><img src="../images/a.png">') == []


def test_the_picture_of_the_architecture_shows_the_imports_as_they_are() -> None:
    assert tool("figures").outdated() == []


def test_the_floors_in_the_picture_are_those_that_are_enforced() -> None:
    figures = tool("figures")

    assert set(figures.FACES) == one_door.FACES
    assert set(figures.SERVICES) == one_door.SERVICES
    assert set(figures.GROUND) >= one_door.GROUND


def test_the_code_keeps_its_measures() -> None:
    figures = tool("figures")

    found = figures.measured()

    assert found.median <= figures.MEDIAN
    assert found.p95 <= figures.P95
    assert found.longest[0] <= figures.LONGEST, found.longest
    assert found.over_400 == ()
    assert found.broad_per_1000 <= figures.MOST_BROAD


def test_every_name_that_replaces_one_of_the_predecessor_exists(sqlite_url: str) -> None:
    rows = re.findall(r"^\| (?!There|---)(.*) \|$", PAGES[PREDECESSOR], re.MULTILINE)
    cells = [cell for row in rows for cell in row.split(" | ")[1:]]
    with open_database(sqlite_url) as db:
        tables = {name for (name,) in db.tuples("SELECT name FROM sqlite_schema")}

    unknown = [name for cell in cells for name in SPAN.findall(cell) if not exists(name, tables)]

    assert len(cells) > 30
    assert unknown == []


def test_the_page_on_tables_names_every_table_and_column(sqlite_url: str) -> None:
    page = PAGES["docs/reference/schema.md"]
    with open_database(sqlite_url) as db:
        columns = db.tuples(
            "SELECT t.name, c.name FROM pragma_table_list t, pragma_table_info(t.name) c"
            " WHERE t.type = 'table' AND t.schema = 'main'"
            " AND t.name NOT LIKE 'sqlite%' AND t.name <> 'lsm_migrations'"
        )

    missing = [(table, column) for table, column in columns if not is_told(page, table, column)]

    assert columns != []
    assert missing == []


def test_every_code_that_a_bad_file_is_given_is_explained() -> None:
    page = PAGES["docs/reference/ingest-codes.md"]
    given = {code for each in cases() for code in each.outcomes} - {INGESTED, SKIPPED}

    unexplained = [code for code in sorted(given) if f"| `{code}` |" not in page]

    assert unexplained == []


def test_the_figures_that_explain_ranking_are_those_that_were_measured() -> None:
    figures = re.findall(r"\b0\.\d{3}\b", PAGES["docs/explanation/search.md"])

    made_up = [figure for figure in figures if figure not in MEASURED]

    assert figures != []
    assert made_up == []


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if "```console" in text])
def test_what_a_page_shows_is_printed(page: str, home: Path) -> None:
    shown = [step for block in blocks(page, "console") for step in steps(block)]

    printed = run_all([command for command, _ in shown], home)

    for (command, expected), text in zip(shown, printed, strict=True):
        assert missing_lines(expected, text) == [], f"{command}\n{text}"


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if "```python" in text])
def test_what_a_page_shows_in_python_runs(page: str, home: Path) -> None:
    program = "\n".join(blocks(page, "python"))

    done = subprocess.run(
        (sys.executable, "-W", "error", "-c", program),
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Somebody's home folder, with the sample library as their notes."""
    shutil.copytree(library_path(), tmp_path / "notes")
    return tmp_path


def blocks(page: str, language: str) -> list[str]:
    return [text for name, text in FENCE.findall(PAGES[page]) if name == language]


def steps(block: str) -> list[tuple[str, list[str]]]:
    """Commands and what is shown below each."""
    lines = block.splitlines()
    if lines[0] == "$ lsm try":
        return [("lsm try", lines[1:])]  # what looks like commands is printed by it
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def run_all(commands: list[str], home: Path) -> list[str]:
    """What each of *commands*, run one after the other in one shell, prints."""
    mark = "\x1e"
    script = "\n".join(f"printf '{mark}'\n{command}" for command in commands)
    done = subprocess.run(
        ("bash", "-e", "-c", script),
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout.split(mark)[1:]


def environment(home: Path) -> dict[str, str]:
    """As in a new shell of somebody who has just installed LSM."""
    binaries = os.path.dirname(sys.executable)
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TZ") if name in os.environ}
    path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "HOME": str(home), "PATH": path, "PYTHONUTF8": "1"}


def missing_lines(expected: list[str], text: str) -> list[str]:
    """Lines of *expected* that no line of *text*, in this order, begins with; "..." is any."""
    printed = iter(stable(text).splitlines())
    return [
        line
        for line in stable("\n".join(expected)).splitlines()
        if line.strip() not in ("", "...") and not any(other.startswith(line) for other in printed)
    ]


def stable(text: str) -> str:
    """*text* without what no two runs have in common: times, and the last digit of scores."""
    text = re.sub(r"\b\d+\.\d\d s$", "_ s", text, flags=re.MULTILINE)
    return re.sub(r"(  \d\.\d\d)\d$", r"\1", text, flags=re.MULTILINE)


def leads_somewhere(link: str, here: Path) -> bool:
    if link.startswith(("https://", "http://")):
        return True
    name, _, anchor = unquote(link).partition("#")
    target = here / name if name else here
    if not anchor:
        return target.exists()
    headings = (heading.lower() for heading in HEADING.findall(target.read_text("utf-8")))
    return anchor in {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in headings}


def tool(name: str) -> ModuleType:
    """A program of `tools`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tools")
        return import_module(name)


def exists(name: str, tables: set[str]) -> bool:
    """Whether there is something of that *name*: of Python, a command, a table or a setting."""
    if name in OTHER_NAMES:
        return True
    if name.startswith("lsm."):
        return name == CONFIG_NAME or is_python(name)
    if name.startswith("lsm "):
        return f"## {name}\n" in PAGES["docs/reference/cli.md"]
    if name.startswith("lsm_"):
        return name in tables
    if name.startswith("["):
        section, _, key = name.partition("] ")
        told = PAGES["docs/reference/config.md"].partition(f"## {section}]\n")[2]
        return f"| `{key}` |" in told.partition("\n## ")[0]
    return False


def is_python(name: str) -> bool:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part, None)
        return found is not None
    return False


def is_told(page: str, table: str, column: str) -> bool:
    section = page.partition(f"### {table}\n")[2].partition("\n### ")[0]
    return f"| `{column}` |" in section
