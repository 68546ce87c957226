"""What all decisions of one organization share, read whole: types, roles, blueprints, teams, guardrails, trusts."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Q

from directory.models import Blueprint, Organization, Team
from permissions.engine.conditions import Condition, ConditionError, error, load
from permissions.engine.types import (
    Assignment,
    BlueprintFacts,
    Ceiling,
    Entitlement,
    GuardrailFacts,
    Holding,
    Mode,
    Rule,
    TeamFacts,
    TrustFacts,
    TypeFacts,
)
from permissions.models import (
    BlueprintRole,
    EntitlementTerms,
    Grant,
    GuardrailVersion,
    Held,
    ResourceType,
    Role,
    RoleAssignment,
    RoleInclusion,
    Trust,
)
from permissions.models import Entitlement as EntitlementRow

K = TypeVar("K")
V = TypeVar("V")

RoleIndex = Mapping[tuple[str, str], tuple[Entitlement, ...]]


@dataclass(frozen=True, slots=True)
class Shared:
    """What all decisions of one organization share."""

    slug: str
    time_zone: str
    inactive: str
    subject_types: Mapping[str, str]
    types: Mapping[str, TypeFacts]
    roles: Mapping[str, RoleIndex]
    blueprints: Mapping[str, BlueprintFacts]
    teams: Mapping[str, TeamFacts]
    guardrails: tuple[GuardrailFacts, ...]
    trusts: Mapping[str, TrustFacts]


def shared_facts(organization: Organization) -> Shared:
    """Read what all decisions of an organization share, in about ten queries."""
    types = type_facts(ResourceType.objects.filter(organization_id=organization.pk).select_related("application"))
    zone = organization.time_zone
    return Shared(
        slug=organization.slug,
        time_zone=zone,
        inactive=inactive_organization(organization),
        subject_types=organization.subject_types,
        types={facts.name: facts for facts in types.values()},
        roles=_roles(organization.pk, types, zone),
        blueprints=_blueprints(organization.pk, {facts.name: facts for facts in types.values()}),
        teams=_teams(organization.pk, types, zone),
        guardrails=_guardrails(organization.pk, types, zone),
        trusts=_trusts(organization.pk, types),
    )


def inactive_organization(organization: Organization) -> str:
    """Say why an organization is answered with a deny; empty when it is not."""
    return "" if organization.state == Organization.State.ACTIVE else "is suspended"


def type_facts(rows: Iterable[ResourceType]) -> dict[UUID, TypeFacts]:
    """Turn resource types, with their applications, into the engine's."""
    return {
        row.pk: TypeFacts(
            name=row.name,
            application=row.application.slug,
            actions=frozenset(row.actions),
            attributes=row.attributes,
            fields=tuple(row.fields),
            data_classes=row.fields,
        )
        for row in rows
    }


def condition(source: str, checked: bytes | memoryview | None, time_zone: str) -> Condition | None:
    """Load a condition that was checked when it was written; None where there is none."""
    if not source:
        return None
    try:
        return load(source, bytes(checked or b""), time_zone)
    except ConditionError as failure:
        # What cannot be read cannot be computed: a grant does not hold, a guardrail does.
        return Condition(source, b"", error(f"the stored condition cannot be read: {failure.message}"))


def actions_of(names: list[str] | None) -> frozenset[str] | None:
    """Turn stored names of actions into a set; None stands for all."""
    return None if names is None or "*" in names else frozenset(names)


def entitlement(row: EntitlementTerms, resource_type: TypeFacts, rule: Rule, time_zone: str) -> Entitlement:
    """Turn the columns of an entitlement into the engine's."""
    return Entitlement(
        type=resource_type.name,
        actions=actions_of(row.actions),
        rule=rule,
        resource=row.resource or None,
        subtree=(row.subtree_type, row.subtree_id) if row.subtree_id else None,
        where=condition(row.where, row.where_checked, time_zone),
        when=condition(row.when, row.when_checked, time_zone),
        fields=resource_type.full if row.fields is None else resource_type.mask(row.fields),
    )


def keys_of(facts: Entitlement) -> list[tuple[str, str]]:
    """List the type and action pairs under which an entitlement is found."""
    return [(facts.type, "*")] if facts.actions is None else [(facts.type, action) for action in facts.actions]


def grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, tuple[V, ...]]:
    """Collect values by key, in the order in which they come."""
    found: dict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return {key: tuple(values) for key, values in found.items()}


