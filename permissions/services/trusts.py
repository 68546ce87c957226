"""Trusts between organizations: proposed here, agreed to there, ended by either side; both policies get their next revision."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from agentiam.kit.actors import CLOCK, Actor
from agentiam.kit.errors import Conflict, IllegalTransition, Invalid
from audit.events import EventType
from audit.services import Change, record_all
from directory.models import Organization
from directory.services.proofs import check_public_jwk
from directory.services.revisions import SHARED, ForeignOrganization, advance_revision
from directory.services.versions import save_version
from permissions import events
from permissions.models import ResourceType, Trust
from permissions.services.reports import target_of
from permissions.services.rows import EndedAlready, end, read_anew
from permissions.services.terms import UnknownResourceType, check_data_classes
from permissions.services.windows import check_window


class BadPartner(Invalid):
    """The partner is another organization here, or an issuer elsewhere with its public keys, and one of the two."""


class NoSuchPartner(Invalid):
    """No organization here lets itself be found by the name that was given."""

    field = "partner"


class TrustExists(Conflict):
    """There is a trust in this partner that has not ended."""


class BadAgentId(Invalid):
    """An agent is not named by a SPIFFE id, or by one of another trust domain than the partner's."""

    field = "agents"


class AgreedAlready(IllegalTransition):
    """The partner has agreed before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustTerms:
    """What a partner's agents may touch: which agents (SPIFFE ids), types and classes of data, None for all; until when."""

    agents: Sequence[str] | None = None
    types: Sequence[str] | None = None
    data_classes: Sequence[str] | None = None
    ends_at: datetime | None = None


def find_partner(slug: str) -> Organization:
    """Find an organization here that wants to be found; raises NoSuchPartner, which tells it from no organization to nobody."""
    found = Organization.objects.filter(slug=slug, discoverable=True, state=Organization.State.ACTIVE).first()
    if found is None:
        raise NoSuchPartner(
            f"No organization {slug!r} can be found here.",
            remedy="Its administrators make it discoverable; a partner elsewhere has an issuer and keys.",
        )
    return found


