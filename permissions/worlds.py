"""The worlds that decisions are made in: one for each organization, kept in memory, brought up to date change by change.

A world may lag behind the database for a moment; a decision may not. Whoever answers on a world states its revision when the
decision is recorded, and the record is refused if the organization has moved on (see ``fence``). A world is therefore never
trusted for being fresh, only for being consistent with its own revision: facts may be younger than the revision says, then
the fence refuses them as well, because revisions only ever grow.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef

from agentiam.kit.measures import measures
from directory.models import Organization, PolicyChange
from directory.services.revisions import CHANGES_KEPT, EVERYTHING, SHARED
from permissions.engine.authority import MAX_GENERATIONS
from permissions.engine.types import Principal, Ref, ResourceFacts, ResourceKey, RunFacts, World
from permissions.models import Resource, ResourceType
from permissions.selectors import Shared, principal_facts, resource_facts, run_facts, shared_facts

_MAX_KNOWN: Final = 300_000
_FOREIGN: Final = "agent/spiffe://"
_RESOURCE: Final = "resource/"
_WHOLE: Final = measures.counter("worlds_renewed", how="whole")
_PARTLY: Final = measures.counter("worlds_renewed", how="partly")


class OrganizationGone(LookupError):
    """The organization does not exist (any more)."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a question names, and what must be in the world before it can be answered."""

    principals: frozenset[Ref] = frozenset()
    resources: frozenset[ResourceKey] = frozenset()
    runs: frozenset[tuple[Ref, str]] = frozenset()

    def __or__(self, other: "Needs") -> "Needs":
        """Join the needs of two questions."""
        return Needs(self.principals | other.principals, self.resources | other.resources, self.runs | other.runs)


@dataclass(frozen=True, slots=True)
class Known:
    """A world with what it was made from.

    The three dictionaries are the world's own and grow as questions name more; a new revision gets new ones. ``partners`` are
    the revisions of the other organizations whose agents are in this world.
    """

    world: World
    shared: Shared
    principals: dict[Ref, Principal | None]
    resources: dict[ResourceKey, ResourceFacts | None]
    runs: dict[tuple[Ref, str], tuple[RunFacts, ...]]
    registered: frozenset[str]
    partners: dict[UUID, int]

    def lacking(self, needs: Needs) -> Needs | None:
        """Say what must be read first; None when all is here."""
        principals = {missing for ref in needs.principals if (missing := self._first_unread(ref)) is not None}
        resources = {key for key in needs.resources if key not in self.resources and key[0] in self.registered}
        runs = needs.runs - self.runs.keys()
        if principals or resources or runs:
            return Needs(frozenset(principals), frozenset(resources), runs)
        return None

    def _first_unread(self, ref: Ref | None) -> Ref | None:
        """Find the first of a principal and its ancestors that is not here."""
        for _ in range(MAX_GENERATIONS):
            if ref is None:
                return None
            if ref not in self.principals:
                return ref
            facts = self.principals[ref]
            ref = None if facts is None else facts.parent
        return None


def known_of(
    organization: Organization, shared: Shared, former: Known | None = None, *, registered: frozenset[str] | None = None
) -> Known:
    """Make a world of what is shared, with what of a former one still holds; ``registered`` None asks the database."""
    principals = {} if former is None else former.principals
    resources = {} if former is None else former.resources
    runs = {} if former is None else former.runs
    world = World(
        organization_id=organization.pk,
        organization=organization.slug,
        revision=organization.revision,
        time_zone=shared.time_zone,
        inactive=shared.inactive,
        types=shared.types,
        roles=shared.roles,
        blueprints=shared.blueprints,
        teams=shared.teams,
        guardrails=shared.guardrails,
        trusts=shared.trusts,
        principals=principals,
        resources=resources,
        runs=runs,
    )
    if registered is None:
        registered = _registered(organization) if former is None else former.registered
    return Known(world, shared, principals, resources, runs, registered, {} if former is None else former.partners)


def _registered(organization: Organization) -> frozenset[str]:
    """Name the types of which any resource is registered; of the others none has to be looked for."""
    types = ResourceType.objects.filter(organization_id=organization.pk)
    return frozenset(types.filter(Exists(Resource.objects.filter(type=OuterRef("pk")))).values_list("name", flat=True))


