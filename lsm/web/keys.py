"""Who may come in: the token of this home, one-use links, and the cookie of a browser.

The token is made once for a home and kept beside its database, for its owner alone. Programs send
it as ``Authorization: Bearer``; a browser never sees it. It is let in by a link that works once,
and then has a cookie that proves, without anything being kept, that the token's holder signed it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import threading
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from lsm.clock import utc_now
from lsm.db.sqlite_file import make_private_folder
from lsm.errors import AccessError, ConfigError

if TYPE_CHECKING:
    from lsm.clock import Clock

TOKEN_NAME = "serve.token"  # noqa: S105 - the name of a file
SESSION = timedelta(hours=12)
_BYTES = 32
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)


def load_token(home: str) -> str:
    """The token of *home*, made if there is none: 256 random bits as 43 letters.

    Raises:
        AccessError: its file cannot be read or made.
        ConfigError: what stands there is no token.
    """
    path = os.path.join(home, TOKEN_NAME)
    try:
        # With a database elsewhere, there may be no home yet.
        make_private_folder(home)
        with suppress(FileExistsError):
            _make(path)
        handle = os.open(path, os.O_RDONLY | _NOFOLLOW)
        with os.fdopen(handle, encoding="ascii", errors="replace") as file:
            if os.name == "posix" and stat.S_IMODE(os.fstat(handle).st_mode) & 0o077:
                os.fchmod(handle, 0o600)
            token = file.read(1000).strip()
    except OSError as error:
        raise AccessError(f"{path}: {error.strerror}") from error
    if len(token) < _BYTES or not token.isascii():
        raise ConfigError(path, "is no token; delete the file, and a new one is made")
    return token


def _make(path: str) -> None:
    if os.path.lexists(path):
        return
    # Written elsewhere and then linked: another process sees the whole token, or no file.
    draft = f"{path}.{secrets.token_hex(8)}"
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        os.unlink(draft)


class Keys:
    """What opens the door of one server. Safe between threads."""

    def __init__(self, token: str, clock: Clock = utc_now) -> None:
        self._token = token.encode()
        self._now = clock
        self._links: set[str] = set()
        self._lock = threading.Lock()

    def new_link(self) -> str:
        """A key that lets one browser in, once."""
        key = secrets.token_urlsafe(_BYTES)
        with self._lock:
            self._links.add(_hashed(key))
        return key

    def redeem(self, key: str) -> bool:
        """Whether *key* is a link's that nobody has used; from now on it is used."""
        with self._lock:
            # Looked up by its hash, so that how long it takes says nothing of the key.
            hashed = _hashed(key)
            known = hashed in self._links
            self._links.discard(hashed)
        return known

    def is_token(self, text: str) -> bool:
        """Whether *text* is the token itself."""
        return hmac.compare_digest(text.encode("utf-8", "replace"), self._token)

    def new_session(self) -> str:
        """The value of a browser's cookie, good for `SESSION`."""
        ends = int((self._now() + SESSION).timestamp())
        body = f"{ends}.{secrets.token_hex(8)}"
        return f"{body}.{self._signed(body)}"

    def is_session(self, value: str) -> bool:
        """Whether *value* is a cookie of ours that has not run out."""
        body, _, signature = value.rpartition(".")
        if not hmac.compare_digest(
            self._signed(body).encode(), signature.encode("utf-8", "replace")
        ):
            return False
        return int(body.partition(".")[0]) > self._now().timestamp()

    def _signed(self, body: str) -> str:
        return hmac.new(self._token, b"session:" + body.encode(), hashlib.sha256).hexdigest()


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
