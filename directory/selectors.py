"""What others need to know of the directory, read in one query and held in plain values."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import TypeAlias
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, Q, QuerySet

from directory.models import Credential, CredentialRecord, PersonKey, User

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialFacts:
    """Everything that is needed to tell whether a secret proves its holder; its repr hides the digest."""

    credential_id: UUID
    public_id: str
    kind: str
    organization_id: UUID
    holder_id: UUID
    holder: str
    """The holder's external id or slug."""
    state: str
    """The holder's own state."""
    digest: str = field(repr=False)
    pepper: int
    networks: tuple[Network, ...]
    expires_at: datetime
    revoked_at: datetime | None
    scopes: frozenset[str]

    def live(self, at: datetime) -> bool:
        """Tell whether the credential itself has neither been revoked nor is over by the clock."""
        return self.revoked_at is None and at < self.expires_at

    def admits(self, address: str) -> bool:
        """Tell whether the credential may be used from an address; without networks, from every one, even an unknown one."""
        return admits(self.networks, address)


def admits(networks: Sequence[Network], address: str) -> bool:
    """Tell whether an address lies in one of some networks; without networks every one does, even an unknown one."""
    if not networks:
        return True
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    # An IPv4 client of a dual-stack listener shows up as ::ffff:192.0.2.1.
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in networks)


def networks_of(row: CredentialRecord) -> tuple[Network, ...]:
    """Read the networks from which a credential may be used."""
    return tuple(ipaddress.ip_network(network) for network in row.allowed_networks)


def facts_of(row: CredentialRecord, *, holder_id: UUID, holder: str, state: str) -> CredentialFacts | None:
    """Turn a credential's row into facts; None for one without a secret."""
    if row.public_id is None or row.pepper is None:
        return None
    return CredentialFacts(
        credential_id=row.pk,
        public_id=row.public_id,
        kind=row.kind,
        organization_id=row.organization_id,
        holder_id=holder_id,
        holder=holder,
        state=state,
        digest=row.digest,
        pepper=row.pepper,
        networks=networks_of(row),
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        scopes=frozenset(row.scopes),
    )


def credential_facts(public_id: str) -> CredentialFacts | None:
    """Find an agent's credential by its public id, over all organizations, for authentication; one query."""
    row = Credential.objects.select_related("agent").filter(public_id=public_id).first()
    if row is None:
        return None
    return facts_of(row, holder_id=row.agent_id, holder=row.agent.external_id, state=row.agent.state)


def person_key_facts(public_id: str) -> CredentialFacts | None:
    """Find a person's key by its public id, over all organizations, for authentication; one query."""
    row = PersonKey.objects.select_related("user").filter(public_id=public_id).first()
    if row is None:
        return None
    state = "active" if row.user.is_active else "deactivated"
    return facts_of(row, holder_id=row.user_id, holder=row.user.external_id, state=state)


def sessions_of(person: User, at: datetime) -> list[Session]:
    """List a person's sessions of the pages that are not over.

    Each sign-in leaves a record that names the person, and those are found by an index. Sessions without a record are read one
    by one: only what is in a session says whose it is.
    """
    not_over = Session.objects.filter(expire_date__gt=at).order_by("pk")
    recorded = not_over.filter(pk__in=UserSession.objects.filter(user=person).values("session_key"))
    unrecorded = not_over.filter(~Exists(UserSession.objects.filter(session_key=OuterRef("pk"))))
    found = chain(recorded, unrecorded.iterator())
    return [session for session in found if session.get_decoded().get(SESSION_KEY) == str(person.pk)]


def second_factors_of(person: User) -> list[Authenticator]:
    """List a person's authenticator app, passkeys and recovery codes, the oldest first; the rows hold sealed secrets."""
    return list(Authenticator.objects.filter(user=person).order_by("created_at", "pk"))


def with_a_way_in(people: "QuerySet[User]") -> "QuerySet[User]":
    """Keep the people who have a password, a passkey or a provider to sign in with."""
    passkeys = Authenticator.objects.filter(user=OuterRef("pk"), type=Authenticator.Type.WEBAUTHN)
    linked = SocialAccount.objects.filter(user=OuterRef("pk"))
    passwords = ~Q(password="") & ~Q(password__startswith=UNUSABLE_PASSWORD_PREFIX)
    return people.filter(passwords | Exists(passkeys) | Exists(linked))


def factor_name(factor: Authenticator) -> str:
    """Name a second factor: a passkey as its person did."""
    given = factor.data.get("name") if factor.type == Authenticator.Type.WEBAUTHN else ""
    return str(given or Authenticator.Type(factor.type).label)
