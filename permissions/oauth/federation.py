"""Statements of issuers elsewhere: believed for what the organization believes the issuer for, and by its keys alone.

Who signed is looked up by the name that the statement gives, unverified, and by nothing else of it: keys come from the row,
from the address in it, or from the issuer's own metadata (OpenID Connect Discovery 1.0, section 4; RFC 8414, section 3), never
from the statement. The algorithm must be the row's and the key's (RFC 8725, section 3.1).
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from django.conf import settings
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from agentiam.kit.fetching import Document, DocumentCache, Limits, NotFetched, fetch_json
from directory.models import Credential, Organization
from directory.services.proofs import published_key
from directory.workloads import matches
from permissions.models import TrustedIssuer
from permissions.oauth.signed import BadSignature, Statement, audiences, check_times, read_statement, text_claim

LONGEST_SECONDS: Final = 24 * 3600
"""How far away the end of a statement may be."""
MOST_KEYS: Final = 50
_SPIFFE: Final = "spiffe://"
_USE: Final = TrustedIssuer.Use
_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    _USE.WORKLOADS: ("", "JWT", "JOSE", "client-authentication+jwt"),
    _USE.PEOPLE: ("", "JWT", "at+jwt"),
    _USE.ASSERTIONS: ("oauth-id-jag+jwt",),
}
"""What a statement says that it is, by what it is used for: none is good for something else (RFC 8725, section 3.11)."""


class Cause(StrEnum):
    """Why a statement is not believed."""

    UNREADABLE = "unreadable"
    UNKNOWN_ISSUER = "unknown_issuer"
    NO_KEYS = "no_keys"
    UNKNOWN_KID = "unknown_kid"
    BAD_SIGNATURE = "bad_signature"
    BAD_CLAIMS = "bad_claims"
    WRONG_AUDIENCE = "wrong_audience"


class NotVerified(Exception):
    """A statement is not believed; the text names the cause for the log, and repeats nothing of the statement."""

    def __init__(self, cause: Cause, words: str) -> None:
        super().__init__(words)
        self.cause = cause


def _fetch(url: str) -> Document:
    limits = Limits(allowed_networks=settings.FETCH_NETWORKS, loopback_allowed=not settings.PRODUCTION)
    return fetch_json(url, limits=limits)


DOCUMENTS: Final = DocumentCache(_fetch)
"""Keys and metadata of issuers, in this process; they are public, and the same whoever believes the issuer."""


def keys_of(issuer: TrustedIssuer, kid: str | None, *, now: datetime) -> list[Key]:
    """List the keys of an issuer with a key id, or all of them if a statement names none; raises NotVerified without any keys.

    An id that is not known makes them be fetched anew, though not more often than every half a minute.
    """
    found = _with_id(_key_set(issuer, now=now), kid)
    if not found and issuer.jwks is None:
        found = _with_id(_key_set(issuer, now=now, refresh=True), kid)
    return found


def verified_claims(
    token: str, *, organization: Organization, use: str, audiences: Collection[str], now: datetime
) -> tuple[TrustedIssuer, dict[str, Any]]:
    """Verify a statement of an issuer that the organization believes for a use, made out to one of ``audiences``.

    An issuer with an audience of its own makes its statements out to that instead. Whose a statement is, and whether it was
    used before, is the caller's to check. Raises NotVerified.
    """
    statement = _read(token, use)
    issuer = _issuer_of(statement, organization, use)
    _verify(statement, issuer, now=now)
    _check_claims(statement, issuer, {issuer.audience} if issuer.audience else set(audiences), now=now)
    return issuer, dict(statement.claims)


def workload_credentials(
    token: str, *, organization: Organization, audiences: Collection[str], now: datetime
) -> tuple[list[Credential], dict[str, Any]]:
    """Verify a workload's statement, and list the live credentials that it matches: none, one, or in conflict several.

    A credential with an audience takes only what is made out to it, any other what ``verified_claims`` takes. Raises
    NotVerified, also when no credential matches.
    """
    statement = _read(token, _USE.WORKLOADS)
    issuer = _issuer_of(statement, organization, _USE.WORKLOADS)
    _verify(statement, issuer, now=now)
    rows = Credential.objects.live(now).filter(organization=organization, kind=Credential.Kind.FEDERATED, issuer=issuer.issuer)
    usual = {issuer.audience} if issuer.audience else set(audiences)
    candidates = list(rows.select_related("agent"))
    made_out_to = _check_claims(statement, issuer, usual | {row.audience for row in candidates if row.audience}, now=now)
    found = [
        row
        for row in candidates
        if made_out_to & ({row.audience} if row.audience else usual) and matches(row.subject, row.conditions, statement.claims)
    ]
    if not found:
        raise NotVerified(Cause.BAD_CLAIMS, "the workload is not registered")
    return found, dict(statement.claims)


def _read(token: str, use: str) -> Statement:
    try:
        return read_statement(token, types=_TYPES[use])
    except BadSignature as error:
        raise NotVerified(Cause.UNREADABLE, str(error)) from None


def _issuer_of(statement: Statement, organization: Organization, use: str) -> TrustedIssuer:
    """Find the row by the name in the statement; a JWT-SVID need not name its issuer, which is its subject's trust domain."""
    name, subject = statement.claims.get("iss"), statement.claims.get("sub")
    if name is None and isinstance(subject, str) and subject.startswith(_SPIFFE):
        name = _SPIFFE + subject.removeprefix(_SPIFFE).partition("/")[0]
    if not isinstance(name, str) or not 0 < len(name) <= 500 or "\0" in name:
        raise NotVerified(Cause.UNKNOWN_ISSUER, "the issuer is not named")
    found = TrustedIssuer.objects.in_organization(organization.pk).live().filter(issuer=name).first()
    if found is None or use not in found.uses:
        raise NotVerified(Cause.UNKNOWN_ISSUER, "the issuer is not trusted for this")
    return found


