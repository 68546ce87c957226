"""Libraries of others get, exchange, ask about and revoke tokens over real HTTP: authlib, oauthlib, the MCP SDK."""

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import httpx2
import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey, OKPKey, RSAKey
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)
from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session

from tests.serving import Served, served

MANIFEST = """
organization: {slug: acme, name: Acme, trust_domain: acme.example}
people: [{id: ada, name: Ada}]
applications:
  - slug: crm
    audience: https://crm.acme.example
    resource_types: [{name: record, actions: [read, write]}]
agents:
  - {id: planner, name: Planner, purpose: Plans, owner: ada, sponsor: ada}
  - {id: worker, name: Worker, purpose: Works, owner: ada, sponsor: ada}
grants:
  - {to: agent/planner, type: record, actions: [read, write], use: true, delegate: true}
  - {to: agent/worker, type: record, actions: [read], use: true}
delegations:
  - {from: agent/planner, to: agent/worker, type: record, actions: [read]}
"""
CRM = "https://crm.acme.example"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
KEYS = {"ES256": ECKey.generate_key("P-256"), "RS256": RSAKey.generate_key(2048), "EdDSA": OKPKey.generate_key("Ed25519")}
SETUP = """
from directory.models import Agent
from directory.services.credentials import issue_client_secret, register_public_key
from permissions.models import Application
from permissions.services.application_keys import issue_application_key
by = system("tests")
agents = {{agent.external_id: agent for agent in Agent.objects.all()}}
result = {{name: issue_client_secret(agent=agent, label="s", by=by, now=now)[1].text for name, agent in agents.items()}}
for jwk in json.loads({keys!r}):
    register_public_key(agent=agents["planner"], label="k", jwk=jwk, by=by, now=now)
result["crm"] = issue_application_key(application=Application.objects.get(), label="k", by=by, now=now)[1].text
"""


@dataclass
class Server:
    """A served authorization server, with the secrets of its clients."""

    copy: Served
    secrets: dict[str, str]
    metadata: dict[str, Any]

    @property
    def issuer(self) -> str:
        return f"{self.copy.url}/o/acme"

    def at(self, endpoint: str) -> str:
        return str(self.metadata[f"{endpoint}_endpoint"])

    def client(self, name: str, **options: Any) -> OAuth2Client:
        secret = self.secrets.get(name)
        return OAuth2Client(client_id=name, client_secret=secret, token_endpoint=self.at("token"), **options)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("oauth")) as copy:
        copy.apply(MANIFEST)
        public = json.dumps([{**key.as_dict(private=False), "alg": name} for name, key in KEYS.items()])
        secrets = copy.run("import json\nfrom agentiam.kit.actors import system\n" + SETUP.format(keys=public))
        metadata = httpx.get(f"{copy.url}/.well-known/oauth-authorization-server/o/acme").json()
        yield Server(copy, secrets, metadata)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_gets_asks_about_and_revokes_a_token(server: Server, method: str) -> None:
    with server.client("planner", token_endpoint_auth_method=method) as client:
        token = client.fetch_token(grant_type="client_credentials", resource=CRM, scope="record:read")
        assert (token["token_type"], token["scope"]) == ("Bearer", "record:read")
        inquirer = server.client("crm", token_endpoint_auth_method=method)
        asked = inquirer.introspect_token(server.at("introspection"), token=token["access_token"])
        assert asked.json()["sub"] == "agent/planner"
        assert client.revoke_token(server.at("revocation"), token=token["access_token"]).status_code == 200
        again = inquirer.introspect_token(server.at("introspection"), token=token["access_token"])
        assert again.json() == {"active": False}


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
def test_authlib_signs_for_the_client(server: Server, algorithm: str) -> None:
    key: Any = KEYS[algorithm]
    with OAuth2Client(client_id="planner", client_secret=key, token_endpoint_auth_method="private_key_jwt") as client:
        client.register_client_auth_method(PrivateKeyJWT(server.at("token"), alg=algorithm))
        token = client.fetch_token(server.at("token"), grant_type="client_credentials", resource=CRM)
        assert token["scope"] == "record:read record:write"


