"""Which user an issuer that is trusted for people speaks of; what it says gives an agent nothing without the user's consent."""

from collections.abc import Mapping
from typing import Any

from directory.models import User
from permissions.models import TrustedIssuer
from permissions.oauth.clients import ProvenClient
from permissions.oauth.errors import bad_grant
from permissions.oauth.federation import NotVerified, verified_claims
from permissions.oauth.parameters import Asking


def user_of_statement(asking: Asking, text: str, client: ProvenClient) -> User:
    """Find the user that a signed statement is about, and see that it lets this client act; raises OAuthError."""
    try:
        issuer, claims = verified_claims(
            text,
            organization=asking.issuer.organization,
            use=TrustedIssuer.Use.PEOPLE,
            audiences={asking.issuer.url},
            now=asking.now,
        )
    except NotVerified as error:
        raise bad_grant(f"the user's token: {error}") from None
    if "act" in claims:
        raise bad_grant("somebody acts for the user already, whom we do not know")
    # Only whom the issuer made the token out to uses it, and nobody who got hold of it (OpenID Connect Core, section 3.1.3.7).
    for name in ("azp", "client_id"):
        if name in claims and not _means(claims[name], client):
            raise bad_grant(f"{name} names another client")
    may_act = claims.get("may_act")
    if may_act is not None and not (isinstance(may_act, dict) and _means(may_act.get("sub"), client)):
        raise bad_grant("may_act names somebody else")
    return user_of(issuer, claims, asking)


def _means(named: object, client: ProvenClient) -> bool:
    """Tell whether a name stands for a client: its reference, or its client id where that is nobody's reference."""
    return named == client.ref or (named == client.client_id and not client.client_id.startswith(("agent/", "user/")))


def user_of(issuer: TrustedIssuer, claims: Mapping[str, Any], asking: Asking) -> User:
    """Find the active person here whom the issuer's claim names; raises OAuthError."""
    name = claims.get(issuer.user_claim)
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise bad_grant("the claim that names the user is missing")
    if issuer.user_claim == "email" and claims.get("email_verified") is not True:
        raise bad_grant("the address is not verified")
    people = User.objects.active().people().filter(organization=asking.issuer.organization)
    found: User | None = people.filter(external_id=name).first()
    if found is None:
        raise bad_grant("the user is not known here")
    return found