class Worlds:
    """The worlds of one process. Its methods query the database and may be called from any thread."""

    def __init__(self) -> None:
        self._known: dict[UUID, Known] = {}
        self._lock = threading.Lock()

    def peek(self, organization_id: UUID) -> Known | None:
        """Give what is in memory, without looking at the database."""
        return self._known.get(organization_id)

    def forget(self) -> None:
        """Drop everything, as after a change of database."""
        with self._lock:
            self._known.clear()

    def current(self, organization_id: UUID) -> Known:
        """Give the world at its present revision. One query when nothing has changed; raises OrganizationGone."""
        with self._lock:
            organization = Organization.objects.filter(pk=organization_id).first()
            if organization is None:
                self._known.pop(organization_id, None)
                raise OrganizationGone(str(organization_id))
            known = self._known.get(organization_id)
            if known is None or known.world.revision != organization.revision or self._partner_changed(known):
                known = self._renewed(organization, known)
                self._known[organization_id] = known
            return known

    def with_needs(self, known: Known, needs: Needs) -> Known:
        """Read what is missing for some questions into a world, and give that world."""
        world, shared = known.world, known.shared
        while (lacking := known.lacking(needs)) is not None:
            if lacking.principals:
                # Before the facts: a partner's agent must not be older than the revision that is noted for the partner.
                if any(ref.startswith(_FOREIGN) for ref in lacking.principals):
                    for partner, revision in _revisions(slug__in=list(shared.trusts)).items():
                        known.partners.setdefault(partner, revision)
                known.principals.update(principal_facts(world.organization_id, lacking.principals, shared))
            if lacking.resources:
                known.resources.update(resource_facts(world.organization_id, lacking.resources, world.types))
            if lacking.runs:
                known.runs.update(run_facts(world.organization_id, lacking.runs, shared))
        if len(known.principals) + len(known.resources) + len(known.runs) > _MAX_KNOWN:
            # Whoever names ever new things must not fill the memory: the next question begins with an empty world.
            self._known.pop(world.organization_id, None)
        return known

    def _partner_changed(self, known: Known) -> bool:
        return bool(known.partners) and _revisions(pk__in=list(known.partners)) != known.partners

    def _renewed(self, organization: Organization, known: Known | None) -> Known:
        touched = None
        if known is not None and not self._partner_changed(known):
            touched = _touched(organization, known.world.revision)
        if known is None or touched is None or EVERYTHING in touched:
            _WHOLE.add()
            return known_of(organization, shared_facts(organization))
        _PARTLY.add()
        shared = shared_facts(organization) if SHARED in touched else known.shared
        # With what is shared trusts may have changed, and with them who is a partner's agent.
        gone = _FOREIGN if SHARED in touched else "\0"
        # Copies, made in one step each: another thread may be reading something into the former world.
        principals, resources, runs = known.principals.copy(), known.resources.copy(), known.runs.copy()
        moved = any(ref.startswith(_RESOURCE) for ref in touched)
        kept = replace(
            known,
            principals={ref: facts for ref, facts in principals.items() if ref not in touched and not ref.startswith(gone)},
            resources={key: facts for key, facts in resources.items() if f"{_RESOURCE}{key[0]}/{key[1]}" not in touched},
            runs={key: facts for key, facts in runs.items() if key[0] not in touched},
            registered=_registered(organization) if moved else known.registered,
        )
        return known_of(organization, shared, kept)


@cache
def worlds_of_process() -> Worlds:
    """Give the worlds that everybody in this process shares."""
    return Worlds()


def worlds_here() -> Worlds:
    """Give the process's worlds, or within a transaction new ones: nobody else may ever see what is not committed yet."""
    return Worlds() if connection.in_atomic_block else worlds_of_process()


def _revisions(**chosen: Any) -> dict[UUID, int]:
    return dict(Organization.objects.filter(**chosen).values_list("pk", "revision"))


def _touched(organization: Organization, since: int) -> frozenset[str] | None:
    """Collect what the changes since a revision touched; None when they are too many or not all there."""
    missing = organization.revision - since
    if missing > CHANGES_KEPT or missing < 0:
        return None
    rows = PolicyChange.objects.filter(
        organization_id=organization.pk, revision__gt=since, revision__lte=organization.revision
    ).values_list("touched", flat=True)
    changes = list(rows)
    return frozenset(ref for touched in changes for ref in touched) if len(changes) == missing else None


def fence(cursor: Any, organization_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Read the present revisions of some organizations in the writer's own transaction."""
    wanted = [each if connection.features.has_native_uuid_field else each.hex for each in organization_ids]
    if not wanted:
        return {}
    marks = ", ".join(["%s"] * len(wanted))
    cursor.execute(f"SELECT id, revision FROM directory_organization WHERE id IN ({marks})", wanted)  # noqa: S608  (only marks)
    return {each if isinstance(each, UUID) else UUID(each): revision for each, revision in cursor.fetchall()}
