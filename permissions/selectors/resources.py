"""Registered resources, with everything they lie in."""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias
from uuid import UUID

from django.db.models import Q

from permissions.engine.attributes import merged
from permissions.engine.types import ResourceFacts, ResourceKey, TypeFacts
from permissions.models import Resource
from permissions.selectors.shared import grouped

_MAX_LEVELS: Final = 64


def resource_facts(
    organization_id: UUID, keys: Iterable[ResourceKey], types: Mapping[str, TypeFacts]
) -> dict[ResourceKey, ResourceFacts | None]:
    """Read registered resources with everything they lie in; a key that is not registered gives None."""
    wanted = list(keys)
    found: dict[ResourceKey, ResourceFacts | None] = dict.fromkeys(wanted)
    by_type = grouped(wanted)
    chosen = Q(pk__in=())
    for type_name, ids in by_type.items():
        chosen |= Q(type__name=type_name, external_id__in=ids)
    rows = list(Resource.objects.filter(chosen, organization_id=organization_id).select_related("type"))
    return found | facts_within(rows, _parents(rows), types)


Above: TypeAlias = Mapping[UUID, tuple[ResourceKey, UUID | None]]
"""Resources by their primary keys: what each goes by, and what it lies in."""


def facts_within(
    rows: Iterable[Resource], above: Above, types: Mapping[str, TypeFacts]
) -> dict[ResourceKey, ResourceFacts | None]:
    """Turn resources, with their types and all that is above them, into the engine's."""
    found: dict[ResourceKey, ResourceFacts | None] = {}
    for row in rows:
        facts = types.get(row.type.name)
        declared = {} if facts is None else facts.attributes
        ancestors: list[ResourceKey] = []
        parent_id = row.parent_id
        while parent_id is not None and len(ancestors) < _MAX_LEVELS:
            key, parent_id = above[parent_id]
            ancestors.append(key)
        found[row.type.name, row.external_id] = ResourceFacts(
            row.type.name, row.external_id, merged(declared, {}, row.attributes), tuple(ancestors)
        )
    return found


def _parents(rows: Iterable[Resource]) -> dict[UUID, tuple[ResourceKey, UUID | None]]:
    found: dict[UUID, tuple[ResourceKey, UUID | None]] = {}
    waiting = {row.parent_id for row in rows if row.parent_id is not None}
    while waiting:
        level = Resource.objects.filter(pk__in=waiting).values_list("pk", "type__name", "external_id", "parent_id")
        for pk, type_name, external_id, parent_id in level:
            found[pk] = ((type_name, external_id), parent_id)
        waiting = {parent for _, parent in found.values() if parent is not None and parent not in found}
    return found
