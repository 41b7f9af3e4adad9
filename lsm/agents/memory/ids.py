"""Identifiers that sort by time: UUID version 7 (RFC 9562, section 5.7)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from datetime import datetime


def new_id(now: datetime) -> str:
    """36 characters; later ones sort after earlier ones, to the millisecond."""
    milliseconds = int(now.timestamp() * 1000) & (1 << 48) - 1
    low = secrets.randbits(74)
    number = milliseconds << 80 | 0x7 << 76 | low >> 62 << 64 | 0b10 << 62 | low & (1 << 62) - 1
    return str(UUID(int=number))
