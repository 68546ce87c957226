"""Identifiers are UUIDv7: unique without coordination, and in the order they were made."""

import os
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last_ms = 0
_counter = 0


def uuid7() -> UUID:
    """Make a UUIDv7, strictly increasing within this process (RFC 9562, section 6.2, method 1)."""
    global _last_ms, _counter
    noise = int.from_bytes(os.urandom(10), "big")
    with _lock:
        now_ms = time.time_ns() // 1_000_000
        if now_ms > _last_ms:
            _last_ms = now_ms
            # The counter starts in the lower half, so that a burst has room before it must borrow a millisecond.
            _counter = noise & 0x7FF
        else:
            _counter += 1
            if _counter > 0xFFF:
                _last_ms += 1
                _counter = 0
        milliseconds, counter = _last_ms, _counter
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | (noise >> 12) & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=value)
