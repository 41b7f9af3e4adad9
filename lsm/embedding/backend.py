"""The one embedder over every kind of model: prefixes, lengths and checks are done here.

A module beside this one adapts one kind of model and is imported only when that kind
is opened; it turns texts into numbers and knows nothing else.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from lsm.embedding.vectors import checked
from lsm.errors import EmbeddingError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from lsm.embedding.base import Vectors
    from lsm.embedding.settings import EmbeddingSettings
    from lsm.embedding.vectors import Rows


class Backend(Protocol):
    """A model of one kind."""

    @property
    def name(self) -> str:
        """Kind and model, such that equal names mean equal vectors."""
        ...

    @property
    def width(self) -> int | None:
        """How many numbers its vectors have, if that is known without running it."""
        ...

    def encode(self, texts: Sequence[str], *, query: bool) -> Rows:
        """One vector a text, of any length and in the order of *texts* (at least one).

        Raises:
            EmbeddingError: the model could not be loaded, reached or run.
        """
        ...


class BackendEmbedder:
    """The `Embedder` over a `Backend`.

    Args:
        backend: the model.
        settings: dimension and prefixes; the backend has what else it needs.
        known_dimension: of the vectors made earlier. It saves a remote model the one
            text that is otherwise embedded to count the numbers in its vector.
    """

    def __init__(
        self, backend: Backend, settings: EmbeddingSettings, known_dimension: int | None = None
    ) -> None:
        self._backend = backend
        self._settings = settings
        self._known = known_dimension

    @property
    def model(self) -> str:
        """The backend's name, and of the settings those that change vectors."""
        keys = ("dimension", "query_prefix", "document_prefix")
        values = {key: getattr(self._settings, key) for key in keys}
        changed = {key: value for key, value in values.items() if value}
        if not changed:
            return self._backend.name
        from urllib.parse import urlencode

        return f"{self._backend.name}?{urlencode(changed)}"

    @property
    def dimension(self) -> int:
        """Length of every vector; embeds a word if nothing else tells.

        Raises:
            EmbeddingError: it had to be embedded, and the model failed.
        """
        told = self._settings.dimension or self._backend.width or self._known
        if not told:
            told = self._known = len(self._backend.encode(["dimension"], query=False)[0])
        return told

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder`."""
        return self._embed([self._settings.document_prefix + text for text in texts], query=False)

    def embed_query(self, text: str) -> Vectors:
        """See `Embedder`."""
        return self._embed([self._settings.query_prefix + text], query=True)[0]

    def _embed(self, texts: list[str], *, query: bool) -> Vectors:
        rows = self._backend.encode(texts, query=query) if texts else []
        try:
            return checked(self._cut(rows), len(texts), self.dimension)
        except EmbeddingError as error:
            raise EmbeddingError(f"{self._backend.name}: {error}") from None

    def _cut(self, rows: Rows) -> Rows:
        # Models trained for it ("Matryoshka", arXiv:2205.13147) put what matters most first.
        wanted = self._settings.dimension
        return rows if wanted is None else [row[:wanted] for row in rows]


@contextmanager
def translated(name: str, doing: str) -> Generator[None]:
    """Make what model libraries raise into one line that says what *name* was doing."""
    try:
        yield
    # Hubs, runtimes and tokenizers derive their errors from these.
    except (OSError, ValueError, RuntimeError, LookupError) as error:
        first, *_ = str(error).strip().splitlines() or [type(error).__name__]
        raise EmbeddingError(f"{name}: {doing}: {first[:300]}") from error
