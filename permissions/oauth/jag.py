"""Identity assertions for other authorization servers (draft-ietf-oauth-identity-assertion-authz-grant).

An assertion says to one server that a user of ours lets a client act: for minutes, for that client, which is in it as
the actor. It is no access token, and never good for one here.
"""

import json
import uuid
from typing import Any, Final

from django.db import transaction
from joserfc import jws

from audit.services import Change, Target, record_all
from directory.models import User
from permissions import events
from permissions.models import Consent, TrustedIssuer
from permissions.oauth.chains import SUB_PROFILE, Chain
from permissions.oauth.clients import ProvenClient
from permissions.oauth.errors import INVALID_TARGET, OAuthError, bad_grant
from permissions.oauth.identity import user_of_statement
from permissions.oauth.keys import signing_key
from permissions.oauth.parameters import Asking
from permissions.oauth.scopes import read_scope
from permissions.oauth.tokens import ACCESS_TOKEN_TYPE
from permissions.oauth.truth import find_token, stands

ID_JAG_TYPE: Final = "urn:ietf:params:oauth:token-type:id-jag"
JAG_HEADER: Final = "oauth-id-jag+jwt"
GRANT_PROFILE: Final = "urn:ietf:params:oauth:grant-profile:id-jag"
BEARER_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SECONDS: Final = 300
ALGORITHM: Final = "ES256"


def issue_id_jag(asking: Asking, client: ProvenClient, subject: str, kind: str) -> dict[str, object]:
    """Answer with an assertion for another server, on behalf of the user of the subject token; raises OAuthError."""
    audience = asking.parameters.get("audience")
    trusted = TrustedIssuer.objects.in_organization(asking.issuer.organization.pk).live().filter(issuer=audience).first()
    if trusted is None or TrustedIssuer.Use.RECEIVES_ASSERTIONS not in trusted.uses:
        raise OAuthError(INVALID_TARGET, "There is no such server that takes assertions.", cause="an unknown audience")
    user = (
        _user_of_own_token(asking, client, subject) if kind == ACCESS_TOKEN_TYPE else user_of_statement(asking, subject, client)
    )
    if not Consent.objects.filter(user=user, agent=client.agent).live(asking.now).exists():
        raise bad_grant("the user consented to nothing")
    claims = _claims(asking, client, user, audience)
    key, private = signing_key(asking.issuer.organization, ALGORITHM, now=asking.now)
    header = {"alg": ALGORITHM, "typ": JAG_HEADER, "kid": key.kid}
    text = jws.serialize_compact(header, json.dumps(claims).encode("utf-8"), private, algorithms=[ALGORITHM])
    with transaction.atomic():
        record_all([_event(asking, client, user, claims)])
    scope = claims.get("scope")
    answer: dict[str, object] = {
        "issued_token_type": ID_JAG_TYPE,
        "access_token": text,
        "token_type": "N_A",
        "expires_in": SECONDS,
    }
    return answer | ({"scope": scope} if scope else {})


def _user_of_own_token(asking: Asking, client: ProvenClient, text: str) -> User:
    """Take a token in which the client itself acts for a user; a chain of agents is told to nobody outside."""
    row = find_token(text, asking.issuer.organization, now=asking.now)
    if row is None or not stands(row, now=asking.now) or row.user is None:
        raise bad_grant("the subject token is none of a user's that stands")
    if Chain(row.subject, tuple(row.actors)).agents != (client.ref,):
        raise bad_grant("the subject token is another agent's, or passed on")
    return row.user


def _claims(asking: Asking, client: ProvenClient, user: User, audience: str) -> dict[str, Any]:
    now = int(asking.now.timestamp())
    claims: dict[str, Any] = {
        "iss": asking.issuer.url,
        "sub": user.external_id,
        "aud": audience,
        "client_id": client.client_id,
        "jti": uuid.uuid4().hex,
        "iat": now,
        "exp": now + SECONDS,
        "act": {"sub": client.ref, "iss": asking.issuer.url, "sub_profile": SUB_PROFILE},
    }
    scopes = read_scope(asking.parameters.get("scope"))
    resources = asking.parameters.all("resource")
    if len(resources) > 1:
        raise OAuthError(INVALID_TARGET, "An assertion is for one resource.", cause="several resources")
    if scopes:
        claims["scope"] = " ".join(scopes)
    return claims | ({"resource": resources[0]} if resources else {})


def _event(asking: Asking, client: ProvenClient, user: User, claims: dict[str, Any]) -> Change:
    return Change(
        event_type=events.TOKEN_ISSUED,
        organization_id=asking.issuer.organization.pk,
        by=client.actor(asking),
        target=Target(type="token", id=claims["jti"], label=claims["aud"]),
        data={
            "grant": ID_JAG_TYPE,
            "subject": f"user/{user.external_id}",
            "actors": [client.ref],
            "audience": claims["aud"],
            "scope": claims.get("scope", ""),
        },
        at=asking.now,
    )
