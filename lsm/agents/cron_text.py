"""From the text of a cron expression to a `Cron`, or to an error that says where and what to do.

The grammar is Debian's crontab(5), with ``L``, ``LW``, ``nL`` and ``n#k``, and without what
evaluators disagree about: seconds, ``@reboot``, ranges that wrap around, ``n/step`` of weekdays.
"""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import NoReturn

from lsm.agents.cron_wall import LAST_DAY, LAST_WORKDAY, Cron
from lsm.errors import LsmError

_MAX_LENGTH = 1000  # every minute, hour, day, month and weekday listed by name takes 400

_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

_WORD = re.compile(r"[^ \t]+")
_FOREIGN = re.compile(r"[^0-9A-Za-z*,/#@ \t-]")
_VALUE = r"[0-9]+|[A-Z]+"
_ITEM = re.compile(rf"(\*|{_VALUE})(?:-({_VALUE}))?(?:/([0-9]+))?")
_NTH = re.compile(r"([0-9]+|[A-Z]{3})(?:L|#([0-9]+))")


class CronError(LsmError):
    """The expression is wrong, or it can never fire. One line: where, what, and what instead."""

    exit_code = 2

    def __init__(self, expr: str, position: int, problem: str, hint: str) -> None:
        shown = expr if len(expr) <= 60 else f"{expr[:57]}..."
        super().__init__(f"cron {shown!r}, character {position + 1}: {problem}; {hint}")
        self.expr = expr
        self.position = position  # offset into expr, from 0; the message counts from 1
        self.hint = hint


@dataclass(frozen=True, slots=True)
class _Field:
    """What one of the five fields may hold."""

    name: str
    low: int
    high: int
    names: dict[str, int]
    every: frozenset[int]


_FIELDS = (
    _Field("minute", 0, 59, {}, frozenset(range(60))),
    _Field("hour", 0, 23, {}, frozenset(range(24))),
    _Field("day of month", 1, 31, {}, frozenset(range(1, 32))),
    _Field(
        "month", 1, 12, {name: at for at, name in enumerate(_MONTHS, 1)}, frozenset(range(1, 13))
    ),
    _Field(
        "day of week", 0, 7, {name: at for at, name in enumerate(_WEEKDAYS)}, frozenset(range(7))
    ),
)
_DAYS, _WEEK = _FIELDS[2], _FIELDS[4]


@dataclass(frozen=True, slots=True)
class _Item:
    """One part of a comma list, of *field*, beginning at *at* in *expr*."""

    expr: str
    field: _Field
    text: str
    at: int

    def refuse(self, problem: str, hint: str) -> NoReturn:
        raise CronError(self.expr, self.at, f"{self.field.name} {problem}", hint)

    def number(self, text: str) -> int:
        """*text*, digits or a name, as a number within the field's bounds."""
        field = self.field
        if not text.isdigit():
            return self._named(text)
        number = int(text)
        if not field.low <= number <= field.high:
            self.refuse(f"{text} does not exist", f"use {field.low} to {field.high}")
        return number

    def _named(self, text: str) -> int:
        names = self.field.names
        if text not in names:
            hint = (
                f"use one of {', '.join(names)}" if names else "only months and weekdays have names"
            )
            self.refuse(f"{text!r} is not known", hint)
        return names[text]


# Reconciling a configuration and every tick parse the same few texts again.
@lru_cache(maxsize=16_384)
def parse(expr: str) -> Cron:
    """*expr*, five fields or a nickname, as a value.

    Raises:
        CronError: it is wrong, evaluators disagree about it, or no date ever matches it.
    """
    words = _words(expr)
    parsed = [
        _parse_field(expr, field, text, at)
        for field, (text, at) in zip(_FIELDS, words, strict=True)
    ]
    minutes, hours, days, months, weekdays = (numbers for _, numbers, _ in parsed)
    cron = Cron(
        fields=tuple(text for text, _, _ in parsed),
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=frozenset(days),
        months=tuple(sorted(months)),
        weekdays=frozenset(day % 7 for day in weekdays),
        nth=frozenset(parsed[4][2]),
    )
    # 28 years running hold every kind of year: each first weekday, leap and common.
    if not any(cron.days_in(year, month) for year in range(2000, 2028) for month in cron.months):
        hint = "choose a day that one of its months has"
        raise CronError(expr, words[2][1], "it never fires, no date matches", hint)
    return cron


def _words(expr: str) -> list[tuple[str, int]]:
    """The five fields, each with its position."""
    if len(expr) > _MAX_LENGTH:
        hint = f"use at most {_MAX_LENGTH}"
        raise CronError(expr, _MAX_LENGTH, f"it has {len(expr)} characters", hint)
    if foreign := _FOREIGN.search(expr):
        char = foreign.group()
        hint = "write * instead" if char == "?" else "use 0-9, names and * , - / # L W"
        raise CronError(expr, foreign.start(), f"{char!r} (U+{ord(char):04X}) is not cron", hint)
    words = [(word.group(), word.start()) for word in _WORD.finditer(expr)]
    if words and words[0][0].startswith("@"):
        return _nickname(expr, words)
    if len(words) > len(_FIELDS):
        hint = "use five fields, and an interval for less than a minute"
        raise CronError(expr, words[5][1], f"it has {len(words)} fields", hint)
    if len(words) < len(_FIELDS):
        missing = ", ".join(field.name for field in _FIELDS[len(words) :])
        problem = f"it has {len(words)} of 5 fields" if words else "it is empty"
        raise CronError(expr, len(expr), problem, f"add {missing} as in '0 9 * * 1-5'")
    return words


