"""Identity assertions for other authorization servers (draft-ietf-oauth-identity-assertion-authz-grant).

An assertion says to one server that a user of ours lets a client act: for minutes, for that client, which is in it as
the actor. It is no access token, and never good for one here. It says no more than the trust in that server names, the
subject token was for, the user consented to, and the agent may do here without any condition; scopes that are asserted are
TYPE:ACTION, as here.
"""

import json
import uuid
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from joserfc import jws

from audit.services import Change, record_all
from audit.services import Target as About
from directory.models import Run, User
from permissions import events
from permissions.engine.conditions import FALSE, TRUE
from permissions.engine.effective import access
from permissions.engine.types import Question, World
from permissions.models import Consent, TrustedIssuer
from permissions.oauth.chains import SUB_PROFILE, Chain
from permissions.oauth.clients import ProvenClient
from permissions.oauth.errors import INVALID_SCOPE, INVALID_TARGET, OAuthError, bad_grant
from permissions.oauth.identity import user_of_statement
from permissions.oauth.keys import signing_key
from permissions.oauth.parameters import Asking
from permissions.oauth.scopes import Granted, Target, Wanted, granted, present_world, question_about, read_scope
from permissions.oauth.tokens import ACCESS_TOKEN_TYPE
from permissions.oauth.truth import find_token, stands
from permissions.services.terms import EVERY_ACTION

ID_JAG_TYPE: Final = "urn:ietf:params:oauth:token-type:id-jag"
JAG_HEADER: Final = "oauth-id-jag+jwt"
GRANT_PROFILE: Final = "urn:ietf:params:oauth:grant-profile:id-jag"
BEARER_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SECONDS: Final = 300
ALGORITHM: Final = "ES256"


@dataclass(frozen=True, slots=True)
class _Subject:
    """The user that an assertion is about, and what their token was for; None where it was a statement of who they are."""

    user: User
    within: Granted | None = None
    run: Run | None = None


def issue_id_jag(asking: Asking, client: ProvenClient, subject: str, kind: str, jkt: str) -> dict[str, object]:
    """Answer with an assertion for another server, on behalf of the user of the subject token; raises OAuthError."""
    audience = asking.parameters.get("audience")
    trusted = TrustedIssuer.objects.in_organization(asking.issuer.organization.pk).live().filter(issuer=audience).first()
    if trusted is None or TrustedIssuer.Use.RECEIVES_ASSERTIONS not in trusted.uses:
        raise OAuthError(INVALID_TARGET, "There is no such server that takes assertions.", cause="an unknown audience")
    if kind == ACCESS_TOKEN_TYPE:
        about = _of_own_token(asking, client, subject, jkt)
    else:
        about = _Subject(user_of_statement(asking, subject, client))
    resource = _resource(asking, trusted)
    scopes = _scopes(asking, client, about, trusted)
    claims = _claims(asking, client, about.user, audience) | {"scope": " ".join(scopes), "resource": resource}
    if jkt:
        claims["cnf"] = {"jkt": jkt}
    key, private = signing_key(asking.issuer.organization, ALGORITHM, now=asking.now)
    header = {"alg": ALGORITHM, "typ": JAG_HEADER, "kid": key.kid}
    text = jws.serialize_compact(header, json.dumps(claims).encode("utf-8"), private, algorithms=[ALGORITHM])
    with transaction.atomic():
        record_all([_event(asking, client, about.user, claims)])
    return {
        "issued_token_type": ID_JAG_TYPE,
        "access_token": text,
        "token_type": "N_A",
        "expires_in": SECONDS,
        "scope": claims["scope"],
    }


def _of_own_token(asking: Asking, client: ProvenClient, text: str, jkt: str) -> _Subject:
    """Take a token in which the client itself acts for a user; a chain of agents is told to nobody outside."""
    row = find_token(text, asking.issuer.organization, now=asking.now)
    if row is None or not stands(row, now=asking.now) or row.user is None:
        raise bad_grant("the subject token is none of a user's that stands")
    if row.jkt and row.jkt != jkt:
        raise bad_grant("the subject token is bound to another key")
    if row.may_act and row.may_act != client.ref:
        raise bad_grant("may_act names somebody else")
    if Chain(row.subject, tuple(row.actors)).agents != (client.ref,):
        raise bad_grant("the subject token is another agent's, or passed on")
    return _Subject(row.user, Granted(tuple(row.scopes), tuple(row.details)), row.run)


