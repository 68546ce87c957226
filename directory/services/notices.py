"""Who answers for something hears 14, 3 and 1 days before it ends: once for each thing, end and step, and nobody else does."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from django.db import models, transaction
from django.db.models import QuerySet

from agentiam.jobs.models import Job
from agentiam.jobs.queue import enqueue_all
from agentiam.kit.actors import CLOCK
from agentiam.kit.rounds import Chore, Heard, go_round, unheard
from audit.events import EventType
from audit.services import Change, record_all
from directory import events
from directory.lifecycle import State
from directory.models import Agent, Credential, OnboardingToken, PersonKey, User
from directory.services.expiry import BATCH, organizations_of
from directory.services.reports import report
from directory.services.revisions import lock_organization

STEPS: Final = (timedelta(days=1), timedelta(days=3), timedelta(days=14))
"""How long before an end it is announced, the last step first."""
DELIVER: Final = "directory.deliver_notice"

M = TypeVar("M", bound=models.Model)
Audience = Mapping[Any, Iterable[User]]
"""By the primary key of a thing: who is to know, whether they are still there or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen(Generic[M]):
    """One kind of thing whose end is announced: which end until an instant, when, since when they exist, and to whom.

    ``side`` is the column that names the organization in whose log and to whose people it is announced.
    """

    name: str
    ending: Callable[[datetime, datetime], QuerySet[M]]
    ends_at: Callable[[M], datetime]
    made_at: Callable[[M], datetime]
    audience: Callable[[Sequence[M]], Audience]
    change: Callable[[M, datetime, Mapping[str, Any]], Change]
    side: str = "organization_id"

    def chore(self) -> Chore:
        """Make it part of a round."""
        return Chore(f"announcing ends of {self.name}", self._due, self._work)

    def _ending(self, now: datetime) -> QuerySet[M]:
        return self.ending(now, now + STEPS[-1])

    def _due(self, now: datetime) -> list[UUID]:
        return organizations_of(self._ending(now), self.side)

    def _work(self, organization_id: UUID, now: datetime) -> Iterator[int]:
        after: Any = None
        while True:
            rows = self._ending(now).filter(**{self.side: organization_id}).order_by("pk")
            with transaction.atomic():
                # Whoever would change what is read here waits, and so does a second worker, which then finds the keys.
                lock_organization(organization_id, by=CLOCK)
                page = list((rows if after is None else rows.filter(pk__gt=after))[:BATCH])
                count = self._announce(organization_id, page, now=now)
            yield count
            if len(page) < BATCH:
                return
            after = page[-1].pk

    def _announce(self, organization_id: UUID, page: Sequence[M], *, now: datetime) -> int:
        """Announce what has come to a step and was not announced at it; the queries are as many for one as for all."""
        steps = {row: step for row in page if (step := step_of(self.ends_at(row), self.made_at(row), now=now)) is not None}
        keys = {row: f"end:{self.name}:{row.pk}:{self.ends_at(row).isoformat()}:{step.days}" for row, step in steps.items()}
        known = set(Job.objects.filter(key__in=keys.values()).values_list("key", flat=True))
        fresh = [row for row, key in keys.items() if key not in known]
        if not fresh:
            return 0
        audience = self.audience(fresh)
        changes = []
        for row in fresh:
            people = {person.external_id for person in audience.get(row.pk, ()) if _hears(person, organization_id)}
            data = {"ends_at": self.ends_at(row).isoformat(), "days": steps[row].days, "to": sorted(people)}
            changes.append(self.change(row, now, data))
        recorded = record_all(changes)
        jobs = [(keys[row], {"event_id": str(event.pk)}) for row, event in zip(fresh, recorded, strict=True)]
        enqueue_all(DELIVER, keyed=jobs, organization_id=organization_id, now=now)
        return len(fresh)


def step_of(ends_at: datetime, made_at: datetime, *, now: datetime) -> timedelta | None:
    """Answer at which step before its end something is; None when it is at none, or was made after the step had passed.

    What lives for an hour is thus not announced, and what lives for two days once.
    """
    for step in STEPS:
        if now >= ends_at - step:
            return step if made_at <= ends_at - step and now < ends_at else None
    return None


def answering_for(agent: Agent) -> list[User]:
    """List who answers for an agent: its owner and its sponsor, or the people of the team that sponsors it.

    Without queries, when the rows were read with what ``ANSWERING`` names.
    """
    return [agent.owner, *_sponsors(agent)]


def _sponsors(thing: Agent | OnboardingToken) -> list[User]:
    if thing.sponsor is not None:
        return [thing.sponsor]
    return [] if thing.sponsor_team is None else list(thing.sponsor_team.group.user_set.all())


