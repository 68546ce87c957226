import asyncio
from typing import Any

import httpx
import pytest
from joserfc import jwk

from agentiam.client import Nonces, ResourceServer
from agentiam.client.asgi import ResourceServerMiddleware
from agentiam.client.challenges import quoted
from tests.client.conftest import Make
from tests.client.server import AGENT, RESOURCE, FakeServer, proof_for

METADATA = "https://cases.example/.well-known/oauth-protected-resource/mcp"
CHALLENGE = f'resource_metadata="{METADATA}", scope="case:read case:refund"'
KEY = jwk.generate_key("EC", "P-256")


class Application:
    """Says who came, and remembers what it saw."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(dict(scope))
        if scope["type"] == "http":
            token = scope.get("agentiam")
            body = token.agent.encode() if token else b"nobody"
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})


@pytest.fixture
def application() -> Application:
    return Application()


def ask(
    application: Application,
    server: ResourceServer,
    *,
    method: str = "GET",
    url: str = RESOURCE,
    token: str = "",
    **options: Any,
) -> httpx.Response:
    headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
    transport = httpx.ASGITransport(ResourceServerMiddleware(application, server, **options), raise_app_exceptions=True)

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.request(method, url, headers=headers)

    return asyncio.run(send())


def challenges(response: httpx.Response) -> list[str]:
    return response.headers.get_list("www-authenticate")


def test_a_verified_token_reaches_the_application(application: Application, fake: FakeServer, make: Make) -> None:
    response = ask(application, make(), token=fake.token(), scopes=("case:read",))
    assert (response.status_code, response.text) == (200, AGENT)
    assert application.scopes[0]["agentiam"].client_id == AGENT


def test_without_a_token_the_way_to_one_is_told(application: Application, make: Make) -> None:
    response = ask(application, make())
    assert response.status_code == 401
    assert challenges(response) == [f"Bearer {CHALLENGE}", f'DPoP algs="ES256 EdDSA Ed25519 RS256", {CHALLENGE}']
    assert response.json() == {"error": "unauthorized", "error_description": "an access token is needed"}
    assert response.headers["cache-control"] == "no-store"
    assert application.scopes == []
    assert [each.partition(" ")[0] for each in challenges(ask(application, make(dpop="required")))] == ["DPoP"]


def test_a_bad_token_is_told_what_is_wrong(application: Application, fake: FakeServer, make: Make) -> None:
    response = ask(application, make(), token=fake.token(aud="https://other.example"))
    assert response.status_code == 401
    said = 'error="invalid_token", error_description="the token is for another resource"'
    assert challenges(response)[0] == f"Bearer {said}, {CHALLENGE}"
    assert "error" not in challenges(response)[1]
    assert application.scopes == []


def test_a_token_that_does_not_reach_is_told_what_is_needed(application: Application, fake: FakeServer, make: Make) -> None:
    response = ask(application, make(), token=fake.token(scope="case:read"), scopes=("case:refund",))
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in challenges(response)[0]
    assert 'scope="case:refund"' in challenges(response)[0]
    assert application.scopes == []


def test_a_request_that_is_malformed_is_a_400(application: Application, make: Make) -> None:
    response = ask(application, make(), headers={"Authorization": "Bearer a b"})
    assert response.status_code == 400
    assert 'error="invalid_request"' in challenges(response)[0]


def test_bound_tokens_are_for_the_public_address(application: Application, fake: FakeServer, make: Make) -> None:
    token = fake.token(cnf={"jkt": KEY.thumbprint()})
    url = RESOURCE + "/a%20b"
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof_for(KEY, "POST", url, token, now=fake.clock())}
    inside = "http://10.0.0.7:8080/mcp/a%20b?page=2"
    assert ask(application, make(), method="POST", url=inside, headers=headers).text == AGENT
    headers["DPoP"] = proof_for(KEY, "POST", "http://10.0.0.7:8080/mcp/a%20b", token, now=fake.clock())
    response = ask(application, make(), method="POST", url=inside, headers=headers)
    assert response.status_code == 401
    assert challenges(response)[1].startswith('DPoP error="invalid_dpop_proof"')
    assert "error" not in challenges(response)[0]


def test_a_nonce_comes_with_the_challenge(application: Application, fake: FakeServer, make: Make) -> None:
    server, token = make(nonces=Nonces()), fake.token(cnf={"jkt": KEY.thumbprint()})
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof_for(KEY, "GET", RESOURCE, token, now=fake.clock())}
    response = ask(application, server, headers=headers)
    assert 'error="use_dpop_nonce"' in challenges(response)[1]
    nonce = response.headers["dpop-nonce"]
    headers["DPoP"] = proof_for(KEY, "GET", RESOURCE, token, now=fake.clock(), nonce=nonce)
    assert ask(application, server, headers=headers).text == AGENT


def test_an_error_lets_nobody_in(application: Application, fake: FakeServer, make: Make, monkeypatch: Any) -> None:
    fake.down = True
    response = ask(application, make(), token=fake.token())
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")

    async def fails(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(ResourceServer, "averify", fails)
    response = ask(application, make(), token=fake.token())
    assert response.status_code == 503
    assert "a bug" not in response.text
    assert application.scopes == []


def test_an_error_of_the_application_is_its_own(fake: FakeServer, make: Make) -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("the application's")

    with pytest.raises(LookupError, match="the application's"):
        ask(fails, make(), token=fake.token())


def test_the_metadata_is_for_everybody(application: Application, make: Make) -> None:
    response = ask(application, make(name="Cases"), url=METADATA)
    assert response.json() == {
        "resource": RESOURCE,
        "authorization_servers": ["https://agentiam.example/o/acme"],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519", "RS256"],
        "scopes_supported": ["case:read", "case:refund"],
        "resource_name": "Cases",
    }
    assert ask(application, make(dpop="required"), url=METADATA).json()["dpop_bound_access_tokens_required"] is True
    assert ask(application, make(), url=METADATA, method="HEAD").content == b""
    assert ask(application, make(), url=METADATA, method="POST").status_code == 405
    assert ask(application, make(), url=METADATA + "/x").status_code == 401
    assert application.scopes == []


def test_open_paths_are_open_as_they_are_written(application: Application, make: Make) -> None:
    paths = ("/healthz",)
    assert ask(application, make(), url="https://cases.example/healthz", open_paths=paths).text == "nobody"
    for other in ("/healthz/", "/HEALTHZ", "/healthz/../mcp", "//healthz"):
        assert ask(application, make(), url=f"https://cases.example{other}", open_paths=paths).status_code == 401


def run(application: Any, scope: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    asyncio.run(application(scope, receive, send))
    return sent


def socket(*headers: tuple[bytes, bytes], **extensions: Any) -> dict[str, Any]:
    return {"type": "websocket", "path": "/mcp", "headers": list(headers), "extensions": extensions}


def test_a_websocket_is_verified_before_it_is_accepted(application: Application, fake: FakeServer, make: Make) -> None:
    guarded = ResourceServerMiddleware(application, make())
    assert run(guarded, socket()) == [{"type": "websocket.close", "code": 1008}]
    start = run(guarded, socket(**{"websocket.http.response": {}}))[0]
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
    assert application.scopes == []
    run(guarded, socket((b"authorization", b"Bearer " + fake.token().encode())))
    assert application.scopes[0]["agentiam"].agent == AGENT


def test_nothing_else_gets_through(application: Application, make: Make) -> None:
    guarded = ResourceServerMiddleware(application, make(), open_paths=("/open",))
    run(guarded, {"type": "lifespan"})
    with pytest.raises(ValueError, match="connection"):
        run(guarded, {"type": "telepathy", "path": "/open", "headers": []})
    run(guarded, {"type": "http", "method": "GET", "path": "/open", "headers": [], "agentiam": "planted"})
    assert [each["type"] for each in application.scopes] == ["lifespan", "http"]
    assert "agentiam" not in application.scopes[1]
    bad = run(guarded, {"type": "http", "method": "GET", "path": "/x", "raw_path": b"/\xff", "headers": []})
    assert bad[0]["status"] == 503


def test_nothing_breaks_out_of_a_challenge() -> None:
    assert quoted('a"b\\c\r\nSet-Cookie: x\x7fé') == '"a?b?c??Set-Cookie: x??"'
