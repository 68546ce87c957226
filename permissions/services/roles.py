"""Roles: named sets of entitlements; they include one another, never in a circle, and blueprints hand them to their agents."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.canonical import canonical_bytes
from agentiam.kit.errors import Conflict
from directory.models import Blueprint, Organization
from directory.services.reports import conclude
from directory.services.revisions import SHARED, lock_organization, require_same_organization
from directory.services.versions import changes, save_version
from permissions import events
from permissions.models import BlueprintRole, Entitlement, Role, RoleAssignment, RoleInclusion
from permissions.services.reports import holding_ref, report
from permissions.services.rows import read_anew, remove
from permissions.services.terms import EntitlementSpec, terms_of, types_named

_MOST_NAMED = 10


class RoleInUse(Conflict):
    """Somebody holds the role, or another role or a blueprint includes it."""


class RoleCycle(Conflict):
    """A role would include itself, directly or through others."""


def create_role(
    *,
    organization: Organization,
    external_id: str,
    name: str,
    description: str = "",
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Role:
    """Add a role without entitlements."""
    role = Role(organization=organization, external_id=external_id, name=name, description=description, created_at=now)
    with transaction.atomic():
        lock_organization(organization.pk, by=by)
        save_version(role, by=by, reason=reason, now=now)
        created = report(events.ROLE_CREATED, role, by=by, reason=reason, now=now, data={})
        conclude([created], touched=[SHARED])
    return role


def update_role(*, role: Role, name: str, description: str, by: Actor, reason: str = "", now: datetime) -> Role:
    """Rename a role or describe it anew."""
    values = {"name": name, "description": description}
    with transaction.atomic():
        current = _lock_role(role, by=by)
        changed = changes(current, values)
        save_version(current, by=by, reason=reason, now=now, fields=values)
        updated = report(events.ROLE_UPDATED, current, by=by, reason=reason, now=now, data={"changed": changed})
        conclude([updated], touched=[SHARED])
    return current


def remove_role(*, role: Role, by: Actor, reason: str = "", now: datetime) -> None:
    """Remove a role that nobody holds and nothing includes, with its entitlements and the assignments that are over.

    Raises RoleInUse, naming who holds it and what includes it.
    """
    with transaction.atomic():
        current = _lock_role(role, by=by)
        users = _users_of(current, now=now)
        if users:
            more = f" and {len(users) - _MOST_NAMED} more" if len(users) > _MOST_NAMED else ""
            raise RoleInUse(f"{current} is in use: {', '.join(users[:_MOST_NAMED])}{more}.", remedy="End that first.")
        removed = report(events.ROLE_REMOVED, current, by=by, reason=reason, now=now, data={})
        for model in (RoleAssignment, RoleInclusion, Entitlement):
            remove(list(model._default_manager.filter(role=current)), by=by, reason=reason, now=now)  # noqa: SLF001
        remove([current], by=by, reason=reason, now=now)
        conclude([removed], touched=[SHARED])


def set_role_entitlements(
    *, role: Role, entitlements: Sequence[EntitlementSpec], by: Actor, reason: str = "", now: datetime
) -> Role:
    """Say what a role entitles to, all of it; entitlements that stay the same keep their rows.

    Raises UnknownResourceType, UnknownAction, UnknownField, BadSelector, and InvalidCondition.
    """
    with transaction.atomic():
        current = _lock_role(role, by=by)
        types = types_named(current.organization, entitlements)
        present: dict[bytes, list[Entitlement]] = defaultdict(list)
        for row in Entitlement.objects.filter(role=current).select_related("resource_type").order_by("id"):
            present[canonical_bytes(_words(row))].append(row)
        added = []
        for spec in entitlements:
            row = Entitlement(role=current, **terms_of(types, spec))
            same = present[canonical_bytes(_words(row))]
            if same:
                same.pop(0)
            else:
                added.append(row)
        removed = [row for rows in present.values() for row in rows]
        data = {"added": [_words(row) for row in added], "removed": [_words(row) for row in removed]}
        remove(removed, by=by, reason=reason, now=now)
        for row in added:
            save_version(row, by=by, reason=reason, now=now)
        changed = report(events.ROLE_ENTITLEMENTS_CHANGED, current, by=by, reason=reason, now=now, data=data)
        conclude([changed], touched=[SHARED])
    return current


def set_role_inclusions(*, role: Role, included: Iterable[Role], by: Actor, reason: str = "", now: datetime) -> Role:
    """Say which roles a role includes, all of them; raises RoleCycle. Reads every inclusion of the organization."""
    with transaction.atomic():
        current = _lock_role(role, by=by)
        wanted = {each.pk: read_anew(each) for each in included}
        require_same_organization(current.organization, *wanted.values())
        _require_acyclic(current, wanted.values())
        present = {row.included_id: row for row in RoleInclusion.objects.filter(role=current).select_related("included")}
        gone = [row for pk, row in present.items() if pk not in wanted]
        new = [each for pk, each in wanted.items() if pk not in present]
        data = {
            "added": sorted(each.external_id for each in new),
            "removed": sorted(row.included.external_id for row in gone),
        }
        remove(gone, by=by, reason=reason, now=now)
        for each in new:
            save_version(RoleInclusion(role=current, included=each), by=by, reason=reason, now=now)
        changed = report(events.ROLE_INCLUSIONS_CHANGED, current, by=by, reason=reason, now=now, data=data)
        conclude([changed], touched=[SHARED])
    return current


def set_blueprint_roles(
    *, blueprint: Blueprint, roles: Iterable[Role], by: Actor, reason: str = "", now: datetime
) -> Blueprint:
    """Say which roles the agents of a blueprint hold by it, all of them; it bites on their next decision."""
    with transaction.atomic():
        organization = lock_organization(blueprint.organization_id, by=by)
        current = read_anew(blueprint)
        wanted = {each.pk: read_anew(each) for each in roles}
        require_same_organization(organization, *wanted.values())
        present = {row.role_id: row for row in BlueprintRole.objects.filter(blueprint=current).select_related("role")}
        gone = [row for pk, row in present.items() if pk not in wanted]
        new = [each for pk, each in wanted.items() if pk not in present]
        data = {
            "added": sorted(each.external_id for each in new),
            "removed": sorted(row.role.external_id for row in gone),
        }
        remove(gone, by=by, reason=reason, now=now)
        for each in new:
            save_version(BlueprintRole(blueprint=current, role=each), by=by, reason=reason, now=now)
        changed = report(events.BLUEPRINT_ROLES_CHANGED, current, by=by, reason=reason, now=now, data=data)
        conclude([changed], touched=[SHARED])
    return current


def _lock_role(role: Role, *, by: Actor) -> Role:
    lock_organization(role.organization_id, by=by)
    return read_anew(role, "organization")


def _users_of(role: Role, *, now: datetime) -> list[str]:
    assignments = RoleAssignment.objects.filter(role=role).not_over(now).select_related("user", "team")
    including = RoleInclusion.objects.filter(included=role).select_related("role")
    blueprints = BlueprintRole.objects.filter(role=role).select_related("blueprint")
    return [
        *(holding_ref(each) for each in assignments),
        *(f"role {each.role.external_id}" for each in including),
        *(f"blueprint {each.blueprint.external_id}" for each in blueprints),
    ]


def _words(row: Entitlement) -> dict[str, Any]:
    """Say an entitlement in words that do not depend on the order of its lists, nor on its row."""
    return {
        "type": row.resource_type.name,
        "actions": sorted(row.actions),
        "resource": row.resource,
        "subtree": [row.subtree_type, row.subtree_id] if row.subtree_id else None,
        "where": row.where,
        "when": row.when,
        "fields": None if row.fields is None else sorted(row.fields),
    }


def _require_acyclic(role: Role, included: Iterable[Role]) -> None:
    """Walk from the roles that are to be included; the organization is locked, so no inclusion is added meanwhile."""
    edges: dict[UUID, list[Role]] = defaultdict(list)
    for row in RoleInclusion.objects.filter(role__organization=role.organization_id).select_related("included"):
        edges[row.role_id].append(row.included)
    ahead, seen = list(included), set[UUID]()
    while ahead:
        each = ahead.pop()
        if each.pk == role.pk:
            raise RoleCycle(f"{role} would include itself.")
        if each.pk not in seen:
            seen.add(each.pk)
            ahead.extend(edges[each.pk])
