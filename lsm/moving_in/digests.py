"""Digests of what stands in a table."""

from __future__ import annotations

import hashlib
import json


def digest(*values: object) -> str:
    """64 hex digits that differ when any of *values* does, or its type."""
    # Not msgspec: an id may hold half of a character, which ASCII escapes can spell.
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