def _roles(organization_id: UUID, types: Mapping[UUID, TypeFacts], zone: str) -> dict[str, RoleIndex]:
    names = dict(Role.objects.filter(organization_id=organization_id).values_list("pk", "external_id"))
    rows = EntitlementRow.objects.filter(role__organization_id=organization_id, resource_type__in=list(types)).order_by("pk")
    included = RoleInclusion.objects.filter(role__organization_id=organization_id).values_list("role_id", "included_id")
    return role_facts(names, rows, included, types, zone)


def role_facts(
    names: Mapping[UUID, str],
    rows: Iterable[EntitlementRow],
    included: Iterable[tuple[UUID, UUID]],
    types: Mapping[UUID, TypeFacts],
    zone: str,
) -> dict[str, RoleIndex]:
    """File the entitlements of roles, and of the roles that they include, by type and action."""
    own: dict[UUID, list[Entitlement]] = defaultdict(list)
    for row in rows:
        rule = Rule("role", names[row.role_id], label=str(row.pk))
        own[row.role_id].append(entitlement(row, types[row.resource_type_id], rule, zone))
    includes: dict[UUID, list[UUID]] = defaultdict(list)
    for role_id, included_id in included:
        includes[role_id].append(included_id)
    return {
        name: grouped((key, facts) for each in _closure(pk, includes) for facts in own[each] for key in keys_of(facts))
        for pk, name in names.items()
    }


def _closure(start: UUID, includes: Mapping[UUID, list[UUID]]) -> list[UUID]:
    seen, waiting = [start], [start]
    while waiting:
        for found in includes.get(waiting.pop(), ()):
            if found not in seen:
                seen.append(found)
                waiting.append(found)
    return seen


def ceiling(entries: list[dict[str, Any]] | None, types: Mapping[str, TypeFacts]) -> Ceiling | None:
    """Turn a declared ceiling into masks; None stands for no limit, an empty list for nothing at all."""
    if entries is None:
        return None
    allowed: dict[tuple[str, str], int] = {}
    for entry in entries:
        resource_type = types.get(entry["type"])
        if resource_type is not None:
            mask = resource_type.mask(entry.get("fields"))
            for action in entry["actions"]:
                key = (resource_type.name, action)
                allowed[key] = allowed.get(key, 0) | mask
    return Ceiling(allowed)


def _blueprints(organization_id: UUID, types: Mapping[str, TypeFacts]) -> dict[str, BlueprintFacts]:
    held = BlueprintRole.objects.filter(blueprint__organization_id=organization_id).select_related("role", "blueprint")
    return blueprint_facts(Blueprint.objects.filter(organization_id=organization_id), held, types)


def blueprint_facts(
    rows: Iterable[Blueprint], held: Iterable[BlueprintRole], types: Mapping[str, TypeFacts]
) -> dict[str, BlueprintFacts]:
    """Turn blueprints, and what their agents hold by them, into the engine's."""
    roles = grouped(
        (
            row.blueprint_id,
            Assignment(row.role.external_id, Mode.USE, None, None, Rule("role", row.role.external_id, via=_via_blueprint(row))),
        )
        for row in held
    )
    return {
        row.external_id: BlueprintFacts(row.external_id, ceiling(row.ceiling, types), roles.get(row.pk, ())) for row in rows
    }


def _via_blueprint(row: BlueprintRole) -> tuple[str, ...]:
    return (f"blueprint/{row.blueprint.external_id}",)


def mode_of(row: Held) -> Mode:
    """Say what a row is held for."""
    return (Mode.USE if row.use else Mode(0)) | (Mode.DELEGATE if row.delegate else Mode(0))


def _holder(row: Grant | RoleAssignment) -> UUID:
    """Give the key of the account or team that holds it; a constraint lets no row be without one."""
    return row.user_id or row.team_id  # type: ignore[return-value]


def grants_of(
    held: Q, organization_id: UUID, types: Mapping[UUID, TypeFacts], zone: str
) -> dict[UUID, dict[tuple[str, str], tuple[Holding, ...]]]:
    """Read the grants of some holders, by holder, type and action."""
    live = Grant.objects.filter(organization_id=organization_id, ended_at__isnull=True, resource_type__in=list(types))
    return grant_facts(live.filter(held).order_by("pk"), types, zone)


