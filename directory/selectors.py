"""What others need to know of the directory, read in one query and held in plain values."""

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from directory.models import Credential

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialFacts:
    """Everything that is needed to tell whether a secret proves an agent; its repr hides the digest."""

    credential_id: UUID
    public_id: str
    kind: str
    organization_id: UUID
    agent_id: UUID
    agent: str
    """The agent's external id."""
    state: str
    """The agent's own state."""
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


def credential_facts(public_id: str) -> CredentialFacts | None:
    """Find a credential by its public id, over all organizations, for authentication; one query."""
    row = Credential.objects.select_related("agent").filter(public_id=public_id).first()
    if row is None or row.public_id is None or row.pepper is None:
        return None
    return CredentialFacts(
        credential_id=row.pk,
        public_id=row.public_id,
        kind=row.kind,
        organization_id=row.organization_id,
        agent_id=row.agent_id,
        agent=row.agent.external_id,
        state=row.agent.state,
        digest=row.digest,
        pepper=row.pepper,
        networks=tuple(ipaddress.ip_network(network) for network in row.allowed_networks),
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
