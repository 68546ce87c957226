"""Issuers elsewhere that an organization believes: added, changed and ended by its administrators, from the next token on."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, Invalid
from agentiam.kit.fetching import NotFetched, require_fetchable
from audit.events import EventType
from directory.models import Organization
from directory.services.proofs import check_issuer, check_public_jwk, check_token_audience
from directory.services.reports import conclude
from directory.services.revisions import lock_organization
from directory.services.versions import changes, save_version
from permissions import events
from permissions.models import TrustedIssuer
from permissions.services.reports import report
from permissions.services.rows import EndedAlready, end, read_anew

MOST_KEYS: Final = 50
SPIFFE: Final = "spiffe://"
MOST_ASSERTED: Final = 100
_SCOPE: Final = re.compile(r"[\x21\x23-\x39\x3B-\x5B\x5D-\x7E]{1,200}:[\x21\x23-\x39\x3B-\x5B\x5D-\x7E]{1,200}")
_RESOURCE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21\x24-\x3B=\x3F-\x5B\x5D\x5F\x61-\x7A\x7E]{1,500}")
FITTING: Final = {"EC": {"ES256"}, "OKP": {"EdDSA"}, "RSA": {"RS256", "PS256"}}
"""Key type to the algorithms that go with it."""


class OwnIssuer(Invalid):
    """An organization's own issuer is believed for what it is, and for nothing else."""

    field = "issuer"


class IssuerTrustedAlready(Conflict):
    """There is such an issuer that has not been ended."""


class BadKeySource(Invalid):
    """Where its keys come from is not said, or said twice."""

    field = "jwks"


class BadKeyAddress(Invalid):
    """The address of its keys is no plain https URL."""

    field = "jwks_uri"


class BadUse(Invalid):
    """What its word counts for is not among what there is, or nothing."""

    field = "uses"


class BadAlgorithm(Invalid):
    """The algorithms are not among those that are taken, or fit none of its keys."""

    field = "algorithms"


class BadUserClaim(Invalid):
    """The claim that names people has no plain name."""

    field = "user_claim"


class BadAssertedScopes(Invalid):
    """What may be asserted is no list of scopes TYPE:ACTION."""

    field = "asserted_scopes"


class BadAssertedResources(Invalid):
    """Where assertions may be for is no list of absolute URIs."""

    field = "asserted_resources"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerTerms:
    """What is believed of an issuer, and by which keys; no ``algorithms`` stand for all that fit the keys."""

    name: str
    uses: Iterable[str]
    jwks_uri: str = ""
    jwks: dict[str, Any] | None = None
    algorithms: Iterable[str] | None = None
    audience: str = ""
    user_claim: str = "sub"
    asserted_scopes: Iterable[str] = ()
    asserted_resources: Iterable[str] = ()


def add_trusted_issuer(
    *, organization: Organization, issuer: str, terms: IssuerTerms, by: Actor, reason: str = "", now: datetime
) -> TrustedIssuer:
    """Believe an issuer elsewhere, from the next token on.

    Nothing is fetched here. Raises BadWorkloadIdentity, OwnIssuer, BadKeySource, BadKeyAddress, BadPublicKey, PrivateKeyShown,
    BadUse, BadAlgorithm, BadTokenAudience, BadUserClaim, BadAssertedScopes,
    BadAssertedResources and IssuerTrustedAlready.
    """
    check_issuer(issuer)
    if f"{issuer}/".startswith(f"{settings.BASE_URL}/"):
        raise OwnIssuer("This is an issuer of this server itself.")
    values = _checked(issuer, terms)
    trusted = TrustedIssuer(organization=organization, issuer=issuer, created_at=now, **values)
    with transaction.atomic():
        lock_organization(organization.pk, by=by)
        if TrustedIssuer.objects.in_organization(organization.pk).live().filter(issuer=issuer).exists():
            raise IssuerTrustedAlready("This issuer is trusted already.", remedy="Change that one, or end it first.")
        save_version(trusted, by=by, reason=reason, now=now)
        _conclude(events.TRUSTED_ISSUER_ADDED, trusted, by=by, reason=reason, now=now, data=values)
    return trusted


