"""API keys of agents and applications, as authentication needs them."""

from dataclasses import dataclass
from uuid import UUID

from agentiam.kit.tokens import PREFIXES, Token
from directory.models import Credential, CredentialRecord
from directory.selectors import CredentialFacts, credential_facts, facts_of
from permissions.models import Application, ApplicationKey


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """One key: how it is proved, whose it is, and what its holder is believed."""

    credential: CredentialFacts
    kind: str
    """``agent`` or ``application``."""
    label: str
    suspended: bool = False
    believes_resource_properties: bool = False
    believes_subject_properties: bool = False
    requires_tokens: bool = False
    audience: str = ""
    """What tokens for an application are made out to."""

    @property
    def holder(self) -> str:
        """The agent's external id, or the application's slug."""
        return self.credential.holder

    @property
    def organization_id(self) -> UUID:
        """The organization in which the holder is."""
        return self.credential.organization_id

    def record(self) -> CredentialRecord:
        """Name the row that the facts were read from."""
        if self.kind == "agent":
            return Credential(pk=self.credential.credential_id, agent_id=self.credential.holder_id)
        return ApplicationKey(pk=self.credential.credential_id)


def key_facts(token: Token) -> KeyFacts | None:
    """Find a key by its prefix and public id, over all organizations; one query."""
    if token.prefix == PREFIXES["agent"]:
        found = credential_facts(token.public_id)
        return None if found is None else KeyFacts(found, "agent", found.holder)
    if token.prefix == PREFIXES["application"]:
        return _application_key(token.public_id)
    return None


def _application_key(public_id: str) -> KeyFacts | None:
    row = ApplicationKey.objects.select_related("application").filter(public_id=public_id).first()
    if row is None:
        return None
    application = row.application
    credential = facts_of(row, holder_id=application.pk, holder=application.slug, state=application.state)
    if credential is None:
        return None
    return KeyFacts(
        credential,
        "application",
        application.name,
        suspended=application.state != Application.State.ACTIVE,
        believes_resource_properties=application.believes_resource_properties,
        believes_subject_properties=application.believes_subject_properties,
        requires_tokens=application.requires_tokens,
        audience=application.audience,
    )
