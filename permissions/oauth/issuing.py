"""The token endpoint (RFC 6749, section 3.2): prove the client, check the proof of possession, do what the grant says."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from django.conf import settings

from agentiam.kit.limits import RETRY_SECONDS, NotCounted, take
from permissions.oauth import codes, exchange, jag, own
from permissions.oauth.bearer import accept_id_jag
from permissions.oauth.binding import bound_key
from permissions.oauth.clients import ProvenClient, authenticate
from permissions.oauth.errors import UNAVAILABLE, UNSUPPORTED_GRANT, OAuthError
from permissions.oauth.parameters import Asking
from permissions.oauth.refusals import note_refusal

Answer: TypeAlias = dict[str, Any]
_WITHOUT_SECRET: Final = frozenset({codes.CODE_GRANT, codes.REFRESH_GRANT})


def _own(asking: Asking, client: ProvenClient, jkt: str) -> Answer:
    return own.for_itself(asking, client, jkt).answer(now=asking.now)


def _with_refresh(redeem: Callable[[Asking, ProvenClient, str], Any]) -> Callable[[Asking, ProvenClient, str], Answer]:
    def answer(asking: Asking, client: ProvenClient, jkt: str) -> Answer:
        issued, refresh_token = redeem(asking, client, jkt)
        return {**issued.answer(now=asking.now), "refresh_token": refresh_token}

    return answer


def _exchanged(asking: Asking, client: ProvenClient, jkt: str) -> Answer:
    found = exchange.exchange(asking, client, jkt)
    if isinstance(found, dict):
        return found
    issued, kind = found
    return {**issued.answer(now=asking.now), "issued_token_type": kind}


def _unknown(asking: Asking, client: ProvenClient, jkt: str) -> Answer:
    raise OAuthError(UNSUPPORTED_GRANT, "There is no such grant here.", cause="an unknown grant")


def _asserted(asking: Asking, client: ProvenClient, jkt: str) -> Answer:
    return accept_id_jag(asking, client, jkt).answer(now=asking.now)


GRANTS: Final[Mapping[str, Callable[[Asking, ProvenClient, str], Answer]]] = {
    own.GRANT: _own,
    codes.CODE_GRANT: _with_refresh(codes.redeem_code),
    codes.REFRESH_GRANT: _with_refresh(codes.refresh),
    exchange.GRANT: _exchanged,
    jag.BEARER_GRANT: _asserted,
}


def _require_rate(client: ProvenClient) -> None:
    """Let an agent get so many tokens a minute; raises OAuthError."""
    try:
        taken = take(settings.TOKEN_RATE, "tokens", str(client.agent.pk))
    except NotCounted:
        detail = "Requests cannot be counted just now."
        raise OAuthError(UNAVAILABLE, detail, 503, {"Retry-After": str(RETRY_SECONDS)}, cause="not counted") from None
    if not taken.allowed:
        detail = f"An agent gets {settings.TOKEN_RATE} tokens a minute."
        raise OAuthError(UNAVAILABLE, detail, 429, {"Retry-After": str(taken.seconds)}, cause="too many tokens")


def answer_token_request(asking: Asking) -> Answer:
    """Answer one request for a token; raises OAuthError, which is recorded where it concerns a known agent."""
    client: ProvenClient | None = None
    try:
        name = asking.parameters.need("grant_type")
        grant = GRANTS.get(name, _unknown)
        client = authenticate(asking, public=name in _WITHOUT_SECRET)
        _require_rate(client)
        return grant(asking, client, bound_key(asking, client))
    except OAuthError as error:
        note_refusal(asking, client, error)
        raise
