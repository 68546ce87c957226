"""Who holds a grant or a role, or answers for its holder, hears before it ends; who keeps an application, of its keys.

So do those who let somebody act for them, and those for whom it is done: by consent, by delegation, by trust.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet

from agentiam.kit.actors import CLOCK
from agentiam.kit.rounds import Heard, go_round, unheard
from audit.events import EventType
from audit.services import Change
from directory.models import User
from directory.services.notices import Audience, Foreseen, answering_for, each, made_at, unended_credentials, with_answering
from permissions import events
from permissions.models import (
    ApplicationGroupPermission,
    ApplicationKey,
    ApplicationUserPermission,
    Consent,
    Delegation,
    Grant,
    RoleAssignment,
    Trust,
)
from permissions.services.reports import holding_ref, report

_KEEPS: Final = "manage_application"


def announce_ends(*, now: datetime, heard: Heard = unheard) -> int:
    """Announce the ends of applications' keys, holdings, consents, delegations and trusts; as the directory's.

    Raises RoundIncomplete.
    """
    return go_round([foreseen.chore() for foreseen in FORESEEN], now=now, heard=heard)


def _held(model: type[Any], *related: str) -> Callable[[datetime, datetime], QuerySet[Any]]:
    def ending(now: datetime, until: datetime) -> QuerySet[Any]:
        rows = model.objects.not_over(now).filter(ends_at__lte=until).exclude(user__is_active=False)
        read = rows.select_related("user__agent", "team__group", *related).prefetch_related("team__group__user_set")
        return with_answering(read, "user__agent__")

    return ending


def _holders(row: Grant | RoleAssignment) -> Iterable[User]:
    """List who is to know of a holding: the person, the people of the team, or those who answer for the agent."""
    if row.team is not None:
        return row.team.group.user_set.all()
    if row.user is None or row.user.is_person:
        return [] if row.user is None else [row.user]
    return answering_for(row.user.agent)


def _application_keys(now: datetime, until: datetime) -> QuerySet[ApplicationKey]:
    rows: QuerySet[ApplicationKey] = unended_credentials(ApplicationKey)(now, until).select_related("application")
    return rows


def _keepers(keys: Sequence[ApplicationKey]) -> Audience:
    """Find who may manage each key's application; where nobody may, the security administrators have to look after it."""
    applications = {key.application_id for key in keys}
    people: dict[UUID, dict[UUID, User]] = {pk: {} for pk in applications}
    own = ApplicationUserPermission.objects.filter(content_object__in=applications, permission__codename=_KEEPS)
    for row in own.select_related("user"):
        people[row.content_object_id][row.user_id] = row.user
    shared = ApplicationGroupPermission.objects.filter(content_object__in=applications, permission__codename=_KEEPS)
    for team in shared.select_related("group").prefetch_related("group__user_set"):
        people[team.content_object_id] |= {person.pk: person for person in team.group.user_set.all()}
    unkept = [pk for pk, keepers in people.items() if not any(keeper.is_active for keeper in keepers.values())]
    administrators = security_administrators(keys[0].organization_id) if unkept else {}
    people |= dict.fromkeys(unkept, administrators)
    return {key.pk: people[key.application_id].values() for key in keys}


def security_administrators(organization_id: UUID) -> dict[UUID, User]:
    """Find the security administrators: console roles are JSON, in which the embedded database cannot look."""
    some = User.objects.in_organization(organization_id).active().people().filter(~Q(console_roles=[]))
    role = User.ConsoleRole.SECURITY_ADMINISTRATOR.value
    return {person.pk: person for person in some if role in person.console_roles}


def _consents(now: datetime, until: datetime) -> QuerySet[Consent]:
    rows = Consent.objects.not_over(now).filter(ends_at__lte=until).exclude(user__is_active=False)
    return with_answering(rows.select_related("user", "agent"), "agent__")


def _delegations(now: datetime, until: datetime) -> QuerySet[Delegation]:
    rows = Delegation.objects.not_over(now).filter(ends_at__lte=until).select_related("delegator", "delegate")
    return with_answering(with_answering(rows, "delegator__"), "delegate__")


def _trusts(now: datetime, until: datetime) -> QuerySet[Trust]:
    """Find the trusts that stand: of one that lacks a yes nothing ends."""
    return Trust.objects.not_over(now).agreed().filter(ends_at__lte=until).select_related("organization", "partner")


