"""Requests to servers: written once as generators, carried out with threads or with an event loop.

Never a redirect, never a retry, never more than a bounded body, never longer than a bounded time, and never in clear text
except to this machine itself.
"""

import asyncio
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx

from agentiam.client.errors import Unavailable
from agentiam.client.jose import Malformed, read_object
from agentiam.client.loops import PerLoop

T = TypeVar("T")
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's whole answer."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)

    def json_object(self) -> dict[str, Any]:
        """Read the body as a JSON object, and nothing else. Raises Unavailable."""
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Unavailable("the answer is not JSON")
        try:
            return read_object(self.body)
        except Malformed as error:
            raise Unavailable(f"the answer {error}") from None


Flow = Generator[httpx.Request, Answer, T]
"""What a server is asked, one request after the other, and what comes of it; knows nothing of threads and loops."""


def safe_url(url: object, *, allow_http: bool = False) -> str:
    """Check that a URL is https (or http on this machine), has a host, and no user, query or fragment. Raises ValueError."""
    if not isinstance(url, str) or len(url) > 2_048 or not url.isascii() or any(c <= " " or c in '"\\' for c in url):
        raise ValueError("not a URL")
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.port == 0 or not host or "@" in parts.netloc or parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ValueError(f"{url} must have a host, and no user, query or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and (allow_http or host in _LOOPBACK)):
        raise ValueError(f"{url} must be https")
    return url


class Wire:
    """Sends the requests of a flow, with a client of its own for threads and one for each event loop, or with those given."""

    def __init__(
        self,
        *,
        timeout: float,
        max_bytes: int,
        client: httpx.Client | None = None,
        async_client: httpx.AsyncClient | None = None,
    ) -> None:
        self._timeout = httpx.Timeout(timeout)
        self._seconds = timeout
        self._max_bytes = max_bytes
        self._given, self._given_async = client, async_client
        self._client = client or httpx.Client(timeout=self._timeout)
        self._async_clients = PerLoop(lambda: httpx.AsyncClient(timeout=self._timeout))

    def run(self, flow: Flow[T]) -> T:
        """Carry a flow out in this thread. Each wait on the socket, and the body as a whole, is bounded by the timeout."""
        try:
            request = next(flow)
            while True:
                try:
                    answer = self._send(request)
                except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
                    request = flow.throw(_unavailable(request, error))
                except Unavailable as error:
                    request = flow.throw(error)
                else:
                    request = flow.send(answer)
        except StopIteration as stop:
            found: T = stop.value
            return found
        finally:
            flow.close()

    async def arun(self, flow: Flow[T]) -> T:
        """Carry a flow out in the running event loop. Each request as a whole is bounded by the timeout."""
        try:
            request = next(flow)
            while True:
                try:
                    async with asyncio.timeout(self._seconds):
                        answer = await self._asend(request)
                except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, TimeoutError) as error:
                    request = flow.throw(_unavailable(request, error))
                except Unavailable as error:
                    request = flow.throw(error)
                else:
                    request = flow.send(answer)
        except StopIteration as stop:
            found: T = stop.value
            return found
        finally:
            flow.close()

    def _send(self, request: httpx.Request) -> Answer:
        until = time.monotonic() + self._seconds
        self._prepare(request)
        response = self._client.send(request, stream=True, auth=None, follow_redirects=False)
        try:
            _check_encoding(response)
            body = bytearray()
            for part in response.iter_bytes():
                body += part
                self._check(request, len(body))
                if time.monotonic() > until:
                    raise Unavailable(f"{_name(request)} took too long")
            return Answer(response.status_code, response.headers, bytes(body))
        finally:
            response.close()

    async def _asend(self, request: httpx.Request) -> Answer:
        self._prepare(request)
        client = self._given_async or self._async_clients.get()
        response = await client.send(request, stream=True, auth=None, follow_redirects=False)
        try:
            _check_encoding(response)
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                self._check(request, len(body))
            return Answer(response.status_code, response.headers, bytes(body))
        finally:
            await response.aclose()

    def _prepare(self, request: httpx.Request) -> None:
        request.extensions = {**request.extensions, "timeout": self._timeout.as_dict()}
        request.headers["Accept-Encoding"] = "identity"

    def _check(self, request: httpx.Request, size: int) -> None:
        if size > self._max_bytes:
            raise Unavailable(f"{_name(request)} answered with more than {self._max_bytes} bytes")

    def close(self) -> None:
        """Close the connections of threads, if they are our own."""
        if self._given is None:
            self._client.close()

    async def aclose(self) -> None:
        """Close the connections of the running event loop, if they are our own."""
        client = self._async_clients.pop()
        if client is not None:
            await client.aclose()


def _check_encoding(response: httpx.Response) -> None:
    """Refuse a compressed body: a few bytes of it can become more than there is room for."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Unavailable(f"{_name(response.request)} was answered compressed, which was not asked for")


def _name(request: httpx.Request) -> str:
    return f"{request.method} {request.url.copy_with(query=None, username=None, password=None)}"


def _unavailable(request: httpx.Request, error: Exception) -> Unavailable:
    # The kind of the error only: its text can hold what was sent.
    return Unavailable(f"{_name(request)} failed: {type(error).__name__}")
