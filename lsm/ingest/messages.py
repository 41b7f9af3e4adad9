"""What the pipeline and its parsing children say to each other.

A frame is four bytes of length, big-endian, and that many bytes of JSON. The parent sends
one `Startup`, then `ParseRequest` after `ParseRequest`; the child answers the start-up with
an empty frame and each request, in order, with one `Answer`.
"""

from typing import BinaryIO, Literal

import msgspec

from lsm.ingest.chunking import ChunkOptions
from lsm.ingest.document import Chunk

MAX_ANSWER = 32 * 2**20  # bytes of JSON
_LENGTH = 4


class FrameError(Exception):
    """What came through the pipe is not a frame."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one file may cost. Times are per file."""

    wall_seconds: float = 30.0
    cpu_seconds: int = 20
    text_bytes: int = 64 * 2**20  # largest text-like file
    document_bytes: int = 200 * 2**20  # largest PDF, Office file or e-book
    memory_bytes: int = 2**30  # address space of a child; Linux only


class Startup(msgspec.Struct, frozen=True, kw_only=True):
    """Sent once to each child."""

    chunking: ChunkOptions
    limits: Limits = Limits()
    known: bytes = b""  # SHA-256 digests, 32 bytes each, of contents that need no parsing


class ParseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the walk has seen."""

    path: bytes  # absolute, as the OS gives it; need not be UTF-8
    device: int  # as the walk saw it: another file in its place is not read
    inode: int
    known_hash: str | None = None  # SHA-256 in hex; the same content is not parsed again
    force: bool = False  # parse even if the content is known
    hash_only: bool = False  # never parse: "known" unless it is "same"


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The file as it was while its content was read."""

    sha256: str  # 64 hex digits
    size: int  # bytes
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


Status = Literal["parsed", "same", "known", "failed"]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one file.

    parsed: everything below is set. same: the content has `known_hash`. known: the
    content is among `Startup.known`, or was not to be parsed. failed: `code` and `reason` say why.
    """

    status: Status
    code: str = ""
    reason: str = ""
    file: FileFacts | None = None  # None only if the content could not be read
    title: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    flags: tuple[str, ...] = ()
    chunks: tuple[Chunk, ...] = ()
    retiring: bool = False  # the child ends now; what it was sent after this is unanswered


def write_frame(stream: BinaryIO, payload: bytes) -> None:
    """Send *payload* as one frame."""
    stream.write(len(payload).to_bytes(_LENGTH, "big") + payload)
    stream.flush()


def read_frame(stream: BinaryIO, limit: int) -> bytes | None:
    """The payload of the next frame, or None if the other side has ended.

    Raises:
        FrameError: the frame is longer than *limit* bytes, or was cut off.
    """
    head = stream.read(_LENGTH)
    if not head:
        return None
    size = int.from_bytes(head, "big")
    if len(head) < _LENGTH or size > limit:
        raise FrameError(f"a frame of {size} bytes was announced")
    payload = stream.read(size)
    if len(payload) < size:
        raise FrameError("a frame was cut off")
    return payload
