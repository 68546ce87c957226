"""What must lie in a database and be read by nobody else is sealed under numbered keys that are not in it (AES-256-GCM).

A sealed text names its key, so that keys can be changed one text at a time, and is bound to the place where it belongs: moved
to another row it does not open.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12


class Unopenable(ValueError):
    """The text was sealed under a key that is gone, for another place, or was changed."""


@dataclass(frozen=True, slots=True)
class Sealer:
    """Keys by number; the highest seals, all of them open."""

    keys: Mapping[int, bytes] = field(repr=False)

    @property
    def current(self) -> int:
        """The number that new seals name."""
        return max(self.keys)

    def seal(self, secret: bytes, *, place: str) -> str:
        """Seal bytes for one place."""
        nonce = os.urandom(_NONCE_BYTES)
        number = self.current
        box = AESGCM(self.keys[number]).encrypt(nonce, secret, _bound(number, place))
        return f"{number}:{base64.b64encode(nonce + box).decode('ascii')}"

    def open(self, sealed: str, *, place: str) -> bytes:
        """Open what was sealed for a place; raises Unopenable, which tells nothing of the text."""
        number, _, encoded = sealed.partition(":")
        try:
            key = self.keys[int(number)]
            box = base64.b64decode(encoded, validate=True)
            return AESGCM(key).decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], _bound(int(number), place))
        except (KeyError, ValueError, binascii.Error, InvalidTag):
            raise Unopenable(f"what was sealed for {place} does not open") from None

    def is_current(self, sealed: str) -> bool:
        """Tell whether a text is sealed under the key that seals now."""
        return sealed.partition(":")[0] == str(self.current)


def _bound(number: int, place: str) -> bytes:
    return f"agentiam {number} {place}".encode()
