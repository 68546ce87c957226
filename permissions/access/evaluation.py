"""One question or many: the Access Evaluation and Access Evaluations APIs (AuthZEN 1.0, sections 6 and 7)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from agentiam.kit.problems import Problem
from audit.writer import Draft
from permissions.access.callers import Party, Sender
from permissions.answers import told_to_agent
from permissions.questions import Asked, Posed, needs, pose
from permissions.services.decisions import Settled, Via, draft_of, settled
from permissions.worlds import Known, Needs

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

    def needs(self, caller: Party, known: Known, now: datetime) -> Needs:
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
            result.told = told_to_agent(result.said) if self._to_agent else result.said
        return result

    def drafts(self, result: list[Settled | Problem], caller: Party, known: Known, sender: Sender) -> list[Draft]:
        """Make a record of every answer; an item that could not be read was not decided."""
        via = via_of(caller, sender)
        return [draft_of(each, caller, known, via) for each in result if isinstance(each, Settled)]


def _pose(asked: Asked, caller: Party, known: Known, now: datetime) -> Posed | Problem:
    try:
        return pose(asked, caller, known, now, caller.proven)
    except Problem as problem:
        return problem


def via_of(caller: Party, sender: Sender) -> Via:
    """Say how a request came in: by which key, with which token, from where."""
    proven = caller.proven
    return Via(
        key=caller.key,
        address=sender.address,
        request_id=sender.request_id,
        token="" if proven is None else proven.token,
        client="" if proven is None else proven.client,
    )


def answer_json(result: Settled | Problem) -> dict[str, Any]:
    """Give one decision object (section 6.2); of an item that could not be read, the error (section 7.2.1)."""
    if isinstance(result, Problem):
        return {"decision": False, "context": {"error": {"status": result.status, "message": result.detail}}}
    if result.told is None:
        owed = _owed(result)
        return {"decision": result.decision.allows} | ({"context": owed} if owed else {})
    return {"decision": result.decision.allows, "context": result.context(result.told)}


def _owed(result: Settled) -> dict[str, Any]:
    """Keep of a short answer's context what a yes does not hold without: which fields it is about, and what must be done."""
    fields = result.said["fields"]
    if not result.decision.allows or not (fields["masked"] or fields["denied"] or result.said["obligations"]):
        return {}
    return {name: result.said[name] for name in ("fields", "obligations")}
