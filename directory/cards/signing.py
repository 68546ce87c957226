"""A card is signed with its organization's own key, and checked against keys that were trusted before: never against its own.

The keys of the organizations are derived from one secret (HKDF, RFC 5869), so that none can sign for another, and none is kept.
"""

import base64
import binascii
import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, OKPKey

from agentiam.kit.canonical import canonical_bytes
from directory.cards.document import SIGNATURES, BadCard, signed_bytes
from directory.models import Organization

# Who reads agent cards knows this algorithm by the name that it had before RFC 9864.
ALGORITHM: Final = "EdDSA"
warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)
# Which algorithms a key of each type may have signed with: an algorithm is never taken from the card alone.
ALLOWED: Final[Mapping[str, tuple[str, ...]]] = {"OKP": ("EdDSA", "Ed25519"), "EC": ("ES256",), "RSA": ("RS256", "PS256")}
MAX_SIGNATURES: Final = 8
_MAX_HEADER: Final = 4_096
# Anything else (crit, b64, jwk, x5c …) would change what is signed, or bring a key along.
_HEADER: Final = frozenset({"alg", "kid", "typ", "jku"})


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key (RFC 7517) that was trusted before the card came, and on whose word."""

    jwk: Mapping[str, Any]
    vouched_by: UUID
    """The row that says so."""

    @property
    def ids(self) -> frozenset[str]:
        """What a card may call it: the id that it was given, and its thumbprint."""
        given = self.jwk.get("kid")
        return frozenset({thumbprint(self.jwk), *([given] if isinstance(given, str) else [])})


@dataclass(frozen=True, slots=True)
class CardVerdict:
    """Whether a trusted key signed a card; ``vouched_by`` and ``kid`` say which, ``problem`` why none did."""

    vouched_by: UUID | None = None
    kid: str = ""
    problem: str = ""

    @property
    def genuine(self) -> bool:
        """Whether a trusted key signed exactly this card."""
        return self.vouched_by is not None


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The thumbprint of a public key (RFC 7638)."""
    members = {"OKP": ("crv", "kty", "x"), "EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}[str(jwk["kty"])]
    found = hashlib.sha256(canonical_bytes({name: jwk[name] for name in members})).digest()
    return base64.urlsafe_b64encode(found).rstrip(b"=").decode("ascii")


def public_jwk(organization: Organization) -> dict[str, Any]:
    """The key that an organization's cards verify with."""
    key = _key_of(settings.CARD_SIGNING_KEY, organization.pk)
    public: dict[str, Any] = dict(key.as_dict(private=False))
    return {**public, "kid": thumbprint(public), "use": "sig", "alg": ALGORITHM}


def signed(card: Mapping[str, Any], organization: Organization, *, keys_url: str) -> dict[str, Any]:
    """Answer a card with its organization's signature; ``keys_url`` is where the key is shown."""
    protected = {"alg": ALGORITHM, "typ": "JOSE", "kid": public_jwk(organization)["kid"], "jku": keys_url}
    key = _key_of(settings.CARD_SIGNING_KEY, organization.pk)
    compact = jws.serialize_compact(protected, signed_bytes(card), key, algorithms=[ALGORITHM])
    header, _, signature = compact.split(".")
    return {**card, SIGNATURES: [{"protected": header, "signature": signature}]}


def check_card(card: Any, keys: Sequence[TrustedKey]) -> CardVerdict:
    """Look for a signature of one of the keys over a card; its own word on keys is not believed, and nothing is fetched."""
    if not isinstance(card, dict):
        return CardVerdict(problem="A card is a JSON object.")
    signatures = card.get(SIGNATURES)
    if not isinstance(signatures, list) or not signatures:
        return CardVerdict(problem="The card is not signed.")
    if len(signatures) > MAX_SIGNATURES:
        return CardVerdict(problem="The card has too many signatures.")
    try:
        payload = signed_bytes(card)
    except BadCard as error:
        return CardVerdict(problem=error.message)
    verdict = CardVerdict(problem="No key that is trusted signed the card.")
    for each in signatures:
        verdict = _check(each, payload, keys)
        if verdict.genuine:
            break
    return verdict


def _check(signature: Any, payload: bytes, keys: Sequence[TrustedKey]) -> CardVerdict:
    try:
        header = _header_of(signature)
    except ValueError as error:
        return CardVerdict(problem=f"The signature cannot be read: {error}.")
    found = [key for key in keys if header["kid"] in key.ids]
    if not found:
        return CardVerdict(problem="The key that signed the card is not trusted.")
    for key in found:
        if header["alg"] in _algorithms(key.jwk) and _verifies(signature, payload, key.jwk, header["alg"]):
            return CardVerdict(vouched_by=key.vouched_by, kid=header["kid"])
    return CardVerdict(problem="The signature is not that of the trusted key over this card.")


def _header_of(signature: Any) -> dict[str, str]:
    """Read a signature's protected header; raises ValueError for whatever cannot be checked in the one way there is."""
    if not isinstance(signature, dict) or not signature.keys() <= {"protected", "signature", "header"}:
        raise ValueError("it has other members than a signature")
    text = signature.get("protected")
    if not isinstance(text, str) or len(text) > _MAX_HEADER or not isinstance(signature.get("signature"), str):
        raise ValueError("its parts are not texts")
    try:
        header = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ValueError("its header is not base64 of JSON") from error
    if not isinstance(header, dict) or not {"alg", "kid"} <= header.keys() <= _HEADER:
        raise ValueError("its header must name alg and kid, and may name typ and jku")
    if not all(isinstance(value, str) for value in header.values()) or header.get("typ", "JOSE").upper() != "JOSE":
        raise ValueError("its header does not say what it must")
    return header


def _algorithms(jwk: Mapping[str, Any]) -> tuple[str, ...]:
    possible = ALLOWED.get(str(jwk.get("kty")), ())
    named = jwk.get("alg")
    return possible if named is None else tuple(name for name in possible if name == named)


def _verifies(signature: Mapping[str, str], payload: bytes, jwk: Mapping[str, Any], algorithm: str) -> bool:
    encoded = base64.urlsafe_b64encode(payload).rstrip(b"=").decode("ascii")
    try:
        key: Any = JWKRegistry.import_key(dict(jwk))
        jws.deserialize_compact(f"{signature['protected']}.{encoded}.{signature['signature']}", key, algorithms=[algorithm])
    except (JoseError, ValueError, TypeError):
        return False
    return True


@lru_cache(maxsize=1_024)
def _key_of(secret: str, organization_id: UUID) -> OKPKey:
    """Derive an organization's key from the secret."""
    context = b"agentiam agent card\0" + organization_id.bytes
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=context).derive(base64.b64decode(secret))
    return OKPKey.import_key(_jwk_of(Ed25519PrivateKey.from_private_bytes(seed), seed))


def _jwk_of(private: Ed25519PrivateKey, seed: bytes) -> Any:
    public = private.public_key().public_bytes_raw()
    encode = base64.urlsafe_b64encode
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": encode(public).rstrip(b"=").decode("ascii"),
        "d": encode(seed).rstrip(b"=").decode("ascii"),
    }
