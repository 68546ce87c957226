"""One recorded decision, for those who may know of it; to everybody else it does not exist."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from audit.encoding import parse
from audit.models import Event
from directory.models import Agent, User
from permissions.answers import told_to_agent
from permissions.events import ACCESS_DECIDED

Depth = Literal["full", "told"]


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision as it was recorded, as deep as the one who reads it may look."""

    id: UUID
    at: datetime
    subject: str
    decision: bool
    depth: Depth
    said: dict[str, Any]
    revision: int
    request_id: str
    question: dict[str, Any] | None
    """What was asked; None for those who are told the answer only."""
    caller: dict[str, Any] | None
    """Who asked; of the key only its public id."""
    hash: str
    """Of the record, as the chain has it."""


def decision_record(user: Any, evaluation_id: UUID) -> DecisionRecord | None:
    """Give a decision of the account's own organization; None where there is none that the account may know of.

    In full for who may read the event log, and for people who see the agent it was about, owners and sponsors among them. An
    agent that sees itself or one it spawned, and the application that asked, read what they were told. Two queries at most
    beside those for the account's rights.
    """
    if not getattr(user, "is_active", False) or user.organization_id is None:
        return None
    event = Event.objects.filter(organization_id=user.organization_id, pk=evaluation_id, type=ACCESS_DECIDED.name).first()
    if event is None:
        return None
    body = parse(event.body.encode("utf-8"))
    depth = _depth(user, event, body["data"])
    return None if depth is None else _record(event, body, depth)


def _depth(user: Any, event: Event, data: dict[str, Any]) -> Depth | None:
    if not isinstance(user, User):
        asked_itself = data["caller"]["kind"] == "application" and data["caller"]["id"] == user.slug
        return "told" if asked_itself else None
    if user.has_perm("audit.view_event"):
        return "full" if user.is_person else "told"
    # A partner's agent goes by its SPIFFE id, and an agent of one's own that was named like it is not it.
    about_own_agent = event.actor_kind == "agent" and not event.actor_id.startswith("spiffe://")
    if about_own_agent and Agent.objects.visible_to(user).filter(external_id=event.actor_id).exists():
        return "full" if user.is_person else "told"
    return None


def _record(event: Event, body: dict[str, Any], depth: Depth) -> DecisionRecord:
    data = body["data"]
    full = depth == "full"
    kept = ("decision", "revision", "question", "caller")
    said = {name: value for name, value in data.items() if name not in kept}
    return DecisionRecord(
        id=event.pk,
        at=event.at,
        subject=f"{event.actor_kind}/{event.actor_id}",
        decision=bool(data["decision"]),
        depth=depth,
        said=said if full else told_to_agent(said),
        revision=data["revision"],
        request_id=event.request_id,
        question=data["question"] if full else None,
        caller=data["caller"] if full else None,
        hash=event.hash,
    )
