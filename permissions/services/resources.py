"""Registered resources: what is known of single objects, and what lies in what."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, Invalid
from directory.services.reports import conclude
from directory.services.revisions import EVERYTHING, lock_organization, require_same_organization
from directory.services.versions import changes, save_version
from permissions import events
from permissions.engine.attributes import typed
from permissions.models import Resource, ResourceType
from permissions.services.reports import report, resource_ref
from permissions.services.rows import read_anew, remove

_MOST_TOUCHED: Final = 1000


class BadAttribute(Invalid):
    """A value is not of the declared type, or nothing is declared under its name."""

    field = "attributes"


class ResourceCycle(Conflict):
    """The resource would lie within itself."""


class ResourceHasParts(Conflict):
    """Other resources lie in this one."""


def register_resource(
    *,
    resource_type: ResourceType,
    external_id: str,
    attributes: Mapping[str, Any] | None = None,
    parent: Resource | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Resource:
    """Note what is known of one object, perhaps within another of any type; raises BadAttribute."""
    with transaction.atomic():
        organization = lock_organization(resource_type.organization_id, by=by)
        require_same_organization(organization, parent)
        current_type = read_anew(resource_type)
        resource = Resource(
            organization=organization,
            type=current_type,
            external_id=external_id,
            attributes=_checked(current_type, attributes or {}),
            parent=None if parent is None else read_anew(parent, "type"),
            created_at=now,
        )
        save_version(resource, by=by, reason=reason, now=now)
        data = {"parent": _name(resource.parent)}
        registered = report(events.RESOURCE_REGISTERED, resource, by=by, reason=reason, now=now, data=data)
        conclude([registered], touched=[resource_ref(resource)])
    return resource


def update_resource(
    *,
    resource: Resource,
    attributes: Mapping[str, Any],
    parent: Resource | None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Resource:
    """Replace a resource's attributes and its parent; the event names the attributes, and only the version their values.

    Raises BadAttribute and ResourceCycle. A move reads all that lies in the resource.
    """
    with transaction.atomic():
        organization = lock_organization(resource.organization_id, by=by)
        require_same_organization(organization, parent)
        current = read_anew(resource, "type")
        wanted = None if parent is None else read_anew(parent, "type")
        values = {"attributes": _checked(current.type, attributes), "parent_id": None if wanted is None else wanted.pk}
        if wanted is not None:
            _require_acyclic(current, wanted)
        changed = changes(current, values)
        save_version(current, by=by, reason=reason, now=now, fields=["attributes", "parent"])
        data = {"changed": sorted(changed), "parent": _name(wanted)}
        updated = report(events.RESOURCE_UPDATED, current, by=by, reason=reason, now=now, data=data)
        conclude([updated], touched=_and_below(current) if "parent_id" in changed else {resource_ref(current)})
    return current


def remove_resource(*, resource: Resource, by: Actor, reason: str = "", now: datetime) -> None:
    """Forget a resource; rules may go on naming its id. Raises ResourceHasParts while others lie in it."""
    with transaction.atomic():
        lock_organization(resource.organization_id, by=by)
        current = read_anew(resource, "type")
        parts = Resource.objects.filter(parent=current).count()
        if parts:
            raise ResourceHasParts(f"{parts} resources lie in {current}.", remedy="Remove them, or move them elsewhere, first.")
        removed = report(events.RESOURCE_REMOVED, current, by=by, reason=reason, now=now, data={})
        touched = [resource_ref(current)]
        remove([current], by=by, reason=reason, now=now)
        conclude([removed], touched=touched)


def _checked(resource_type: ResourceType, attributes: Mapping[str, Any]) -> dict[str, Any]:
    checked = {}
    for name, value in attributes.items():
        kind = resource_type.attributes.get(name)
        if kind is None:
            raise BadAttribute(
                f"{resource_type} declares no attribute {name!r}.",
                remedy=f"Declared: {', '.join(resource_type.attributes) or 'none'}.",
            )
        known = typed(kind, value)
        if known is None or not _storable(known):
            raise BadAttribute(f"The attribute {name} must be of the type {kind}.")
        checked[name] = _as_json(known, value)
    return checked


def _storable(value: Any) -> bool:
    """Tell whether every database can store it as JSON: no infinite numbers, no NUL in a text."""
    if isinstance(value, list):
        return all(map(_storable, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return not (isinstance(value, str) and "\x00" in value)


def _as_json(known: Any, value: Any) -> Any:
    """Keep what was sent, unless it is a Python value that JSON has no word for."""
    if isinstance(value, datetime):
        return known.isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds()!r}s"
    return list(value) if isinstance(value, tuple) else value


def _require_acyclic(resource: Resource, parent: Resource) -> None:
    if Resource.objects.filter(pk=parent.pk).and_around().filter(pk=resource.pk).exists():
        raise ResourceCycle(f"{parent} lies within {resource}.")


def _and_below(resource: Resource) -> set[str]:
    """Name a resource and all that lies in it as touched; when that is very much, everything."""
    below = Resource.objects.filter(pk=resource.pk).and_below().select_related("type")
    found = list(below[: _MOST_TOUCHED + 1])
    return {EVERYTHING} if len(found) > _MOST_TOUCHED else {resource_ref(each) for each in found}


def _name(resource: Resource | None) -> str | None:
    return None if resource is None else f"{resource.type.name}/{resource.external_id}"
