"""An agent's own side: it gets tokens when it needs them, keeps them until shortly before they end, and gives them back."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

import httpx

from agentiam.client.auth import AgentAuth, AsyncAgentAuth
from agentiam.client.credentials import ClientCredential
from agentiam.client.dpop import DpopKey
from agentiam.client.errors import TokenRefused
from agentiam.client.grants import ACCESS_TOKEN, JWT_BEARER, TOKEN_EXCHANGE, IssuedToken, TokenEndpoint, scope_names
from agentiam.client.loops import PerLoop, TaskLocks, ThreadLocks
from agentiam.client.wire import Flow, Wire, safe_url

MAX_KEPT: Final = 256
MAX_ANSWER_BYTES: Final = 262_144
MARGIN: Final = 30.0
"""How many seconds before its end a token is not used any more."""

_Place = tuple[str, frozenset[str]]


class _KeptTokens:
    """The tokens of one agent, by resource and scopes; of more than a number, those that were used longest ago go."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[_Place, IssuedToken] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, place: _Place) -> IssuedToken | None:
        with self._lock:
            found = self._tokens.get(place)
            if found is not None:
                self._tokens.move_to_end(place)
            return found

    def put(self, place: _Place, token: IssuedToken) -> None:
        with self._lock:
            self._tokens[place] = token
            self._tokens.move_to_end(place)
            while len(self._tokens) > MAX_KEPT:
                self._tokens.popitem(last=False)

    def drop(self, access_token: str) -> None:
        with self._lock:
            self._tokens = OrderedDict((k, v) for k, v in self._tokens.items() if v.access_token != access_token)


class _Agent:
    """What threads and event loops have in common."""

    def __init__(
        self,
        issuer: str,
        credential: ClientCredential,
        *,
        dpop: DpopKey | None = None,
        timeout: float = 10.0,
        allow_http: bool = False,
        clock: Callable[[], float] = time.time,
        client: httpx.Client | None = None,
        async_client: httpx.AsyncClient | None = None,
    ) -> None:
        self.issuer = safe_url(issuer, allow_http=allow_http)
        self.dpop = dpop
        self._clock = clock
        self._credential = credential
        self._endpoint = TokenEndpoint(issuer, credential, dpop=dpop, clock=clock, allow_http=allow_http)
        self.nonces = self._endpoint.nonces
        self._tokens = _KeptTokens()
        self._wire = Wire(timeout=timeout, max_bytes=MAX_ANSWER_BYTES, client=client, async_client=async_client)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._credential.client_id!r} at {self.issuer!r})"

    @property
    def now(self) -> float:
        """The time, by the clock that was given."""
        return self._clock()

    def _kept(self, place: _Place, instead_of: str) -> IssuedToken | None:
        found = self._tokens.get(place)
        if found is None or found.access_token == instead_of or not found.is_good(self.now, margin=MARGIN):
            return None
        return found

    def _obtain(self, place: _Place) -> Flow[IssuedToken]:
        """Get a token anew: with the last one's refresh token, or if the server does not take that any more, without."""
        resource, scopes = place
        last = self._tokens.get(place)
        issued = None
        if last is not None and last.refresh_token:
            try:
                issued = yield from self._refreshed(last)
            except TokenRefused as refused:
                if refused.error != "invalid_grant":
                    raise
        if issued is None:
            issued = yield from self._endpoint.grant({"grant_type": "client_credentials"}, resource=resource, scopes=scopes)
        self._tokens.put(place, issued)
        return issued

    def _refreshed(self, token: IssuedToken) -> Flow[IssuedToken]:
        if not token.refresh_token:
            raise ValueError("this token came without a refresh token")
        form = {"grant_type": "refresh_token", "refresh_token": token.refresh_token}
        issued = yield from self._endpoint.grant(form, resource=token.resource, scopes=())
        if issued.refresh_token:
            return issued
        # Without a new one, the old one goes on (RFC 6749, section 6).
        return _with_refresh(issued, token)

    def _exchanged(self, subject_token: str, resource: str, scopes: frozenset[str]) -> Flow[IssuedToken]:
        form = {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": subject_token,
            "subject_token_type": ACCESS_TOKEN,
            "requested_token_type": ACCESS_TOKEN,
        }
        return (yield from self._endpoint.grant(form, resource=resource, scopes=scopes))

    def _asserted(self, assertion: str, resource: str, scopes: frozenset[str]) -> Flow[IssuedToken]:
        form = {"grant_type": JWT_BEARER, "assertion": assertion}
        return (yield from self._endpoint.grant(form, resource=resource, scopes=scopes))

    def _revoked(self, token: IssuedToken) -> Flow[None]:
        self._tokens.drop(token.access_token)
        if token.refresh_token:
            yield from self._endpoint.revoke(token.refresh_token, hint="refresh_token")
        yield from self._endpoint.revoke(token.access_token, hint="access_token")


def _with_refresh(issued: IssuedToken, last: IssuedToken) -> IssuedToken:
    return replace(issued, refresh_token=last.refresh_token, scopes=issued.scopes or last.scopes)


