"""Tenants: made by the system, suspended and resumed as a whole."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import IllegalTransition, Invalid, NotAllowed
from audit.events import EventType
from directory import events
from directory.models import Organization
from directory.services.reports import conclude, report
from directory.services.revisions import EVERYTHING, lock_organization
from directory.services.versions import changes, save_version

_PRINCIPAL_KINDS = ("user", "agent")


class OnlyTheSystem(NotAllowed):
    """People and agents cannot do this; a command of the operator can."""


class BadSubjectTypes(Invalid):
    """The other names for user and agent are not of the form that is asked for."""

    field = "subject_types"


def create_organization(
    *,
    slug: str,
    name: str,
    trust_domain: str,
    time_zone: str = "UTC",
    subject_types: Mapping[str, str] | None = None,
    discoverable: bool = False,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Organization:
    """Add a tenant; only the system does, since everybody else belongs to one already.

    ``subject_types`` maps other names on the wire to ``user`` or ``agent``.
    """
    if by.kind != "system":
        raise OnlyTheSystem("An organization is created by the operator of the product.")
    organization = Organization(
        slug=slug,
        name=name,
        trust_domain=trust_domain,
        time_zone=time_zone,
        subject_types=_checked_aliases(subject_types or {}),
        discoverable=discoverable,
        created_at=now,
    )
    with transaction.atomic():
        save_version(organization, by=by, reason=reason, now=now)
        created = report(
            events.ORGANIZATION_CREATED, organization, by=by, reason=reason, now=now, data={"trust_domain": trust_domain}
        )
        organization.revision = conclude([created], touched=[EVERYTHING])
    return organization


def update_organization(
    *,
    organization: Organization,
    name: str,
    time_zone: str,
    subject_types: Mapping[str, str],
    discoverable: bool = False,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Organization:
    """Change what can be changed; slug and trust domain stay, since ids outside the product contain them."""
    aliases = _checked_aliases(subject_types)
    values = {"name": name, "time_zone": time_zone, "subject_types": aliases, "discoverable": discoverable}
    with transaction.atomic():
        current = lock_organization(organization.pk, by=by)
        changed = changes(current, values)
        save_version(current, by=by, reason=reason, now=now, fields=values)
        updated = report(events.ORGANIZATION_UPDATED, current, by=by, reason=reason, now=now, data={"changed": changed})
        current.revision = conclude([updated], touched=[EVERYTHING])
    return current


def suspend_organization(*, organization: Organization, by: Actor, reason: str = "", now: datetime) -> Organization:
    """Stop everything in a tenant: every decision is a deny from the next request on."""
    return _set_state(organization, Organization.State.SUSPENDED, events.ORGANIZATION_SUSPENDED, by=by, reason=reason, now=now)


def resume_organization(*, organization: Organization, by: Actor, reason: str = "", now: datetime) -> Organization:
    """Let a suspended tenant work again."""
    return _set_state(organization, Organization.State.ACTIVE, events.ORGANIZATION_RESUMED, by=by, reason=reason, now=now)


def _set_state(
    organization: Organization, state: Organization.State, event: EventType, *, by: Actor, reason: str, now: datetime
) -> Organization:
    with transaction.atomic():
        current = lock_organization(organization.pk, by=by)
        if current.state == state:
            raise IllegalTransition(f"{current} is {state.value} already.")
        current.state = state
        save_version(current, by=by, reason=reason, now=now, fields=["state"])
        current.revision = conclude([report(event, current, by=by, reason=reason, now=now)], touched=[EVERYTHING])
    return current


def _checked_aliases(subject_types: Mapping[str, str]) -> dict[str, str]:
    for alias, kind in subject_types.items():
        if not isinstance(alias, str) or not alias.strip() or kind not in _PRINCIPAL_KINDS:
            raise BadSubjectTypes(f"{alias!r}: {kind!r} is neither user nor agent.", remedy='For example {"bot": "agent"}.')
        if alias in _PRINCIPAL_KINDS and alias != kind:
            raise BadSubjectTypes(f"{alias!r} cannot stand for {kind!r}.")
    return dict(subject_types)
