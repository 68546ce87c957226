"""An agent calls with a token for agentiam itself, as it asks for decisions with one; it acts under its own name only."""

from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication

from agentiam.api.authentication import account_of_agent
from agentiam.api.callers import Caller, Proof
from agentiam.api.limits import note_refused
from agentiam.kit.problems import Problem
from agentiam.requests import client_address, request_id
from permissions.engine.types import World
from permissions.oauth.errors import USE_NONCE
from permissions.oauth.facts import TokenFacts, may_be_token, organization_of, token_facts
from permissions.oauth.presented import (
    SCHEMES,
    Presented,
    check_presented,
    note_elsewhere,
    refused_token,
    spend_presented,
)
from permissions.questions import Proven
from permissions.worlds import Known

_ASKED_FOR_A_NONCE: Final = USE_NONCE.replace("_", "-")


class TokenOfAgent(BaseAuthentication):
    """``Authorization: Bearer TOKEN`` or, for a token that is bound to a key, ``DPoP TOKEN`` with a proof (RFC 9449)."""

    def authenticate(self, request: Any) -> tuple[Caller, Proof] | None:
        """Prove the agent; raises a 401 problem in the same words for every token that is not taken."""
        shown = _shown(request)
        if shown is None:
            return None
        try:
            facts = _proved(shown, now=timezone.now())
        except Problem as problem:
            # What was noted of a proof that was used before stays, also where the request is one transaction.
            request._request.leaves_a_trace = True  # noqa: SLF001  (DRF's own name for the request that it was made of)
            if problem.kind != _ASKED_FOR_A_NONCE:
                note_refused(request)
            raise
        if facts.chain.actors:
            raise Problem(403, "acts-for-another", "Here an agent acts under its own name, with a token of its own.")
        account = account_of_agent(facts.agent_id, now=timezone.now())
        return account, Proof(facts.scopes, "", facts.proven.token, facts.proven.client)

    def authenticate_header(self, request: Any) -> str:
        """Name the scheme, so that an anonymous request is answered with 401."""
        return 'Bearer realm="agentiam"'


def proven_by(request: Any, known: Known) -> Proven | None:
    """Read what the token of an authenticated request proves, for a decision on a world; None without a token."""
    shown = _shown(request) if isinstance(request.auth, Proof) and request.auth.token else None
    if shown is None:
        return None
    now = timezone.now()
    facts = _facts(shown, now=now, world=known.world)
    if facts is None:
        raise refused_token(shown, now=now)
    return facts.proven


def _shown(request: Any) -> Presented | None:
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    scheme, text = scheme.lower(), rest.strip()
    if scheme not in SCHEMES or not (scheme == "dpop" or may_be_token(text)):
        return None
    return Presented(
        scheme,
        text,
        request.headers.get("DPoP", ""),
        request.method,
        f"{settings.BASE_URL}{request.path}",
        client_address(request),
        request_id(request),
    )


def _facts(shown: Presented, *, now: datetime, world: World | None = None) -> TokenFacts | None:
    organization = organization_of(shown.text)
    return None if organization is None else token_facts(shown.text, organization, world, now=now)


def _proved(shown: Presented, *, now: datetime) -> TokenFacts:
    facts = _facts(shown, now=now)
    if facts is None or not facts.own or facts.proven.fault(now):
        raise refused_token(shown, now=now)
    proof = check_presented(facts, shown, now=now)
    if not facts.admits(shown.address):
        note_elsewhere(facts, shown, now=now)
        raise refused_token(shown, now=now)
    if proof is not None:
        spend_presented(facts, proof, shown, now=now)
    return facts
