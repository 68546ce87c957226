"""What a caller is told: a decision as AuthZEN's decision object with its context, and as the data of its record."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from permissions.engine.conditions import Clause
from permissions.engine.explain import Explanation, GuardrailReport, Tried
from permissions.engine.types import Decision, Effect, Rule, TypeFacts
from permissions.questions import Posed
from permissions.worlds import Known

_FOR_THE_USER = {
    Effect.ALLOW: "Allowed.",
    Effect.ESCALATE: "A person must approve this first.",
    Effect.DENY: "Not allowed.",
}
_HINTS = {
    "consent": "You have not agreed to this, or have taken your agreement back.",
    "user": "You may not do this yourself, so an agent may not do it for you.",
    "token": "The agent's token is not for this, or has ended.",
    "task": "The task has ended, or does not include this.",
    "fields": "Some of the fields that were asked for do not exist.",
}


def rule_json(rule: Rule) -> dict[str, Any]:
    """Name a rule."""
    found: dict[str, Any] = {"kind": rule.kind, "id": rule.id, "version": rule.version}
    if rule.via:
        found["via"] = list(rule.via)
    return found


def clause_json(clause: Clause) -> dict[str, Any]:
    """Write down one leaf of a condition."""
    found: dict[str, Any] = {"clause": clause.text, "outcome": clause.outcome, "needed": clause.needed, "seen": clause.seen}
    if clause.error:
        found["error"] = clause.error
    return found


def tried_json(tried: Tried) -> dict[str, Any]:
    """Write down one rule that was tried, with the conditions that failed."""
    found: dict[str, Any] = {"rule": rule_json(tried.rule), "reason": tried.reason}
    failed = [clause_json(clause) for clause in tried.clauses if clause.outcome != "true"]
    return found | {"conditions": failed} if failed else found


def rail_json(report: GuardrailReport) -> dict[str, Any]:
    """Write down one guardrail, with what its condition saw."""
    return {
        "rule": rule_json(report.rule),
        "effect": report.effect,
        "conditions": [clause_json(each) for each in report.clauses],
    }


def field_names(decision: Decision, facts: TypeFacts | None) -> dict[str, list[str]]:
    """List the fields of a decision by what becomes of them."""
    if facts is None:
        return {"allowed": [], "masked": [], "denied": []}
    return {
        "allowed": list(facts.names(decision.allowed)),
        "masked": list(facts.names(decision.masked)),
        "denied": list(facts.names(decision.denied)),
    }


def obligations(decision: Decision, facts: TypeFacts | None) -> list[dict[str, Any]]:
    """State what the caller must do with a yes (Obligations profile): masking has no type of its own there."""
    if facts is None or not decision.masked:
        return []
    # Of a type without fields everything is masked, and "*" says so: an empty list would say nothing.
    properties = {"vendor": "agentiam", "action": "mask", "fields": list(facts.names(decision.masked)) or ["*"]}
    return [{"id": "mask", "type": "custom", "properties": properties}]


def reason_for_user(decision: Decision) -> str:
    """Say it to the person at the other end, without the organization's inner workings."""
    if decision.effect is Effect.DENY and decision.lost is not None:
        return _HINTS.get(decision.lost.term, _FOR_THE_USER[Effect.DENY])
    if decision.effect is Effect.ESCALATE and decision.lost is not None:
        return f"{_FOR_THE_USER[Effect.ESCALATE]} {decision.lost.reason}".strip()
    return _FOR_THE_USER[decision.effect]


def reason_for_admin(decision: Decision, explanation: Explanation | None = None) -> str:
    """Say it to the one who answers for the rules, with the value that decided."""
    lost = decision.lost
    through = _named(rule_json(rule) for rule in decision.rules)
    said = _sentence(decision.effect, None if lost is None else (lost.term, lost.reason), through)
    if lost is None:
        return said
    values = _decisive(decision, explanation) if explanation is not None else []
    if values:
        said += f" ({'; '.join(values)})"
    errors = "; ".join(f"{failure.rule.kind}/{failure.rule.id}: {failure.error}" for failure in decision.failures)
    return f"{said}. Errors: {errors}" if errors else said


