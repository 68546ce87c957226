"""Secrets that must be read again, like those of authenticator apps, are stored sealed, under the numbered peppers."""

import base64
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_PURPOSE: Final = b"agentiam second factors 1"


class Unsealable(RuntimeError):
    """The text was sealed under a pepper that is gone, or was changed since."""


def seal(text: str) -> str:
    """Encrypt a text under the pepper with the highest number, which the result names."""
    number = max(settings.CREDENTIAL_PEPPERS)
    return f"{number}:{_box(number).encrypt(text.encode()).decode('ascii')}"


def unseal(sealed: str) -> str:
    """Decrypt what ``seal`` made; raises Unsealable, never naming the text."""
    number, _, body = sealed.partition(":")
    try:
        return _box(int(number)).decrypt(body.encode("ascii")).decode()
    except (KeyError, ValueError, InvalidToken):
        raise Unsealable("a stored second factor cannot be read") from None


def _box(number: int) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(settings.CREDENTIAL_PEPPERS[number])
    return Fernet(base64.urlsafe_b64encode(key))
