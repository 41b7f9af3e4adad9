"""Vectors in eight bits a number and their signs in one: small enough to hold, quick to scan.

The signs find the candidates (Hamming distance), the codes rank them; whoever needs the cosine to
the last digit takes it from the stored float16. Per-row scales, as in product quantisation's
simplest form; a rotation or learned codes gained nothing on the embeddings we measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lsm.vectordb.base import Vector

_PIECE = 1024  # rows converted at a time: they stay in the processor's cache
_PAGE = 32_768  # signs compared at a time, likewise
# Of so many, or of this share if that is more, the codes are looked at: with a tenth, the ten best
# of 105,000 are found to 0.995, the hundred best to 0.975.
_SHORTLIST = 4096
_SHARE = 10
_LONGEST = 40_960


@dataclass(frozen=True)
class Codes:
    """Coded vectors. Rows from `count` on are room for more."""

    count: int
    ids: NDArray[np.int64]  # shape (room,), rising
    codes: NDArray[np.int8]  # shape (room, d)
    scales: NDArray[np.float32]  # shape (room,)
    signs: NDArray[np.uint64]  # shape (ceil(d / 64), room): a word of signs of all rows, together

    @classmethod
    def none(cls, dimension: int) -> Self:
        """No vector yet."""
        words = -(-dimension // 64)
        return cls(
            0,
            np.zeros(0, np.int64),
            np.zeros((0, dimension), np.int8),
            np.zeros(0, np.float32),
            np.zeros((words, 0), np.uint64),
        )

    @property
    def last(self) -> int:
        """The highest id."""
        return int(self.ids[self.count - 1]) if self.count else 0

    def fixed(self) -> Codes:
        """The same without its room, which is then not shared."""
        n = self.count
        return Codes(n, self.ids[:n], self.codes[:n], self.scales[:n], self.signs[:, :n])

    def with_room(self, more: int) -> Codes:
        """Space for *more* rows and some: one new chunk must not copy all others every time."""
        room = (self.count + more) * 9 // 8
        wider = Codes(
            self.count,
            np.empty(room, np.int64),
            np.empty((room, self.codes.shape[1]), np.int8),
            np.empty(room, np.float32),
            np.empty((self.signs.shape[0], room), np.uint64),
        )
        n = self.count
        wider.ids[:n], wider.codes[:n], wider.scales[:n] = (
            self.ids[:n],
            self.codes[:n],
            self.scales[:n],
        )
        wider.signs[:, :n] = self.signs[:, :n]
        return wider

    def added(
        self, ids: NDArray[np.int64], codes: NDArray[np.int8], scales: NDArray[np.float32]
    ) -> Codes:
        """With these rows behind its own, which stay as they are. There must be room."""
        start, end = self.count, self.count + len(ids)
        self.ids[start:end] = ids
        self.codes[start:end] = codes
        self.scales[start:end] = scales
        self.signs[:, start:end] = signs_of(codes).T
        return Codes(end, self.ids, self.codes, self.scales, self.signs)

    def closest(
        self, query: Vector, width: int, among: NDArray[np.intp] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids and rough cosines of at least the *width* closest to *query*, in no order.

        Args:
            query: shape (d,), float32, unit length.
            width: how many are wanted; all that are as close as the last of them come along.
            among: positions to choose from; None for all.
        """
        positions = self._shortlist(query, width, among)
        scores = self._scores(query, positions)
        if len(scores) > width:
            border = np.partition(scores, len(scores) - width)[len(scores) - width]
            kept = np.flatnonzero(scores >= border)
            positions, scores = positions[kept], scores[kept]
        return self.ids[positions], scores

    def _shortlist(
        self, query: Vector, width: int, among: NDArray[np.intp] | None
    ) -> NDArray[np.intp]:
        """Positions of those whose signs differ least from those of *query*."""
        count = self.count if among is None else len(among)
        wanted = max(min(max(_SHORTLIST, count // _SHARE), _LONGEST), 64 * width)
        if count <= 2 * wanted:
            return np.arange(self.count) if among is None else among
        distances = self._distances(query, among)
        reach = np.cumsum(np.bincount(distances)).searchsorted(wanted)
        near = np.flatnonzero(distances <= reach)
        return near if among is None else among[near]

    def _distances(self, query: Vector, among: NDArray[np.intp] | None) -> NDArray[np.uint16]:
        asked = signs_of(query[np.newaxis])[0]
        signs = self.signs[:, : self.count] if among is None else self.signs[:, among]
        found = np.empty(signs.shape[1], np.uint16)
        for start in range(0, len(found), _PAGE):
            page = signs[:, start : start + _PAGE]
            total = np.zeros(page.shape[1], np.uint16)
            for word, wanted in zip(page, asked, strict=True):
                total += np.bitwise_count(word ^ wanted)
            found[start : start + _PAGE] = total
        return found

    def _scores(self, query: Vector, positions: NDArray[np.intp]) -> NDArray[np.float32]:
        found = np.empty(len(positions), np.float32)
        for start in range(0, len(positions), _PIECE):
            piece = positions[start : start + _PIECE]
            found[start : start + _PIECE] = self.codes[piece].astype(np.float32) @ query
        return found * self.scales[positions]


def coded(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Rows of *matrix* as codes, shape (n, d), and the scale of each, shape (n,)."""
    scales = np.abs(matrix).max(axis=1, initial=0).astype(np.float32) / 127
    scales[scales == 0] = 1
    return np.rint(matrix / scales[:, np.newaxis]).astype(np.int8), scales


def signs_of(rows: NDArray[np.int8] | NDArray[np.float32]) -> NDArray[np.uint64]:
    """Whether each number is above zero, in words of 64: shape (n, ceil(d / 64))."""
    packed = np.packbits(rows > 0, axis=1)
    missing = -packed.shape[1] % 8
    if missing:
        packed = np.pad(packed, ((0, 0), (0, missing)))
    return packed.view(np.uint64)