class AgentClient(_Agent):
    """An agent at one authorization server, for threads.

    ``credential`` is how it says who it is; with ``dpop`` its tokens are bound to that key, and a token that is not is refused.
    Whoever needs the same token at the same time causes one request.
    """

    def __init__(
        self,
        issuer: str,
        credential: ClientCredential,
        *,
        dpop: DpopKey | None = None,
        timeout: float = 10.0,
        allow_http: bool = False,
        clock: Callable[[], float] = time.time,
        client: httpx.Client | None = None,
    ) -> None:
        super().__init__(issuer, credential, dpop=dpop, timeout=timeout, allow_http=allow_http, clock=clock, client=client)
        self._locks = ThreadLocks()

    def token(self, resource: str, scopes: str | Iterable[str] = (), *, instead_of: str = "") -> IssuedToken:
        """Give a token of the agent's own for a resource, kept or new; ``instead_of`` is the text of one that did not do.

        Raises TokenRefused, Unavailable.
        """
        place = (resource, scope_names(scopes))
        found = self._kept(place, instead_of)
        if found is not None:
            return found
        with self._locks.of(place):
            found = self._kept(place, instead_of)
            return found if found is not None else self._wire.run(self._obtain(place))

    def refresh(self, token: IssuedToken) -> IssuedToken:
        """Get a new token for an old one's refresh token; it is not kept. Raises TokenRefused, Unavailable."""
        return self._wire.run(self._refreshed(token))

    def exchange(self, subject_token: str, resource: str, scopes: str | Iterable[str] = ()) -> IssuedToken:
        """Get a token for acting for whose token came in (RFC 8693); it is not kept. Raises TokenRefused, Unavailable."""
        return self._wire.run(self._exchanged(subject_token, resource, scope_names(scopes)))

    def assert_grant(self, assertion: str, resource: str, scopes: str | Iterable[str] = ()) -> IssuedToken:
        """Get a token for another authority's assertion (RFC 7523); it is not kept. Raises TokenRefused, Unavailable."""
        return self._wire.run(self._asserted(assertion, resource, scope_names(scopes)))

    def revoke(self, token: IssuedToken) -> None:
        """Give a token back, and its refresh token. Raises TokenRefused, Unavailable."""
        self._wire.run(self._revoked(token))

    def auth(self, resource: str, scopes: str | Iterable[str] = ()) -> AgentAuth:
        """Let an ``httpx.Client`` get its tokens for a resource by itself: ``httpx.Client(auth=agent.auth(…))``."""
        return AgentAuth(self, resource, scope_names(scopes))

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()


class AsyncAgentClient(_Agent):
    """An agent at one authorization server, for event loops; otherwise as AgentClient."""

    def __init__(
        self,
        issuer: str,
        credential: ClientCredential,
        *,
        dpop: DpopKey | None = None,
        timeout: float = 10.0,
        allow_http: bool = False,
        clock: Callable[[], float] = time.time,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        super().__init__(
            issuer, credential, dpop=dpop, timeout=timeout, allow_http=allow_http, clock=clock, async_client=client
        )
        self._locks = PerLoop(TaskLocks)

    async def token(self, resource: str, scopes: str | Iterable[str] = (), *, instead_of: str = "") -> IssuedToken:
        """Give a token of the agent's own for a resource, kept or new; ``instead_of`` is the text of one that did not do.

        Raises TokenRefused, Unavailable.
        """
        place = (resource, scope_names(scopes))
        found = self._kept(place, instead_of)
        if found is not None:
            return found
        async with self._locks.get().of(place):
            found = self._kept(place, instead_of)
            return found if found is not None else await self._wire.arun(self._obtain(place))

    async def refresh(self, token: IssuedToken) -> IssuedToken:
        """Get a new token for an old one's refresh token; it is not kept. Raises TokenRefused, Unavailable."""
        return await self._wire.arun(self._refreshed(token))

    async def exchange(self, subject_token: str, resource: str, scopes: str | Iterable[str] = ()) -> IssuedToken:
        """Get a token for acting for whose token came in (RFC 8693); it is not kept. Raises TokenRefused, Unavailable."""
        return await self._wire.arun(self._exchanged(subject_token, resource, scope_names(scopes)))

    async def assert_grant(self, assertion: str, resource: str, scopes: str | Iterable[str] = ()) -> IssuedToken:
        """Get a token for another authority's assertion (RFC 7523); it is not kept. Raises TokenRefused, Unavailable."""
        return await self._wire.arun(self._asserted(assertion, resource, scope_names(scopes)))

    async def revoke(self, token: IssuedToken) -> None:
        """Give a token back, and its refresh token. Raises TokenRefused, Unavailable."""
        await self._wire.arun(self._revoked(token))

    def auth(self, resource: str, scopes: str | Iterable[str] = ()) -> AsyncAgentAuth:
        """Let an ``httpx.AsyncClient`` get its tokens for a resource by itself."""
        return AsyncAgentAuth(self, resource, scope_names(scopes))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.aclose()
