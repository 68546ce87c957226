"""A secret on its way to the page that shows it once: in the session, sealed, for one look within two minutes.

The page that made it leads on to the page that shows it, so that to load either again makes no second secret.
"""

import base64
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.http import HttpRequest

from agentiam.kit.administration.acting import Outcome

KEPT_SECONDS: Final = 120
_NAME: Final = "secret_once"
_PURPOSE: Final = b"agentiam secrets shown once 1"


@dataclass(frozen=True, slots=True)
class Once:
    """Which row a secret is of; the secret itself is empty once it was shown, or came too late."""

    model: str
    key: str
    secret: str = field(default="", repr=False)


def keep(request: HttpRequest, outcome: Outcome, now: datetime) -> None:
    """Keep a secret for the next page, in place of any other."""
    at = int(now.timestamp())
    request.session[_NAME] = {
        "model": outcome.row._meta.label_lower,  # noqa: SLF001  (Django's documented name)
        "key": str(outcome.row.pk),
        "at": at,
        "sealed": _box().encrypt_at_time(outcome.secret.encode(), at).decode("ascii"),
    }


def take(request: HttpRequest, now: datetime) -> Once | None:
    """Answer the secret that was kept, and forget it; which row it was of is remembered. None if nothing was kept."""
    kept: dict[str, Any] | None = request.session.get(_NAME)
    if kept is None:
        return None
    secret = _open(kept, now)
    _forget(request, kept)
    return Once(kept["model"], kept["key"], secret)


def forget_late(request: HttpRequest, now: datetime) -> None:
    """Forget a secret that nobody looked at in time."""
    kept: dict[str, Any] | None = request.session.get(_NAME)
    if kept is not None and int(now.timestamp()) > kept["at"] + KEPT_SECONDS:
        _forget(request, kept)


def _forget(request: HttpRequest, kept: dict[str, Any]) -> None:
    if "sealed" in kept:
        request.session[_NAME] = {name: value for name, value in kept.items() if name != "sealed"}


def _open(kept: dict[str, Any], now: datetime) -> str:
    try:
        return _box().decrypt_at_time(kept.get("sealed", ""), KEPT_SECONDS, int(now.timestamp())).decode()
    except InvalidToken:
        return ""


def _box() -> Fernet:
    """Seal under a key that is not in the database, where sessions are."""
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(settings.SECRET_KEY.encode())
    return Fernet(base64.urlsafe_b64encode(key))
