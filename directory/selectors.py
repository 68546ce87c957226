"""What others need to know of the directory, read in one query and held in plain values."""

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from directory.models import Credential, CredentialRecord

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

    def live(self, at: datetime) -> bool:
        """Tell whether the credential itself has neither been revoked nor is over by the clock."""
        return self.revoked_at is None and at < self.expires_at

    def admits(self, address: str) -> bool:
        """Tell whether the credential may be used from an address; without networks, from every one, even an unknown one."""
        if not self.networks:
            return True
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        # An IPv4 client of a dual-stack listener shows up as ::ffff:192.0.2.1.
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self.networks)


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
        networks=tuple(ipaddress.ip_network(network) for network in row.allowed_networks),
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def credential_facts(public_id: str) -> CredentialFacts | None:
    """Find an agent's credential by its public id, over all organizations, for authentication; one query."""
    row = Credential.objects.select_related("agent").filter(public_id=public_id).first()
    if row is None:
        return None
    return facts_of(row, holder_id=row.agent_id, holder=row.agent.external_id, state=row.agent.state)
