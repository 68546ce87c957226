"""Acme's agents as clients: a planner that delegates to a worker, a user who consents, applications that check tokens."""

import base64
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from django.test import Client
from django.utils import timezone
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from agentiam.kit.tokens import Token
from directory.models import Agent, Credential, Organization, User
from directory.services.credentials import issue_client_secret, register_public_key
from permissions.models import Application, ApplicationKey, ResourceType
from permissions.oauth.keys import ensure_keys
from permissions.services.application_keys import issue_application_key
from tests.factories import SYSTEM, make_agent, make_organization, make_person
from tests.permissions.factories import (
    make_application,
    make_consent,
    make_delegation,
    make_grant,
    make_resource_type,
    spec,
)

BASE = "http://127.0.0.1:8000"
ISSUER = f"{BASE}/o/acme"
CRM = "https://crm.acme.example"
LAKE = "https://lake.acme.example"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEYS = {
    "ES256": ECKey.generate_key("P-256"),
    "EdDSA": OKPKey.generate_key("Ed25519"),
    "RS256": RSAKey.generate_key(2048),
}


@dataclass
class World:
    """What the tests of the authorization server stand on."""

    acme: Organization
    ada: User
    planner: Agent
    worker: Agent
    crm: Application
    lake: Application
    record: ResourceType
    table: ResourceType
    secrets: dict[str, Token] = field(default_factory=dict)
    credentials: dict[str, Credential] = field(default_factory=dict)
    keys: dict[str, Token] = field(default_factory=dict)


def make_world() -> World:
    acme = make_organization("acme")
    ada = make_person(acme, "ada")
    crm = make_application(acme, "crm", audience=CRM)
    lake = make_application(acme, "lake", audience=LAKE)
    record = make_resource_type(acme, "record", application=crm)
    table = make_resource_type(acme, "table", application=lake, actions=["query"], attributes={}, fields={})
    planner, worker = make_agent(acme, "planner"), make_agent(acme, "worker")
    world = World(acme, ada, planner, worker, crm, lake, record, table)
    for holder in (planner.user, worker.user, ada):
        make_grant(acme, holder, spec(actions=["read", "write"]), use=True, delegate=True)
    make_grant(acme, planner.user, spec(type="table", actions=["query"]), use=True, delegate=True)
    make_consent(ada, planner, record, actions=["read", "write"])
    make_delegation(planner, worker, spec(actions=["read"]))
    for agent in (planner, worker):
        world.credentials[agent.external_id], world.secrets[agent.external_id] = secret_for(agent)
    for application in (crm, lake):
        world.keys[application.slug] = key_for(application)[1]
    ensure_keys(acme, now=timezone.now())
    return world


def secret_for(agent: Agent, **values: Any) -> tuple[Credential, Token]:
    return issue_client_secret(agent=agent, label="secret", by=SYSTEM, now=timezone.now(), **values)


def key_for(application: Application) -> tuple[ApplicationKey, Token]:
    return issue_application_key(application=application, label="key", by=SYSTEM, now=timezone.now())


def public_key_for(agent: Agent, algorithm: str, **values: Any) -> Credential:
    public = {**KEYS[algorithm].as_dict(private=False), "alg": algorithm}
    return register_public_key(agent=agent, label=algorithm, jwk=public, by=SYSTEM, now=timezone.now(), **values)


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{quote_plus(name)}:{quote_plus(secret)}".encode()).decode()


@dataclass
class Answer:
    """What an endpoint answered."""

    status: int
    body: dict[str, Any]
    headers: Any

    @property
    def token(self) -> str:
        assert self.status == 200, self.body
        return str(self.body["access_token"])

    @property
    def claims(self) -> dict[str, Any]:
        return claims_of(self.token)


def post(path: str, data: dict[str, Any], *, issuer: str = ISSUER, address: str = "127.0.0.1", **headers: str) -> Answer:
    """Post a form to an endpoint of an issuer."""
    pairs = [(name, each) for name, value in data.items() for each in (value if isinstance(value, list) else [value])]
    body = "&".join(f"{quote_plus(name)}={quote_plus(str(value))}" for name, value in pairs)
    sent = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    response = Client().post(
        f"{issuer.removeprefix(BASE)}/oauth/{path}",
        body,
        content_type="application/x-www-form-urlencoded",
        REMOTE_ADDR=address,
        **sent,
    )
    return Answer(response.status_code, json.loads(response.content) if response.content else {}, response.headers)


def ask(world: World, agent: str, data: dict[str, Any], **more: Any) -> Answer:
    """Ask for a token with an agent's client secret."""
    return post("token", data, authorization=basic(agent, world.secrets[agent].text), **more)


def own_token(world: World, agent: str = "planner", *, issuer: str = ISSUER, **data: Any) -> Answer:
    return ask(world, agent, {"grant_type": "client_credentials", "resource": CRM, **data}, issuer=issuer)


def exchanged(world: World, agent: str, subject: str, **data: Any) -> Answer:
    given = {"grant_type": TOKEN_EXCHANGE, "subject_token": subject, "subject_token_type": ACCESS_TOKEN, "resource": CRM}
    return ask(world, agent, given | data)


def introspected(world: World, text: str, application: str = "crm", **data: Any) -> dict[str, Any]:
    answer = post("introspect", {"token": text, **data}, authorization=basic(application, world.keys[application].text))
    assert answer.status == 200, answer.body
    return answer.body


def assertion(
    client_id: str, algorithm: str = "ES256", *, header: dict[str, Any] | None = None, key: Any = None, **claims: Any
) -> str:
    """Sign a client assertion; a claim that is None is left out."""
    now = int(time.time())
    given = {"iss": client_id, "sub": client_id, "aud": ISSUER, "jti": uuid.uuid4().hex, "iat": now, "exp": now + 60} | claims
    return signed({k: v for k, v in given.items() if v is not None}, algorithm, key=key or KEYS[algorithm], header=header)


def signed(claims: Any, algorithm: str, *, key: Any, header: dict[str, Any] | None = None) -> str:
    found = {"alg": algorithm, **({"typ": "JWT"} if header is None else header)}
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jws.serialize_compact(found, payload, key, algorithms=[found["alg"]])


def with_assertion(client_id: str, text: str, **data: Any) -> Answer:
    given = {"grant_type": "client_credentials", "resource": CRM, "client_id": client_id}
    return post("token", given | {"client_assertion_type": JWT_BEARER, "client_assertion": text} | data)


def claims_of(text: str) -> dict[str, Any]:
    """Read the claims of a token without believing them."""
    part = text.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def header_of(text: str) -> dict[str, Any]:
    part = text.split(".", maxsplit=1)[0]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def dpop_proof(key: Any, *, algorithm: str = "ES256", header: dict[str, Any] | None = None, **claims: Any) -> str:
    """Make a DPoP proof for the token endpoint; a claim that is None is left out."""
    given = {"jti": uuid.uuid4().hex, "htm": "POST", "htu": f"{ISSUER}/oauth/token", "iat": int(time.time())} | claims
    found = {"typ": "dpop+jwt", "alg": algorithm, "jwk": key.as_dict(private=False)} if header is None else header
    return signed({k: v for k, v in given.items() if v is not None}, algorithm, key=key, header=found)