def with_answering(rows: QuerySet[M], path: str = "") -> QuerySet[M]:
    """Read with some rows the people who answer for the agent at the end of a path: ``agent__``, or empty for agents."""
    read = rows.select_related(*(f"{path}{name}" for name in ("owner", "sponsor", "sponsor_team__group")))
    return read.prefetch_related(f"{path}sponsor_team__group__user_set")


def _hears(person: User, organization_id: UUID) -> bool:
    """Whether somebody may be told: a person who is still there, and of this organization."""
    return person.is_person and person.is_active and person.organization_id == organization_id


def each(audience: Callable[[Any], Iterable[User]]) -> Callable[[Sequence[Any]], Audience]:
    """Make an audience of many things out of that of one."""
    return lambda rows: {row.pk: audience(row) for row in rows}


def unended_credentials(model: type[Any]) -> Callable[[datetime, datetime], QuerySet[Any]]:
    """Make the query for the credentials of one table that end until an instant and have no successor yet."""

    def ending(now: datetime, until: datetime) -> QuerySet[Any]:
        chosen: QuerySet[Any] = model.objects.live(now).filter(expires_at__lte=until, successor__isnull=True)
        return chosen

    return ending


def _reporter(
    event_type: EventType, about: Callable[[Any], Mapping[str, Any]]
) -> Callable[[Any, datetime, Mapping[str, Any]], Change]:
    def change(row: Any, now: datetime, data: Mapping[str, Any]) -> Change:
        return report(event_type, row, by=CLOCK, reason="", now=now, data={**about(row), **data})

    return change


def _agents(now: datetime, until: datetime) -> QuerySet[Agent]:
    return with_answering(Agent.objects.live(now).exclude(state=State.RETIRED.value).filter(expires_at__lte=until))


def _credentials(now: datetime, until: datetime) -> QuerySet[Credential]:
    rows = unended_credentials(Credential)(now, until).exclude(agent__state=State.RETIRED.value)
    return with_answering(rows.select_related("agent"), "agent__")


def _person_keys(now: datetime, until: datetime) -> QuerySet[PersonKey]:
    rows: QuerySet[PersonKey] = unended_credentials(PersonKey)(now, until).select_related("user")
    return rows


def _onboarding_tokens(now: datetime, until: datetime) -> QuerySet[OnboardingToken]:
    unused = unended_credentials(OnboardingToken)(now, until).filter(uses__lt=models.F("most_uses"))
    return with_answering(unused.select_related("blueprint"))


def _expires_at(row: Any) -> datetime:
    ends_at: datetime = row.expires_at
    return ends_at


def made_at(row: Any) -> datetime:
    """Answer when a row was made."""
    created_at: datetime = row.created_at
    return created_at


FORESEEN: Final[tuple[Foreseen[Any], ...]] = (
    Foreseen(
        name="agents",
        ending=_agents,
        ends_at=_expires_at,
        made_at=made_at,
        audience=each(answering_for),
        change=_reporter(events.AGENT_EXPIRY_ANNOUNCED, lambda _agent: {}),
    ),
    Foreseen(
        name="credentials",
        ending=_credentials,
        ends_at=_expires_at,
        made_at=made_at,
        audience=each(lambda credential: answering_for(credential.agent)),
        change=_reporter(events.CREDENTIAL_EXPIRY_ANNOUNCED, lambda row: {"agent": row.agent.external_id}),
    ),
    Foreseen(
        name="people's keys",
        ending=_person_keys,
        ends_at=_expires_at,
        made_at=made_at,
        audience=each(lambda key: [key.user]),
        change=_reporter(events.PERSON_KEY_EXPIRY_ANNOUNCED, lambda row: {"person": row.user.external_id}),
    ),
    Foreseen(
        name="onboarding tokens",
        ending=_onboarding_tokens,
        ends_at=_expires_at,
        made_at=made_at,
        audience=each(lambda token: [token.owner, *_sponsors(token)]),
        change=_reporter(events.ONBOARDING_TOKEN_EXPIRY_ANNOUNCED, lambda row: {"blueprint": row.blueprint.external_id}),
    ),
)


def announce_ends(*, now: datetime, heard: Heard = unheard) -> int:
    """Announce the ends of agents and credentials that have come to a step; answers how many. Raises RoundIncomplete.

    Each leaves an event that names who is told, and a job that tells them.
    """
    return go_round([foreseen.chore() for foreseen in FORESEEN], now=now, heard=heard)
