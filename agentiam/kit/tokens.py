"""Secrets that are shown once: made from 256 random bits, stored as keyed digests, compared in constant time.

The text is ``<prefix>_<public id>_<secret><checksum>``. The prefix lets scanners find a leaked key, the public id finds its
row, and the checksum tells a typing error (or a scanner's false hit) from a key without a look into the database.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

PREFIXES: Final = {
    "agent": "aia",
    "application": "aip",
    "person": "aiu",
    "onboarding": "aio",
    "access": "aat",
    "refresh": "aar",
    "code": "aac",
}

_PLAIN: Final = re.compile(r"[0-9A-Za-z_]+")
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PUBLIC_LENGTH: Final = 16
_SECRET_LENGTH: Final = 43
_CHECKSUM_LENGTH: Final = 6


class MalformedToken(ValueError):
    """The text is not a key of ours, or was mistyped."""


@dataclass(frozen=True, slots=True)
class Token:
    """A key in clear text, held only while it is shown or checked; its repr hides the secret."""

    prefix: str
    public_id: str
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """The whole key, as its holder keeps it."""
        body = f"{self.prefix}_{self.public_id}_{self.secret}"
        return body + _checksum(body)


def _base62(number: int, length: int) -> str:
    digits: list[str] = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), _CHECKSUM_LENGTH)


def make_token(prefix: str) -> Token:
    """Make a new key with 256 bits of secret."""
    public_id = "".join(secrets.choice(_ALPHABET) for _ in range(_PUBLIC_LENGTH))
    return Token(prefix=prefix, public_id=public_id, secret=_base62(secrets.randbits(256), _SECRET_LENGTH))


def split_token(text: str) -> Token:
    """Take a key apart and check its checksum; raises MalformedToken, never naming the text."""
    parts = text.split("_")
    if len(parts) != 3 or parts[0] not in PREFIXES.values() or not _PLAIN.fullmatch(text):
        raise MalformedToken("not a key of this system")
    prefix, public_id, tail = parts
    if len(public_id) != _PUBLIC_LENGTH or len(tail) != _SECRET_LENGTH + _CHECKSUM_LENGTH:
        raise MalformedToken("not a key of this system")
    token = Token(prefix=prefix, public_id=public_id, secret=tail[:_SECRET_LENGTH])
    if not hmac.compare_digest(token.text, text):
        raise MalformedToken("the key is incomplete or mistyped")
    return token


@dataclass(frozen=True, slots=True)
class Peppers:
    """Server-side keys for digests, by number; the highest number is used for new digests."""

    keys: Mapping[int, bytes] = field(repr=False)

    @property
    def current(self) -> int:
        """The number that new digests name."""
        return max(self.keys)

    def digest(self, secret: str, pepper: int) -> str:
        """Digest a secret under the pepper of that number (HMAC-SHA-256); raises KeyError for a pepper that is gone."""
        return hmac.new(self.keys[pepper], secret.encode("utf-8"), hashlib.sha256).hexdigest()

    def matches(self, secret: str, digest: str, pepper: int) -> bool:
        """Compare in constant time; a digest under a pepper that is gone matches nothing."""
        if pepper not in self.keys:
            return False
        return hmac.compare_digest(self.digest(secret, pepper), digest)