def _partners_trusts(now: datetime, until: datetime) -> QuerySet[Trust]:
    return _trusts(now, until).filter(partner__isnull=False)


def _agreed_at(trust: Trust) -> datetime:
    """Answer since when a trust stands: who agrees two days before its end has not missed the warnings before."""
    return max(at for at in (trust.created_at, trust.agreed_here_at, trust.agreed_there_at) if at is not None)


def _trust_about(trust: Trust) -> dict[str, Any]:
    partner = trust.issuer if trust.partner is None else trust.partner.slug
    return {"organization": trust.organization.slug, "partner": partner}


def _to_partner(trust: Trust, now: datetime, data: Mapping[str, Any]) -> Change:
    """Say it in the partner's log."""
    said = _reporter(events.TRUST_EXPIRY_ANNOUNCED, _trust_about)(trust, now, data)
    return said if trust.partner_id is None else replace(said, organization_id=trust.partner_id)


def _administrators_here(trusts: Sequence[Trust]) -> Audience:
    administrators = security_administrators(trusts[0].organization_id).values()
    return {trust.pk: administrators for trust in trusts}


def _administrators_there(trusts: Sequence[Trust]) -> Audience:
    partner_id = trusts[0].partner_id
    administrators = [] if partner_id is None else list(security_administrators(partner_id).values())
    return {trust.pk: administrators for trust in trusts}


def _reporter(
    event_type: EventType, about: Callable[[Any], Mapping[str, Any]]
) -> Callable[[Any, datetime, Mapping[str, Any]], Change]:
    def change(row: Any, now: datetime, data: Mapping[str, Any]) -> Change:
        return report(event_type, row, by=CLOCK, reason="", now=now, data={**about(row), **data})

    return change


def _ends_at(row: Any) -> datetime:
    ends_at: datetime = row.ends_at
    return ends_at


FORESEEN: Final[tuple[Foreseen[Any], ...]] = (
    Foreseen(
        name="applications' keys",
        ending=_application_keys,
        ends_at=lambda key: key.expires_at,
        made_at=made_at,
        audience=_keepers,
        change=_reporter(events.APPLICATION_KEY_EXPIRY_ANNOUNCED, lambda key: {"application": key.application.slug}),
    ),
    Foreseen(
        name="grants",
        ending=_held(Grant, "resource_type"),
        ends_at=_ends_at,
        made_at=made_at,
        audience=each(_holders),
        change=_reporter(events.GRANT_EXPIRY_ANNOUNCED, lambda row: {"holder": holding_ref(row)}),
    ),
    Foreseen(
        name="role assignments",
        ending=_held(RoleAssignment, "role"),
        ends_at=_ends_at,
        made_at=made_at,
        audience=each(_holders),
        change=_reporter(events.ASSIGNMENT_EXPIRY_ANNOUNCED, lambda row: {"holder": holding_ref(row)}),
    ),
    Foreseen(
        name="consents",
        ending=_consents,
        ends_at=_ends_at,
        made_at=lambda consent: consent.given_at,
        audience=each(lambda consent: [consent.user, *answering_for(consent.agent)]),
        change=_reporter(
            events.CONSENT_EXPIRY_ANNOUNCED, lambda row: {"user": row.user.external_id, "agent": row.agent.external_id}
        ),
    ),
    Foreseen(
        name="delegations",
        ending=_delegations,
        ends_at=_ends_at,
        made_at=made_at,
        audience=each(lambda row: [*answering_for(row.delegator), *answering_for(row.delegate)]),
        change=_reporter(
            events.DELEGATION_EXPIRY_ANNOUNCED,
            lambda row: {"delegator": row.delegator.external_id, "delegate": row.delegate.external_id},
        ),
    ),
    Foreseen(
        name="trusts",
        ending=_trusts,
        ends_at=_ends_at,
        made_at=_agreed_at,
        audience=_administrators_here,
        change=_reporter(events.TRUST_EXPIRY_ANNOUNCED, _trust_about),
    ),
    Foreseen(
        name="trusts of partners",
        ending=_partners_trusts,
        ends_at=_ends_at,
        made_at=_agreed_at,
        audience=_administrators_there,
        change=_to_partner,
        side="partner_id",
    ),
)
