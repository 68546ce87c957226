"""Proof of possession (RFC 9449): a token that was asked for with a proof is worth nothing without the key that made it.

Nonces are made from the time and a secret, so that nothing is kept for them: one is good for a few minutes.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry

from directory.models import Organization
from directory.services.proofs import BadPublicKey, check_public_jwk
from permissions.models import UsedProof
from permissions.oauth.errors import INVALID_PROOF, USE_NONCE, OAuthError
from permissions.oauth.replays import use_once
from permissions.oauth.signed import SKEW_SECONDS, BadSignature, read_statement, text_claim

ALGORITHMS: Final = ("ES256", "EdDSA", "RS256")
LIFE_SECONDS: Final = 300
"""How old a proof may be."""
NONCE_SECONDS: Final = 300
_HEADERS: Final = frozenset({"typ", "alg", "jwk"})
_MAX_PROOF: Final = 8_192
_PURPOSE: Final = b"agentiam.oauth.dpop-nonce"


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds: the thumbprint of its key (RFC 7638), and its id."""

    jkt: str
    jti: str
    issued: float


class Replayed(OAuthError):
    """The proof was used before."""


def nonce_of(now: datetime) -> str:
    """The nonce that is handed out now."""
    return _nonce(int(now.timestamp()) // NONCE_SECONDS)


def refusal(description: str, *, cause: str, now: datetime, code: str = INVALID_PROOF) -> OAuthError:
    """Refuse a proof; the answer carries a nonce for the next."""
    return OAuthError(code, description, 400, {"DPoP-Nonce": nonce_of(now)}, cause=cause)


def check_proof(text: str, *, method: str, url: str, now: datetime, token: str = "", nonce_needed: bool = True) -> Proof:
    """Check a proof for one request (section 4.3), all but its use; raises OAuthError.

    ``url`` is the address as clients know it; with ``token`` the proof must be for that one (``ath``).
    """
    try:
        statement = read_statement(text, types=["dpop+jwt"], headers=_HEADERS)
        key = check_public_jwk(statement.header.get("jwk"))
        statement.verify({**key, "alg": statement.header["alg"]}, ALGORITHMS)
        jkt = JWKRegistry.import_key(key).thumbprint()
        claims = statement.claims
        jti, issued = text_claim(claims, "jti", most=200), _issued(claims, now)
        _check_request(claims, method, url, token)
    except (BadSignature, BadPublicKey, JoseError, ValueError) as error:
        raise refusal("The DPoP proof is not one for this request.", cause=_cause(error), now=now) from None
    if nonce_needed and not _is_nonce(claims.get("nonce"), now):
        raise refusal("Use the nonce in DPoP-Nonce.", cause="no nonce of ours", now=now, code=USE_NONCE)
    return Proof(jkt, jti, issued)


def spend_proof(proof: Proof, organization: Organization, *, now: datetime) -> None:
    """Use a proof up; raises Replayed when it was used before."""
    until = proof.issued + LIFE_SECONDS + SKEW_SECONDS
    if not use_once(organization, UsedProof.Kind.DPOP, proof.jkt, proof.jti, until=until):
        raise Replayed(
            INVALID_PROOF,
            "The DPoP proof is not one for this request.",
            400,
            {"DPoP-Nonce": nonce_of(now)},
            cause="a proof was used twice",
        )


def _check_request(claims: Mapping[str, Any], method: str, url: str, token: str) -> None:
    if claims.get("htm") != method:
        raise BadSignature("htm is another method")
    if _normal(text_claim(claims, "htu", most=2_000)) != _normal(url):
        raise BadSignature("htu is another address")
    if token:
        digest = hashlib.sha256(token.encode("ascii", "replace")).digest()
        expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
        if not hmac.compare_digest(str(claims.get("ath", "")).encode(), expected.encode()):
            raise BadSignature("ath is of another token")


def _issued(claims: Mapping[str, Any], now: datetime) -> float:
    value = claims.get("iat")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadSignature("iat is no time")
    if not now.timestamp() - LIFE_SECONDS - SKEW_SECONDS <= value <= now.timestamp() + SKEW_SECONDS:
        raise BadSignature("iat is too old, or to come")
    return float(value)


def _normal(url: str) -> tuple[str, str, int | None, str]:
    """Compare addresses by syntax and scheme (RFC 3986, sections 6.2.2 and 6.2.3); query and fragment do not count."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadSignature("htu is no address") from None
    usual = {"http": 80, "https": 443}.get(parts.scheme.lower())
    return parts.scheme.lower(), (parts.hostname or "").lower(), usual if port is None else port, parts.path or "/"


def _nonce(period: int) -> str:
    key = hmac.digest(settings.SECRET_KEY.encode("utf-8"), _PURPOSE, "sha256")
    return base64.urlsafe_b64encode(hmac.digest(key, str(period).encode("ascii"), "sha256")[:18]).decode("ascii")


def _is_nonce(value: Any, now: datetime) -> bool:
    if not isinstance(value, str):
        return False
    period = int(now.timestamp()) // NONCE_SECONDS
    given = value.encode("utf-8", "surrogatepass")
    return any(hmac.compare_digest(given, _nonce(each).encode("ascii")) for each in (period, period - 1))


def _cause(error: Exception) -> str:
    return str(error) if isinstance(error, BadSignature) else "the key in the proof is not one that is taken"
