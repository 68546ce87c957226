"""What a token says and rests on, as decisions need it: read once for each revision, and then asked by the clock alone.

Whether the agents of the chain may act, the consents, the delegations and the task still hold is for the engine to say, anew
with every decision. Here is what it does not see: the token itself, those that it came from, and how its agent proved itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings

from agentiam.kit.tokens import PREFIXES, MalformedToken, split_token
from directory.models import Organization, Run
from directory.selectors import Network, admits, networks_of
from permissions.engine.types import Entitlement, World
from permissions.models import AccessToken
from permissions.oauth.chains import Chain
from permissions.oauth.clients import client_id_of
from permissions.oauth.issuers import organization_without_path
from permissions.oauth.scopes import entitlements, names_types
from permissions.oauth.signed import BadSignature, read_statement, text_claim
from permissions.oauth.tokens import TYPE
from permissions.oauth.truth import find_token, lineage
from permissions.questions import Named, Proven
from permissions.services.authorizations import MAX_GENERATIONS

_REFERENCE: Final = f"{PREFIXES['access']}_"
_SIGNED_PARTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """One token: whose it is, where it is for, to which key it is bound, and what it proves."""

    organization_id: UUID
    agent_id: UUID
    agent: str
    credential_id: UUID | None
    audience: str
    scopes: frozenset[str]
    jkt: str
    networks: tuple[Network, ...] = field(repr=False)
    chain: Chain
    proven: Proven

    @property
    def own(self) -> bool:
        """Whether it is for agentiam itself."""
        return self.audience == settings.BASE_URL

    def admits(self, address: str) -> bool:
        """Tell whether the agent may use its proof from an address."""
        return admits(self.networks, address)


def may_be_token(text: str) -> bool:
    """Tell a token from a key by its form."""
    return text.startswith(_REFERENCE) or len(text.split(".")) == _SIGNED_PARTS


def organization_of(text: str) -> Organization | None:
    """Find out whose a token claims to be, before anything of it is believed."""
    if text.startswith(_REFERENCE):
        try:
            public_id = split_token(text).public_id
        except MalformedToken:
            return None
        row = AccessToken.objects.select_related("organization").filter(public_id=public_id).first()
        return None if row is None else row.organization
    try:
        issuer = text_claim(read_statement(text, types=[TYPE]).claims, "iss")
    except BadSignature:
        return None
    base, under, slug = issuer.partition(f"{settings.BASE_URL}/o/")
    if under:
        return None if base else Organization.objects.filter(slug=slug).first()
    return organization_without_path() if issuer == settings.BASE_URL else None


def token_facts(text: str, organization: Organization, world: World | None, *, now: datetime) -> TokenFacts | None:
    """Verify a token of an organization's and read what it rests on; None for what is none of its. About six queries.

    ``world`` is what a decision is made in; without one the token is good for no decision.
    """
    row = find_token(text, organization, now=now)
    if row is None:
        return None
    line = lineage(row)
    chain = Chain(row.subject, tuple(row.actors))
    run = row.run
    named = Named(
        chain.actor,
        chain.on_behalf_of,
        chain.delegation,
        "" if run is None else run.task_id,
        "" if run is None else run.purpose,
    )
    proven = Proven(
        token=str(row.pk),
        client=client_id_of(row.agent),
        chain=named,
        within=() if world is None else _within(row, world),
        ended=_ended(line),
        ends=tuple(end for each in line for end in _ends(each)),
    )
    return TokenFacts(
        organization_id=row.organization_id,
        agent_id=row.agent_id,
        agent=row.agent.external_id,
        credential_id=row.credential_id,
        audience=row.audience,
        scopes=frozenset(row.scopes),
        jkt=row.jkt,
        networks=() if row.credential is None else networks_of(row.credential),
        chain=chain,
        proven=proven,
    )


def _within(row: AccessToken, world: World) -> tuple[Entitlement, ...] | None:
    """Say what limits a decision: whatever types the token names, which at agentiam itself it need not."""
    if row.audience == settings.BASE_URL and not names_types(row.scopes, row.details):
        return None
    return entitlements(row.scopes, row.details, world, str(row.pk))


def _ended(line: Sequence[AccessToken]) -> str:
    """Say what has ended for good of a token and those that it came from."""
    if len(line) > MAX_GENERATIONS:
        return "the token comes from too many others"
    for position, row in enumerate(line):
        of = "the token" if not position else "a token that it was exchanged for"
        if row.revoked_at is not None:
            return f"{of} was revoked"
        if row.credential is not None and row.credential.revoked_at is not None:
            return f"the credential that {of} rests on was revoked"
        if row.authorization is not None and row.authorization.ended_at is not None:
            return f"the authorization that {of} rests on has ended"
        if any(run.ended_at is not None for run in _runs(row)):
            return f"the run that {of} is for has ended"
    return ""


def _ends(row: AccessToken) -> Iterator[tuple[datetime, str]]:
    yield row.expires_at, "the token has expired"
    if row.credential is not None:
        yield row.credential.expires_at, "the credential that the token rests on has expired"
    if row.authorization is not None:
        yield row.authorization.ends_at, "the authorization that the token rests on has ended"
    for run in _runs(row):
        if run.expires_at is not None:
            yield run.expires_at, "the run that the token is for has ended"


def _runs(row: AccessToken) -> list[Run]:
    """List the run of a token, and the one that a person agreed to."""
    agreed = None if row.authorization is None else row.authorization.run
    return [each for each in (row.run, agreed) if each is not None]
