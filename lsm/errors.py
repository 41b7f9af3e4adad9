"""Every error LSM raises on purpose.

LsmError                  catch this to catch everything LSM means to raise
├── ConfigError           a setting is missing or wrong; names the key
├── InvalidError          the caller passed a value that cannot be used
├── NotFoundError         the caller named a thing that does not exist
├── MissingExtraError     an optional dependency is not installed; names the extra
├── RefusedError          doing it could lose something; names the flag that confirms
├── EmbeddingError        the embedding model failed or answered nonsense
└── StorageError          the database refused; the driver's error is the cause
    ├── ConflictError     ... because of a unique, foreign-key or check constraint
    ├── BusyError         ... because another process kept it locked
    ├── DiskFullError     ... because no space is left; nothing was changed
    ├── AccessError       ... because of permissions or a read-only file system
    ├── DamagedError      ... because its bytes are not what was written
    ├── ForeignError      ... because it belongs to another program
    ├── NewerError        ... because a newer LSM wrote it
    ├── ReplacedError     ... because another file now stands at its path
    └── UnfinishedError   ... because a move into it has not come to its end
"""


class LsmError(Exception):
    """Base of the tree: catch this to catch everything LSM means to raise."""

    exit_code = 1


class ConfigError(LsmError):
    """A setting is missing or wrong."""

    exit_code = 2

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key


class InvalidError(LsmError):
    """The caller passed a value that cannot be used."""

    exit_code = 2

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name


class NotFoundError(LsmError):
    """The caller named a thing that does not exist."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"no such {kind}: {key}")
        self.kind = kind
        self.key = key


class MissingExtraError(LsmError):
    """An optional dependency is not installed."""

    exit_code = 2

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs: pip install 'local-second-mind[{extra}]'")
        self.extra = extra


class RefusedError(LsmError):
    """Doing it could lose something the user has not been asked about."""


class EmbeddingError(LsmError):
    """The embedding model failed or answered something that is not a vector."""


class StorageError(LsmError):
    """The database refused; the driver's error is the cause."""


class ConflictError(StorageError):
    """A unique, foreign-key or check constraint stood against it; nothing changed."""


class BusyError(StorageError):
    """Another process kept the database locked for longer than we wait."""


class DiskFullError(StorageError):
    """No space is left; nothing changed."""


class AccessError(StorageError):
    """Permissions, or a read-only file system, stand against it."""


class DamagedError(StorageError):
    """The bytes of the database are not what was written."""


class ForeignError(StorageError):
    """The file or schema at that place belongs to another program."""


class NewerError(StorageError):
    """A newer LSM wrote this database."""


class ReplacedError(StorageError):
    """Another file stands at the database's path than the one that was opened."""


class UnfinishedError(StorageError):
    """Another database is being moved into it, and not all of it has arrived."""
