"""The child process that opens, reads, parses and chunks other people's files.

It is the only part of LSM that looks inside them. Whatever they make a parser do, the
parent loses one answer. Started by `lsm.ingest.sandbox`; speaks `lsm.ingest.messages`.
"""

import os
from collections.abc import Callable
from typing import Any, BinaryIO

import msgspec

from lsm.ingest.chunking import chunk
from lsm.ingest.confinement import address_space, allow_processor_time, confine
from lsm.ingest.document import ParseError
from lsm.ingest.messages import (
    MAX_ANSWER,
    Answer,
    FileFacts,
    Limits,
    ParseRequest,
    Startup,
    read_frame,
    write_frame,
)
from lsm.ingest.parsers import Parser, parser_for
from lsm.ingest.parsers.blocks import one_line
from lsm.ingest.reading import read_file

FindParser = Callable[[str], Parser | None]

_DIGEST = 32  # bytes of a SHA-256
_MAX_STARTUP = 2**30
_DOCUMENTS = (".pdf", ".docx", ".pptx", ".xlsx", ".epub", ".odt", ".odp", ".ods")


def main(find_parser: FindParser = parser_for) -> None:
    """Answer requests from standard input until it ends."""
    requests, answers = take_over_pipes()
    message = read_frame(requests, _MAX_STARTUP)
    if message is None:
        return
    startup = msgspec.json.decode(message, type=Startup)
    confine(startup.limits)
    os.dup2(1, 2)  # until here, complaints go to the parent
    write_frame(answers, b"")
    _serve(_Worker(startup, find_parser), requests, answers)


def _serve(worker: "_Worker", requests: BinaryIO, answers: BinaryIO) -> None:
    decoder = msgspec.json.Decoder(ParseRequest)
    while (message := read_frame(requests, _MAX_STARTUP)) is not None:
        answer = worker.answer(decoder.decode(message))
        write_frame(answers, _encoded(answer))
        if answer.retiring:
            return


def take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The protocol moves away from 0 and 1, where a parser that prints would reach it."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return requests, answers


class _Worker:
    def __init__(self, startup: Startup, find_parser: FindParser) -> None:
        self._startup = startup
        self._limits: Limits = startup.limits
        self._find_parser = find_parser
        known = startup.known
        self._known = {known[at : at + _DIGEST] for at in range(0, len(known), _DIGEST)}

    def answer(self, request: ParseRequest) -> Answer:
        """What became of the file."""
        allow_processor_time(self._limits.cpu_seconds)
        answer = self._judged(request)
        # What a big file left behind must not be held against the next one.
        if answer.code == "oom" or address_space() > self._limits.memory_bytes // 2:
            return msgspec.structs.replace(answer, retiring=True)
        return answer

    def _judged(self, request: ParseRequest) -> Answer:
        """What became of the file; whatever a parser raises is an answer, too."""
        file = None
        try:
            name = os.fsdecode(os.path.basename(request.path))
            data, file = read_file(request, self._max_bytes(name))
            return self._settled(request, file) or self._parsed(data, name, file)
        except ParseError as error:
            return _failed(file, error.code, error.reason)
        except MemoryError:
            limit = self._limits.memory_bytes >> 20
            return _failed(file, "oom", f"reading it takes more than {limit} MB of memory")
        except RecursionError:
            return _failed(file, "too_deep", "it is nested too deeply")
        except Exception as error:  # noqa: BLE001 - a third-party parser may raise anything
            reason = f"its parser failed: {type(error).__name__}: {one_line(error)}"
            return _failed(file, "parser_error", reason)

    def _max_bytes(self, name: str) -> int:
        is_document = name.lower().endswith(_DOCUMENTS)
        return self._limits.document_bytes if is_document else self._limits.text_bytes

    def _settled(self, request: ParseRequest, file: FileFacts) -> Answer | None:
        if request.force:
            return None
        if file.sha256 == request.known_hash:
            return Answer(status="same", file=file)
        if request.hash_only or bytes.fromhex(file.sha256) in self._known:
            return Answer(status="known", file=file)
        return None

    def _parsed(self, data: bytes, name: str, file: FileFacts) -> Answer:
        parse = self._find_parser(name)
        if parse is None:
            raise ParseError("unsupported", "it is not in a format that can be read")
        document = parse(data, name)
        return Answer(
            status="parsed",
            file=file,
            title=document.title,
            tags=document.tags,
            metadata=document.metadata,
            flags=document.flags,
            chunks=tuple(chunk(document, self._startup.chunking)),
        )


def _failed(file: FileFacts | None, code: str, reason: str) -> Answer:
    return Answer(status="failed", code=code, reason=reason, file=file)


def _encoded(answer: Answer) -> bytes:
    """*answer* as JSON that holds neither NUL nor lone surrogates: no database takes them."""
    try:
        payload = msgspec.json.encode(answer)
        if b"\\u0000" in payload:
            payload = msgspec.json.encode(_storable(msgspec.to_builtins(answer)))
    except UnicodeEncodeError:
        payload = msgspec.json.encode(_storable(msgspec.to_builtins(answer)))
    if len(payload) <= MAX_ANSWER:
        return payload
    reason = f"its text is over {MAX_ANSWER >> 20} MB"
    failed = _failed(answer.file, "too_large", reason)
    return msgspec.json.encode(msgspec.structs.replace(failed, retiring=answer.retiring))


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value]
    return value


if __name__ == "__main__":
    main()
