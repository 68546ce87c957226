"""What every credential is made of, whoever holds it: a secret that is shown once, a public key, an end, and networks."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.conf import settings

from agentiam.kit.errors import Invalid
from agentiam.kit.tokens import Peppers, Token, make_token
from directory.models import CredentialRecord, Scope
from directory.workloads import conditions_problem, subject_problem

DEFAULT_DAYS: Final = 90
_LONGEST_NAME: Final = 200
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192

# Compared as it is written, so nothing in it may be written in another way that means the same.
_ISSUER: Final = re.compile(r"https://[a-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?|spiffe://[a-z0-9._-]+")
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_ALWAYS: Final = frozenset({"kty", "kid", "use", "alg", "key_ops"})
_MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    "EC": frozenset({"crv", "x", "y"}),
    "OKP": frozenset({"crv", "x"}),
    "RSA": frozenset({"n", "e"}),
}


class BadPublicKey(Invalid):
    """The JWK is not a public key of a kind that is accepted; the message never repeats it."""

    field = "jwk"


class PrivateKeyShown(BadPublicKey):
    """The JWK holds a private key; it is to be thought of as lost."""


class BadNetwork(Invalid):
    """The text is not a CIDR block."""

    field = "allowed_networks"


class BadScope(Invalid):
    """The scopes are not among those that exist, or none was named."""

    field = "scopes"


class BadWorkloadIdentity(Invalid):
    """The issuer or the subject is not of the form that a workload's identity has."""


class BadConditions(BadWorkloadIdentity):
    """What a workload's token must say besides is not of the form that conditions have."""

    field = "conditions"


class BadTokenAudience(BadWorkloadIdentity):
    """What a workload's tokens are made out to is no plain text."""

    field = "audience"


class BadEnd(Invalid):
    """The credential would end too late, or before it starts."""

    field = "expires_at"


def peppers() -> Peppers:
    """Read the keys for digests from the settings."""
    return Peppers(settings.CREDENTIAL_PEPPERS)


def new_api_key(record: CredentialRecord, *, prefix: str, now: datetime) -> Token:
    """Make a secret, put its digest on an unsaved record, and answer the secret: nobody sees it a second time."""
    token = make_token(prefix)
    current = peppers()
    record.public_id = token.public_id
    record.pepper = current.current
    record.digest = current.digest(token.secret, record.pepper)
    record.created_at = now
    return token


def succeed(old: CredentialRecord, new: CredentialRecord, *, overlap: timedelta, now: datetime) -> list[str]:
    """Name a credential's successor and let the old one end after the overlap, or at once; answers the fields that were set.

    The end is never put off. Raises BadEnd for a negative overlap. The old record is not saved.
    """
    if overlap < timedelta(0):
        raise BadEnd("The overlap cannot be negative.")
    old.successor = new
    if not overlap:
        old.revoked_at = now
        return ["successor", "revoked_at"]
    old.expires_at = min(old.expires_at, now + overlap)
    return ["successor", "expires_at"]


def check_scopes(scopes: Iterable[str]) -> list[str]:
    """Accept names of scopes of an agent's or an application's secret, at least one, each once; raises BadScope."""
    return check_names_of_scopes(scopes, of=Scope.of_machines())


def check_names_of_scopes(scopes: Iterable[str], *, of: Iterable[tuple[str, str]]) -> list[str]:
    """Accept names of the scopes that a kind of holder may have, at least one, each once; raises BadScope."""
    names, known = list(dict.fromkeys(scopes)), [name for name, _ in of]
    if not names or not set(names) <= set(known):
        raise BadScope("A secret is for something that its holder may do.", remedy=f"Name some of: {', '.join(known)}.")
    return names


def credential_end(wanted: datetime | None, *, days: int, now: datetime) -> datetime:
    """Answer when a credential ends: as wanted, or after the longest life; raises BadEnd for one that lies outside."""
    latest = now + timedelta(days=days)
    if wanted is None:
        return latest
    if not now < wanted <= latest:
        raise BadEnd(f"The end must lie within the next {days} days.")
    return wanted


def check_networks(networks: Iterable[str]) -> list[str]:
    """Accept CIDR blocks, in their usual form; none stands for every network. Raises BadNetwork."""
    checked = []
    for network in networks:
        try:
            checked.append(str(ipaddress.ip_network(network)))
        except ValueError:
            raise BadNetwork(f"{network!r} is not a network.", remedy="For example 192.0.2.0/24 or 2001:db8::/32.") from None
    return checked


