"""A decision is given only after its record is durable: over HTTP, and here, where code asks without leaving the process.

Pages, gateways and tests ask ``decide`` what the decision endpoints would answer; ``plan_rows`` gives the rows instead, for a
statement of somebody else's, and is recorded too: whoever has the condition needs no further answer.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db import connection

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, NotAllowed
from agentiam.kit.ids import uuid7
from agentiam.kit.problems import Problem
from audit.writer import Draft, GroupCommitWriter, Stale, get_writer
from directory.models import Organization
from directory.services.revisions import ForeignOrganization, UnknownOrganization
from permissions.answers import explained, record_data, told_to_agent
from permissions.engine import evaluate
from permissions.engine.conditions.text import text_of
from permissions.engine.explain import explain_loss
from permissions.engine.types import Decision, Effect
from permissions.events import ACCESS_DECIDED, ACCESS_PLANNED
from permissions.questions import Asked, Asker, Caller, Posed, Proven, needs, pose
from permissions.selectors.plans import RowPlan, row_plan
from permissions.worlds import Known, OrganizationGone, fence, worlds_of_process

PATIENCE_SECONDS: Final = 5.0

T = TypeVar("T")


class InsideTransaction(RuntimeError):
    """A decision was asked for within a transaction, in which no record of it could become durable."""


class AboutSomebodyElse(NotAllowed):
    """An agent asks about itself and about nobody else."""


class RulesInMotion(Conflict):
    """The organization's rules are changing faster than a decision can be made."""


@dataclass(frozen=True, slots=True)
class Via:
    """How a question came in: the public id of the key, the address, the id that the request goes by, and a token's id."""

    key: str = ""
    address: str = ""
    request_id: str = ""
    token: str = ""
    """The ``jti`` of the token that proves the chain, and ``client`` whose it is."""
    client: str = ""


