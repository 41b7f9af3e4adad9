"""From what a person typed to what the index is asked. Pure; nothing typed is ever syntax."""

from __future__ import annotations

import re

from lsm.vectordb.base import TextQuery

MAX_QUERY = 2000  # characters; what is beyond adds nothing to a search
MAX_WORDS = 64

_PHRASE = re.compile(r'["\u201c\u201d]([^"\u201c\u201d]{2,200})["\u201c\u201d]')
_WORD = re.compile(r"\w+")
# TML-25-1187, 2.8.1, user@example.org: one thing, though an index cuts it into words. Not
# "boundary-layer" or "and/or": counting the words of those twice made rankings worse.
_COMPOUND = re.compile(r"(?=[^\s]*[\d@])\w+(?:[-./:@#&+]+\w+)+")

# Words that say how a question is put and not what it is about. English, for the default stemmer
# is; a word of another language that looks the same is still found by its vector.
_STOP_WORDS = """
a about above after again against all also am an and any are as at be because been before being
below between both but by can cannot could did do does doing don down during each few for from
further get give given had has have having he her here hers herself him himself his how however
i if in into is it its itself just let like ll me more most much must my myself no nor not now
of off on once one only or other ought our ours ourselves out over own please re s same shall
she should so some such t than that the their theirs them themselves then there these they this
those through to too under until up upon us ve very was we were what when where whether which
while who whom whose why will with within without would you your yours yourself yourselves
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())


def cleaned(query: str) -> str:
    """*query* without what no database takes, on one line, at most `MAX_QUERY` characters."""
    text = query[:MAX_QUERY].encode("utf-8", "replace").decode().replace("\0", " ")
    return " ".join(text.split())


def parsed(query: str) -> TextQuery:
    """What to look for in *query*: its words without stop words, and what stands in quotes."""
    phrases = tuple(words for phrase in _PHRASE.findall(query) if len(words := _words(phrase)) > 1)
    words = _words(query)
    telling = tuple(word for word in words if word not in STOP_WORDS)
    # "to be or not to be": where nothing else is said, these words are what it is about.
    compounds = tuple(
        dict.fromkeys(" ".join(_WORD.findall(c)) for c in _COMPOUND.findall(query.lower()))
    )
    return TextQuery((*compounds, *(telling or words))[:MAX_WORDS], phrases)


def _words(text: str) -> tuple[str, ...]:
    """Words in small letters, each once, in order."""
    return tuple(dict.fromkeys(_WORD.findall(text.lower())))
