import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from agentiam.client import AgentClient, AsyncAgentClient, ClientSecretBasic, DpopKey, Nonces, WrongResource
from agentiam.client.asgi import ResourceServerMiddleware
from tests.client.conftest import Make
from tests.client.server import AGENT, ISSUER, RESOURCE, SECRET, FakeServer
from tests.client.test_asgi import Application

Send = Callable[..., httpx.Response]


def sender(fake: FakeServer, handler: Callable[[httpx.Request], httpx.Response], *, way: str, dpop: DpopKey | None) -> Send:
    """Give a client that gets its tokens by itself, for threads or for an event loop."""
    credential = ClientSecretBasic(AGENT, SECRET)
    transport = httpx.MockTransport(handler)

    def in_thread(method: str, url: str, **content: Any) -> httpx.Response:
        with httpx.Client(auth=agent.auth(RESOURCE, "case:read"), transport=transport, follow_redirects=True) as client:
            return client.request(method, url, **content)

    def in_loop(method: str, url: str, **content: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            auth = tasks.auth(RESOURCE, "case:read")
            async with httpx.AsyncClient(auth=auth, transport=transport, follow_redirects=True) as client:
                return await client.request(method, url, **content)

        return asyncio.run(send())

    if way == "sync":
        agent = AgentClient(ISSUER, credential, dpop=dpop, clock=fake.clock, client=fake.client())
        return in_thread
    tasks = AsyncAgentClient(ISSUER, credential, dpop=dpop, clock=fake.clock, client=fake.async_client())
    return in_loop


def guarded(server: Any) -> Callable[[httpx.Request], httpx.Response]:
    """Stand a resource server behind a transport that is neither here nor there."""

    def handle(request: httpx.Request) -> httpx.Response:
        try:
            token = server.verify(request.method, str(request.url), request.headers.multi_items())
        except Exception as error:  # noqa: BLE001
            from agentiam.client.challenges import refusal

            refused = refusal(error, server.realm)
            return httpx.Response(refused.status, headers=list(refused.headers), content=refused.body)
        return httpx.Response(200, text=f"{token.agent} {request.content.decode()}")

    return handle


ways = pytest.mark.parametrize("way", ["sync", "async"])


@ways
@pytest.mark.parametrize("dpop", [None, DpopKey.generate()], ids=["bearer", "dpop"])
def test_a_client_gets_its_tokens_by_itself(way: str, dpop: DpopKey | None, fake: FakeServer, make: Make) -> None:
    send = sender(fake, guarded(make()), way=way, dpop=dpop)
    for _ in range(3):
        assert send("POST", RESOURCE + "/tools?page=2", content=b"hello").text == f"{AGENT} hello"
    assert fake.counts["token"] == 1


@ways
def test_a_nonce_of_the_resource_is_answered_and_kept(way: str, fake: FakeServer, make: Make) -> None:
    seen: list[int] = []
    handle = guarded(make(nonces=Nonces()))

    def counted(request: httpx.Request) -> httpx.Response:
        response = handle(request)
        seen.append(response.status_code)
        return response

    send = sender(fake, counted, way=way, dpop=DpopKey.generate())
    assert send("GET", RESOURCE).status_code == 200
    assert send("GET", RESOURCE).status_code == 200
    assert seen == [401, 200, 200]
    assert fake.counts["token"] == 1


@ways
def test_a_401_gets_a_fresh_token_once(way: str, fake: FakeServer) -> None:
    tokens: list[str] = []

    def first_is_revoked(request: httpx.Request) -> httpx.Response:
        tokens.append(request.headers["authorization"])
        return httpx.Response(401 if request.headers["authorization"] == tokens[0] else 200)

    send = sender(fake, first_is_revoked, way=way, dpop=None)
    assert send("POST", RESOURCE, json={"a": 1}).status_code == 200
    assert len(tokens) == len(set(tokens)) == 2
    assert fake.counts["token"] == 2


@ways
def test_a_second_401_is_the_answer(way: str, fake: FakeServer) -> None:
    seen: list[str] = []

    def never(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        return httpx.Response(401, headers={"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": "n"})

    assert sender(fake, never, way=way, dpop=DpopKey.generate())("GET", RESOURCE).status_code == 401
    assert len(seen) == 3


class Streaming(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Sends a body part by part and keeps none of it, as real transports do."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(b"".join(request.stream))
        return httpx.Response(401)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(b"".join([part async for part in request.stream]))
        return httpx.Response(401)


def test_a_body_that_is_gone_is_not_sent_again(fake: FakeServer) -> None:
    def parts() -> Iterator[bytes]:
        yield b"once"

    transport = Streaming()
    agent = AgentClient(ISSUER, ClientSecretBasic(AGENT, SECRET), clock=fake.clock, client=fake.client())
    with httpx.Client(auth=agent.auth(RESOURCE), transport=transport) as client:
        assert client.post(RESOURCE, content=parts()).status_code == 401
        assert client.post(RESOURCE, content=b"twice").status_code == 401
    assert transport.seen == [b"once", b"twice", b"twice"]


def test_a_body_that_is_gone_is_not_sent_again_in_an_event_loop(fake: FakeServer) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"once"

    transport = Streaming()
    agent = AsyncAgentClient(ISSUER, ClientSecretBasic(AGENT, SECRET), clock=fake.clock, client=fake.async_client())

    async def send() -> None:
        async with httpx.AsyncClient(auth=agent.auth(RESOURCE), transport=transport) as client:
            assert (await client.post(RESOURCE, content=parts())).status_code == 401
            assert (await client.post(RESOURCE, content=b"twice")).status_code == 401

    asyncio.run(send())
    assert transport.seen == [b"once", b"twice", b"twice"]


@ways
@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/mcp",
        "http://cases.example/mcp",
        "https://cases.example:8443/mcp",
        "https://cases.example/",
        "https://cases.example/mcpx",
        "https://cases.example/mcp/../admin",
        "https://cases.example/mcp/..;/admin",
        "https://cases.example/mcp/%2e%2e;v=1/admin",
    ],
)
def test_a_token_goes_to_its_resource_only(way: str, url: str, fake: FakeServer) -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing may be sent")

    with pytest.raises(WrongResource):
        sender(fake, nobody, way=way, dpop=None)("GET", url)
    assert fake.counts["token"] == 0


@ways
def test_a_redirect_elsewhere_takes_no_token_along(way: str, fake: FakeServer) -> None:
    seen: list[tuple[str, str]] = []

    def elsewhere(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.headers.get("authorization", "")))
        return httpx.Response(302, headers={"Location": "https://evil.example/"}) if len(seen) == 1 else httpx.Response(200)

    sender(fake, elsewhere, way=way, dpop=None)("GET", RESOURCE)
    assert seen[1] == ("evil.example", "")


