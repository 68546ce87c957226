"""A POST that is sent again under the same Idempotency-Key is answered again, and does nothing.

The header is that of draft-ietf-httpapi-idempotency-key-header. The whole request is one transaction, and what it answered is a
row of that transaction: either both are there or neither. Two at the same time wait for each other on that row.
"""

import hashlib
import hmac
import json
import os
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from rest_framework.request import Request

from agentiam.api.models import RememberedAnswer
from agentiam.kit.problems import Problem

HEADER: Final = "Idempotency-Key"
_KEY: Final = re.compile(r"[\x21-\x7e]{8,200}")
_NONCE_BYTES: Final = 12
_KEPT_HEADERS: Final = ("Content-Type", "Location", "ETag")


class AnswerAgain(Exception):
    """The request was answered before; this is what it was answered."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__("answered before")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer a request for the first time."""

    row: RememberedAnswer
    sealing_key: bytes

    def remember(self, answer: Any) -> None:
        """Store the answer, which is rendered."""
        headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
        plain = json.dumps({"headers": headers, "body": answer.content.decode("utf-8")}).encode("utf-8")
        nonce = os.urandom(_NONCE_BYTES)
        self.row.status = answer.status_code
        self.row.sealed = nonce + AESGCM(self.sealing_key).encrypt(nonce, plain, self.row.digest.encode("ascii"))
        self.row.save(update_fields=["status", "sealed"])


def key_of(request: Any) -> str | None:
    """Read the header; raises a 400 problem for one that is too short to be unique, or too long."""
    text = request.headers.get(HEADER)
    if text is None:
        return None
    # The draft's structured string has quotes; most clients send none.
    text = text.removeprefix('"').removesuffix('"')
    if not _KEY.fullmatch(text):
        raise Problem(400, "bad-idempotency-key", "Idempotency-Key has 8 to 200 visible ASCII characters, like a UUID.")
    return str(text)


def claim(request: Request, key: str, caller: str, *, now: datetime) -> Claim:
    """Take the request for the first time; raises AnswerAgain, or a 422 problem when the key stood for another request."""
    digest = _keyed("idempotency", caller, key)
    fingerprint = _keyed("request", request.method or "", request.get_full_path(), request._request.body.hex())  # noqa: SLF001  (DRF's documented way to the plain request)
    sealing_key = HKDF(algorithm=hashes.SHA256(), length=32, salt=digest.encode("ascii"), info=b"agentiam answer").derive(
        settings.SECRET_KEY.encode() + b"\0" + key.encode("ascii")
    )
    row = RememberedAnswer(digest=digest, fingerprint=fingerprint, created_at=now)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise _again(RememberedAnswer.objects.get(digest=digest), fingerprint, sealing_key) from None
    return Claim(row, sealing_key)


def _again(row: RememberedAnswer, fingerprint: str, sealing_key: bytes) -> Exception:
    if not hmac.compare_digest(row.fingerprint, fingerprint) or row.sealed is None:
        return Problem(422, "idempotency-key-reused", "This Idempotency-Key stood for another request.")
    sealed = bytes(row.sealed)
    opened = AESGCM(sealing_key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], row.digest.encode("ascii"))
    kept = json.loads(opened)
    answer = HttpResponse(kept["body"].encode("utf-8"), status=row.status, headers=kept["headers"])
    answer.headers["Idempotency-Replayed"] = "true"
    return AnswerAgain(answer)


def _keyed(*parts: str) -> str:
    message = "\0".join(parts).encode("utf-8")
    return hmac.new(settings.SECRET_KEY.encode(), message, hashlib.sha256).hexdigest()