def _nickname(expr: str, words: list[tuple[str, int]]) -> list[tuple[str, int]]:
    (name, at), *rest = words
    known = _NICKNAMES.get(name.lower())
    if known is None:
        hint = f"use one of {', '.join(_NICKNAMES)}"
        if name.lower() == "@reboot":
            hint = "a start is not a time: use an interval, or a time with catch-up"
        elif near := get_close_matches(name.lower(), _NICKNAMES, 1):
            hint = f"did you mean {near[0]}?"
        raise CronError(expr, at, f"{name} is not a time", hint)
    if rest:
        raise CronError(expr, rest[0][1], f"{name} takes no fields", "leave the rest out")
    return [(text, at) for text in known.split()]


def _parse_field(
    expr: str, field: _Field, text: str, at: int
) -> tuple[str, AbstractSet[int], set[tuple[int, int]]]:
    """Canonical text, plain numbers, and (weekday, nth) pairs."""
    if text == "*":
        return text, field.every, set()  # three of five fields, mostly: a third of the cost
    texts: list[str] = []
    numbers: set[int] = set()
    nth: set[tuple[int, int]] = set()
    for part in text.split(","):
        item = _Item(expr, field, part.upper(), at)
        at += len(part) + 1
        if field is _DAYS and item.text in {"L", "LW"}:
            numbers.add(LAST_DAY if item.text == "L" else LAST_WORKDAY)
            texts.append(item.text)
        elif field is _WEEK and (match := _NTH.fullmatch(item.text)):
            weekday, which = _nth(item, match)
            nth.add((weekday % 7, which))
            texts.append(f"{weekday}L" if which == LAST_DAY else f"{weekday}#{which}")
        else:
            canonical, found = _range(item)
            numbers.update(found)
            texts.append(canonical)
    return ",".join(texts), numbers, nth


def _nth(item: _Item, match: re.Match[str]) -> tuple[int, int]:
    weekday = item.number(match[1])
    if match[2] is None:
        return weekday, LAST_DAY
    which = int(match[2])
    if not 1 <= which <= 5:
        item.refuse(f"{item.text} is never in a month", f"use {match[1]}#1 to {match[1]}#5")
    return weekday, which


def _range(item: _Item) -> tuple[str, range]:
    """``*``, ``n``, ``n-m`` and each of them with ``/step``: canonical text and numbers."""
    match = _ITEM.fullmatch(item.text)
    if match is None or match[1] in {"L", "LW"} or (match[1] == "*" and match[2]):
        _refuse_syntax(item)
    step = _step(item, match[3])
    tail = "" if match[3] is None else f"/{step}"
    if match[1] == "*":
        # Seven is Sunday again: a step counts through the week once.
        high = 6 if item.field is _WEEK else item.field.high
        return f"*{tail}", range(item.field.low, high + 1, step)
    low = item.number(match[1])
    if match[2] is not None:
        high = item.number(match[2])
        if low > high:
            _refuse_backwards(item, low, high)
        return f"{low}-{high}{tail}", range(low, high + 1, step)
    if not tail:
        return str(low), range(low, low + 1)
    if item.field is _WEEK:
        item.refuse(f"{item.text} is ambiguous, does 7 count?", f"write {low % 7}-6{tail}")
    return f"{low}{tail}", range(low, item.field.high + 1, step)


def _step(item: _Item, text: str | None) -> int:
    step = 1 if text is None else int(text)
    if step == 0:
        item.refuse("has step 0", "use a step of 1 or more")
    return step


def _refuse_backwards(item: _Item, low: int, high: int) -> NoReturn:
    top = 6 if item.field is _WEEK else item.field.high
    after = f"{item.field.low}-{high}"
    hint = f"write {after}" if low > top else f"write {low}-{top},{after}"
    if item.field is _WEEK and high == 0:
        hint = f"write {low}-7"
    elif item.field is not _WEEK:
        hint = f"write {high}-{low}, or {low}-{top},{after}"
    item.refuse(f"{item.text} runs backwards", hint)


def _refuse_syntax(item: _Item) -> NoReturn:
    if not item.text:
        item.refuse("has an empty place in its list", "remove the comma or add a number")
    if "L" in item.text or "W" in item.text or "#" in item.text:
        item.refuse(f"cannot be {item.text}", "L and LW are days of month, 5L and 5#2 days of week")
    item.refuse(f"cannot be {item.text}", "write *, n, n-m, */step or n-m/step")
