"""What a successor would get of its predecessor's, what its own limits keep from it, and what nobody can hand over.

Grants and roles that were given by hand go over. A consent is a person's word to one agent, a delegation one agent's to
another, and an approval was for what one agent asked: these are lost, and asked for anew.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from django.db.models import Q

from directory.models import Agent, Blueprint
from permissions.models import (
    BlueprintRole,
    Consent,
    Delegation,
    Entitlement,
    EntitlementTerms,
    Grant,
    Held,
    RoleAssignment,
    RoleInclusion,
)

Entries: TypeAlias = list[dict[str, Any]]

_LIMITS: Final = ("blueprint", "capabilities", "environment", "risk_tier", "expires_at")
_BOUND: Final = (Held.Source.APPROVAL, Held.Source.DELEGATION)


def difference(predecessor: Agent, successor: Agent, now: datetime) -> dict[str, Any]:
    """Compare what two agents hold, as JSON data: the same data as long as nothing of it changes.

    ``gains`` go over, with what the successor's limits cut off of each; ``beyond`` lies outside of them and does not go over;
    ``has`` it holds already; ``lost`` cannot be handed over. ``limits`` says what holds both within bounds: before, after.
    """
    held = _held(predecessor, now)
    own = [_terms(each) for each in _held(successor, now)]
    ceilings = [each for each in (_ceiling_of(successor), successor.capabilities) if each is not None]
    compared: dict[str, Entries] = {"gains": [], "beyond": [], "has": [], "lost": _lost(predecessor, successor, now)}
    for each in held:
        if each["source"] in _BOUND:
            compared["lost"].append(each)
        elif _terms(each) in own:
            compared["has"].append(each)
        else:
            wanted = _entitlements(each)
            cut = sorted({name for entitlement in wanted for name in _cut_off(entitlement, ceilings)})
            possible = {name for entitlement in wanted for name in _named(entitlement)}
            compared["beyond" if possible and possible <= set(cut) else "gains"].append({**each, "cut": cut})
    ordered = {name: sorted(entries, key=lambda each: (each["kind"], each["id"])) for name, entries in compared.items()}
    limits = {name: [_limit(predecessor, name), _limit(successor, name)] for name in _LIMITS}
    return {"predecessor": predecessor.external_id, "successor": successor.external_id, "limits": limits, **ordered}


def _limit(agent: Agent, name: str) -> Any:
    value = getattr(agent, name)
    if isinstance(value, datetime):
        return _instant(value)
    return value.external_id if isinstance(value, Blueprint) else value


def _held(agent: Agent, now: datetime) -> Entries:
    """What an agent holds itself, in its organization, and is not over."""
    mine = Q(user=agent.user_id, organization=agent.organization_id)
    grants = Grant.objects.filter(mine).not_over(now).select_related("resource_type")
    roles = RoleAssignment.objects.filter(mine).not_over(now).select_related("role")
    return [
        *({"kind": "grant", "id": str(row.pk), **_window(row), "entitlement": entitlement_words(row)} for row in grants),
        *({"kind": "role", "id": str(row.pk), **_window(row), "role": row.role.external_id} for row in roles),
    ]


def _terms(each: Mapping[str, Any]) -> dict[str, Any]:
    """What is held, whichever row says so and wherever it came from."""
    return {name: value for name, value in each.items() if name not in ("id", "source")}


def _window(row: Held) -> dict[str, Any]:
    return {
        "use": row.use,
        "delegate": row.delegate,
        "starts_at": _instant(row.starts_at),
        "ends_at": _instant(row.ends_at),
        "source": str(row.source),
    }


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def entitlement_words(row: EntitlementTerms) -> dict[str, Any]:
    """Say what an entitlement is, whatever the order of its lists."""
    return {
        "type": row.resource_type.name,
        "actions": sorted(row.actions),
        "resource": row.resource,
        "subtree": [row.subtree_type, row.subtree_id] if row.subtree_id else None,
        "where": row.where,
        "when": row.when,
        "fields": None if row.fields is None else sorted(row.fields),
    }


def _lost(predecessor: Agent, successor: Agent, now: datetime) -> Entries:
    consents = Consent.objects.filter(agent=predecessor).not_over(now).select_related("user", "agent")
    between = Q(delegator=predecessor) | Q(delegate=predecessor)
    delegations = Delegation.objects.filter(between).not_over(now).select_related("delegator", "delegate")
    inherited = BlueprintRole.objects.filter(blueprint=predecessor.blueprint_id).exclude(blueprint=successor.blueprint_id)
    return [
        *({"kind": "consent", "id": str(row.pk), "label": str(row)} for row in consents),
        *({"kind": "delegation", "id": str(row.pk), "label": str(row)} for row in delegations),
        *(
            {"kind": "blueprint_role", "id": row.role.external_id, "label": row.role.name}
            for row in inherited.select_related("role")
        ),
    ]


def _ceiling_of(agent: Agent) -> Any:
    return None if agent.blueprint is None else agent.blueprint.ceiling


def _entitlements(each: Mapping[str, Any]) -> list[EntitlementTerms]:
    """Read the entitlements of a grant, or of a role with all that it includes."""
    if each["kind"] == "grant":
        return list(Grant.objects.filter(pk=each["id"]).select_related("resource_type"))
    role_id = RoleAssignment.objects.values_list("role_id", flat=True).get(pk=each["id"])
    roles, waiting = {role_id}, [role_id]
    while waiting:
        included = set(RoleInclusion.objects.filter(role__in=waiting).values_list("included_id", flat=True)) - roles
        roles |= included
        waiting = list(included)
    return list(Entitlement.objects.filter(role__in=roles).select_related("resource_type"))


def _named(entitlement: EntitlementTerms) -> Iterable[str]:
    return (f"{entitlement.resource_type}: {action}" for action in _actions(entitlement))


def _cut_off(entitlement: EntitlementTerms, ceilings: list[Entries]) -> list[str]:
    """Name what the limits keep away of an entitlement: whole actions, or of an action some fields."""
    cut = []
    fields = list(entitlement.resource_type.fields) if entitlement.fields is None else list(entitlement.fields)
    for action in _actions(entitlement):
        name = f"{entitlement.resource_type}: {action}"
        for ceiling in ceilings:
            fitting = [entry for entry in ceiling if _covers(entry, entitlement.resource_type.name, action)]
            if not fitting:
                cut.append(name)
                break
            if all(entry.get("fields") is not None for entry in fitting):
                allowed = {field for entry in fitting for field in entry["fields"]}
                cut += [f"{name}: {field}" for field in fields if field not in allowed]
    return cut


def _actions(entitlement: EntitlementTerms) -> list[str]:
    return list(entitlement.resource_type.actions) if "*" in entitlement.actions else list(entitlement.actions)


def _covers(entry: Mapping[str, Any], type_name: str, action: str) -> bool:
    return entry["type"] == type_name and ("*" in entry["actions"] or action in entry["actions"])
