"""Who asks for decisions, and how they prove it: a key, a token of an agent's own, or a key and a token that was passed on."""

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.conf import settings

from agentiam.kit.problems import Problem
from agentiam.kit.tokens import MalformedToken, Token, split_token
from permissions.oauth.facts import TokenFacts, may_be_token
from permissions.oauth.presented import SCHEMES, Presented
from permissions.questions import Proven
from permissions.selectors.keys import KeyFacts

MAX_TOKEN: Final = 8_192


@dataclass(slots=True)
class Sender:
    """Where a request came from, and what its sender has shown: a key, or a token of its own; perhaps one that it was given."""

    shown: Token | Presented = field(repr=False)
    subject_token: str = field(repr=False)
    address: str
    request_id: str
    proof_spent: bool = False
    """Whether the DPoP proof was used up: once for a request, however often it is decided anew."""

    @property
    def bound(self) -> bool:
        """Whether the answer carries a nonce for the next proof."""
        return isinstance(self.shown, Presented) and self.shown.bound


@dataclass(frozen=True, slots=True)
class Party:
    """Who asks: what it is believed, and which chain a token proves."""

    organization_id: UUID
    kind: str
    """``agent`` or ``application``."""
    holder: str
    label: str
    believes_resource_properties: bool = False
    believes_subject_properties: bool = False
    requires_tokens: bool = False
    key: str = ""
    """The public id of its key."""
    proven: Proven | None = None

    @property
    def only_agent(self) -> str | None:
        """The one agent that it asks about; None for everybody."""
        if self.proven is not None:
            return self.proven.chain.subject.partition("/")[2]
        return self.holder if self.kind == "agent" else None


def party_with_key(facts: KeyFacts, proven: Proven | None = None) -> Party:
    """Give whoever has a key, and the token that it was given."""
    return Party(
        organization_id=facts.organization_id,
        kind=facts.kind,
        holder=facts.holder,
        label=facts.label,
        believes_resource_properties=facts.believes_resource_properties,
        believes_subject_properties=facts.believes_subject_properties,
        requires_tokens=facts.requires_tokens,
        key=facts.credential.public_id,
        proven=proven,
    )


def party_with_token(facts: TokenFacts) -> Party:
    """Give the agent whose token it is."""
    return Party(facts.organization_id, "agent", facts.agent, facts.agent, proven=facts.proven)


def unauthorized(detail: str) -> Problem:
    """Say that the caller did not prove who it is, without a word about why a real key failed."""
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="agentiam"'})


def refused_key() -> Problem:
    """Say that a key is not taken: unknown, ended, revoked, from elsewhere, or mistyped, which is not told apart."""
    return unauthorized("The key is not valid here and now.")


def refused_subject_token() -> Problem:
    """Say that a token that was passed on is none for the one who passes it on."""
    return Problem(403, "subject-token-refused", "The Subject-Token is not a token for this application.")


def sender_of(
    authorization: str, proof: str, subject_token: str, *, method: str, path: str, address: str, request_id: str
) -> Sender:
    """Read how a request is authenticated (RFC 6750, section 2.1; RFC 9449, section 7.1); raises a 401 or 403 problem."""
    scheme, _, rest = authorization.partition(" ")
    scheme, text = scheme.lower(), rest.strip()
    if scheme not in SCHEMES or not text:
        raise unauthorized("Send the key as Authorization: Bearer KEY.")
    if len(subject_token) > MAX_TOKEN:
        raise refused_subject_token()
    shown: Token | Presented
    if scheme == "dpop" or may_be_token(text):
        if subject_token:
            # An agent shows its own chain, and passes on nobody else's.
            raise refused_subject_token()
        shown = Presented(scheme, text, proof, method, f"{settings.BASE_URL}{path}", address, request_id)
    else:
        try:
            shown = split_token(text)
        except MalformedToken:
            raise refused_key() from None
    return Sender(shown, subject_token, address, request_id)
