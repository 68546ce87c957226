"""One ASGI application in front: decisions take the short way past Django, pages and administration go to it within limits."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final, Protocol

from agentiam.kit.problems import CONTENT_TYPE, Problem

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES: Final = 1024 * 1024
BODY_SECONDS: Final = 20.0


class AccessApplication(Protocol):
    """The application that gives decisions."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

    async def startup(self) -> None:
        """Make ready, before the first request."""

    async def shutdown(self) -> None:
        """Finish, after the last request."""


class Background(Protocol):
    """Work beside the requests."""

    async def startup(self) -> None:
        """Begin, when the rest is ready."""

    async def shutdown(self) -> None:
        """End in order, before the rest."""


class Router:
    """Hand requests to the decision endpoints (the paths that ``serves`` accepts) or to Django.

    The decision endpoints start before the first request and stop after the last; jobs run between.
    """

    def __init__(
        self,
        *,
        access: AccessApplication,
        serves: Callable[[str], bool],
        pages: Application,
        jobs: Background | None = None,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._access = access
        self._serves = serves
        self._pages = pages
        self._jobs = jobs
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection of the server."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] != "http":
            # There are no websockets here; the server turns this into a refused handshake.
            await send({"type": "websocket.close", "code": 1000})
        elif self._serves(scope["path"]):
            await self._access(scope, receive, send)
        elif problem := _body_problem(scope):
            await _refuse(problem, send)
        else:
            await self._pages(scope, self._within_time(receive), send)

    def _within_time(self, receive: Receive) -> Receive:
        """Give up on a client that does not finish sending its body; what comes after the body may take as long as it likes."""
        complete = False

        async def limited() -> Message:
            nonlocal complete
            if complete:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._body_seconds)
            except TimeoutError:
                return {"type": "http.disconnect"}
            complete = not message.get("more_body", False)
            return message

        return limited

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Start on ``lifespan.startup``, stop on ``lifespan.shutdown``; a failure is reported to the server, which ends."""
        while True:
            message = await receive()
            phase = "startup" if message["type"] == "lifespan.startup" else "shutdown"
            try:
                await (self._start() if phase == "startup" else self._stop())
            except Exception as error:
                log.exception("%s failed", phase)
                await send({"type": f"lifespan.{phase}.failed", "message": type(error).__name__})
                return
            await send({"type": f"lifespan.{phase}.complete"})
            if phase == "shutdown":
                return

    async def _start(self) -> None:
        await self._access.startup()
        if self._jobs is not None:
            await self._jobs.startup()

    async def _stop(self) -> None:
        try:
            if self._jobs is not None:
                await self._jobs.shutdown()
        finally:
            await self._access.shutdown()


def _body_problem(scope: Scope) -> Problem | None:
    """Refuse a body for Django that is too long, or of unknown length, before a byte of it is read."""
    headers = {name: value for name, value in scope["headers"] if name in {b"content-length", b"transfer-encoding"}}
    if b"transfer-encoding" in headers:
        return Problem(411, "length-required", "Send the body with a Content-Length.")
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        return Problem(413, "body-too-large", f"The body is longer than {MAX_BODY_BYTES} bytes.")
    return None


async def _refuse(problem: Problem, send: Send) -> None:
    body = problem.encode()
    headers = [
        (b"content-type", CONTENT_TYPE.encode("ascii")),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"x-content-type-options", b"nosniff"),
        # The body was not read, so nothing else can follow on this connection.
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": HTTPStatus(problem.status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