def grant_facts(
    rows: Iterable[Grant], types: Mapping[UUID, TypeFacts], zone: str
) -> dict[UUID, dict[tuple[str, str], tuple[Holding, ...]]]:
    """File grants by holder, type and action."""
    found: dict[UUID, list[tuple[tuple[str, str], Holding]]] = defaultdict(list)
    for row in rows:
        rule = Rule("grant", str(row.pk), label=row.reason)
        facts = entitlement(row, types[row.resource_type_id], rule, zone)
        holding = Holding(facts, mode_of(row), row.starts_at, row.ends_at, rule)
        found[_holder(row)].extend((key, holding) for key in keys_of(facts))
    return {holder: grouped(pairs) for holder, pairs in found.items()}


def assignments_of(held: Q, organization_id: UUID) -> dict[UUID, tuple[Assignment, ...]]:
    """Read the role assignments of some holders."""
    rows = RoleAssignment.objects.filter(held, organization_id=organization_id, ended_at__isnull=True)
    return assignment_facts(rows.select_related("role").order_by("pk"))


def assignment_facts(rows: Iterable[RoleAssignment]) -> dict[UUID, tuple[Assignment, ...]]:
    """File role assignments, with their roles, by holder."""
    return grouped(
        (
            _holder(row),
            Assignment(
                row.role.external_id,
                mode_of(row),
                row.starts_at,
                row.ends_at,
                Rule("role", row.role.external_id, label=row.reason, via=(f"assignment/{row.pk}",)),
            ),
        )
        for row in rows
    )


def _teams(organization_id: UUID, types: Mapping[UUID, TypeFacts], zone: str) -> dict[str, TeamFacts]:
    grants = grants_of(Q(team__isnull=False), organization_id, types, zone)
    assignments = assignments_of(Q(team__isnull=False), organization_id)
    return {
        name: TeamFacts(name, assignments.get(pk, ()), grants.get(pk, {}))
        for pk, name in Team.objects.filter(organization_id=organization_id).values_list("pk", "external_id")
    }


def _guardrails(organization_id: UUID, types: Mapping[UUID, TypeFacts], zone: str) -> tuple[GuardrailFacts, ...]:
    rows = (
        GuardrailVersion.objects.filter(guardrail__organization_id=organization_id, state__in=["published", "report_only"])
        .filter(Q(resource_type__isnull=True) | Q(resource_type__in=list(types)))
        .select_related("guardrail")
        .order_by("guardrail__external_id")
    )
    return guardrail_facts(rows, types, zone)


def guardrail_facts(rows: Iterable[GuardrailVersion], types: Mapping[UUID, TypeFacts], zone: str) -> tuple[GuardrailFacts, ...]:
    """Turn the wordings in force, with their guardrails, into the engine's."""
    return tuple(
        GuardrailFacts(
            id=row.guardrail.external_id,
            effect=row.effect,
            rule=Rule("guardrail", row.guardrail.external_id, row.number, row.guardrail.name),
            type=None if row.resource_type_id is None else types[row.resource_type_id].name,
            actions=actions_of(row.actions),
            when=condition(row.when, row.when_checked, zone),
            fields=None if row.fields is None else frozenset(row.fields),
            data_classes=None if row.data_classes is None else frozenset(row.data_classes),
            reason=row.reason,
            report_only=row.state == GuardrailVersion.State.REPORT_ONLY,
        )
        for row in rows
    )


def _trusts(organization_id: UUID, types: Mapping[UUID, TypeFacts]) -> dict[str, TrustFacts]:
    rows = Trust.objects.agreed().filter(organization_id=organization_id, ended_at__isnull=True, partner__isnull=False)
    return {row.partner.slug: _trust(row, types) for row in rows.select_related("partner") if row.partner is not None}


def _trust(row: Trust, types: Mapping[UUID, TypeFacts]) -> TrustFacts:
    classes = None if row.data_classes is None else frozenset(row.data_classes)
    named = [facts for facts in types.values() if row.types is None or facts.name in row.types]
    partner_active = row.partner is not None and row.partner.state == Organization.State.ACTIVE
    return TrustFacts(
        agents=None if row.agents is None else frozenset(row.agents),
        fields={facts.name: facts.class_mask(classes) for facts in named},
        agreed=row.agreed_here_at is not None and row.agreed_there_at is not None and partner_active,
        until=row.ends_at,
        rule=Rule("trust", str(row.pk)),
    )


def earliest(*instants: datetime | None) -> datetime | None:
    """Give the first of several ends; None stands for no end."""
    return min((instant for instant in instants if instant is not None), default=None)