def update_trusted_issuer(
    *, trusted: TrustedIssuer, terms: IssuerTerms, by: Actor, reason: str = "", now: datetime
) -> TrustedIssuer:
    """Change what is believed of an issuer, or where its keys are; its name in tokens stays.

    Raises EndedAlready, and as ``add_trusted_issuer``.
    """
    values = _checked(trusted.issuer, terms)
    with transaction.atomic():
        lock_organization(trusted.organization_id, by=by)
        current = read_anew(trusted)
        if current.ended_at is not None:
            raise EndedAlready("This issuer is trusted no more.", remedy="Add it anew.")
        changed = changes(current, values)
        save_version(current, by=by, reason=reason, now=now, fields=values)
        _conclude(events.TRUSTED_ISSUER_UPDATED, current, by=by, reason=reason, now=now, data={"changed": changed})
    return current


def end_trusted_issuer(*, trusted: TrustedIssuer, by: Actor, reason: str = "", now: datetime) -> TrustedIssuer:
    """Believe an issuer no more, from the next token on; raises EndedAlready."""
    with transaction.atomic():
        lock_organization(trusted.organization_id, by=by)
        current = read_anew(trusted)
        end(current, by=by, reason=reason, now=now)
        _conclude(events.TRUSTED_ISSUER_ENDED, current, by=by, reason=reason, now=now, data={})
    return current


def _checked(issuer: str, terms: IssuerTerms) -> dict[str, Any]:
    """Check terms, and answer them as they are stored."""
    keys = None if terms.jwks is None else _checked_keys(terms.jwks)
    _check_source(issuer, terms)
    check_token_audience(terms.audience)
    if not terms.user_claim.strip() or not terms.user_claim.isprintable():
        raise BadUserClaim("The claim must be named, in printable characters.", remedy="Usually it is sub or email.")
    return asdict(terms) | {
        "jwks": keys,
        "uses": _named(terms.uses, TrustedIssuer.Use.values, BadUse),
        "algorithms": _checked_algorithms(terms.algorithms, keys),
        "asserted_scopes": _listed(terms.asserted_scopes, _SCOPE, BadAssertedScopes),
        "asserted_resources": _listed(terms.asserted_resources, _RESOURCE, BadAssertedResources),
    }


def _listed(texts: Iterable[str], form: re.Pattern[str], refusal: type[Invalid]) -> list[str]:
    found = list(dict.fromkeys(texts))
    if len(found) > MOST_ASSERTED or not all(isinstance(each, str) and form.fullmatch(each) for each in found):
        raise refusal(f"At most {MOST_ASSERTED} are named: scopes as TYPE:ACTION, resources as URIs without a fragment.")
    return found


def _check_source(issuer: str, terms: IssuerTerms) -> None:
    if terms.jwks_uri and terms.jwks is not None:
        raise BadKeySource("Its keys are given or fetched, not both.", remedy="Leave jwks_uri empty, or jwks.")
    if issuer.startswith(SPIFFE) and not terms.jwks_uri and terms.jwks is None:
        raise BadKeySource("A trust domain has no metadata to find its keys by.", remedy="Give jwks_uri, or jwks.")
    if terms.jwks_uri:
        try:
            require_fetchable(terms.jwks_uri)
        except NotFetched:
            raise BadKeyAddress("The address of the keys is no plain https URL.") from None


def _checked_keys(jwks: Any) -> dict[str, Any]:
    listed = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_KEYS:
        raise BadKeySource(f'Keys are a set of 1 to {MOST_KEYS}: {{"keys": [...]}}.')
    return {"keys": [check_public_jwk(key) for key in listed]}


def _checked_algorithms(wanted: Iterable[str] | None, keys: dict[str, Any] | None) -> list[str]:
    known = TrustedIssuer.Algorithm.values
    fitting = set(known) if keys is None else set().union(*(FITTING[key["kty"]] for key in keys["keys"]))
    names = [name for name in known if name in fitting] if wanted is None else _named(wanted, known, BadAlgorithm)
    if not fitting & set(names):
        raise BadAlgorithm("None of the keys is for one of these algorithms.")
    return names


def _named(names: Iterable[str], known: Iterable[str], refusal: type[Invalid]) -> list[str]:
    wanted, known = set(names), list(known)
    if not wanted or not wanted <= set(known):
        raise refusal("At least one must be named, of those that there are.", remedy=f"Known: {', '.join(known)}.")
    return [name for name in known if name in wanted]


def _conclude(event: EventType, trusted: TrustedIssuer, *, by: Actor, reason: str, now: datetime, data: dict[str, Any]) -> None:
    happened = report(event, trusted, by=by, reason=reason, now=now, data={"issuer": trusted.issuer, **data})
    conclude([happened], touched=[f"issuer/{trusted.issuer}"])