def _named(rules: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(dict.fromkeys(f"{rule['kind']}/{rule['id']}" for rule in rules))


def _sentence(effect: str, lost: tuple[str, str] | None, through: str) -> str:
    if lost is None:
        return f"Allowed by {through}." if through else "Allowed."
    verb = "Escalated" if effect == Effect.ESCALATE else "Denied"
    return f"{verb} by {lost[0]}: {lost[1]}"


def _decisive(decision: Decision, explanation: Explanation) -> list[str]:
    """Say what conditions saw: of a guardrail what made it apply, of grants what they missed."""
    if decision.lost is not None and decision.lost.term == "guardrail":
        wanted = [each for rail in explanation.guardrails if rail.applies for each in rail.clauses if each.outcome != "false"]
        return list(dict.fromkeys(f"{each.reference} is {_shown(each.seen)}" for each in wanted if each.reference))[:3]
    tried = [each for report in explanation.terms for each in report.tried if not each.covers]
    missed = [clause for each in tried for clause in each.clauses if clause.outcome != "true" and clause.reference]
    return list(dict.fromkeys(f"{each.reference} is {_shown(each.seen)}, needed: {each.text}" for each in missed))[:3]


def _shown(value: Any) -> str:
    return "absent" if value is None else json.dumps(value, ensure_ascii=False)


def explained(posed: Posed, decision: Decision, explanation: Explanation | None, known: Known) -> dict[str, Any]:
    """Give everything that an answer can say, and its record keeps, besides ids and times."""
    facts = known.world.types.get(posed.question.type) if posed.refused is None else None
    found: dict[str, Any] = {
        "effect": decision.effect.value,
        "reason_user": reason_for_user(decision),
        "reason_admin": reason_for_admin(decision, explanation),
        "fields": field_names(decision, facts),
        "rules": [rule_json(rule) for rule in decision.rules],
        "obligations": obligations(decision, facts),
    }
    if decision.lost is not None:
        found["lost"] = _lost_json(decision, explanation)
    if explanation is not None and explanation.would_allow:
        found["would_allow"] = [
            {"kind": each.kind, "text": each.text, "changes": list(each.changes), "sufficient": each.sufficient}
            for each in explanation.would_allow
        ]
    if decision.failures:
        found["errors"] = [{"rule": rule_json(each.rule), "error": each.error} for each in decision.failures]
    if decision.reported:
        found["report_only"] = [rule_json(rule) for rule in decision.reported]
    return found


def told_to_agent(said: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of an answer what an agent may know: not what conditions saw, of objects it may not read, nor what others hold."""
    told = {name: said[name] for name in ("effect", "reason_user", "fields", "rules", "obligations")}
    lost = said.get("lost")
    told["reason_admin"] = _sentence(said["effect"], lost and (lost["term"], lost["reason"]), _named(said["rules"]))
    if lost is not None:
        told["lost"] = {name: lost[name] for name in ("term", "who", "reason")}
    return told


def _lost_json(decision: Decision, explanation: Explanation | None) -> dict[str, Any]:
    lost = decision.lost
    found: dict[str, Any] = {} if lost is None else {"term": lost.term, "who": lost.who, "reason": lost.reason}
    if explanation is not None:
        tried = [tried_json(each) for report in explanation.terms for each in report.tried if not each.covers]
        rails = [rail_json(each) for each in explanation.guardrails if each.applies]
        if tried:
            found["tried"] = tried
        if rails:
            found["guardrails"] = rails
    return found


def record_data(posed: Posed, decision: Decision, said: dict[str, Any], revision: int) -> dict[str, Any]:
    """Give the data of a decision's record: what was asked, exactly, and why it was answered so."""
    question = posed.question
    return {
        "decision": decision.allows,
        "revision": revision,
        "question": {
            "subject": question.subject,
            "action": question.action,
            "type": question.type,
            "resource": question.resource,
            "fields": None if question.fields is None else list(question.fields),
            "on_behalf_of": question.on_behalf_of,
            "delegation": list(question.delegation),
            "task": question.task_id,
            "purpose": question.task_purpose,
            "subject_properties": dict(question.subject_properties),
            "action_properties": dict(question.action_properties),
            "resource_properties": dict(question.resource_properties),
            "context": dict(question.context),
        },
        **said,
    }
