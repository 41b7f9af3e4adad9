"""Bytes of strangers as JSON or XML; anything else is no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from lsm.remote.errors import RemoteError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

T = TypeVar("T")
_BOM = b"\xef\xbb\xbf"
# Two hundred results take less than 2 MB, and a tree of elements ten times its text.
_MOST_XML = 16 * 2**20


class Answered(Protocol):
    """Anything with a body."""

    @property
    def body(self) -> bytes:
        """Unpacked."""
        ...


def json_as(reply: Answered, kind: type[T]) -> T:
    """The JSON of *reply*, as *kind*.

    Raises:
        RemoteError: ``not_an_answer``.
    """
    try:
        return msgspec.json.decode(reply.body.removeprefix(_BOM), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise not_an_answer(reply, "JSON", str(error)) from None


def xml_of(reply: Answered) -> Element:
    """The root of the XML in *reply*. Entities of its own and anything external are refused.

    Raises:
        RemoteError: ``not_an_answer``, or ``too_large``.
    """
    if len(reply.body) > _MOST_XML:
        raise RemoteError("too_large", f"XML of more than {_MOST_XML >> 20} MB")
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        return fromstring(reply.body.removeprefix(_BOM).lstrip())
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise not_an_answer(reply, "XML", str(error)) from None


def not_an_answer(reply: Answered, wanted: str, problem: str = "") -> RemoteError:
    """The error for a *reply* that should have been *wanted*."""
    start = reply.body.removeprefix(_BOM).lstrip()[:15].lower()
    if start.startswith((b"<!doctype html", b"<html")) and wanted != "HTML":
        problem = "a web page came instead; does this network want you to log in?"
    if not reply.body:
        problem = "the answer is empty"
    line = " ".join(problem.split())[:200]
    return RemoteError("not_an_answer", f"not the {wanted} it should be: {line}".rstrip(": "))


def refused_by_source(problem: str) -> RemoteError:
    """The error for a source that says itself what is wrong."""
    line = " ".join("".join(c if c.isprintable() else " " for c in problem).split())
    return RemoteError("refused_by_source", f"the source says: {line[:300]}")
