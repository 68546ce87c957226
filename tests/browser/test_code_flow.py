"""The authorization code flow of other people's libraries, with a person in a real browser between its halves."""

import asyncio
import queue
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Thread
from typing import Any

import httpx2
import pytest
from authlib.integrations.httpx_client import OAuth2Client
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata
from playwright.sync_api import Browser, expect
from pydantic import AnyUrl

from tests.browser.conftest import PASSWORD
from tests.browser.test_consent import Callbacks
from tests.oauth.test_libraries import CRM, MANIFEST, Memory
from tests.serving import Served, served

SETUP = f"""
from directory.models import Agent, User
from directory.services.credentials import issue_client_secret
from directory.services.people import set_password
from permissions.models import Application
from permissions.services.application_keys import issue_application_key
from permissions.services.oauth_clients import set_oauth_client
from agentiam.kit.actors import system
by = system("tests")
planner = Agent.objects.get(external_id="planner")
ada = User.objects.get(external_id="ada", kind="person")
set_password(person=ada, password={PASSWORD!r}, by=by, now=now)
set_oauth_client(agent=planner, redirect_uris=["http://127.0.0.1/callback"], by=by, now=now)
result = {{
    "user": ada.username,
    "secret": issue_client_secret(agent=planner, label="s", by=by, now=now)[1].text,
    "crm": issue_application_key(application=Application.objects.get(), label="k", by=by, now=now)[1].text,
}}
"""
GRANT = "  - {to: user/ada, type: record, actions: [read], use: true}\n"


@dataclass
class Server:
    """A served copy, and what its clients and its person know."""

    copy: Served
    known: dict[str, str]

    @property
    def issuer(self) -> str:
        return f"{self.copy.url}/o/acme"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("code")) as copy:
        copy.apply(MANIFEST.replace("grants:\n", f"grants:\n{GRANT}"))
        yield Server(copy, copy.run(SETUP))


@pytest.fixture
def callbacks() -> Iterator[Callbacks]:
    found = Callbacks()
    yield found
    found.server.shutdown()
    found.server.server_close()


def agree(browser: Browser, address: str, server: Server) -> None:
    """Sign in as Ada, look at what is asked, and allow it."""
    page = browser.new_context().new_page()
    page.goto(address)
    page.get_by_label("User name or e-mail").fill(server.known["user"])
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Planner wants to act for you")
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", name="Back at the client")).to_be_visible()


def asked_about(server: Server, token: str) -> dict[str, Any]:
    with OAuth2Client("crm", server.known["crm"]) as inquirer:
        found: dict[str, Any] = inquirer.introspect_token(f"{server.issuer}/oauth/introspect", token=token).json()
        return found


def test_authlib_gets_refreshes_and_revokes_what_a_person_allowed(
    server: Server, browser: Browser, callbacks: Callbacks
) -> None:
    verifier = "v" * 60
    options = {"scope": "record:read", "redirect_uri": callbacks.uri, "code_challenge_method": "S256"}
    with OAuth2Client("planner", server.known["secret"], **options) as client:
        address, state = client.create_authorization_url(
            f"{server.issuer}/oauth/authorize", code_verifier=verifier, resource=CRM
        )
        agree(browser, address, server)
        [said] = callbacks.answers
        assert (said["state"], said["iss"]) == (state, server.issuer)
        endpoint = f"{server.issuer}/oauth/token"
        token = client.fetch_token(endpoint, code=said["code"], code_verifier=verifier, grant_type="authorization_code")
        told = asked_about(server, token["access_token"])
        assert (told["sub"], told["act"]["sub"], told["scope"]) == ("user/ada", "agent/planner", "record:read")
        again = client.refresh_token(endpoint, refresh_token=token["refresh_token"])
        assert again["refresh_token"] != token["refresh_token"]
        client.revoke_token(f"{server.issuer}/oauth/revoke", token=again["refresh_token"])
        assert asked_about(server, again["access_token"]) == {"active": False}


def test_the_mcp_sdk_lets_a_person_agree_and_calls_the_server(server: Server, browser: Browser, callbacks: Callbacks) -> None:
    addresses: queue.Queue[str] = queue.Queue()
    agreed: queue.Queue[dict[str, str]] = queue.Queue()
    memory = Memory()
    memory.information = OAuthClientInformationFull(
        client_id="planner",
        client_secret=server.known["secret"],
        redirect_uris=[AnyUrl(callbacks.uri)],
        token_endpoint_auth_method="client_secret_post",
    )

    async def show(address: str) -> None:
        addresses.put(address)

    async def answer() -> AuthorizationCodeResult:
        said = await asyncio.to_thread(agreed.get, timeout=60)
        return AuthorizationCodeResult(code=said["code"], state=said["state"], iss=said["iss"])

    provider = OAuthClientProvider(
        server_url=f"{CRM}/mcp",
        client_metadata=OAuthClientMetadata(redirect_uris=[AnyUrl(callbacks.uri)], scope="record:read"),
        storage=memory,
        redirect_handler=show,
        callback_handler=answer,
    )
    answers: list[Any] = []
    caller = Thread(target=lambda: answers.append(asyncio.run(_call(provider, server.issuer))), daemon=True)
    caller.start()
    agree(browser, addresses.get(timeout=60), server)
    agreed.put(callbacks.answers[0])
    caller.join(60)
    [found] = answers
    told = asked_about(server, found.json()["authorization"].removeprefix("Bearer "))
    assert (told["sub"], told["act"]["sub"], told["aud"]) == ("user/ada", "agent/planner", CRM)


async def _call(provider: Any, issuer: str) -> Any:
    """Call a resource server that knows only its authorization server, and asks for one scope."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.startswith("/.well-known/oauth-protected-resource"):
            said = {"resource": CRM, "authorization_servers": [issuer], "scopes_supported": ["record:read"]}
            return httpx2.Response(200, json=said)
        if "authorization" not in request.headers:
            challenge = f'Bearer resource_metadata="{CRM}/.well-known/oauth-protected-resource", scope="record:read"'
            return httpx2.Response(401, headers={"WWW-Authenticate": challenge})
        return httpx2.Response(200, json={"authorization": request.headers["authorization"]})

    real, fake = httpx2.AsyncHTTPTransport(), httpx2.MockTransport(answer)

    class Mixed(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            transport: Any = fake if request.url.host == "crm.acme.example" else real
            answered: httpx2.Response = await transport.handle_async_request(request)
            return answered

    async with httpx2.AsyncClient(transport=Mixed(), auth=provider, timeout=60) as client:
        return await client.get(f"{CRM}/mcp")
