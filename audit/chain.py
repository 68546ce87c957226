"""A record's hash is the SHA-256 of its canonical bytes (RFC 8785), and those name the hash of the record before it.

Whoever changes, removes or moves a record breaks every hash after it; whoever repairs those hashes contradicts the next signed
checkpoint. This module reads and checks such bytes. It needs neither Django nor a database, so that an exported log can be
verified by anyone.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agentiam.kit.canonical import MAX_EXACT_INTEGER, canonical_bytes

VERSION: Final = 1
GENESIS: Final = "0" * 64
MAX_DEPTH: Final = 64

# A translation and a search for one word cost a tenth of a regular expression.
_DIGITS_AS_ZEROS: Final = bytes(ord("0") if chr(byte) in "0123456789" else ord(" ") for byte in range(256))
_LONG_DIGITS: Final = b"0" * 16


_SLICE: Final = 2047
"""hashlib lets other threads run while it hashes more, and getting the turn back takes a busy process longer than hashing."""


class NotCanonical(ValueError):
    """The bytes are not the canonical form (RFC 8785) of a JSON object."""


class BadKey(ValueError):
    """The text or the bytes are no Ed25519 key."""


def digest(stored: bytes) -> str:
    """Hash stored bytes: hexadecimal SHA-256."""
    found = hashlib.sha256()
    for start in range(0, len(stored), _SLICE):
        found.update(stored[start : start + _SLICE])
    return found.hexdigest()


def instant(moment: datetime) -> str:
    """Write an instant as records do: RFC 3339, UTC, microseconds, ``Z``. Raises ValueError for a naive one."""
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


class _InexactFloat(Exception):
    """The text holds a number with a fraction or an exponent, for which the standard library's form may differ."""


def _meet_fraction(text: str) -> NoReturn:
    raise _InexactFloat(text)


def _meet_constant(text: str) -> NoReturn:
    raise NotCanonical(f"{text} is not JSON")


def _integer(text: str) -> int | float:
    number = int(text) if len(text) < 18 else float(text)
    return number if -MAX_EXACT_INTEGER <= number <= MAX_EXACT_INTEGER else float(number)


_parse_quickly: Final = json.JSONDecoder(parse_float=_meet_fraction, parse_constant=_meet_constant).decode
_parse_fully: Final = json.JSONDecoder(parse_int=_integer, parse_constant=_meet_constant).decode
_write_quickly: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False).encode


def _parse_slowly(stored: bytes, text: str) -> Any:
    value = _parse_fully(text)
    if canonical_bytes(value) != stored:
        raise NotCanonical("the bytes are not in canonical form")
    return value


def parse_canonical(stored: bytes) -> dict[str, Any]:
    """Read an object from its canonical bytes; raises NotCanonical when they are anything else.

    The standard library writes the same bytes as RFC 8785 where there is no fraction, no integer beyond 2^53 and no character
    beyond the Basic Multilingual Plane; that costs 10 µs, all else goes through rfc8785 and costs ten times that.
    """
    try:
        text = stored.decode("utf-8")
        if (stored.isascii() or max(stored) < 0xF0) and _LONG_DIGITS not in stored.translate(_DIGITS_AS_ZEROS):
            try:
                value = _parse_quickly(text)
                if _write_quickly(value) != text:
                    raise NotCanonical("the bytes are not in canonical form")
            except _InexactFloat:
                value = _parse_slowly(stored, text)
        else:
            value = _parse_slowly(stored, text)
    except (ValueError, TypeError, RecursionError) as error:
        raise NotCanonical(str(error)) from error
    if not isinstance(value, dict):
        raise NotCanonical("not a JSON object")
    return value


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _from_base64(text: str) -> bytes:
    standard = text.strip().replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadKey("not base64") from error


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half of a signing key, by its raw 32 bytes."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 32:
            raise BadKey(f"an Ed25519 public key has 32 bytes, not {len(self.raw)}")

    @property
    def jwk(self) -> dict[str, str]:
        """The key as a JWK (RFC 8037)."""
        return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(self.raw)}

    @property
    def id(self) -> str:
        """The JWK thumbprint (RFC 7638)."""
        return _base64url(hashlib.sha256(canonical_bytes(self.jwk)).digest())

    def verifies(self, stored: bytes, signature: str) -> bool:
        """Check a signature (base64url) over bytes; anything malformed verifies nothing."""
        try:
            raw = _from_base64(signature)
            if _base64url(raw) != signature:
                return False
            Ed25519PublicKey.from_public_bytes(self.raw).verify(raw, stored)
        except (InvalidSignature, BadKey, ValueError):
            return False
        return True

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> "PublicKey":
        """Read a key from its JWK; raises BadKey."""
        if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519" or not isinstance(jwk.get("x"), str):
            raise BadKey("not an Ed25519 JWK")
        return cls(_from_base64(jwk["x"]))

    @classmethod
    def from_text(cls, text: str) -> "PublicKey":
        """Read a key from PEM, a JWK, or the base64 of its raw bytes; raises BadKey."""
        text = text.strip()
        if text.startswith("{"):
            try:
                jwk = json.loads(text)
            except ValueError as error:
                raise BadKey("not a JWK") from error
            return cls.from_jwk(jwk)
        if not text.startswith("-----"):
            return cls(_from_base64(text))
        try:
            key = serialization.load_pem_public_key(text.encode("utf-8"))
        except ValueError as error:
            raise BadKey("not a PEM public key") from error
        if not isinstance(key, Ed25519PublicKey):
            raise BadKey("not an Ed25519 key")
        return cls(key.public_bytes_raw())


class Signer:
    """Signs checkpoints with one Ed25519 key; its repr shows the key's id only."""

    __slots__ = ("_private", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise BadKey(f"an Ed25519 seed has 32 bytes, not {len(seed)}")
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(self._private.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"Signer({self.public.id})"

    @classmethod
    def from_text(cls, text: str) -> "Signer":
        """Read the base64 of a raw 32-byte seed; raises BadKey, never naming the text."""
        return cls(_from_base64(text))

    def sign(self, stored: bytes) -> str:
        """Sign bytes; base64url without padding."""
        return _base64url(self._private.sign(stored))


@dataclass(frozen=True, slots=True)
class SwornHead:
    """What a checkpoint swears of one chain: up to this sequence, the record of this hash was the last."""

    chain: str
    writer: str
    sequence: int
    hash: str


def checkpoint_bytes(
    *, organization: str, number: int, at: datetime, previous: str, heads: Sequence[SwornHead], complete: bool, key_id: str
) -> bytes:
    """Write what a checkpoint signs.

    It names the chains that moved since the checkpoint before it, or every chain when it is ``complete``: a log of many short
    chains would otherwise repeat them all every few seconds.
    """
    ordered = sorted(heads, key=lambda head: head.chain)
    return canonical_bytes(
        {
            "v": VERSION,
            "organization": organization,
            "number": number,
            "at": instant(at),
            "previous": previous,
            "complete": complete,
            "chains": [{"id": h.chain, "writer": h.writer, "sequence": h.sequence, "hash": h.hash} for h in ordered],
            "key_id": key_id,
        }
    )
