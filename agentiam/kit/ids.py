"""Identifiers are UUIDv7: unique without coordination, and in the order they were made."""

import os
import threading
import time
from typing import Final
from uuid import UUID

_NOISE_BYTES: Final = 10
_POOL_BYTES: Final = _NOISE_BYTES * 512
_lock = threading.Lock()
_last_ms = 0
_counter = 0
_pool = b""
_position = 0


def _forget_noise() -> None:
    """Let a forked process draw its own noise instead of repeating its parent's."""
    global _lock, _pool, _position
    _lock = threading.Lock()
    _pool, _position = b"", 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_noise)


def uuid7() -> UUID:
    """Make a UUIDv7, strictly increasing within this process (RFC 9562, section 6.2, method 1)."""
    global _last_ms, _counter, _pool, _position
    now_ms = time.time_ns() // 1_000_000
    with _lock:
        if _position >= len(_pool):
            # The operating system's randomness costs a call; an identifier is no secret, so many are drawn at once.
            _pool, _position = os.urandom(_POOL_BYTES), 0
        noise = int.from_bytes(_pool[_position : _position + _NOISE_BYTES], "big")
        _position += _NOISE_BYTES
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
    random_part = (noise >> 12) & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=(milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | random_part)
