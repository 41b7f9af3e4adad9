"""How results look: JSON for programs, short lines for people."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import click

from lsm.paths import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lsm.doctor import Diagnosis
    from lsm.ingest.report import IngestReport
    from lsm.query.ask import Answer
    from lsm.query.search import Hit
    from lsm.query.show import Shown

_SNIPPET = 300  # characters of a hit that people see


def print_json(value: object, *, on_one_line: bool = False) -> None:
    """*value* as one JSON document, and nothing else."""
    import msgspec

    text = msgspec.json.encode(value)
    # Bytes: JSON is UTF-8, whatever the terminal can show.
    click.echo(text if on_one_line else msgspec.json.format(text, indent=2))


def print_hits(hits: Sequence[Hit], words: Iterable[str]) -> None:
    """Hits for people: where, under which heading, and a snippet with *words* marked."""
    if not hits:
        click.echo("nothing found")
    marks = _marker(words)
    for hit in hits:
        place = f"{short(hit.path)}:{hit.start_line}"
        if hit.page is not None:
            place += f" (page {hit.page})"
        click.echo(f"{hit.rank:>2}. {click.style(place, bold=True)}  {hit.score:.3f}")
        heading = hit.heading or hit.title
        if heading:
            click.echo(f"    {click.style(clean(heading), fg='cyan')}")
        snippet = _snippet(clean(hit.text), marks)
        for line in textwrap.wrap(snippet, _width() - 4)[:4]:
            click.echo("    " + marks.sub(lambda m: click.style(m[0], fg="yellow"), line))
        if hit.also_in:
            click.echo(f"    also in {', '.join(short(path) for path in hit.also_in)}")


def print_answer(answer: Answer) -> None:
    """An answer for people, its sources below."""
    click.echo(harmless(answer.answer))
    if answer.citations:
        click.echo()
    for citation in answer.citations:
        lines = f"{citation.start_line}-{citation.end_line}"
        page = f", page {citation.page}" if citation.page is not None else ""
        click.echo(f"[{citation.n}] {short(citation.path)}:{lines}{page}")


def print_shown(found: Shown) -> None:
    """A document or chunk for people: its text on stdout, what is known of it on stderr."""
    tags = f"  tags: {', '.join(found.tags)}" if found.tags else ""
    click.echo(f"{short(found.path)}  version {found.version}{tags}", err=True)
    if _on_terminal():
        click.echo(harmless(found.text).rstrip("\n"))
    else:
        # Into a file or another program: as stored, to the letter.
        click.echo(found.text.encode(), nl=False)


def print_report(report: IngestReport) -> None:
    """What an ingest did, for people."""
    files, chunks = report.files, report.chunks
    counts = {
        "new": files.new,
        "changed": files.changed,
        "moved": files.moved,
        "touched": files.touched,
        "gone": files.gone,
        "unchanged": files.unchanged,
        "failed": files.failed,
    }
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    would = "would be: " if report.dry_run else ""
    click.echo(f"{files.seen:,} files: {would}{told or 'nothing to read'}")
    if chunks.added or chunks.retired or chunks.embedded:
        click.echo(
            f"chunks: {chunks.added:,} added, {chunks.retired:,} retired, "
            f"{chunks.embedded:,} embedded, {chunks.reused:,} reused"
        )
    version = "nothing changed" if report.version is None else f"version {report.version}"
    click.echo(f"{version}, {report.seconds:.2f} s")


def print_problems(report: IngestReport) -> None:
    """What an ingest could not read and what it wants to be asked, on stderr."""
    for problem in report.errors:
        click.echo(f"  {problem.code}: {short(problem.path)}: {clean(problem.reason)}", err=True)
    for warning in report.warnings:
        click.echo(f"  note: {short(warning.path)}: {clean(warning.reason)}", err=True)
    if report.unconfirmed:
        click.echo(
            f"lsm: {report.unconfirmed:,} known files are gone, which may be a missing disk: they "
            "stay in the library; if they are meant to go, run again with --confirm-delete",
            err=True,
        )
    if report.interrupted:
        click.echo("lsm: stopped; what was read is kept, run again to go on", err=True)


def print_status(found: dict[str, Any]) -> None:
    """`lsm status` for people."""
    database = found["database"]
    click.echo(f"home       {short(found['home'])}")
    where = database["path_or_url"]
    click.echo(f"database   {database['engine']}, {database['bytes']:,} bytes, {shown(where)}")
    click.echo(
        f"library    version {found['version']}: {found['files']:,} files, {_kept(found['kept'])}"
        f"{found['chunks']:,} chunks, embedded by {found['embedding']}"
    )
    if found["unread"]:
        click.echo(
            f"unread     {found['unread']:,} files the predecessor knew; lsm ingest reads them"
        )
    if found["errors"]:
        click.echo(f"unreadable {found['errors']:,} files; lsm ingest names them")
    for job in found["jobs"]:
        click.echo(f"running    {_job(job)}")
    for root in found["roots"]:
        click.echo(f"root       {short(root)}")
    if not found["roots"]:
        click.echo("root       none yet: lsm ingest FOLDER")


def _kept(count: int) -> str:
    return f"{count:,} kept from the web, " if count else ""


def _job(job: dict[str, Any]) -> str:
    told = f"{job['kind']} of process {job['pid']}, since {job['started_at']}"
    step = job["progress"]
    if not step:
        return told
    total = f" of {step['total']:,}" if step["total"] else ""
    return f"{told}: {step['stage']}, {step['done']:,}{total}"


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """What the doctor found, for people."""
    for check in diagnosis.checks:
        mark = click.style("ok  ", fg="green") if check.ok else click.style("FAIL", fg="red")
        click.echo(f"{mark} {check.name:<13} {clean(check.detail)}")


def short(path: str) -> str:
    """A stored path as people read it: relative to here or to home, control characters escaped."""
    here = os.getcwd() + os.sep
    home = os.path.expanduser("~") + os.sep
    if path.startswith(here) and here != os.sep:
        path = path[len(here) :]
    elif path.startswith(home) and home != os.sep * 2:
        path = "~" + os.sep + path[len(home) :]
    return shown(path)


def clean(text: str) -> str:
    """*text* of a document on one line, unable to move the cursor."""
    return shown(" ".join(text.split()))


def harmless(text: str) -> str:
    """*text* with its lines and tabs, unable to move the cursor otherwise."""
    return "\n".join("\t".join(map(shown, line.split("\t"))) for line in text.split("\n"))


def _marker(words: Iterable[str]) -> re.Pattern[str]:
    parts = [re.escape(word) for word in words if word]
    return re.compile(rf"\b(?:{'|'.join(parts)})\w{{0,3}}\b" if parts else r"(?!)", re.IGNORECASE)


def _snippet(text: str, marks: re.Pattern[str]) -> str:
    """The stretch of *text* around the first word that was looked for."""
    found = marks.search(text)
    start = max(0, found.start() - _SNIPPET // 3) if found else 0
    if start:
        start = text.find(" ", start) + 1
    end = start + _SNIPPET
    return ("... " if start else "") + text[start:end] + (" ..." if end < len(text) else "")


def _width() -> int:
    import shutil

    return min(shutil.get_terminal_size((100, 24)).columns, 110) if _on_terminal() else 100


def _on_terminal() -> bool:
    # With its descriptor closed, Python has no standard output at all.
    out: object = sys.stdout
    return out is not None and sys.stdout.isatty()
