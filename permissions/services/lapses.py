"""A sign counts for a day; the clock notes when that is over, and the risk of the agent falls for everybody at once."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from agentiam.kit.actors import CLOCK
from agentiam.kit.rounds import Chore, Heard, go_round, unheard
from audit.services import Change, Target
from directory.models import Agent
from directory.services.expiry import BATCH, organizations_of
from directory.services.reports import conclude
from directory.services.revisions import agent_refs, lock_organization
from directory.services.transitions import and_descendants
from permissions import events
from permissions.models import Signal
from permissions.selectors.signals import COUNTS_FOR, NO_RISK, Risk, risks_of


def lapse_signs(*, now: datetime, heard: Heard = unheard) -> int:
    """Let the signs that are a day old count no more; answers how many. Each once, wherever it runs. Raises RoundIncomplete."""
    return go_round([_LAPSES], now=now, heard=heard)


def prune_signs(*, now: datetime, heard: Heard = unheard) -> int:
    """Delete the signs that are older than the retention; answers how many."""
    rows = Signal.objects.filter(lapsed_at__isnull=False, at__lte=now - settings.RETENTION_SIGNALS)
    done = 0
    while some := list(rows.order_by("at").values_list("pk", flat=True)[:1_000]):
        done += rows.filter(pk__in=some).delete()[0]
        heard(done)
    return done


def _over(now: datetime) -> QuerySet[Signal]:
    return Signal.objects.counting().filter(at__lte=now - COUNTS_FOR)


def _lapse(organization_id: UUID, now: datetime) -> Iterator[int]:
    while count := _lapse_batch(organization_id, now=now):
        yield count
        if count < BATCH:
            return


def _lapse_batch(organization_id: UUID, *, now: datetime) -> int:
    """Let up to BATCH of them lapse in one transaction; of two workers the second finds nothing left."""
    with transaction.atomic():
        lock_organization(organization_id, by=CLOCK)
        rows = list(_over(now).filter(organization_id=organization_id).order_by("at", "pk").select_related("agent")[:BATCH])
        if not rows:
            return 0
        agents = {row.agent_id: row.agent for row in rows}
        before = risks_of(agents)
        Signal.objects.filter(pk__in=[row.pk for row in rows]).update(lapsed_at=now)
        after = risks_of(agents)
        lapsed = [
            _lapsed(agent, before[pk], after.get(pk, NO_RISK), sum(row.agent_id == pk for row in rows), now=now)
            for pk, agent in agents.items()
        ]
        conclude(lapsed, touched=agent_refs(and_descendants(agents.values())))
    return len(rows)


def _lapsed(agent: Agent, before: Risk, after: Risk, count: int, *, now: datetime) -> Change:
    return Change(
        event_type=events.SIGNS_LAPSED,
        organization_id=agent.organization_id,
        by=CLOCK,
        target=Target(type="agent", id=agent.external_id, label=agent.name),
        data={"count": count, "before": before.total, "risk": after.total, "signs": list(after.signs)},
        at=now,
    )


_LAPSES: Final = Chore("letting signs lapse", lambda now: organizations_of(_over(now)), _lapse)
