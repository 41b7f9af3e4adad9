"""The default: static word vectors that come with the ``wordllama`` package (MIT).

A text's vector is the mean of its tokens' vectors, so it costs microseconds. Nothing is
cut off, however long the text. The package's two data files are read here and its code
is never imported: that takes over a second and sets up logging for the whole program.
The vectors are those of its ``embed(norm=True)``; a test compares them.
"""

from __future__ import annotations

import hashlib
import json
from importlib.util import find_spec
from typing import TYPE_CHECKING

from lsm.embedding.backend import translated
from lsm.errors import ConfigError, EmbeddingError
from lsm.once import once

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lsm.embedding.base import Vectors
    from lsm.embedding.pieces import Pieces
    from lsm.embedding.settings import EmbeddingSettings

_NAME = "wordllama:l2_supercat_256"
_WIDTH = 256
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_TENSOR = "embedding.weight"

_FEW_TEXTS = 64  # converting the whole table costs as much as this many texts without it
_SLAB = 4096  # tokens gathered at once: 4 MB, however long the text


def open_backend(settings: EmbeddingSettings) -> WordLlama:
    """The default model.

    Raises:
        ConfigError: more numbers are asked for than it has.
        EmbeddingError: its package is not installed.
    """
    if settings.dimension is not None and settings.dimension > _WIDTH:
        raise ConfigError("embedding.dimension", f"wordllama has {_WIDTH}; ask for at most that")
    # Finding a top-level package does not run it.
    spec = find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddingError("wordllama is not installed: pip install wordllama")
    from pathlib import Path

    return WordLlama(Path(spec.submodule_search_locations[0]))


class WordLlama:
    """The `Backend` over the package's data files in *folder*."""

    width = _WIDTH

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._table: NDArray[np.float32] | None = None

    @once
    def name(self) -> str:
        """The model and 12 hex digits over what its two files hold."""
        with translated(_NAME, "cannot read its files"):
            recorded = _recorded(self._folder)
            both = "".join(recorded.get(f) or _hashed(self._folder / f) for f in _FILES)
        return f"{_NAME}@{hashlib.sha256(both.encode()).hexdigest()[:12]}"

    def encode(self, texts: Sequence[str], *, query: bool) -> Vectors:  # noqa: ARG002
        """Sums of token vectors; their directions are those of the means."""
        import numpy as np

        if len(texts) > _FEW_TEXTS and self._table is None:
            self._table = self._stored.astype(np.float32)
        sums = np.empty((len(texts), _WIDTH), np.float32)
        # Text by text: the rows of one stay in the processor's cache, and their sum does
        # not depend, to the last bit, on the texts it came with.
        for text, row in zip(texts, sums, strict=True):
            self._sum(np.frombuffer(self._pieces.ids(text), np.int64), row)
        return sums

    def _sum(self, ids: NDArray[np.int64], out: Vectors) -> None:
        import numpy as np

        np.add.reduce(self._rows(ids[:_SLAB]), axis=0, out=out)
        for start in range(_SLAB, len(ids), _SLAB):
            out += np.add.reduce(self._rows(ids[start : start + _SLAB]), axis=0)

    def _rows(self, ids: NDArray[np.int64]) -> Vectors:
        import numpy as np

        if self._table is not None:
            return self._table.take(ids, axis=0)
        # A query needs a dozen rows of 32,000.
        return self._stored[ids].astype(np.float32)

    @once
    def _stored(self) -> NDArray[np.float16]:
        """Shape (tokens, 256), mapped into memory, not read."""
        import numpy as np

        path = self._folder / _WEIGHTS
        with translated(_NAME, "cannot read its weights"), open(path, "rb") as file:
            # The safetensors format: length of the header, header in JSON, numbers.
            size = int.from_bytes(file.read(8), "little")
            tensor = json.loads(file.read(size))[_TENSOR]
            start = 8 + size + tensor["data_offsets"][0]
            if tensor["dtype"] != "F16" or tensor["shape"][1] != _WIDTH:
                raise ValueError(f"{tensor['dtype']} {tensor['shape']} is not what we know")
            shape = tuple(tensor["shape"])
            return np.memmap(path, np.dtype("<f2"), mode="r", offset=start, shape=shape)

    @once
    def _pieces(self) -> Pieces:
        from lsm.embedding.pieces import Pieces

        path = self._folder / _TOKENIZER
        from tokenizers import Tokenizer

        with translated(_NAME, "cannot read its tokenizer"):
            return Pieces(Tokenizer.from_buffer(path.read_bytes()))


_FILES = (_WEIGHTS, _TOKENIZER)


def _recorded(folder: Path) -> dict[str, str]:
    """SHA-256 in hex of the package's files, by name, as its installer wrote them down.

    Empty if no installer did. Hashing the 16 MB would cost every search 20 ms.
    """
    from base64 import urlsafe_b64decode

    found: dict[str, str] = {}
    for record in folder.parent.glob("wordllama-*.dist-info/RECORD"):
        for line in record.read_text("utf-8").splitlines():
            path, _, rest = line.partition(",sha256=")
            name = path.removeprefix("wordllama/")
            if name in _FILES and rest:
                found[name] = urlsafe_b64decode(rest.partition(",")[0] + "=").hex()
    return found


def _hashed(path: str | os.PathLike[str]) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
