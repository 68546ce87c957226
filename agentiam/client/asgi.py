"""For every ASGI application: nobody gets in without a verified token, and an error lets nobody in."""

import json
import logging
from collections.abc import Awaitable, Callable, Collection, MutableMapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from agentiam.client.challenges import HttpAnswer, refusal, unavailable
from agentiam.client.errors import Refused, Unavailable
from agentiam.client.verification import ResourceServer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

KEY: Final = "agentiam"
"""Where a request's scope holds its verified token."""
_POLICY_VIOLATION: Final = 1008
_log: Final = logging.getLogger(__name__)


class ResourceServerMiddleware:
    """Verifies every request and WebSocket before the application sees it, and serves the resource's metadata.

    The token is in ``scope["agentiam"]``. ``scopes`` are what every request needs; ``open_paths`` are let through without a
    token, each as it is written.
    """

    def __init__(
        self, app: Application, server: ResourceServer, *, scopes: Sequence[str] = (), open_paths: Collection[str] = ()
    ) -> None:
        self._app = app
        self._server = server
        self._scopes = tuple(scopes)
        self._open = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] not in {"http", "websocket"}:
            raise ValueError(f"what is a connection of type {scope['type']}?")
        # What came in under our name did not come from us.
        scope = {name: value for name, value in scope.items() if name != KEY}
        if scope["type"] == "http" and scope["path"] == self._server.metadata_path:
            await _send(send, self._metadata(scope["method"]))
            return
        if scope["path"] not in self._open:
            refused = await self._verified(scope)
            if refused is not None:
                await (_send(send, refused) if scope["type"] == "http" else _close(scope, send, refused))
                return
        await self._app(scope, receive, send)

    async def _verified(self, scope: Scope) -> HttpAnswer | None:
        """Put the token into the scope, or say why not."""
        try:
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
            url = self._server.origin + _path(scope)
            scope[KEY] = await self._server.averify(scope.get("method", "GET"), url, headers, scopes=self._scopes)
        except Refused as refused:
            return refusal(refused, self._server.realm, needed=self._scopes)
        except Unavailable as error:
            _log.warning("a token could not be verified: %s", error)
            return unavailable()
        except Exception:  # noqa: BLE001  (the last resort: whatever it was, nobody gets in)
            _log.exception("a token could not be verified")
            return unavailable()
        return None

    def _metadata(self, method: str) -> HttpAnswer:
        if method not in {"GET", "HEAD"}:
            return HttpAnswer(405, (("Allow", "GET, HEAD"), ("Content-Length", "0")), b"")
        body = json.dumps(self._server.metadata()).encode("ascii")
        headers = (("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", "max-age=300"))
        return HttpAnswer(200, headers, b"" if method == "HEAD" else body)


def _path(scope: Scope) -> str:
    """Give the path as it was sent; not every server tells."""
    raw = scope.get("raw_path")
    if raw:
        return str(raw.decode("ascii")).partition("?")[0]
    return quote(scope["path"])


def _raw(refused: HttpAnswer) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in refused.headers]


async def _send(send: Send, answer: HttpAnswer, *, prefix: str = "http.response") -> None:
    await send({"type": f"{prefix}.start", "status": answer.status, "headers": _raw(answer)})
    await send({"type": f"{prefix}.body", "body": answer.body})


async def _close(scope: Scope, send: Send, refused: HttpAnswer) -> None:
    """Refuse a WebSocket before it is accepted: with the whole answer, if the server can send one."""
    if "websocket.http.response" in scope.get("extensions", {}):
        await _send(send, refused, prefix="websocket.http.response")
    else:
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
