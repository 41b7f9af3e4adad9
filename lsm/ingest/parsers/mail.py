"""E-mail: single messages and mailboxes.

Line numbers are those of the text made here; a message's own lines are encoded.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message

from lsm.ingest.document import Document, ParseError, Section
from lsm.ingest.encoding import clean, decode
from lsm.ingest.parsers.outline import plain

_MAX_DEPTH = 20
_MAX_PARTS = 1000
# The parser asks every open part about every line: parts in parts by the hundred cost a square.
_MAX_BOUNDARIES = 200  # of one message
_LONGEST_HEADER = 2000  # characters
_SHOWN = ("From", "To", "Cc", "Date", "Subject")

_BOUNDARY = re.compile(rb"boundary\s{0,9}=", re.IGNORECASE)
_SEPARATOR = re.compile(rb"^From [^\r\n]*\r?\n", re.MULTILINE)
_QUOTED_SEPARATOR = re.compile(rb"^>(>*From )", re.MULTILINE)


def parse(data: bytes, name: str) -> Document:
    """The headers people read, then the text; attachments are named, not opened.

    Raises:
        ParseError: "too_deep", "binary" or "invalid_mail".
    """
    if name.lower().endswith(".mbox"):
        return _parse_mailbox(data)
    if not data.strip():
        return Document(sections=())
    message = _Mail(data)
    subject = message.header("Subject")
    metadata = {key.lower(): message.header(key) for key in ("From", "To", "Date")}
    return Document(
        sections=(Section(text=message.text()),),
        title=plain(subject) or None,
        metadata={key: plain(value) for key, value in metadata.items() if value},
        flags=tuple(dict.fromkeys(message.flags)),
    )


def _parse_mailbox(data: bytes) -> Document:
    sections: list[Section] = []
    flags: list[str] = []
    line = 1
    for raw in _messages(data):
        message = _Mail(_QUOTED_SEPARATOR.sub(rb"\1", raw))
        subject = plain(message.header("Subject"))
        text = message.text() + "\n"
        sections.append(Section(text=text, heading=(subject,) if subject else (), start_line=line))
        line += text.count("\n")
        flags.extend(message.flags)
    return Document(sections=tuple(sections), flags=tuple(dict.fromkeys(flags)))


def _messages(data: bytes) -> Iterator[bytes]:
    starts = [(found.start(), found.end()) for found in _SEPARATOR.finditer(data)]
    if data.strip() and (not starts or data[: starts[0][0]].strip()):
        raise ParseError("invalid_mail", 'it is not a mailbox: it does not begin with "From "')
    ends = [*(start for start, _ in starts[1:]), len(data)]
    for (_, begin), end in zip(starts, ends, strict=False):  # an empty mailbox has no starts
        yield data[begin:end]


class _Mail:
    """One message."""

    def __init__(self, data: bytes) -> None:
        if len(_BOUNDARY.findall(data)) > _MAX_BOUNDARIES:
            raise ParseError("too_deep", f"it has more than {_MAX_BOUNDARIES} multiparts")
        self._message = message_from_bytes(data)
        if not self._message.keys():
            raise ParseError("invalid_mail", "it has no mail headers")
        self.flags: list[str] = []

    def header(self, name: str) -> str:
        # Not the policies that parse headers: they raise on bad ones, in many ways.
        raw = clean(str(self._message.get(name, ""))[:_LONGEST_HEADER])
        with suppress(HeaderParseError, LookupError, ValueError):  # shown as it stands
            raw = str(make_header(decode_header(raw)))
        return " ".join(clean(raw).split())

    def text(self) -> str:
        """Headers, body, and the names of what is attached."""
        headers = [f"{name}: {value}\n" for name in _SHOWN if (value := self.header(name))]
        bodies: list[str] = []
        attached: list[str] = []
        for part in _leaves(self._message):
            if _is_body(part):
                bodies.append(self._body(part))
            else:
                attached.append(plain(clean(_file_name(part))) or part.get_content_type())
        body = "\n".join(text.strip("\n") + "\n" for text in bodies if text.strip())
        names = f"\nAttachments: {', '.join(attached)}\n" if attached else ""
        return "".join(headers) + "\n" + body + names

    def _body(self, part: Message) -> str:
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes) or not payload.strip():
            return ""
        try:
            if part.get_content_type() == "text/html":
                from lsm.ingest.parsers import html

                page = html.parse(payload, "", charset=_charset(part))
                self.flags.extend(page.flags)
                return "".join(section.text for section in page.sections)
            text, flags = decode(payload, declared=_charset(part))
        except ParseError:
            # Bytes that claim to be text: the rest of the message is still worth reading.
            return ""
        self.flags.extend(flags)
        return text


def _leaves(message: Message) -> list[Message]:
    """The parts that hold something, of alternatives the plain one if there is one."""
    leaves: list[Message] = []
    waiting: list[tuple[Message, int]] = [(message, 1)]
    while waiting:
        part, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise ParseError("too_deep", f"it has parts within parts {_MAX_DEPTH} levels deep")
        payload = part.get_payload()
        if not isinstance(payload, list):
            leaves.append(part)
            continue
        children = [child for child in payload if isinstance(child, Message)][:_MAX_PARTS]
        if part.get_content_type() == "multipart/alternative":
            children = _preferred(children)
        waiting.extend((child, depth + 1) for child in reversed(children))
    return leaves


def _preferred(alternatives: list[Message]) -> list[Message]:
    for child in alternatives:
        if child.get_content_type() == "text/plain" and child.get_payload():
            return [child]
    return alternatives[-1:]


def _is_body(part: Message) -> bool:
    if part.get_content_type() not in ("text/plain", "text/html"):
        return False
    return part.get_content_disposition() != "attachment" and not part.get_filename()


def _file_name(part: Message) -> str:
    return str(part.get_filename() or "")[:_LONGEST_HEADER]


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except LookupError:
        return None
