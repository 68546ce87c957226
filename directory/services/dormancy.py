"""An agent that nobody has seen for long is marked dormant, once, until it is seen again; it may still do what it may."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from agentiam.kit.actors import CLOCK
from agentiam.kit.rounds import Chore, Heard, go_round, unheard
from audit.services import Change, record_all
from directory import events
from directory.lifecycle import State
from directory.models import Agent
from directory.services.expiry import BATCH, organizations_of
from directory.services.reports import report
from directory.services.revisions import lock_organization


def mark_dormant(*, now: datetime, heard: Heard = unheard) -> int:
    """Mark the active agents that were last seen, or made, longer ago than ``settings.DORMANT_AFTER``; answers how many.

    The event says since when it was not seen. ``directory.services.credentials.note_use`` ends it. Raises RoundIncomplete.
    """
    return go_round([Chore("marking dormant agents", _due, _work)], now=now, heard=heard)


def _unseen(now: datetime) -> QuerySet[Agent]:
    unseen = Agent.objects.filter(state=State.ACTIVE.value, dormant_since__isnull=True)
    return unseen.annotate(seen=Coalesce(F("last_seen_at"), F("created_at"))).filter(seen__lte=now - settings.DORMANT_AFTER)


def _due(now: datetime) -> list[UUID]:
    return organizations_of(_unseen(now))


def _work(organization_id: UUID, now: datetime) -> Iterator[int]:
    while count := _mark_batch(organization_id, now=now):
        yield count
        if count < BATCH:
            return


def _mark_batch(organization_id: UUID, *, now: datetime) -> int:
    """Mark up to BATCH agents in one transaction.

    Their rows are locked, so that a use that is noted at the same moment comes before, and the agent is not marked, or after,
    and ends the mark.
    """
    with transaction.atomic():
        lock_organization(organization_id, by=CLOCK)
        unseen = _unseen(now).filter(organization_id=organization_id)
        agents = list(unseen.select_for_update(no_key=True, of=("self",)).order_by("pk")[:BATCH])
        if agents:
            # No decision depends on it and it is in no version, so the policy keeps its revision.
            Agent.objects.filter(pk__in=[agent.pk for agent in agents]).update(dormant_since=now)
            record_all([_became_dormant(agent, now=now) for agent in agents])
    return len(agents)


def _became_dormant(agent: Agent, *, now: datetime) -> Change:
    seen = None if agent.last_seen_at is None else agent.last_seen_at.isoformat()
    data = {"last_seen_at": seen, "days": settings.DORMANT_AFTER.days}
    return report(events.AGENT_BECAME_DORMANT, agent, by=CLOCK, reason="", now=now, data=data)
