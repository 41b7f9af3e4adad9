"""The report of a run: the model's words, checked, with the sources and limits below them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsm.fencing import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.agents.llm.budget import Limit
    from lsm.agents.llm.session import Session

# A picture is fetched by whoever shows the report, and its address could carry anything.
_IMAGE = re.compile(r"!(?=\[)")
_HTML = re.compile(r"<(?=[A-Za-z/!?])(?!https?://)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_NUMBER = re.compile(r"\[(\d{1,4})\](?!\()")
_LIMITS: dict[Limit, str] = {
    "time": "its time was used up",
    "tool_calls": "its tool calls were used up",
    "tokens": "its tokens were used up",
}


def write_report(session: Session, said: Sequence[str], stopped: Limit | None) -> str:
    """The report.

    Args:
        session: the run.
        said: what the model said, in order; if it came to its end, the last is its report.
        stopped: the budget that ended it before it was through.
    """
    text = "\n\n".join(said) if stopped else (said[-1] if said else "")
    text = _harmless(text).strip()
    most = session.reach.config.limits.report_kb * 1024
    cut = text.encode()[:most].decode(errors="ignore")
    parts = [_note(session, stopped)] if stopped else []
    parts.append(
        _checked(session, cut) + ("\n\n(cut here: the report was too long)" * (cut != text))
    )
    parts += [_sources(session, text), _refusals(session)]
    return "\n\n".join(part for part in parts if part.strip()) + "\n"


def _harmless(text: str) -> str:
    """*text* with no picture, markup or hidden character in it."""
    plain = _CONTROL.sub("", visible(text.replace("\r\n", "\n")))
    return _HTML.sub("&lt;", _IMAGE.sub("", plain))


def _checked(session: Session, text: str) -> str:
    """*text*, in which a number that stands for nothing says so."""

    def judged(match: re.Match[str]) -> str:
        known = session.shown.get(int(match[1]))
        return match[0] if known else f"[{match[1]}: no such source]"

    return _NUMBER.sub(judged, text)


def _note(session: Session, stopped: Limit) -> str:
    limits = session.budget.limits
    most = {
        "time": f"{limits.seconds:g} s",
        "tool_calls": str(limits.tool_calls),
        "tokens": f"{limits.tokens:,}",
    }
    return (
        f"> Stopped early: {_LIMITS[stopped]} ({stopped}: {most[stopped]}). What follows is what "
        "there was by then."
    )


def _sources(session: Session, text: str) -> str:
    cited, _ = session.shown.cited_in(text)
    lines = [f"- [{each.number}] {_harmless(each.label)}" for each in cited]
    return "\n".join(["## Sources", "", *lines]) if lines else ""


def _refusals(session: Session) -> str:
    told = dict.fromkeys(f"- {each.tool}: {each.why}" for each in session.used if each.why)
    lines = [_harmless(" ".join(line.split()))[:500] for line in told][:20]
    return "\n".join(["## Not done", "", *lines]) if lines else ""