def check_issuer(issuer: str) -> None:
    """Accept an issuer elsewhere, an https URL or a SPIFFE trust domain, spelled in one way; raises BadWorkloadIdentity."""
    if not _ISSUER.fullmatch(issuer):
        raise BadWorkloadIdentity(
            "An issuer is an https URL or a SPIFFE trust domain.", remedy="For example https://ci.example."
        )


def check_token_audience(audience: str) -> None:
    """Accept what tokens are made out to, or nothing; raises BadTokenAudience."""
    if audience and (not audience.isprintable() or audience != audience.strip()):
        raise BadTokenAudience("An audience is a text of printable characters.")


def check_workload_identity(issuer: str, subject: str, *, audience: str = "", conditions: Any = None) -> None:
    """Accept a workload's issuer, its subject or a pattern of subjects, and what else its tokens must say.

    Raises BadWorkloadIdentity, BadTokenAudience and BadConditions.
    """
    check_issuer(issuer)
    if problem := subject_problem(subject):
        raise BadWorkloadIdentity(problem)
    check_token_audience(audience)
    if problem := conditions_problem({} if conditions is None else conditions):
        raise BadConditions(problem)


def check_public_jwk(jwk: Any) -> dict[str, Any]:
    """Accept a public key (RFC 7517): EC on P-256, OKP on Ed25519 (RFC 8037), or RSA of 2048 to 8192 bits.

    Raises PrivateKeyShown for a private key, whatever else is wrong with it, and BadPublicKey.
    """
    if not isinstance(jwk, dict):
        raise BadPublicKey("A JWK is a JSON object.")
    if _PRIVATE & jwk.keys():
        raise PrivateKeyShown("This is a private key.", remedy="Make another pair, and register its public half only.")
    kind = jwk.get("kty")
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise BadPublicKey("The key type must be EC, OKP or RSA.")
    unknown = sorted(str(name) for name in jwk.keys() - _ALWAYS - _MEMBERS[kind])
    if unknown:
        raise BadPublicKey(f"{unknown[0]!r} is not a member of such a key.")
    if jwk.get("use", "sig") != "sig":
        raise BadPublicKey("The key must be for signatures.")
    if not all(isinstance(jwk.get(name, ""), str) and len(jwk.get(name, "")) <= _LONGEST_NAME for name in ("kid", "alg")):
        raise BadPublicKey(f"The kid and alg of a key are texts of at most {_LONGEST_NAME} characters.")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations or not all(isinstance(each, str) for each in operations):
        raise BadPublicKey("The key must be for verifying: key_ops, where it is there, is a list with verify.")
    try:
        _check_numbers(kind, jwk)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise BadPublicKey(f"This is not a valid {kind} key.") from None
    return dict(jwk)


def published_key(jwk: Any) -> dict[str, Any] | None:
    """Read a key out of a set that somebody else publishes: a public key for signatures, or None for what is of no use.

    Such sets hold more than is needed here (certificates, keys for encryption). A key whose private half stands beside it is
    everybody's, and none.
    """
    if not isinstance(jwk, dict) or jwk.get("use", "sig") not in ("sig", "jwt-svid"):
        return None
    operations = jwk.get("key_ops")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return None
    wanted = _PRIVATE | {"kty", "kid", "alg"} | _MEMBERS.get(str(jwk.get("kty")), frozenset())
    try:
        checked = check_public_jwk({name: value for name, value in jwk.items() if name in wanted})
    except BadPublicKey:
        return None
    return checked if all(isinstance(checked.get(name, ""), str) for name in ("kid", "alg")) else None


def _check_numbers(kind: str, jwk: Mapping[str, Any]) -> None:
    match kind:
        case "EC":
            if jwk["crv"] != "P-256":
                raise BadPublicKey("The curve must be P-256.")
            ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), ec.SECP256R1()).public_key()
        case "OKP":
            if jwk["crv"] != "Ed25519":
                raise BadPublicKey("The curve must be Ed25519.")
            ed25519.Ed25519PublicKey.from_public_bytes(_octets(jwk["x"]))
        case _:
            modulus, exponent = _number(jwk["n"]), _number(jwk["e"])
            if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS:
                raise BadPublicKey(f"An RSA key must have {MIN_RSA_BITS} to {MAX_RSA_BITS} bits.")
            rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _octets(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _number(text: str) -> int:
    return int.from_bytes(_octets(text), "big")