def _verify(statement: Statement, issuer: TrustedIssuer, *, now: datetime) -> None:
    algorithms = set(issuer.algorithms)
    if "EdDSA" in algorithms:
        algorithms.add("Ed25519")
    if statement.header["alg"] not in algorithms:
        raise NotVerified(Cause.BAD_SIGNATURE, "the algorithm is not one that the issuer signs with")
    keys = keys_of(issuer, statement.header.get("kid"), now=now)
    if not keys:
        raise NotVerified(Cause.UNKNOWN_KID, "the issuer has no such key")
    words = ""
    for key in keys:
        try:
            statement.verify(key.as_dict(private=False), algorithms)
        except BadSignature as error:
            words = str(error)
        else:
            return
    raise NotVerified(Cause.BAD_SIGNATURE, words)


def _check_claims(statement: Statement, issuer: TrustedIssuer, allowed: set[str], *, now: datetime) -> frozenset[str]:
    """Check what every statement must say, and answer to whom it is made out."""
    try:
        check_times(statement.claims, now=now, most_seconds=LONGEST_SECONDS)
        subject = text_claim(statement.claims, "sub")
        found = audiences(statement.claims)
    except BadSignature as error:
        raise NotVerified(Cause.BAD_CLAIMS, str(error)) from None
    if issuer.issuer.startswith(_SPIFFE) and not subject.startswith(f"{issuer.issuer}/"):
        raise NotVerified(Cause.BAD_CLAIMS, "the subject is of another trust domain")
    if not found & allowed:
        raise NotVerified(Cause.WRONG_AUDIENCE, "it is made out to somebody else")
    return found


def _key_set(issuer: TrustedIssuer, *, now: datetime, refresh: bool = False) -> list[dict[str, Any]]:
    if issuer.jwks is not None:
        content = issuer.jwks
    else:
        try:
            address = issuer.jwks_uri or _discovered(issuer.issuer, now=now)
            content = DOCUMENTS.get(address, now=now.timestamp(), refresh=refresh)
        except NotFetched as error:
            raise NotVerified(Cause.NO_KEYS, f"the issuer's keys: {error.reason}") from None
    listed = content.get("keys")
    if not isinstance(listed, list):
        raise NotVerified(Cause.NO_KEYS, "the issuer's keys: there are none")
    usable = (published_key(each) for each in listed[:MOST_KEYS])
    return [key for key in usable if key is not None]


def _discovered(issuer: str, *, now: datetime) -> str:
    """Find the address of an issuer's keys in its metadata, which must be its own; raises NotFetched."""
    reason = NotFetched("there is no metadata")
    for address in metadata_addresses(issuer):
        try:
            content = DOCUMENTS.get(address, now=now.timestamp())
        except NotFetched as error:
            reason = error
            continue
        if content.get("issuer") != issuer:
            raise NotFetched("the metadata is another issuer's")
        found = content.get("jwks_uri")
        if not isinstance(found, str) or not found.startswith("https://"):
            raise NotFetched("the metadata names no keys")
        return found
    raise reason


def metadata_addresses(issuer: str) -> tuple[str, str]:
    """Say where an issuer's metadata is: OpenID Connect appends to the path, RFC 8414 puts its own before it."""
    plain = issuer.rstrip("/")
    scheme, _, rest = plain.partition("://")
    host, slash, path = rest.partition("/")
    return (
        f"{plain}/.well-known/openid-configuration",
        f"{scheme}://{host}/.well-known/oauth-authorization-server{slash}{path}",
    )


def _with_id(keys: list[dict[str, Any]], kid: str | None) -> list[Key]:
    found: list[Key] = []
    for each in keys:
        if kid is not None and each.get("kid") != kid:
            continue
        try:
            found.append(JWKRegistry.import_key(each))
        except (JoseError, ValueError, TypeError):
            continue  # what the library cannot use does not keep the others from being used
    return found