def test_each_auth_is_for_its_own_kind_of_client(fake: FakeServer) -> None:
    credential = ClientSecretBasic(AGENT, SECRET)
    with (
        httpx.Client(auth=AsyncAgentClient(ISSUER, credential).auth(RESOURCE)) as client,
        pytest.raises(RuntimeError, match="AgentClient"),
    ):
        client.get(RESOURCE)

    async def send() -> None:
        async with httpx.AsyncClient(auth=AgentClient(ISSUER, credential).auth(RESOURCE)) as client:
            await client.get(RESOURCE)

    with pytest.raises(RuntimeError, match="AsyncAgentClient"):
        asyncio.run(send())


def test_an_agent_reaches_an_application_behind_the_middleware(fake: FakeServer, make: Make) -> None:
    agent = AsyncAgentClient(
        ISSUER, ClientSecretBasic(AGENT, SECRET), dpop=DpopKey.generate(), clock=fake.clock, client=fake.async_client()
    )
    transport = httpx.ASGITransport(ResourceServerMiddleware(Application(), make(nonces=Nonces())))

    async def send() -> list[str]:
        async with httpx.AsyncClient(auth=agent.auth(RESOURCE), transport=transport) as client:
            return [(await client.get(RESOURCE)).text for _ in range(2)]

    assert asyncio.run(send()) == [AGENT, AGENT]
