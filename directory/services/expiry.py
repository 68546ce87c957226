"""What is over by the clock is ended for the record: once each, with an event and a version; no decision waits for it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from django.db import models, transaction
from django.db.models import QuerySet

from agentiam.kit.actors import CLOCK
from agentiam.kit.rounds import Chore, Heard, go_round, unheard
from audit.events import EventType
from audit.services import Change, record_all
from directory import events
from directory.models import Credential, CredentialRecord, Invitation, OnboardingToken, Organization, PersonKey, Run
from directory.services.reports import conclude, report
from directory.services.revisions import agent_refs, lock_organization
from directory.services.versions import save_versions

OVER: Final = "Its time was over."
BATCH: Final = 200
"""How many things one transaction ends: the organization is locked for a moment only."""

M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry(Generic[M]):
    """One kind of thing that ends by the clock: which are over and not noted yet, and what noting it means.

    ``touched`` names what decisions depend on; None says that no decision does, and the policy keeps its revision.
    """

    name: str
    over: Callable[[datetime], QuerySet[M]]
    noted_in: str
    noted_as: Callable[[M, datetime], datetime]
    change: Callable[[M, datetime], Change]
    touched: Callable[[M, Organization], Iterable[str]] | None

    def chore(self) -> Chore:
        """Make it part of a round."""
        return Chore(self.name, lambda now: organizations_of(self.over(now)), self._work)

    def _work(self, organization_id: UUID, now: datetime) -> Iterator[int]:
        while count := self._end_batch(organization_id, now=now):
            yield count
            if count < BATCH:
                return

    def _end_batch(self, organization_id: UUID, *, now: datetime) -> int:
        """End up to BATCH of them in one transaction; the queries are as many for one as for all.

        The organization is locked first, as by every service: of two workers the second finds nothing left.
        """
        with transaction.atomic():
            organization = lock_organization(organization_id, by=CLOCK)
            over = self.over(now).filter(organization_id=organization_id)
            rows = list(over.select_for_update(no_key=True, of=("self",)).order_by("pk")[:BATCH])
            if not rows:
                return 0
            for row in rows:
                setattr(row, self.noted_in, self.noted_as(row, now))
            save_versions(rows, by=CLOCK, reason=OVER, now=now, fields=[self.noted_in])
            ended = [self.change(row, now) for row in rows]
            if self.touched is None:
                record_all(ended)
            else:
                conclude(ended, touched={ref for row in rows for ref in self.touched(row, organization)})
        return len(rows)


def organizations_of(rows: QuerySet[Any], column: str = "organization_id") -> list[UUID]:
    """List the organizations that some rows belong to, or name in another column, always in the same order."""
    return list(rows.order_by(column).values_list(column, flat=True).distinct())


def at_once(row: Any, now: datetime) -> datetime:
    """Say that the end is noted when the clock comes by."""
    return now


def credentials_over(model: type[Any], *related: str) -> Callable[[datetime], QuerySet[Any]]:
    """Make the query for credentials of one table that are over, were not revoked before, and are not noted yet."""

    def over(now: datetime) -> QuerySet[Any]:
        rows = model.objects.filter(revoked_at__isnull=True, expiry_noted_at__isnull=True, expires_at__lte=now)
        chosen: QuerySet[Any] = rows.select_related(*related)
        return chosen

    return over


def facts(credential: CredentialRecord, **holder: str) -> dict[str, Any]:
    """Say of a credential what the event log may know: whose it is, its kind, its public id and its end."""
    return {
        **holder,
        "kind": str(credential.kind),
        "public_id": credential.public_id,
        "expires_at": credential.expires_at.isoformat(),
    }


def _runs_over(now: datetime) -> QuerySet[Run]:
    return Run.objects.filter(ended_at__isnull=True, expires_at__lte=now).select_related("agent")


def _invitations_over(now: datetime) -> QuerySet[Invitation]:
    return Invitation.objects.filter(accepted_at__isnull=True, withdrawn_at__isnull=True, expires_at__lte=now)


def _key_ref(credential: CredentialRecord, _organization: Organization) -> set[str]:
    """Name a key as touched; a public key and a federated identity have no id that they are looked up by."""
    return set() if credential.public_id is None else {f"key/{credential.public_id}"}


def _credential_refs(credential: Credential, organization: Organization) -> set[str]:
    return agent_refs([credential.agent]) | _key_ref(credential, organization)


def _reporter(event_type: EventType, about: Callable[[Any], dict[str, Any]]) -> Callable[[Any, datetime], Change]:
    def change(row: Any, now: datetime) -> Change:
        return report(event_type, row, by=CLOCK, reason=OVER, now=now, data=about(row))

    return change


EXPIRIES: Final[tuple[Expiry[Any], ...]] = (
    Expiry(
        name="ending runs",
        over=_runs_over,
        noted_in="ended_at",
        # When its time was over, not when the clock came by: until then the task allowed what it allowed, and no longer.
        noted_as=lambda run, _now: max(run.expires_at, run.started_at),
        change=_reporter(events.RUN_ENDED, lambda run: {"agent": run.agent.external_id}),
        touched=lambda run, _organization: agent_refs([run.agent]),
    ),
    Expiry(
        name="noting ends of credentials",
        over=credentials_over(Credential, "agent"),
        noted_in="expiry_noted_at",
        noted_as=at_once,
        change=_reporter(events.CREDENTIAL_EXPIRED, lambda row: facts(row, agent=row.agent.external_id)),
        touched=_credential_refs,
    ),
    Expiry(
        name="noting ends of people's keys",
        over=credentials_over(PersonKey, "user"),
        noted_in="expiry_noted_at",
        noted_as=at_once,
        change=_reporter(events.PERSON_KEY_EXPIRED, lambda row: facts(row, person=row.user.external_id)),
        touched=_key_ref,
    ),
    Expiry(
        name="noting ends of onboarding tokens",
        over=credentials_over(OnboardingToken, "blueprint"),
        noted_in="expiry_noted_at",
        noted_as=at_once,
        change=_reporter(
            events.ONBOARDING_TOKEN_EXPIRED,
            lambda row: facts(row, blueprint=row.blueprint.external_id) | {"uses": row.uses, "most_uses": row.most_uses},
        ),
        touched=_key_ref,
    ),
    Expiry(
        name="withdrawing invitations",
        over=_invitations_over,
        # The address can be invited again: of the open invitations to one there is one at most.
        noted_in="withdrawn_at",
        noted_as=at_once,
        change=_reporter(events.INVITATION_EXPIRED, lambda row: {"expires_at": row.expires_at.isoformat()}),
        touched=None,
    ),
)


def end_expired(*, now: datetime, heard: Heard = unheard) -> int:
    """End the runs, credentials and invitations that are over; answers how many. Raises RoundIncomplete.

    Each batch is a transaction of its own; running it twice, or in two places at once, ends each once.
    """
    return go_round([expiry.chore() for expiry in EXPIRIES], now=now, heard=heard)