@dataclass(slots=True)
class Settled:
    """One answered question: the decision, its id, and everything that can be said about it."""

    posed: Posed
    decision: Decision
    evaluation_id: UUID
    at: datetime
    revision: int
    said: dict[str, Any]
    """Everything, for the record."""
    told: dict[str, Any] | None
    """What the caller is told besides the decision; None where it asked for a short answer."""

    def context(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Give the context of an answer: what is told, and where its record is."""
        return {
            **told,
            "evaluation_id": str(self.evaluation_id),
            "evaluated_at": self.at.isoformat(),
            "revision": self.revision,
        }


def asker_of(by: Actor, *, believed: bool = False) -> Asker:
    """Let an actor ask; ``believed`` if what it sends of resources and subjects counts, which of an agent it never does."""
    believed = believed and by.kind != "agent"
    return Asker(by.kind, by.id, by.label, believes_resource_properties=believed, believes_subject_properties=believed)


def decide(
    *, organization: Organization, asked: Asked, caller: Actor | Caller, via: Via | None = None, now: datetime
) -> Settled:
    """Answer one question as the decision endpoint does; a no is an answer, and is recorded like a yes.

    ``caller`` is whoever asks: an actor, who is believed nothing, or the facts of a key. Waits for the record. Raises
    InsideTransaction, ForeignOrganization, AboutSomebodyElse, and RecordUnavailable and RulesInMotion: then nothing is allowed.
    """
    asking, how = _introduced(organization, caller, via)

    def settle(posed: Posed, known: Known) -> tuple[Settled, Draft]:
        result = settled(posed, known, now, suggest=asking.kind != "agent")
        result.told = told_to_agent(result.said) if asking.kind == "agent" else result.said
        return result, draft_of(result, asking, known, how)

    return _recorded(organization.pk, asked, asking, settle, now=now)


def plan_rows(
    *,
    organization: Organization,
    asked: Asked,
    caller: Actor | Caller,
    via: Via | None = None,
    proven: Callable[[Known], Proven | None] | None = None,
    now: datetime,
) -> RowPlan:
    """Give the condition on the rows of a type that the subject would be allowed, and which fields of them; recorded.

    The question's resource has a type only. ``proven`` reads what a token proves, after the world. Raises as ``decide``.
    """
    asking, how = _introduced(organization, caller, via)

    def planned(posed: Posed, known: Known) -> tuple[RowPlan, Draft]:
        result = row_plan(posed, known, now)
        return result, _draft_of_plan(result, posed, asking, known, how)

    return _recorded(organization.pk, asked, asking, planned, proven=proven, now=now)


def settled(posed: Posed, known: Known, now: datetime, *, suggest: bool) -> Settled:
    """Decide one question and collect what can be said about the answer, on request also what would make it a yes."""
    refused = posed.refused
    decision = evaluate.decide(known.world, posed.question) if refused is None else Decision(Effect.DENY, refused)
    explanation = None
    if refused is None and not decision.allows:
        explanation = explain_loss(known.world, posed.question, decision, suggest=suggest)
    said = explained(posed, decision, explanation, known)
    return Settled(posed, decision, uuid7(), now, known.world.revision, said, None)


def draft_of(result: Settled, caller: Caller, known: Known, via: Via) -> Draft:
    """Make the record of one answer."""
    question = result.posed.question
    kind, _, subject_id = question.subject.partition("/")
    target = {"type": question.type, "id": question.resource, "label": f"{question.action} {question.type}"}
    data = record_data(result.posed, result.decision, result.said, result.revision)
    data["caller"] = caller_json(caller, via)
    return Draft(
        organization_id=known.world.organization_id,
        id=result.evaluation_id,
        type=ACCESS_DECIDED.name,
        at=result.at,
        actor={"kind": kind, "id": subject_id, "label": subject_id, "address": via.address},
        target=target,
        reason=result.said["reason_admin"],
        request_id=via.request_id,
        effect=result.decision.effect.value,
        data=data,
        fence=result.revision,
        partner_fences=dict(known.partners),
    )


def _draft_of_plan(result: RowPlan, posed: Posed, caller: Caller, known: Known, via: Via) -> Draft:
    question = posed.question
    return Draft(
        organization_id=known.world.organization_id,
        id=result.plan_id,
        type=ACCESS_PLANNED.name,
        at=result.at,
        actor={"kind": caller.kind, "id": caller.holder, "label": caller.label, "address": via.address},
        target={"type": question.type, "id": "", "label": f"{question.action} {question.type}"},
        request_id=via.request_id,
        data={
            "revision": result.revision,
            "subject": question.subject,
            "action": question.action,
            "type": question.type,
            "fields": None if question.fields is None else list(question.fields),
            "on_behalf_of": question.on_behalf_of,
            "delegation": list(question.delegation),
            "task": question.task_id,
            "action_properties": dict(question.action_properties),
            "context": dict(question.context),
            "rows": text_of(result.rows),
            "lost": None if result.lost is None else result.lost._asdict(),
            "caller": caller_json(caller, via),
        },
        fence=result.revision,
        partner_fences=dict(known.partners),
    )


def caller_json(caller: Caller, via: Via) -> dict[str, str]:
    """Name for the record who asked, and with what."""
    found = {"kind": caller.kind, "id": caller.holder, "key": via.key}
    return found | {"token": via.token, "client": via.client} if via.token else found


def _introduced(organization: Organization, caller: Actor | Caller, via: Via | None) -> tuple[Caller, Via]:
    """Say who asks and how, and refuse who does not belong here."""
    if connection.in_atomic_block:
        raise InsideTransaction("a decision is asked for outside of transactions: its record commits on its own")
    if not isinstance(caller, Actor):
        return caller, via or Via()
    if caller.organization_id not in (None, organization.pk) or (caller.organization_id is None and caller.kind != "system"):
        raise ForeignOrganization(f"{caller.label} does not belong to this organization.")
    return asker_of(caller), via or Via(address=caller.address, request_id=caller.request_id)


def _recorded(
    organization_id: UUID,
    asked: Asked,
    asking: Caller,
    answer: Callable[[Posed, Known], tuple[T, Draft]],
    *,
    proven: Callable[[Known], Proven | None] | None = None,
    now: datetime,
) -> T:
    """Answer on the present rules, and again while they move on before the record is written."""
    worlds, writer = worlds_of_process(), _writer()
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        try:
            known = worlds.current(organization_id)
        except OrganizationGone:
            raise UnknownOrganization("There is no such organization.") from None
        try:
            posed = pose(asked, asking, known, now, None if proven is None else proven(known))
        except Problem as problem:
            raise AboutSomebodyElse(problem.detail) from None
        known = worlds.with_needs(known, needs(posed.question))
        result, draft = answer(posed, known)
        if not isinstance(writer.submit([draft]).result(), Stale):
            return result
    raise RulesInMotion("The organization's rules are changing faster than the decision can be made.", remedy="Ask again.")


def _writer() -> GroupCommitWriter:
    """Give the process's writer, with the fence that lets no record pass that rests on former rules."""
    writer = get_writer()
    writer.install_fence(fence)
    return writer
