"""How measurements look: for people, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lsm.cli.output import clean, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lsm.query.evaluation.comparing import Comparison, Moved
    from lsm.query.evaluation.measuring import Measured, ModeResult, SetResult
    from lsm.query.evaluation.metrics import Scores
    from lsm.query.evaluation.questions import Question

_SHOWN = 10  # queries of a list; --json has them all
_BEST = "hybrid"


def print_measured(measured: Measured) -> None:
    """Each set of questions in each mode, and what a person's own did not find."""
    for one in measured.sets:
        count = len(one.modes[0].queries)
        title = f"{one.name}: {count:,} queries, {one.documents:,} documents"
        click.echo(click.style(title, bold=True))
        rows = [_row(each.mode, each.scores, _times(each)) for each in one.modes]
        _print_table(_head(measured.k, "p50", "p95"), rows)
        click.echo()
        if one.name not in _collections(measured):
            _print_missed(one)
    if len(measured.sets) > 1:
        click.echo(click.style("mean of all", bold=True))
        rows = [_row(mode, scores, ()) for mode, scores in measured.means.items()]
        _print_table(_head(measured.k), rows)
        click.echo()


def print_comparison(compared: Comparison) -> None:
    """What differs, mode by mode, and the questions that moved most."""
    since = f"version {compared.version}, {compared.model}, lsm {compared.program}"
    title = f"compared with {compared.name}, {compared.created_at[:10]}: {since}"
    click.echo(click.style(title, bold=True))
    rows = [
        (
            each.mode,
            *(f"{value:+.3f}" for value in _values(each.scores)),
            *(f"{count:,}" for count in (each.better, each.worse, each.same)),
        )
        for each in compared.modes
    ]
    _print_table(("", "nDCG", "recall", "MRR", "better", "worse", "same"), rows)
    _print_moved("worse", compared.worse)
    _print_moved("better", compared.better)
    if compared.only_now or compared.only_before:
        told = f"{compared.only_now:,} queries are new, {compared.only_before:,} are gone"
        click.echo(f"\n{told}: neither is compared")


def print_question(question: Question) -> None:
    """A question and what it should find."""
    click.echo(clean(question.query))
    for pattern, grade in question.grades.items():
        click.echo(f"  {grade}  {short(pattern)}")


def note_absent(patterns: Sequence[str]) -> None:
    """Say on stderr that nothing in the library is called so."""
    for pattern in patterns[:_SHOWN]:
        click.echo(f"lsm: expected, but not in the library: {short(pattern)}", err=True)
    if len(patterns) > _SHOWN:
        click.echo(f"lsm: ... and {len(patterns) - _SHOWN:,} more", err=True)


def row_of(measured: Measured, compared: Comparison | None) -> dict[str, Any]:
    """The JSON document of a measurement."""
    from msgspec import to_builtins

    return {
        "k": measured.k,
        "model": measured.model,
        "program": measured.program,
        "version": measured.version,
        "sets": [
            {
                "name": one.name,
                "documents": one.documents,
                "queries": len(one.modes[0].queries),
                "modes": {each.mode: _mode_row(each) for each in one.modes},
                "absent": one.absent,
                "unread": one.unread,
            }
            for one in measured.sets
        ],
        "means": to_builtins(measured.means),
        "comparison": None if compared is None else to_builtins(compared),
    }


def _mode_row(mode: ModeResult) -> dict[str, Any]:
    from msgspec.structs import asdict

    return {
        **asdict(mode.scores),
        "p50_ms": mode.p50_ms,
        "p95_ms": mode.p95_ms,
        "queries": [
            {
                "key": each.key,
                "query": each.query,
                **asdict(each.scores),
                "found": each.found,
                "missed": each.missed,
                "ms": each.milliseconds,
            }
            for each in mode.queries
        ],
    }


def _collections(measured: Measured) -> set[str]:
    """Sets whose questions are known by an id: nobody reads what those did not find."""
    return {
        one.name
        for one in measured.sets
        if any(each.key != each.query for each in one.modes[0].queries)
    }


def _print_missed(one: SetResult) -> None:
    mode = next((each for each in one.modes if each.mode == _BEST), one.modes[-1])
    missed = [(each.query, each.missed) for each in mode.queries if each.missed]
    if not missed:
        return
    click.echo(f"not found in mode {mode.mode}:")
    for query, patterns in missed[:_SHOWN]:
        click.echo(f"  {clean(query)}  {', '.join(map(short, patterns))}")
    _print_more(len(missed))
    click.echo()


def _print_moved(word: str, moved: Sequence[Moved]) -> None:
    if not moved:
        return
    click.echo(f"\n{word}:")
    for each in moved[:_SHOWN]:
        query = clean(each.query)
        shown = query if len(query) <= 70 else query[:67] + "..."
        click.echo(f"  {each.ndcg:+.3f}  {each.mode:<6}  {shown}")
    _print_more(len(moved))


def _print_more(count: int) -> None:
    if count > _SHOWN:
        click.echo(f"  and {count - _SHOWN:,} more; --json has them all")


def _head(k: int, *more: str) -> tuple[str, ...]:
    return "", f"nDCG@{k}", f"recall@{k}", f"MRR@{k}", *more


def _row(name: str, scores: Scores, more: Iterable[str]) -> tuple[str, ...]:
    return name, *(f"{value:.3f}" for value in _values(scores)), *more


def _values(scores: Scores) -> tuple[float, float, float]:
    return scores.ndcg, scores.recall, scores.mrr


def _times(mode: ModeResult) -> tuple[str, str]:
    return f"{mode.p50_ms:.1f} ms", f"{mode.p95_ms:.1f} ms"


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        click.echo("  ".join([row[0].ljust(widths[0]), *cells]).rstrip())
