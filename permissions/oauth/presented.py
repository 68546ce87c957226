"""How a token is shown to agentiam itself: bound to a key as DPoP with a proof for this very request, else as Bearer.

RFC 6750, section 3; RFC 9449, section 7. Why a token is not taken is told to nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from agentiam.kit.actors import Actor
from agentiam.kit.problems import Problem
from directory.models import Agent, Credential, Organization
from permissions.oauth.dpop import ALGORITHMS, Proof, Replayed, check_proof, nonce_of, spend_proof
from permissions.oauth.errors import INVALID_PROOF, OAuthError
from permissions.oauth.facts import TokenFacts
from permissions.services.signals import Sign, note_sign
from permissions.services.uses import note_refused_network

SCHEMES: Final = ("bearer", "dpop")
_INVALID: Final = "invalid_token"


@dataclass(frozen=True, slots=True)
class Presented:
    """A token as it was sent, with the request that it was sent with; ``url`` is the address as clients know it."""

    scheme: str
    text: str = field(repr=False)
    proof: str = field(repr=False)
    method: str
    url: str
    address: str
    request_id: str

    @property
    def bound(self) -> bool:
        """Whether it was sent with the scheme for tokens that are bound to a key."""
        return self.scheme == "dpop"


def refused_token(presented: Presented, *, now: datetime) -> Problem:
    """Say that a token is not taken: unknown, ended, for somebody else, or shown in the wrong way, which is not told apart."""
    return _refusal(_INVALID, "The token is not valid here and now.", bound=presented.bound, now=now)


def insufficient(presented: Presented, scope: str) -> Problem:
    """Say that a token is not for this."""
    scheme = "DPoP" if presented.bound else "Bearer"
    header = f'{scheme} realm="agentiam", error="insufficient_scope", scope="{scope}"'
    return Problem(403, "insufficient-scope", f"The token lacks the scope {scope}.", headers={"WWW-Authenticate": header})


def check_presented(facts: TokenFacts, presented: Presented, *, now: datetime) -> Proof | None:
    """Check that a token is shown as it must be, all but the use of its proof; answers that. Raises a 401 problem."""
    if bool(facts.jkt) != presented.bound:
        # A bound token without its proof is what somebody has who found it.
        raise _refusal(_INVALID, "The token is not valid here and now.", bound=bool(facts.jkt), now=now)
    if not facts.jkt:
        return None
    try:
        proof = check_proof(presented.proof, method=presented.method, url=presented.url, now=now, token=presented.text)
    except OAuthError as error:
        raise _refusal(error.code, error.description, bound=True, now=now) from None
    if proof.jkt != facts.jkt:
        raise refused_token(presented, now=now)
    return proof


def spend_presented(facts: TokenFacts, proof: Proof, presented: Presented, *, now: datetime) -> None:
    """Use a proof up; raises a 401 problem, and notes a sign, when it was used before. Queries the database."""
    try:
        spend_proof(proof, Organization(pk=facts.organization_id), now=now)
    except Replayed as error:
        agent = Agent.objects.select_related("user").get(pk=facts.agent_id)
        note_sign(
            sign=Sign.PROOF_REPLAYED,
            agent=agent,
            proven=True,
            credential=_credential(facts),
            data={"jkt": proof.jkt, "token": facts.proven.token},
            by=_holder(agent, presented),
            now=now,
        )
        raise _refusal(error.code, error.description, bound=True, now=now) from None


def note_elsewhere(facts: TokenFacts, presented: Presented, *, now: datetime) -> None:
    """Note that a token came from a network that its agent's credential is not for. Queries the database."""
    if facts.credential_id is not None:
        record = Credential(pk=facts.credential_id, agent_id=facts.agent_id)
        note_refused_network(record=record, address=presented.address, now=now)


def _credential(facts: TokenFacts) -> Credential | None:
    return None if facts.credential_id is None else Credential.objects.get(pk=facts.credential_id)


def _holder(agent: Agent, presented: Presented) -> Actor:
    holder: Actor = agent.user.as_actor(address=presented.address, request_id=presented.request_id)
    return holder


def _refusal(code: str, detail: str, *, bound: bool, now: datetime) -> Problem:
    challenge = f'{"DPoP" if bound else "Bearer"} realm="agentiam", error="{code}"'
    headers: Mapping[str, str] = {"WWW-Authenticate": challenge}
    if bound:
        algorithms = " ".join(ALGORITHMS)
        headers = {"WWW-Authenticate": f'{challenge}, algs="{algorithms}"', "DPoP-Nonce": nonce_of(now)}
    kind = "unauthorized" if code in (_INVALID, INVALID_PROOF) else code.replace("_", "-")
    return Problem(401, kind, detail, headers=headers)
