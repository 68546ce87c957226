"""One question or many: the Access Evaluation and Access Evaluations APIs (AuthZEN 1.0, sections 6 and 7)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from agentiam.kit.ids import uuid7
from agentiam.kit.problems import Problem
from audit.writer import Draft
from permissions.access.answers import explained, record_data, told_to_agent
from permissions.access.point import Sender
from permissions.access.questions import Posed, needs, pose
from permissions.access.requests import Asked
from permissions.engine.evaluate import decide
from permissions.engine.explain import explain_loss
from permissions.engine.types import Decision, Effect
from permissions.events import ACCESS_DECIDED
from permissions.selectors.keys import KeyFacts
from permissions.worlds import Known, Needs


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


_AT_ONCE: Final = 50
"""A longer batch is answered in a thread, so that others are answered meanwhile."""


class EvaluationWork:
    """The questions of one request, and what becomes of them."""

    def __init__(self, items: Sequence[Asked | Problem], *, semantic: str, wants_full: Callable[[Asked], bool]) -> None:
        self._items = items
        self._semantic = semantic
        self._wants_full = wants_full
        self._to_agent = True
        self._posed: list[Posed | Problem] = []
        self.long = len(items) > _AT_ONCE

    def needs(self, caller: KeyFacts, known: Known, now: datetime) -> Needs:
        """Pose every question that can be posed, and join what they name."""
        self._to_agent = caller.kind == "agent"
        self._posed = [item if isinstance(item, Problem) else _pose(item, caller, known, now) for item in self._items]
        joined = Needs()
        for posed in self._posed:
            if isinstance(posed, Posed):
                joined |= needs(posed.question)
        return joined

    def answer(self, known: Known, now: datetime) -> list[Settled | Problem]:
        """Decide one after the other, and stop where the request's semantic says."""
        results: list[Settled | Problem] = []
        for posed in self._posed:
            result = posed if isinstance(posed, Problem) else self._settled(posed, known, now)
            results.append(result)
            allows = isinstance(result, Settled) and result.decision.allows
            if (allows and self._semantic == "permit_on_first_permit") or (
                not allows and self._semantic == "deny_on_first_deny"
            ):
                break
        return results

    def _settled(self, posed: Posed, known: Known, now: datetime) -> Settled:
        full = self._wants_full(posed.asked)
        result = settled(posed, known, now, suggest=full and not self._to_agent)
        if full:
            result.told = told_to_agent(result.said, result.decision) if self._to_agent else result.said
        return result

    def drafts(self, result: list[Settled | Problem], caller: KeyFacts, known: Known, sender: Sender) -> list[Draft]:
        """Make a record of every answer; an item that could not be read was not decided."""
        return [draft_of(each, caller, known, sender) for each in result if isinstance(each, Settled)]


def _pose(asked: Asked, caller: KeyFacts, known: Known, now: datetime) -> Posed | Problem:
    try:
        return pose(asked, caller, known, now)
    except Problem as problem:
        return problem


def answer_json(result: Settled | Problem) -> dict[str, Any]:
    """Give one decision object (section 6.2); of an item that could not be read, the error (section 7.2.1)."""
    if isinstance(result, Problem):
        return {"decision": False, "context": {"error": {"status": result.status, "message": result.detail}}}
    if result.told is None:
        return {"decision": result.decision.allows}
    context = {
        **result.told,
        "evaluation_id": str(result.evaluation_id),
        "evaluated_at": result.at.isoformat(),
        "revision": result.revision,
    }
    return {"decision": result.decision.allows, "context": context}


def settled(posed: Posed, known: Known, now: datetime, *, suggest: bool) -> Settled:
    """Decide one question and collect what can be said about the answer, on request also what would make it a yes."""
    decision = decide(known.world, posed.question) if posed.refused is None else Decision(Effect.DENY, posed.refused)
    explanation = None
    if posed.refused is None and not decision.allows:
        explanation = explain_loss(known.world, posed.question, decision, suggest=suggest)
    said = explained(posed, decision, explanation, known)
    return Settled(posed, decision, uuid7(), now, known.world.revision, said, None)


def draft_of(result: Settled, caller: KeyFacts, known: Known, sender: Sender) -> Draft:
    """Make the record of one answer."""
    question = result.posed.question
    kind, _, subject_id = question.subject.partition("/")
    target = {"type": question.type, "id": question.resource, "label": f"{question.action} {question.type}"}
    data = record_data(result.posed, result.decision, result.said, result.revision)
    data["caller"] = {"kind": caller.kind, "id": caller.holder, "key": sender.token.public_id}
    return Draft(
        organization_id=known.world.organization_id,
        id=result.evaluation_id,
        type=ACCESS_DECIDED.name,
        at=result.at,
        actor={"kind": kind, "id": subject_id, "label": subject_id, "address": sender.address},
        target=target,
        reason=result.said["reason_admin"],
        request_id=sender.request_id,
        effect=result.decision.effect.value,
        data=data,
        fence=result.revision,
        partner_fences=dict(known.partners),
    )
