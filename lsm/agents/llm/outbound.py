"""What may leave for a remote source.

A run that has read what is private and what somebody else may have written can have been talked
into carrying the first to the second (the "rule of two" of OWASP's and others' guides to agents).
From then on it may send no words but those that a person typed for it, and open no address but
those and what a remote source itself has named.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.agents.memory.flags import flags
from lsm.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lsm.agents.llm.references import References
    from lsm.config.models.agents import LimitsConfig

_LONGEST = 200  # characters of a query
_WORD = re.compile(r"\w+")
# Too few and too common to carry anything.
_GLUE = frozenset(
    ("a", "an", "and", "are", "as", "at", "by", "for", "from", "how", "in", "is", "of", "on", "the")
)
_WHY = "(see agents.limits.remote_queries)"


class Outbound:
    """Judges each query of one run before it is sent.

    Args:
        typed: all that a person wrote for the run: the prompt and the parameters.
        config: the limits.
        shown: what the run has been shown.
    """

    def __init__(self, typed: str, config: LimitsConfig, shown: References) -> None:
        self._typed = typed
        self._words = {word.casefold() for word in _WORD.findall(typed)} | _GLUE
        self._mode = config.remote_queries
        self._shown = shown
        self.read_private = False  # documents or memories
        self.read_foreign = False  # what somebody else may have written; documents count as both

    @property
    def is_bound(self) -> bool:
        """Whether only a person's own words may be sent."""
        both = self.read_private and self.read_foreign
        return self._mode == "own_words" or (self._mode == "guarded" and both)

    def check_words(self, query: str) -> None:
        """Refuse *query* if it must not be sent. Raises RefusedError."""
        if self._mode == "free":
            return
        if len(query) > _LONGEST:
            raise RefusedError(f"a query has at most {_LONGEST} characters {_WHY}")
        foreign = [word for word in _WORD.findall(query) if word.casefold() not in self._words]
        if foreign and {"secret", "encoded", "hidden_characters"} & set(flags(query)):
            raise RefusedError(f"the query looks as if it held a secret {_WHY}")
        if self.is_bound and foreign:
            raise RefusedError(
                "not sent: this run has read private text and text of others, so a query may only "
                f"use words that were typed for the run; not among them: {', '.join(foreign[:10])} "
                f"{_WHY}"
            )

    def check_address(self, url: str) -> None:
        """Refuse to open *url* if nobody has named it. Raises RefusedError."""
        if self._mode == "free" or url in re.split(r"[\s<>\"'()]+", self._typed):
            return
        if self._mode == "guarded" and self._shown.has_address(url):
            return
        raise RefusedError(
            "not opened: only addresses that were typed for the run, or that a remote source has "
            f"named in it, may be {_WHY}"
        )


def typed_text(prompt: str, params: Mapping[str, Any]) -> str:
    """All that a person wrote for a run."""
    return prompt + "\n" + msgspec.json.encode(params).decode() + "\n" + _texts(params)


def _texts(params: Mapping[str, Any]) -> str:
    return "\n".join(value for value in params.values() if isinstance(value, str))
