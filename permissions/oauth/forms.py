"""The form of the consent page carries, signed, what was shown to whom: that is what is decided, and nothing else."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.core import signing
from django.http import HttpRequest

from agentiam.kit.ids import uuid7
from directory.models import User
from permissions.oauth.offers import Offer
from permissions.oauth.periods import Period

SALT: Final = "permissions.oauth.consent"
MINUTES: Final = 10


class StaleForm(Exception):
    """The form is not one that was shown to this person in this session within the last minutes."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person saw: a request, what would come of it, and until when they could let it be."""

    id: UUID
    query: str
    digest: str
    ends: Mapping[str, datetime]


def sign_form(request: HttpRequest, query: str, offer: Offer, choices: Sequence[Period]) -> str:
    """Sign what is shown now, for one answer by this person in this session."""
    shown = {
        "id": str(uuid7()),
        "query": query,
        "digest": offer.digest,
        "ends": {each.name: each.ends_at.isoformat() for each in choices},
        "for": _reader(request),
    }
    return signing.dumps(shown, salt=SALT, compress=True)


def query_of(text: str) -> str:
    """Answer the request that a form is about, whoever sends it; raises StaleForm."""
    try:
        found: str = signing.loads(text, salt=SALT, max_age=MINUTES * 60)["query"]
    except signing.BadSignature:
        raise StaleForm from None
    return found


def read_form(request: HttpRequest, text: str) -> Shown:
    """Read what was shown to this person in this session; raises StaleForm."""
    try:
        shown = signing.loads(text, salt=SALT, max_age=MINUTES * 60)
    except signing.BadSignature:
        raise StaleForm from None
    if shown["for"] != _reader(request):
        raise StaleForm
    ends = {name: datetime.fromisoformat(instant) for name, instant in shown["ends"].items()}
    return Shown(UUID(shown["id"]), shown["query"], shown["digest"], ends)


def _reader(request: HttpRequest) -> str:
    """Name a person in one session, and do not show the session's key."""
    user = request.user
    key = request.session.session_key or ""
    return hashlib.sha256(f"{user.pk if isinstance(user, User) else ''}\0{key}".encode()).hexdigest()
