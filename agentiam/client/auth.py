"""An httpx client that gets its tokens by itself: sent to their resource only, with a proof where they are bound."""

from collections.abc import AsyncGenerator, Generator
from typing import Protocol

import httpx

from agentiam.client.dpop import DpopKey
from agentiam.client.errors import WrongResource
from agentiam.client.grants import IssuedToken, NonceMemory


class _Holder(Protocol):
    """Whoever holds the key and the nonces that tokens are sent with."""

    dpop: DpopKey | None
    nonces: NonceMemory

    @property
    def now(self) -> float: ...


class _Source(_Holder, Protocol):
    def token(self, resource: str, scopes: frozenset[str], *, instead_of: str = "") -> IssuedToken: ...


class _AsyncSource(_Holder, Protocol):
    async def token(self, resource: str, scopes: frozenset[str], *, instead_of: str = "") -> IssuedToken: ...


class AgentAuth(httpx.Auth):
    """Puts an agent's token on every request to a resource; on a 401 a fresh one, once, and the server's nonce, once."""

    def __init__(self, agent: _Source, resource: str, scopes: frozenset[str]) -> None:
        self._agent, self._resource, self._scopes = agent, resource, scopes

    def __repr__(self) -> str:
        return f"AgentAuth({self._resource!r})"

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send one request, and again if it is worth it."""
        check_place(request, self._resource)
        token = self._agent.token(self._resource, self._scopes)
        response = yield signed(request, token, self._agent)
        if wants_nonce(request, response, self._agent):
            response = yield signed(request, token, self._agent)
        if may_repeat(request, response):
            token = self._agent.token(self._resource, self._scopes, instead_of=token.access_token)
            response = yield signed(request, token, self._agent)
            self._agent.nonces.note(str(request.url), response.headers)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Refuse: this agent waits in threads."""
        raise RuntimeError("an httpx.AsyncClient takes the auth of an AsyncAgentClient")
        yield request


class AsyncAgentAuth(httpx.Auth):
    """The same for an event loop."""

    def __init__(self, agent: _AsyncSource, resource: str, scopes: frozenset[str]) -> None:
        self._agent, self._resource, self._scopes = agent, resource, scopes

    def __repr__(self) -> str:
        return f"AsyncAgentAuth({self._resource!r})"

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send one request, and again if it is worth it."""
        check_place(request, self._resource)
        token = await self._agent.token(self._resource, self._scopes)
        response = yield signed(request, token, self._agent)
        if wants_nonce(request, response, self._agent):
            response = yield signed(request, token, self._agent)
        if may_repeat(request, response):
            token = await self._agent.token(self._resource, self._scopes, instead_of=token.access_token)
            response = yield signed(request, token, self._agent)
            self._agent.nonces.note(str(request.url), response.headers)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Refuse: this agent waits in an event loop."""
        raise RuntimeError("an httpx.Client takes the auth of an AgentClient")
        yield request


def check_place(request: httpx.Request, resource: str) -> None:
    """Send a token to its resource only: the same origin, at its path or below. Raises WrongResource."""
    place, url = httpx.URL(resource), request.url
    path = place.path.rstrip("/")
    same = (place.scheme, place.host, _port(place)) == (url.scheme, url.host, _port(url))
    # Some servers drop what follows a semicolon in a segment, and then go up.
    upwards = any(segment.partition(";")[0] == ".." for segment in url.path.split("/"))
    if not same or (url.path.rstrip("/") != path and not url.path.startswith(f"{path}/")) or upwards:
        raise WrongResource(f"a token for {resource} is not sent to {url.copy_with(query=None, userinfo=b'')}")


def _port(url: httpx.URL) -> int | None:
    return url.port or {"https": 443, "http": 80}.get(url.scheme)


def signed(request: httpx.Request, token: IssuedToken, agent: _Holder) -> httpx.Request:
    """Put the token on a request, and where it is bound, a new proof."""
    request.headers["Authorization"] = f"{token.token_type} {token.access_token}"
    if token.token_type == "DPoP" and agent.dpop is not None:  # noqa: S105  (a scheme, not a secret)
        url = str(request.url)
        request.headers["DPoP"] = agent.dpop.proof(
            request.method, url, now=agent.now, token=token.access_token, nonce=agent.nonces.of(url)
        )
    return request


def wants_nonce(request: httpx.Request, response: httpx.Response, agent: _Holder) -> bool:
    """Remember the nonce of an answer; tell whether the request is to be sent again because of it."""
    noted = agent.nonces.note(str(request.url), response.headers)
    challenged = any("use_dpop_nonce" in each for each in response.headers.get_list("www-authenticate"))
    return noted and challenged and may_repeat(request, response)


def may_repeat(request: httpx.Request, response: httpx.Response) -> bool:
    """Tell whether a request was refused for its token, and its body can be sent again."""
    return response.status_code == httpx.codes.UNAUTHORIZED and isinstance(request.stream, httpx.ByteStream)
