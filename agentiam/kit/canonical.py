"""One byte string for one value: JSON Canonicalization Scheme (RFC 8785), for everything that is hashed or signed."""

import hashlib
from typing import Any

import rfc8785

MAX_EXACT_INTEGER = 2**53 - 1


def _exact(value: Any) -> Any:
    """Turn integers that a double cannot hold into strings, as RFC 8785, appendix D advises."""
    if isinstance(value, bool) or value is None or isinstance(value, (str, float)):
        return value
    if isinstance(value, int):
        return value if -MAX_EXACT_INTEGER <= value <= MAX_EXACT_INTEGER else str(value)
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_exact(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no canonical JSON form")


def canonical_bytes(value: Any) -> bytes:
    """Encode JSON data canonically; integers beyond 2^53 become strings. Raises TypeError for anything else."""
    return rfc8785.dumps(_exact(value))


def fingerprint(value: Any) -> str:
    """Hash JSON data: the hexadecimal SHA-256 of its canonical bytes."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()
