"""Bodies unpacked piece by piece, so that a bomb is noticed before it goes off."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from lsm.remote.errors import RemoteError

if TYPE_CHECKING:
    from lsm.remote.network import Limits

ACCEPTED = "gzip, deflate"
_STEP = 64 * 1024
_AUTOMATIC = 32 + zlib.MAX_WBITS  # gzip or zlib, by the first bytes
_RAW = -zlib.MAX_WBITS  # what some servers call "deflate"


class Unpacker:
    """Collects a body.

    Raises:
        RemoteError: ``too_large``, or ``broken``: packed in a way that was not asked for.
    """

    def __init__(self, encoding: str, limits: Limits) -> None:
        self._encoding = encoding.strip().lower()
        if self._encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise RemoteError("broken", f"packed as {encoding[:40]!r}, which was not asked for")
        self._limits = limits
        self._packed = 0
        self._body = bytearray()
        self._engine = (
            None if self._encoding in ("", "identity") else zlib.decompressobj(_AUTOMATIC)
        )

    def add(self, block: bytes) -> None:
        """Take the next bytes of the body as they came."""
        self._packed += len(block)
        if self._packed > self._limits.body_bytes:
            raise _too_large(self._limits.body_bytes)
        if self._engine is None:
            self._body += block
            return
        try:
            self._unpack(block)
        except zlib.error as error:
            raise RemoteError("broken", f"does not unpack: {error}") from None

    def received(self) -> int:
        """Bytes so far, as they came."""
        return self._packed

    def finish(self) -> bytes:
        """The whole body."""
        if self._engine is not None and self._packed and not self._engine.eof:
            raise RemoteError("broken", "the answer ends in the middle")
        return bytes(self._body)

    def _unpack(self, block: bytes) -> None:
        if self._packed == len(block) and self._encoding == "deflate" and not _is_zlib(block):
            self._engine = zlib.decompressobj(_RAW)
        while block and self._engine is not None:
            if self._engine.eof:  # gzip files may stand one behind another
                self._engine = zlib.decompressobj(_AUTOMATIC)
            self._body += self._engine.decompress(block, _STEP)
            self._check()
            block = self._engine.unconsumed_tail or self._engine.unused_data

    def _check(self) -> None:
        size = len(self._body)
        if size > self._limits.decoded_bytes:
            raise _too_large(self._limits.decoded_bytes)
        if size > _STEP and size > self._limits.ratio * self._packed:
            raise RemoteError("too_large", f"unpacks to over {self._limits.ratio} times its size")


def _is_zlib(start: bytes) -> bool:
    # RFC 1950: method 8 in the low half byte, and the first two bytes divide by 31.
    return start[0] & 0x0F == 8 and (len(start) < 2 or (start[0] << 8 | start[1]) % 31 == 0)


def _too_large(limit: int) -> RemoteError:
    return RemoteError("too_large", f"the answer is larger than {limit // 1_000_000} MB")