def test_authlib_exchanges_what_it_was_handed(server: Server) -> None:
    spiffe_id = server.copy.run(
        "from directory.models import Agent\nresult = Agent.objects.get(external_id='worker').spiffe_id"
    )
    with server.client("planner") as planner, server.client("worker") as worker:
        handed = planner.fetch_token(grant_type="client_credentials", resource=spiffe_id)["access_token"]
        given = {"grant_type": EXCHANGE, "subject_token": handed, "subject_token_type": ACCESS, "resource": CRM}
        token = worker.fetch_token(**given)
        assert (token["issued_token_type"], token["scope"]) == (ACCESS, "record:read")
        asked = server.client("crm").introspect_token(server.at("introspection"), token=token["access_token"]).json()
        assert (asked["sub"], asked["act"]["sub"]) == ("agent/planner", "agent/worker")


def test_authlib_is_told_what_was_wrong(server: Server) -> None:
    with server.client("planner") as client, pytest.raises(OAuthError) as told:
        client.fetch_token(grant_type="client_credentials", resource="https://nowhere.example")
    assert told.value.error == "invalid_target"


def test_authlib_does_it_all_at_once(server: Server) -> None:
    async def fetch() -> list[str]:
        async with AsyncOAuth2Client("planner", server.secrets["planner"], token_endpoint=server.at("token")) as client:
            given = {"grant_type": "client_credentials", "resource": CRM}
            return [(await client.fetch_token(**given))["access_token"] for _ in range(3)]

    assert len(set(asyncio.run(fetch()))) == 3


def test_oauthlib_gets_a_token(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("OAUTHLIB_RELAX_TOKEN_SCOPE", "1")
    session = OAuth2Session(client=BackendApplicationClient(client_id="planner", scope=["record:read"]))
    token = session.fetch_token(
        server.at("token"), client_id="planner", client_secret=server.secrets["planner"], resource=CRM, include_client_id=None
    )
    assert token["scope"] == ["record:read"]
    assert os.environ["OAUTHLIB_INSECURE_TRANSPORT"] == "1"


class Memory:
    """Where the MCP SDK keeps tokens."""

    def __init__(self) -> None:
        self.tokens: Any = None
        self.information: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.information

    async def set_client_info(self, client_info: Any) -> None:
        self.information = client_info


def called_with(provider: Any, issuer: str) -> Any:
    """Let the SDK call a resource server that knows only where its authorization server is."""
    resource = "https://crm.acme.example"

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.startswith("/.well-known/oauth-protected-resource"):
            return httpx2.Response(200, json={"resource": resource, "authorization_servers": [issuer]})
        if "authorization" not in request.headers:
            challenge = f'Bearer resource_metadata="{resource}/.well-known/oauth-protected-resource"'
            return httpx2.Response(401, headers={"WWW-Authenticate": challenge})
        return httpx2.Response(200, json={"authorization": request.headers["authorization"]})

    class Mixed(httpx2.AsyncBaseTransport):
        def __init__(self) -> None:
            self.real, self.fake = httpx2.AsyncHTTPTransport(), httpx2.MockTransport(answer)

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            transport: Any = self.fake if request.url.host == "crm.acme.example" else self.real
            answered: httpx2.Response = await transport.handle_async_request(request)
            return answered

    async def call() -> Any:
        async with httpx2.AsyncClient(transport=Mixed(), auth=provider) as client:
            return await client.get(f"{resource}/mcp")

    return asyncio.run(call())


def test_the_mcp_sdk_finds_the_server_and_gets_a_token_by_secret(server: Server) -> None:
    memory = Memory()
    provider = ClientCredentialsOAuthProvider(
        server_url=f"{CRM}/mcp",
        storage=memory,
        client_id="planner",
        client_secret=server.secrets["planner"],
        issuer=server.issuer,
    )
    answer = called_with(provider, server.issuer)
    assert answer.status_code == 200
    token = answer.json()["authorization"].removeprefix("Bearer ")
    asked = server.client("crm").introspect_token(server.at("introspection"), token=token).json()
    assert (asked["active"], asked["aud"], asked["client_id"]) == (True, CRM, "planner")


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
def test_the_mcp_sdk_signs_for_the_client(server: Server, algorithm: str) -> None:
    pem = KEYS[algorithm].as_pem(private=True).decode()
    parameters = SignedJWTParameters(issuer="planner", subject="planner", signing_algorithm=algorithm, signing_key=pem)
    provider = PrivateKeyJWTOAuthProvider(
        server_url=f"{CRM}/mcp",
        storage=Memory(),
        client_id="planner",
        assertion_provider=parameters.create_assertion_provider(),
        issuer=server.issuer,
    )
    assert called_with(provider, server.issuer).status_code == 200
