"""An agent whose owner is gone is latched ownerless and stops, however the owner went; a person ends the latch, never time."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from agentiam.kit.actors import CLOCK
from agentiam.kit.rounds import Chore, Heard, go_round, unheard
from directory.lifecycle import State
from directory.models import Agent
from directory.services.expiry import BATCH, organizations_of
from directory.services.reports import conclude
from directory.services.revisions import agent_refs, lock_organization
from directory.services.transitions import and_descendants, latch_ownerless

OWNER_GONE: Final = "Its owner is not active."


def latch_abandoned(*, now: datetime, heard: Heard = unheard) -> int:
    """Latch the agents whose owner was deactivated in another way than by ``deactivate_person``; answers how many."""
    return go_round([Chore("latching ownerless agents", _due, _work)], now=now, heard=heard)


def _abandoned() -> QuerySet[Agent]:
    return Agent.objects.filter(ownerless=False, owner__is_active=False).exclude(state=State.RETIRED.value)


def _due(_now: datetime) -> list[UUID]:
    return organizations_of(_abandoned())


def _work(organization_id: UUID, now: datetime) -> Iterator[int]:
    while count := _latch_batch(organization_id, now=now):
        yield count
        if count < BATCH:
            return


def _latch_batch(organization_id: UUID, *, now: datetime) -> int:
    with transaction.atomic():
        lock_organization(organization_id, by=CLOCK)
        rows = _abandoned().filter(organization_id=organization_id).select_related("owner")
        agents = list(rows.select_for_update(no_key=True, of=("self",)).order_by("depth", "pk")[:BATCH])
        if agents:
            happened = latch_ownerless(agents, by=CLOCK, reason=OWNER_GONE, now=now)
            conclude(happened, touched=agent_refs(and_descendants(agents)))
    return len(agents)