def propose_trust(
    *,
    organization: Organization,
    terms: TrustTerms,
    partner: Organization | None = None,
    issuer: str = "",
    keys: dict[str, Any] | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Trust:
    """Say what a partner's agents may touch here; it stands once the partner agrees.

    Until then nothing of the partner's changes, nor does its log hold a word of a stranger's: it sees the proposal and no more.
    The partner is an organization here, or elsewhere: an issuer with its public keys (RFC 7517). Raises BadPartner,
    BadPublicKey, TrustExists, BadAgentId, UnknownResourceType, UnknownDataClass, and BadWindow.
    """
    _check_partner(organization, partner, issuer, keys)
    check_window(ends_at=terms.ends_at, now=now)
    trust = Trust(
        organization=organization,
        partner=partner,
        issuer=issuer,
        keys=keys,
        agents=_checked_agents(terms.agents, partner),
        types=None if terms.types is None else list(terms.types),
        data_classes=check_data_classes(terms.data_classes),
        agreed_here_at=now,
        created_at=now,
        ends_at=terms.ends_at,
    )
    with transaction.atomic():
        _lock([organization.pk], by=by, allowed={organization.pk})
        _check_types(trust)
        _require_single(trust)
        save_version(trust, by=by, reason=reason, now=now)
        _conclude(events.TRUST_PROPOSED, trust, by=by, reason=reason, now=now, data=_terms(trust))
    return trust


def agree_trust(*, trust: Trust, by: Actor, reason: str = "", now: datetime) -> Trust:
    """Agree to a trust, for the partner's side; for a partner elsewhere the system does, when the partner's word has arrived.

    Raises ForeignOrganization for anybody else, AgreedAlready, EndedAlready, and BadWindow when the time is over.
    """
    with transaction.atomic():
        _lock(_sides(trust), by=by, allowed=set() if trust.partner_id is None else {trust.partner_id})
        current = read_anew(trust, "organization", "partner")
        if current.ended_at is not None:
            raise EndedAlready("This trust has ended.", remedy="Propose another.")
        if current.agreed_there_at is not None:
            raise AgreedAlready("The partner has agreed already.")
        check_window(ends_at=current.ends_at, now=now)
        current.agreed_there_at = now
        save_version(current, by=by, reason=reason, now=now, fields=["agreed_there_at"])
        _conclude(events.TRUST_AGREED, current, by=by, reason=reason, now=now, data=_terms(current))
    return current


def end_trust(*, trust: Trust, by: Actor, reason: str = "", now: datetime) -> Trust:
    """End a trust, for either side, from the next decision on; raises EndedAlready."""
    with transaction.atomic():
        sides = _sides(trust)
        _lock(sides, by=by, allowed=set(sides))
        current = read_anew(trust, "organization", "partner")
        end(current, by=by, reason=reason, now=now)
        side = "partner" if by.organization_id == current.partner_id and current.partner_id is not None else "organization"
        data = {"side": "system" if by.kind == "system" else side}
        _conclude(events.TRUST_ENDED, current, by=by, reason=reason, now=now, data=data)
    return current


def expire_trust(*, trust: Trust, reason: str, now: datetime) -> bool:
    """End a trust whose time is over, in the logs of both sides; answers False when it is not, or was ended before."""
    with transaction.atomic():
        sides = _sides(trust)
        _lock(sides, by=CLOCK, allowed=set(sides))
        current = read_anew(trust, "organization", "partner")
        if current.ended_at is not None or current.ends_at is None or current.ends_at > now:
            return False
        end(current, by=CLOCK, reason=reason, now=now)
        data = {"ends_at": current.ends_at.isoformat()}
        _conclude(events.TRUST_EXPIRED, current, by=CLOCK, reason=reason, now=now, data=data)
    return True


def _sides(trust: Trust) -> list[UUID]:
    return sorted([trust.organization_id] if trust.partner_id is None else [trust.organization_id, trust.partner_id])


def _lock(organizations: list[UUID], *, by: Actor, allowed: set[UUID]) -> None:
    """Lock both sides, always in the same order, so that two trusts between the same two never wait for each other."""
    if by.kind != "system" and by.organization_id not in allowed:
        raise ForeignOrganization(f"{by.label} does not speak for this side of the trust.")
    for pk in organizations:
        Organization.objects.select_for_update(no_key=True).get(pk=pk)


def _check_partner(organization: Organization, partner: Organization | None, issuer: str, keys: dict[str, Any] | None) -> None:
    if (partner is None) == (not issuer):
        raise BadPartner("The partner is an organization here, or an issuer elsewhere.")
    if partner is not None:
        if partner.pk == organization.pk:
            raise BadPartner("An organization does not trust itself by a row; its own agents need none.")
        if keys is not None:
            raise BadPartner("A partner here has no keys of its own.")
        return
    if not issuer.startswith("https://"):
        raise BadPartner("An issuer is named by an https URL.")
    listed = keys.get("keys") if isinstance(keys, dict) else None
    if not isinstance(listed, list) or not listed:
        raise BadPartner('A partner elsewhere has at least one public key: {"keys": [...]}.')
    for key in listed:
        check_public_jwk(key)


def _checked_agents(agents: Sequence[str] | None, partner: Organization | None) -> list[str] | None:
    if agents is None:
        return None
    start = "spiffe://" if partner is None else f"spiffe://{partner.trust_domain}/"
    for agent in agents:
        if not isinstance(agent, str) or not agent.startswith(start):
            raise BadAgentId(f"{agent!r} is not an agent of the partner.", remedy=f"Its id begins with {start}.")
    return list(dict.fromkeys(agents))


def _check_types(trust: Trust) -> None:
    known = set(ResourceType.objects.filter(organization=trust.organization_id).values_list("name", flat=True))
    for name in trust.types or ():
        if name not in known:
            raise UnknownResourceType(f"There is no resource type {name!r}.", remedy="Declare it first.")


def _terms(trust: Trust) -> dict[str, Any]:
    """Say for the record what is proposed, or agreed to."""
    return {
        "agents": trust.agents,
        "types": trust.types,
        "data_classes": trust.data_classes,
        "ends_at": None if trust.ends_at is None else trust.ends_at.isoformat(),
    }


def _require_single(trust: Trust) -> None:
    standing = Trust.objects.filter(organization=trust.organization_id, ended_at__isnull=True)
    same = standing.filter(partner=trust.partner_id) if trust.partner_id else standing.filter(issuer=trust.issuer)
    if same.exists():
        raise TrustExists("There is a trust in this partner that has not been ended.", remedy="End it first.")


def _conclude(event: EventType, trust: Trust, *, by: Actor, reason: str, now: datetime, data: dict[str, Any]) -> None:
    """Record what happened in the logs of both sides, and give both policies their next revision.

    A partner that never agreed has no part in it, unless it acts itself.
    """
    involved = trust.agreed_there_at is not None or by.organization_id == trust.partner_id
    sides = _sides(trust) if involved else [trust.organization_id]
    about = {
        "organization": trust.organization.slug,
        "partner": trust.issuer if trust.partner is None else trust.partner.slug,
        **data,
    }
    record_all(
        [
            Change(
                event_type=event,
                organization_id=pk,
                by=by,
                target=target_of(trust),
                reason=reason,
                data=about,
                at=now,
            )
            for pk in sides
        ]
    )
    for pk in sides:
        advance_revision(organization_id=pk, touched=[SHARED])
