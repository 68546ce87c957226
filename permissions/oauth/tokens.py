"""A token is issued once everything about it is settled: its row says what it is for, whoever carries it.

A signed one follows RFC 9068; a reference is looked up. Neither outlives what it rests on: its grant, its task, its credential.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from joserfc import jws

from agentiam.kit.ids import uuid7
from agentiam.kit.tokens import PREFIXES, Token, make_token
from audit.services import Change, Target, record_all
from directory.models import Run, User
from directory.services.proofs import peppers
from permissions import events
from permissions.models import AccessToken, Application, Authorization
from permissions.oauth.chains import Chain
from permissions.oauth.clients import ProvenClient
from permissions.oauth.errors import INVALID_DETAILS, OAuthError, bad_grant
from permissions.oauth.keys import LONGEST_TOKEN, signing_key
from permissions.oauth.parameters import Asking
from permissions.oauth.scopes import Granted
from permissions.oauth.scopes import Target as Resource
from permissions.oauth.signed import MAX_BYTES

TYPE: Final = "at+jwt"
OWN_SECONDS: Final = 300
OWN_ALGORITHM: Final = "ES256"
ACCESS_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  (a name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Everything about a token that is to be issued."""

    client: ProvenClient
    chain: Chain
    resource: Resource
    granted: Granted
    jkt: str = ""
    user: User | None = None
    run: Run | None = None
    authorization: Authorization | None = None
    parent: AccessToken | None = None
    may_act: str = ""
    grant: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A token, its text seen here and never again."""

    row: AccessToken
    text: str

    @property
    def type(self) -> str:
        """How it is presented: ``DPoP`` where it is bound to a key."""
        return "DPoP" if self.row.jkt else "Bearer"

    def answer(self, *, now: datetime) -> dict[str, Any]:
        """The members of a token response (RFC 6749, section 5.1)."""
        row = self.row
        found: dict[str, Any] = {
            "access_token": self.text,
            "token_type": self.type,
            "expires_in": max(0, int((row.expires_at - now).total_seconds())),
            "scope": " ".join(row.scopes),
        }
        return found | ({"authorization_details": row.details} if row.details else {})


def issue(asking: Asking, terms: Terms) -> Issued:
    """Issue a token, and record it in the event log; within the transaction of whatever it rests on."""
    row = _row(asking, terms)
    application = terms.resource.application
    if application is not None and application.token_format == Application.TokenFormat.REFERENCE:
        secret = make_token(PREFIXES["access"])
        store_secret(row, secret)
        text = secret.text
    else:
        algorithm = OWN_ALGORITHM if application is None else application.token_algorithm
        key, private = signing_key(asking.issuer.organization, algorithm, now=asking.now)
        row.kid = key.kid
        header = {"alg": algorithm, "typ": TYPE, "kid": key.kid}
        text = jws.serialize_compact(header, _encoded(claims_of(row, terms.client.client_id)), private, algorithms=[algorithm])
        if len(text) > MAX_BYTES:
            raise OAuthError(INVALID_DETAILS, "This is too much for one token; ask for less.", cause="too long a token")
    row.save()
    record_all([_event(asking, terms, row)])
    return Issued(row, text)


def store_secret(row: Any, secret: Token) -> None:
    """Put a secret's digest on an unsaved row."""
    current = peppers()
    row.public_id, row.pepper = secret.public_id, current.current
    row.digest = current.digest(secret.secret, current.current)


def claims_of(row: AccessToken, client_id: str) -> dict[str, Any]:
    """The claims of a token (RFC 9068, section 2.2; RFC 8693, section 4)."""
    chain = Chain(row.subject, tuple(row.actors))
    claims: dict[str, Any] = {
        "iss": row.issuer,
        **chain.claims(row.issuer),
        "aud": row.audience,
        "client_id": client_id,
        "jti": str(row.pk),
        "iat": int(row.issued_at.timestamp()),
        "exp": int(row.expires_at.timestamp()),
    }
    if row.scopes:
        # An empty one is none (RFC 6749, section 3.3).
        claims["scope"] = " ".join(row.scopes)
    if row.details:
        claims["authorization_details"] = row.details
    if row.may_act:
        claims["may_act"] = {"sub": row.may_act, "iss": row.issuer}
    if row.jkt:
        claims["cnf"] = {"jkt": row.jkt}
    if row.run is not None:
        claims["run"] = {"id": str(row.run.pk), "task": row.run.task_id, "purpose": row.run.purpose}
    ancestors = ancestors_of(row)
    return claims | ({"ancestors": ancestors} if ancestors else {})


def ancestors_of(row: AccessToken) -> list[str]:
    """Name the agents that a spawned agent descends from, its parent first."""
    found, parent = [], row.agent.parent
    while parent is not None:
        found.append(f"agent/{parent.external_id}")
        parent = parent.parent
    return found


def _row(asking: Asking, terms: Terms) -> AccessToken:
    agent = terms.client.agent
    return AccessToken(
        id=uuid7(),
        organization=asking.issuer.organization,
        agent=agent,
        credential=terms.client.credential,
        authorization=terms.authorization,
        parent=terms.parent,
        user=terms.user,
        run=terms.run,
        subject=terms.chain.subject,
        actors=list(terms.chain.actors),
        issuer=asking.issuer.url,
        audience=terms.resource.audience,
        scopes=list(terms.granted.scopes),
        details=list(terms.granted.details),
        may_act=terms.may_act,
        jkt=terms.jkt,
        issued_at=asking.now,
        expires_at=_end(asking, terms),
    )


def _end(asking: Asking, terms: Terms) -> datetime:
    """The earliest of all ends; raises OAuthError where nothing is left."""
    application = terms.resource.application
    seconds = OWN_SECONDS if application is None else application.token_seconds
    ends = [asking.now + min(timedelta(seconds=seconds), LONGEST_TOKEN)]
    for thing in (terms.client.credential, terms.parent, terms.client.agent, terms.run):
        end = getattr(thing, "expires_at", None)
        if end is not None:
            ends.append(end)
    if terms.authorization is not None:
        ends.append(terms.authorization.ends_at)
    end = min(ends)
    if end <= asking.now + timedelta(seconds=1):
        raise bad_grant("what the token rests on is over")
    return end.replace(microsecond=0) if end.replace(microsecond=0) > asking.now else end


def _encoded(claims: dict[str, Any]) -> bytes:
    return json.dumps(claims, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _event(asking: Asking, terms: Terms, row: AccessToken) -> Change:
    return Change(
        event_type=events.TOKEN_ISSUED,
        organization_id=row.organization_id,
        by=terms.client.actor(asking),
        target=Target(type="token", id=str(row.pk), label=row.audience),
        data={
            "grant": terms.grant,
            "subject": row.subject,
            "actors": row.actors,
            "audience": row.audience,
            "scope": " ".join(row.scopes),
            "details": row.details,
            "run": None if terms.run is None else terms.run.task_id,
            "credential": None if row.credential_id is None else str(row.credential_id),
            "parent": None if row.parent_id is None else str(row.parent_id),
            "authorization": None if row.authorization_id is None else str(row.authorization_id),
            "bound": bool(row.jkt),
            "expires_at": row.expires_at.isoformat(),
        },
        at=asking.now,
    )
