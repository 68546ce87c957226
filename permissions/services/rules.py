"""Which rules stand on a resource type, and what a change of the type would do to them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from django.db.models import Q

from agentiam.kit.errors import Conflict
from permissions.engine import conditions
from permissions.models import (
    Consent,
    Delegation,
    Entitlement,
    Grant,
    GuardrailVersion,
    ResourceType,
)
from permissions.services.reports import holding_ref
from permissions.services.terms import EVERY_ACTION

Rule: TypeAlias = Consent | Delegation | Entitlement | Grant | GuardrailVersion

_STANDING = ("draft", "published", "report_only")
_MOST_NAMED = 10


class RulesDependOnIt(Conflict):
    """Rules name what would be removed, or could not be read any more; ``rules`` names all of them."""

    def __init__(self, what: str, rules: Iterable[str], *, remedy: str = "") -> None:
        self.rules = tuple(dict.fromkeys(rules))
        named = "; ".join(self.rules[:_MOST_NAMED])
        more = f"; and {len(self.rules) - _MOST_NAMED} more" if len(self.rules) > _MOST_NAMED else ""
        super().__init__(f"{what}: {named}{more}.", remedy=remedy or "Change or end these rules first.")


@dataclass(frozen=True, slots=True)
class TypeChange:
    """What a change takes from a type, and the attributes that it will have."""

    actions: frozenset[str]
    fields: frozenset[str]
    attributes: Mapping[str, str]


def rule_name(rule: Rule) -> str:
    """Name a rule for the one who has to change it."""
    match rule:
        case Entitlement():
            return f"role {rule.role.external_id}"
        case Grant():
            return f"grant {rule.pk} to {holding_ref(rule)}"
        case Delegation():
            return f"delegation from {rule.delegator.external_id} to {rule.delegate.external_id}"
        case GuardrailVersion():
            return f"guardrail {rule.guardrail.external_id} version {rule.number}"
        case Consent():
            return f"consent of {rule.user.external_id} to {rule.agent.external_id}"


def rules_on(resource_type: ResourceType, *, now: datetime) -> Iterator[Rule]:
    """List the rules about a type that are not over: five queries."""
    yield from Entitlement.objects.filter(resource_type=resource_type).select_related("role")
    yield from Grant.objects.filter(resource_type=resource_type).not_over(now).select_related("user", "team")
    yield from Delegation.objects.filter(resource_type=resource_type).not_over(now).select_related("delegator", "delegate")
    yield from GuardrailVersion.objects.filter(resource_type=resource_type, state__in=_STANDING).select_related("guardrail")
    yield from Consent.objects.filter(resource_type=resource_type).not_over(now).select_related("user", "agent")


def rules_naming(resource_type: ResourceType, *, now: datetime) -> list[str]:
    """Name the rules about a type or about a subtree that begins at one of its resources, and the wordings that once were."""
    subtree = Q(subtree_type=resource_type.name)
    organization = resource_type.organization_id
    of_subtrees: list[Rule] = [
        *Entitlement.objects.filter(subtree, role__organization=organization).select_related("role"),
        *Grant.objects.filter(subtree, organization=organization).not_over(now).select_related("user", "team"),
        *Delegation.objects.filter(subtree, organization=organization).not_over(now).select_related("delegator", "delegate"),
    ]
    # A wording that was published is part of the record, and so is the type that it names.
    former = GuardrailVersion.objects.filter(resource_type=resource_type).exclude(state__in=_STANDING)
    rules = [*rules_on(resource_type, now=now), *of_subtrees, *former.select_related("guardrail")]
    return list(dict.fromkeys(map(rule_name, rules)))


def require_rules_hold(resource_type: ResourceType, change: TypeChange, *, now: datetime) -> list[Rule]:
    """Refuse a change of a type that takes from a rule what it names, or makes a condition unreadable.

    Raises RulesDependOnIt. Answers the rules whose conditions were checked anew, with the results set and not saved.
    """
    rechecks = change.attributes != resource_type.attributes
    if not (rechecks or change.actions or change.fields):
        return []
    rules = list(rules_on(resource_type, now=now))
    for noun, gone in (("actions", change.actions), ("fields", change.fields)):
        losing = [rule_name(rule) for rule in rules if gone.intersection(_names(rule, noun))]
        if losing:
            raise RulesDependOnIt(f"Rules name {noun} that would be removed from {resource_type}", losing)
    if not rechecks:
        return []
    conditional = [rule for rule in rules if _clauses(rule)]
    problems = [problem for rule in conditional if (problem := _recheck(rule, change.attributes))]
    if problems:
        raise RulesDependOnIt(f"Conditions would no longer be valid with these attributes of {resource_type}", problems)
    return conditional


def store_rechecked(rules: Iterable[Rule]) -> None:
    """Write what the checker answered; it is derived from the text, so that it makes no version. One query a rule."""
    for rule in rules:
        checked = {f"{clause}_checked": getattr(rule, f"{clause}_checked") for clause in _clauses(rule)}
        type(rule)._default_manager.filter(pk=rule.pk).update(**checked)  # noqa: SLF001  (Django's documented name)


def _recheck(rule: Rule, attributes: Mapping[str, str]) -> str:
    for clause in _clauses(rule):
        try:
            setattr(rule, f"{clause}_checked", conditions.check(getattr(rule, clause), resource=attributes))
        except conditions.ConditionError as error:
            return f"{rule_name(rule)}, {clause}: {error}"
    return ""


def _clauses(rule: Rule) -> list[str]:
    return [clause for clause in ("where", "when") if getattr(rule, clause, "")]


def _names(rule: Rule, noun: str) -> frozenset[str]:
    return frozenset(getattr(rule, noun, None) or ()) - {EVERY_ACTION}
