import asyncio
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import AsyncRequestFactory, RequestFactory
from joserfc import jwk

from agentiam.client import ResourceServer
from agentiam.client.django import ResourceServerMiddleware, configured_server, resource_metadata, token_of, token_required
from tests.client.conftest import Make
from tests.client.server import AGENT, FakeServer, proof_for

METADATA = "/.well-known/oauth-protected-resource/mcp"
KEY = jwk.generate_key("EC", "P-256")
ways = pytest.mark.parametrize("way", ["sync", "async"])


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(token_of(request).agent if getattr(request, "agentiam", None) else "nobody")


async def async_view(request: HttpRequest) -> HttpResponse:
    return view(request)


def answered(response: Any) -> HttpResponseBase:
    async def waited() -> HttpResponseBase:
        found: HttpResponseBase = await response
        return found

    return asyncio.run(waited()) if asyncio.iscoroutine(response) else response


def request(way: str, path: str = "/mcp", *, method: str = "GET", **headers: str) -> Any:
    factory = RequestFactory() if way == "sync" else AsyncRequestFactory()
    return factory.generic(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def middleware(way: str) -> ResourceServerMiddleware:
    return ResourceServerMiddleware(view if way == "sync" else async_view)


@pytest.fixture
def server(make: Make, settings: Any) -> ResourceServer:
    found: ResourceServer = make()
    settings.AGENTIAM_RESOURCE_SERVER = found
    settings.AGENTIAM_OPEN_PATHS = ["/healthz"]
    return found


@ways
def test_the_middleware_verifies_every_request(way: str, fake: FakeServer, server: ResourceServer) -> None:
    guarded = middleware(way)
    assert iscoroutinefunction(guarded) == (way == "async")
    assert answered(guarded(request(way, authorization=f"Bearer {fake.token()}"))).content == AGENT.encode()
    refused = answered(guarded(request(way)))
    assert refused.status_code == 401
    said = refused.headers["WWW-Authenticate"]
    assert said.startswith('Bearer resource_metadata="https://cases.example/.well-known/oauth-protected-resource/mcp"')
    assert ', DPoP algs="' in said
    assert answered(guarded(request(way, "/healthz"))).content == b"nobody"
    assert answered(guarded(request(way, "/healthz/"))).status_code == 401


@ways
def test_the_middleware_serves_the_metadata(way: str, server: ResourceServer) -> None:
    assert b'"resource": "https://cases.example/mcp"' in answered(middleware(way)(request(way, METADATA))).content
    assert answered(middleware(way)(request(way, METADATA, method="POST"))).status_code == 405
    assert resource_metadata(request("sync", METADATA)).status_code == 200


@ways
def test_an_error_lets_nobody_in(way: str, fake: FakeServer, server: ResourceServer, monkeypatch: Any) -> None:
    fake.down = True
    assert answered(middleware(way)(request(way, authorization=f"Bearer {fake.token()}"))).status_code == 503

    def fails(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(ResourceServer, "verify" if way == "sync" else "averify", fails)
    response = answered(middleware(way)(request(way, authorization=f"Bearer {fake.token()}")))
    assert response.status_code == 503
    assert b"a bug" not in response.content


@ways
def test_scopes_of_the_settings_are_needed_everywhere(
    way: str, fake: FakeServer, server: ResourceServer, settings: Any
) -> None:
    settings.AGENTIAM_SCOPES = ["case:refund"]
    refused = answered(middleware(way)(request(way, authorization=f"Bearer {fake.token(scope='case:read')}")))
    assert refused.status_code == 403
    assert 'scope="case:refund"' in refused.headers["WWW-Authenticate"]


@ways
def test_a_decorated_view_lets_nobody_in_without_its_scope(way: str, fake: FakeServer, server: ResourceServer) -> None:
    decorated = token_required("case:refund")(view if way == "sync" else async_view)
    assert decorated.csrf_exempt
    assert iscoroutinefunction(decorated) == (way == "async")
    good = answered(decorated(request(way, method="POST", authorization=f"Bearer {fake.token()}")))
    assert good.content == AGENT.encode()
    assert answered(decorated(request(way))).status_code == 401
    assert answered(decorated(request(way, authorization=f"Bearer {fake.token(scope='case:read')}"))).status_code == 403
    explicit = token_required(server=server)(view)
    assert answered(explicit(request("sync", authorization=f"Bearer {fake.token()}"))).status_code == 200


@ways
def test_a_planted_token_is_not_believed(way: str, fake: FakeServer, server: ResourceServer, make: Make) -> None:
    decorated = token_required("case:refund")(view if way == "sync" else async_view)
    planted = request(way)
    planted.agentiam = "refund-runner"
    assert answered(decorated(planted)).status_code == 401
    assert planted.agentiam is None


@ways
def test_a_proof_is_used_up_once_by_middleware_and_decorator(way: str, fake: FakeServer, server: ResourceServer) -> None:
    decorated = token_required("case:refund")(view if way == "sync" else async_view)
    token = fake.token(cnf={"jkt": KEY.thumbprint()})
    proof = proof_for(KEY, "GET", "https://cases.example/mcp", token, now=fake.clock())
    guarded = ResourceServerMiddleware(decorated)
    sent = {"authorization": f"DPoP {token}", "dpop": proof}
    assert answered(guarded(request(way, "/mcp?page=2", **sent))).content == AGENT.encode()
    assert answered(guarded(request(way, "/mcp?page=2", **sent))).status_code == 401


def test_a_setting_names_a_resource_server(settings: Any) -> None:
    for wrong in (None, "json.dumps", 7):
        settings.AGENTIAM_RESOURCE_SERVER = wrong
        with pytest.raises(ImproperlyConfigured):
            configured_server()


def test_a_request_that_nobody_verified_has_no_token() -> None:
    with pytest.raises(LookupError):
        token_of(request("sync"))
