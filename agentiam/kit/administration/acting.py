"""Who acts through the admin, and why: what every service is told; and what it answered."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict

from django.http import HttpRequest
from django.utils import timezone

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Refusal
from agentiam.kit.tokens import Token


class Act(TypedDict):
    """The arguments that every service takes."""

    by: Actor
    reason: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a service answered: the row as it stands now, and a secret that is shown once."""

    row: Any
    secret: str = field(default="", repr=False)


def act_of(request: HttpRequest, reason: str) -> Act:
    """Name the person who is signed in as the one who acts, with their address and the request's id."""
    person: Any = request.user
    by = person.as_actor(address=str(request.META.get("REMOTE_ADDR", "")), request_id=str(getattr(request, "id", "")))
    return Act(by=by, reason=reason, now=timezone.now())


def outcome_of(answer: Any) -> Outcome:
    """Read a service's answer: nothing, a row, or a row with the token that was made for it."""
    match answer:
        case Outcome():
            return answer
        case (row, Token() as token):
            return Outcome(row, token.text)
        case _:
            return Outcome(answer)


def in_words(refusal: Refusal) -> str:
    """Say why a service refused, and what to do about it."""
    return f"{refusal.message} {refusal.remedy}".strip()
