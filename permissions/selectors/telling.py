"""Effective access as JSON: what is told of it depends on who looks; that something stands in the way is told to everybody."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from permissions.answers import rule_json
from permissions.engine.conditions import FALSE, TRUE, Node, Reference, to_json
from permissions.engine.conditions.text import text_of
from permissions.engine.conditions.tree import walk
from permissions.engine.effective import Access, FieldAccess, RailAccess, Source, TermAccess
from permissions.engine.types import Mode
from permissions.selectors.effective import EffectiveAccess


@dataclass(frozen=True, slots=True)
class Look:
    """How deep somebody looks: whose holdings they see, by reference, and whether they see what guardrails say."""

    holdings_of: Callable[[str], bool]
    guardrails: bool


def effective_json(found: EffectiveAccess, look: Look) -> dict[str, Any]:
    """Write down what an agent can and cannot do."""
    return {
        "agent": found.agent,
        "acting_for": found.acting_for,
        "at": found.at.isoformat(),
        "revision": found.revision,
        "inactive": found.inactive,
        "rows": [_row(found, row, look) for row in found.rows],
    }


def _row(found: EffectiveAccess, row: Access, look: Look) -> dict[str, Any]:
    fields = [_fields(each, look) for each in row.fields]
    had = {name for each in row.fields if each.allowed != FALSE or each.escalated != FALSE for name in each.fields}
    facts = found.world.types.get(row.type)
    classes = {} if facts is None else facts.data_classes
    return {
        "type": row.type,
        "action": row.action,
        "effect": row.effect,
        "data_classes": sorted({classes[name] for name in had if name in classes}),
        "fields": fields,
        "depends_on": list(row.depends_on) if look.guardrails else _from_grants(row),
        "until": _instant(row.until),
        "terms": [_term(found, each, look) for each in row.terms],
        "guardrails": [_rail(each, look) for each in row.rails],
        "blocked": [each._asdict() for each in row.blocked],
    }


def _fields(group: FieldAccess, look: Look) -> dict[str, Any]:
    """Say on which rows a group of fields is had; with the guardrails in it, their conditions are in it too."""
    best = next((name for name in ("allowed", "escalated") if getattr(group, name) != FALSE), "denied")
    shown = {name: _condition(getattr(group, name)) for name in ("allowed", "escalated", "masked")}
    if not look.guardrails:
        shown = {
            name: {**each, "text": None, "plan": None} if each["holds"] == "depends" else each for name, each in shown.items()
        }
    return {"names": list(group.fields), "best": best, **shown}


def _condition(node: Node) -> dict[str, Any]:
    if node in {TRUE, FALSE}:
        return {"holds": "always" if node == TRUE else "never", "text": None, "plan": None}
    rows_only = not any(isinstance(each, Reference) for each in walk(node))
    return {"holds": "depends", "text": text_of(node), "plan": to_json(node) if rows_only else None}


def _from_grants(row: Access) -> list[str]:
    """Name what the sources' own conditions look at, for those who may not know what guardrails do."""
    conditions = [
        condition
        for term in row.terms
        for source in term.sources
        for condition in (source.entitlement.where, source.entitlement.when)
        if condition is not None
    ]
    named = {name for each in conditions for name in each.references}
    return sorted(name for name in named if name in row.depends_on)


def _term(found: EffectiveAccess, term: TermAccess, look: Look) -> dict[str, Any]:
    told: dict[str, Any] = {
        "term": term.name,
        "who": term.who,
        "outcome": term.outcome,
        "fields": list(term.fields),
        "reason": term.reason,
    }
    if look.holdings_of(term.who):
        told["until"] = _instant(term.until)
        told["rule"] = None if term.rule is None else rule_json(term.rule)
        told["sources"] = [_source(found, each) for each in term.sources]
    return told


def _source(found: EffectiveAccess, source: Source) -> dict[str, Any]:
    held = source.entitlement
    facts = found.world.types.get(held.type)
    marks = (f"{source.rule.kind}/{source.rule.id}", *source.rule.via)
    given = next((found.given[mark] for mark in marks if mark in found.given), None)
    everything = facts is None or not facts.fields or held.fields & facts.full == facts.full
    return {
        "rule": rule_json(source.rule),
        "through": list(found.through(source.rule, held.rule.id)),
        "outcome": source.outcome,
        "reason": source.reason,
        "actions": None if held.actions is None else sorted(held.actions),
        "resource": held.resource,
        "subtree": None if held.subtree is None else {"type": held.subtree[0], "id": held.subtree[1]},
        "where": None if held.where is None else held.where.source,
        "when": None if held.when is None else held.when.source,
        "fields": None if everything or facts is None else list(facts.names(held.fields)),
        "use": bool(source.mode & Mode.USE),
        "delegate": bool(source.mode & Mode.DELEGATE),
        "from": _instant(source.not_before),
        "until": _instant(source.until),
        "given": None if given is None else {"source": given.source, "reason": given.reason, "by": given.by},
    }


def _rail(each: RailAccess, look: Look) -> dict[str, Any]:
    rail = each.rail
    told: dict[str, Any] = {
        "rule": rule_json(rail.rule),
        "effect": rail.effect,
        "outcome": each.outcome,
        "fields": list(each.fields),
        "whole_request": each.whole,
        "reason": rail.reason,
        "report_only": rail.report_only,
    }
    if look.guardrails:
        told["when"] = None if rail.when is None else rail.when.source
    return told


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