def _resource(asking: Asking, trusted: TrustedIssuer) -> str:
    """Say which resource an assertion names: without one it would be good for all that the server has."""
    asked, known = asking.parameters.all("resource"), trusted.asserted_resources
    if len(asked) > 1:
        raise OAuthError(INVALID_TARGET, "An assertion is for one resource.", cause="several resources")
    found = asked[0] if asked else (known[0] if len(known) == 1 else "")
    if found not in known:
        raise OAuthError(INVALID_TARGET, "Name a resource that may be asserted to this server.", cause="no such resource there")
    return str(found)


def _scopes(asking: Asking, client: ProvenClient, about: _Subject, trusted: TrustedIssuer) -> list[str]:
    """Answer what is asserted: of what may be said there, what the user's consent and their token cover."""
    asked = read_scope(asking.parameters.get("scope"))
    known = set(trusted.asserted_scopes)
    wanted = tuple(each for each in (trusted.asserted_scopes if asked is None else asked) if each in known)
    chain = Chain(f"user/{about.user.external_id}", (client.ref,))
    task_id = "" if about.run is None else about.run.task_id
    found = granted(
        asking.issuer,
        chain,
        Target(asking.issuer.own_resource),
        Wanted(wanted),
        own_scopes=(),
        task_id=task_id,
        within=about.within,
        now=asking.now,
    )
    question = question_about(chain, task_id, asking.now)
    world = present_world(asking.issuer.organization, question)
    scopes = [
        each
        for each in found.scopes
        if _consented(asking, client, about.user, each, about.run) and _unconditional(world, question, each)
    ]
    if not scopes:
        raise OAuthError(INVALID_SCOPE, "Of what was asked for, nothing can be asserted.", cause="nothing of the scope is left")
    return scopes


def _consented(asking: Asking, client: ProvenClient, user: User, scope: str, run: Run | None) -> bool:
    """Tell whether the user consented to all that a scope says elsewhere, where nobody sees classes of data or purposes."""
    name, _, action = scope.rpartition(":")
    purpose = "" if run is None else run.purpose
    given = Consent.objects.filter(user=user, agent=client.agent, resource_type__name=name, purpose__in={"", purpose})
    given = given.filter(Q(run__isnull=True) | Q(run=run))
    rows = [row for row in given.live(asking.now).select_related("resource_type") if {action, EVERY_ACTION} & set(row.actions)]
    if any(row.data_classes is None for row in rows):
        return True
    classes = {each for row in rows for each in row.data_classes or ()}
    return bool(rows) and set(rows[0].resource_type.fields.values()) <= classes


def _unconditional(world: World, question: Question, scope: str) -> bool:
    """Tell whether a scope is held for every object and field, at any time: elsewhere nobody sees a condition or a mask."""
    name, _, action = scope.rpartition(":")
    found = access(world, replace(question, type=name, action=action))
    whole = all(each.allowed == TRUE and each.escalated == FALSE and each.masked == FALSE for each in found.fields)
    named = {field for each in found.fields for field in each.fields}
    return found.effect == "allow" and whole and named >= set(world.types[name].fields)


def _claims(asking: Asking, client: ProvenClient, user: User, audience: str) -> dict[str, Any]:
    now = int(asking.now.timestamp())
    return {
        "iss": asking.issuer.url,
        "sub": user.external_id,
        "aud": audience,
        "client_id": client.client_id,
        "jti": uuid.uuid4().hex,
        "iat": now,
        "exp": now + SECONDS,
        "act": {"sub": client.ref, "iss": asking.issuer.url, "sub_profile": SUB_PROFILE},
    }


def _event(asking: Asking, client: ProvenClient, user: User, claims: dict[str, Any]) -> Change:
    return Change(
        event_type=events.TOKEN_ISSUED,
        organization_id=asking.issuer.organization.pk,
        by=client.actor(asking),
        target=About(type="token", id=claims["jti"], label=claims["aud"]),
        data={
            "grant": ID_JAG_TYPE,
            "subject": f"user/{user.external_id}",
            "actors": [client.ref],
            "audience": claims["aud"],
            "scope": claims["scope"],
            "resource": claims["resource"],
        },
        at=asking.now,
    )
