"""What is over by the clock is ended for the record: agents like any that retires, what they and others hold, and trusts."""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from agentiam.kit.actors import CLOCK
from agentiam.kit.rounds import Chore, Heard, go_round, unheard
from audit.events import EventType
from audit.services import Change
from directory.lifecycle import State
from directory.models import Agent
from directory.services.expiry import BATCH, OVER, Expiry, at_once, credentials_over, facts, organizations_of
from directory.services.revisions import agent_refs, user_ref
from directory.services.transitions import lock_agent
from permissions import events
from permissions.models import ApplicationKey, Consent, Delegation, Grant, RoleAssignment, Trust
from permissions.services.holders import holder_touched
from permissions.services.offboarding import offboard_agent
from permissions.services.reports import holder_of, holding_ref, key_refs, report
from permissions.services.trusts import expire_trust

log = logging.getLogger(__name__)


def end_expired(*, now: datetime, heard: Heard = unheard) -> int:
    """End the agents, keys, holdings, consents, delegations and trusts that are over; answers how many.

    As the directory's: each once, however often and wherever it runs. Raises RoundIncomplete.
    """
    return go_round([_AGENTS, *(expiry.chore() for expiry in EXPIRIES), _TRUSTS], now=now, heard=heard)


def _agents_over(now: datetime) -> QuerySet[Agent]:
    return Agent.objects.filter(expires_at__lte=now).exclude(state=State.RETIRED.value)


def _retire_agents(organization_id: UUID, now: datetime) -> Iterator[int]:
    """Offboard one agent after the other; one that cannot be is reported at the end, and holds up no other."""
    failed: Exception | None = None
    after: UUID | None = None
    while True:
        rows = _agents_over(now).filter(organization_id=organization_id).order_by("pk")
        page = list((rows if after is None else rows.filter(pk__gt=after))[:BATCH])
        for agent in page:
            try:
                retired = _retire(agent, now=now)
            except Exception as error:
                log.exception("the agent %s could not be retired", agent.pk)
                failed = error
            else:
                yield int(retired)
        if len(page) < BATCH:
            break
        after = page[-1].pk
    if failed is not None:
        raise failed


def _retire(agent: Agent, *, now: datetime) -> bool:
    """Offboard an agent, unless it was meanwhile, with an ancestor or by somebody else, or got another end."""
    with transaction.atomic():
        current = lock_agent(agent, by=CLOCK)
        if current.state == State.RETIRED or current.expires_at is None or current.expires_at > now:
            return False
        offboard_agent(agent=current, by=CLOCK, reason=OVER, now=now)
    return True


def _trusts_over(now: datetime) -> QuerySet[Trust]:
    return Trust.objects.filter(ended_at__isnull=True, ends_at__lte=now)


def _expire_trusts(organization_id: UUID, now: datetime) -> Iterator[int]:
    """End trusts one by one, for each locks two organizations; there is one at most between two."""
    for trust in list(_trusts_over(now).filter(organization_id=organization_id).order_by("pk")):
        yield int(expire_trust(trust=trust, reason=OVER, now=now))


_AGENTS: Final = Chore("retiring agents", lambda now: organizations_of(_agents_over(now)), _retire_agents)
_TRUSTS: Final = Chore("ending trusts", lambda now: organizations_of(_trusts_over(now)), _expire_trusts)


def _over(model: type[Any], *related: str) -> Callable[[datetime], QuerySet[Any]]:
    def over(now: datetime) -> QuerySet[Any]:
        rows: QuerySet[Any] = model.objects.filter(ended_at__isnull=True, ends_at__lte=now)
        return rows.select_related(*related)

    return over


def _reporter(event_type: EventType, about: Callable[[Any], dict[str, Any]]) -> Callable[[Any, datetime], Change]:
    def change(row: Any, now: datetime) -> Change:
        return report(event_type, row, by=CLOCK, reason=OVER, now=now, data=about(row))

    return change


def _ended(row: Any, **about: Any) -> dict[str, Any]:
    return {**about, "ends_at": row.ends_at.isoformat()}


EXPIRIES: Final[tuple[Expiry[Any], ...]] = (
    Expiry(
        name="noting ends of applications' keys",
        over=credentials_over(ApplicationKey, "application"),
        noted_in="expiry_noted_at",
        noted_as=at_once,
        change=_reporter(events.APPLICATION_KEY_EXPIRED, lambda row: facts(row, application=row.application.slug)),
        touched=lambda row, _organization: key_refs(row),
    ),
    Expiry(
        name="ending grants",
        over=_over(Grant, "resource_type", "user__agent", "team"),
        noted_in="ended_at",
        noted_as=at_once,
        change=_reporter(events.GRANT_EXPIRED, lambda row: _ended(row, holder=holding_ref(row))),
        touched=lambda row, organization: holder_touched(holder_of(row), organization),
    ),
    Expiry(
        name="ending role assignments",
        over=_over(RoleAssignment, "role", "user__agent", "team"),
        noted_in="ended_at",
        noted_as=at_once,
        change=_reporter(
            events.ASSIGNMENT_EXPIRED,
            lambda row: _ended(row, role=row.role.external_id, holder=holding_ref(row)),
        ),
        touched=lambda row, organization: holder_touched(holder_of(row), organization),
    ),
    Expiry(
        name="ending consents",
        over=_over(Consent, "user", "agent"),
        noted_in="ended_at",
        noted_as=at_once,
        change=_reporter(
            events.CONSENT_EXPIRED, lambda row: _ended(row, user=row.user.external_id, agent=row.agent.external_id)
        ),
        touched=lambda row, _organization: [user_ref(row.user)],
    ),
    Expiry(
        name="ending delegations",
        over=_over(Delegation, "delegator", "delegate"),
        noted_in="ended_at",
        noted_as=at_once,
        change=_reporter(
            events.DELEGATION_EXPIRED,
            lambda row: _ended(row, delegator=row.delegator.external_id, delegate=row.delegate.external_id),
        ),
        touched=lambda row, _organization: agent_refs([row.delegator]),
    ),
)
