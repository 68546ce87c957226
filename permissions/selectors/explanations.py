"""Why an agent may do one thing or not: every term, every guardrail, what would make it a yes; looking is not recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from directory.models import Agent, User
from permissions.answers import explained, rail_json, told_to_agent, tried_json
from permissions.engine.explain import Explanation, GuardrailReport, TermReport, explain
from permissions.engine.types import EMPTY, Decision, Effect, Ref
from permissions.questions import LOOKING, Asked, Entity, Posed, needs, pose
from permissions.selectors.past import Past
from permissions.worlds import Known, Worlds, worlds_here


@dataclass(frozen=True, slots=True)
class ExplainedAccess:
    """One question, its answer, and everything that was looked at for it."""

    posed: Posed
    at: datetime
    revision: int | None
    """None of rules that stood once."""
    decision: Decision
    explanation: Explanation
    said: Mapping[str, Any]
    """What an answer would say, and its record keep."""
    registered: bool
    """Whether what is known of the resource besides what was supposed is in the answer."""

    def as_json(self, *, in_full: bool = True) -> dict[str, Any]:
        """Write it down; not in full it tells neither what conditions saw nor what anybody holds."""
        said = dict(self.said) if in_full else told_to_agent(self.said)
        return {
            "decision": self.decision.allows,
            "at": self.at.isoformat(),
            "revision": self.revision,
            **said,
            "terms": [_term_json(each, in_full=in_full) for each in self.explanation.terms],
            "guardrails": [_rail_json(each) for each in self.explanation.guardrails] if in_full else [],
        }


def explain_access(
    agent: Agent,
    *,
    action: str,
    resource_type: str,
    resource: str,
    resource_properties: Mapping[str, Any] = EMPTY,
    action_properties: Mapping[str, Any] = EMPTY,
    context: Mapping[str, Any] = EMPTY,
    fields: tuple[str, ...] = (),
    acting_for: User | None = None,
    delegation: tuple[Ref, ...] = (),
    task_id: str = "",
    task_purpose: str = "",
    at: datetime,
    as_of: datetime | None = None,
) -> ExplainedAccess:
    """Explain what an agent would be answered at an instant; as ``explain_asked``.

    ``resource_properties`` are what the resource is taken to be, laid over what is stored.
    """
    asked = Asked(
        subject=Entity("agent", agent.external_id),
        action=action,
        resource=Entity(resource_type, resource, resource_properties),
        action_properties=action_properties,
        context=context,
        fields=fields,
        on_behalf_of=None if acting_for is None else Entity("user", acting_for.external_id),
        delegation=delegation,
        task_id=task_id,
        task_purpose=task_purpose,
    )
    return explain_asked(agent.organization_id, asked, at=at, as_of=as_of)


def explain_asked(organization_id: UUID, asked: Asked, *, at: datetime, as_of: datetime | None = None) -> ExplainedAccess:
    """Explain the answer to any question in an organization at an instant, by the rules of now or those that stood ``as_of``.

    Raises NotYet.
    """
    worlds: Worlds | Past = worlds_here() if as_of is None else Past(as_of)
    known = worlds.current(organization_id)
    posed = pose(asked, LOOKING, known, at)
    return _explained(posed, worlds.with_needs(known, needs(posed.question)), at)


def _explained(posed: Posed, known: Known, at: datetime) -> ExplainedAccess:
    if posed.refused is not None:
        explanation = Explanation(Decision(Effect.DENY, posed.refused))
    else:
        explanation = explain(known.world, posed.question)
    decision = explanation.decision
    said = explained(posed, decision, explanation, known)
    registered = known.resources.get((posed.question.type, posed.question.resource)) is not None
    return ExplainedAccess(posed, at, known.world.revision or None, decision, explanation, said, registered)


def _rail_json(report: GuardrailReport) -> dict[str, Any]:
    return rail_json(report) | {"applies": report.applies, "report_only": report.report_only}


def _term_json(report: TermReport, *, in_full: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "term": report.name,
        "who": report.who,
        "holds": report.holds,
        "fields": list(report.fields),
        "reason": report.reason,
    }
    if in_full:
        found["tried"] = [tried_json(each) | {"covers": each.covers} for each in report.tried]
    return found
