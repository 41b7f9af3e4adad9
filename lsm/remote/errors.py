"""What can go wrong between us and somebody else's server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.errors import LsmError

if TYPE_CHECKING:
    from datetime import datetime


class RemoteError(LsmError):
    """A remote source did not answer, or with something that is no answer.

    Attributes:
        code: stable: ``offline``, ``refused_url``, ``refused_address``, ``unreachable``,
            ``timeout``, ``tls``, ``broken``, ``too_large``, ``status``, ``rate_limited``,
            ``not_an_answer``, ``refused_by_source``.
        retry_at: when the source wants to be asked again; None if it did not say.
    """

    def __init__(self, code: str, problem: str, retry_at: datetime | None = None) -> None:
        super().__init__(problem)
        self.code = code
        self.problem = problem
        self.retry_at = retry_at

    def about(self, source: str) -> RemoteError:
        """The same error, naming the source it came from."""
        return RemoteError(self.code, f"{source}: {self.problem}", self.retry_at)
