"""Requests become OpenTelemetry spans if that is wanted: which route was answered how, and nothing of what was said.

The instrumentation is given a scope from which path, query, headers and client are gone: what is not there cannot leak. Of the
headers only ``traceparent`` and ``tracestate`` (W3C Trace Context) stay, so that a caller's trace goes on.
"""

import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from django.urls import Resolver404, resolve

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)

_EXCHANGE: Final = "agentiam.exchange"
_CARRIED: Final = frozenset({b"traceparent", b"tracestate"})
_NEEDED: Final = ("opentelemetry.sdk", "opentelemetry.instrumentation.asgi", "opentelemetry.exporter.otlp.proto.http")


def available() -> bool:
    """Tell whether OpenTelemetry is installed, without loading it."""
    try:
        return all(find_spec(name) is not None for name in _NEEDED)
    except ModuleNotFoundError:
        return False


def traced(application: Application, *, decides: Callable[[str], str]) -> Application:
    """Trace an application, with exporter, sampler and names from OpenTelemetry's own variables (``OTEL_*``).

    ``decides`` names the routes of the decision endpoints, and is empty for all other paths. Without the extra the application
    stays as it is, and a line in the log says so.
    """
    if not available():
        log.warning("AGENTIAM_TRACING is on, and OpenTelemetry is not installed: nothing is traced")
        return application
    return with_provider(application, provider=_provider(), decides=decides)


def with_provider(application: Application, *, provider: Any, decides: Callable[[str], str]) -> Application:
    """Trace an application to a provider of spans."""
    instrumentation = import_module("opentelemetry.instrumentation.asgi")
    traces = import_module("opentelemetry.trace")

    async def within(scope: Scope, _receive: Receive, send: Send) -> None:
        exchange: _Exchange = scope[_EXCHANGE]
        await exchange.run(application, send)
        if exchange.error is not None:
            traces.get_current_span().set_status(traces.StatusCode.ERROR, type(exchange.error).__name__)

    def named(scope: Scope) -> tuple[str, dict[str, Any]]:
        return f"{scope['method']} {scope['path']}", {"http.route": scope["path"]}

    tracing = instrumentation.OpenTelemetryMiddleware(
        within, tracer_provider=provider, default_span_details=named, exclude_spans=["receive", "send"]
    )

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        await tracing({**reduced(scope, decides=decides), _EXCHANGE: exchange}, receive, exchange.restore)
        if exchange.error is not None:
            raise exchange.error

    return call


class _Exchange:
    """One request and its answer as they are, beside what the instrumentation sees of them."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.error: BaseException | None = None
        self._scope, self._receive, self._send = scope, receive, send
        self._whole: deque[MutableMapping[str, Any]] = deque()

    async def run(self, application: Application, traced_send: Send) -> None:
        """Answer; what goes wrong is kept from the span, whose text it would become, and raised outside."""

        async def send(message: MutableMapping[str, Any]) -> None:
            self._whole.append(message)
            shown = {name: message[name] for name in ("type", "status", "more_body") if name in message}
            await traced_send({**shown, "headers": []})

        try:
            await application(self._scope, self._receive, send)
        except BaseException as error:  # noqa: BLE001  (whatever it is, it goes on outside)
            self.error = error

    async def restore(self, _shown: MutableMapping[str, Any]) -> None:
        """Send what was meant."""
        await self._send(self._whole.popleft())


def reduced(scope: Scope, *, decides: Callable[[str], str]) -> Scope:
    """Give the scope that is traced: the route in place of the path, which may hold a token, and no word of the caller's."""
    return {
        "type": "http",
        "asgi": scope.get("asgi", {}),
        "http_version": scope.get("http_version", "1.1"),
        "method": scope["method"],
        "scheme": scope.get("scheme", "http"),
        "path": route_of(scope["path"], decides=decides),
        "query_string": b"",
        "root_path": "",
        "headers": [(name, value) for name, value in scope["headers"] if name in _CARRIED],
        "server": None,
        "client": None,
    }


def route_of(path: str, *, decides: Callable[[str], str]) -> str:
    """Name the route of a path; ``none`` for what is no address of ours."""
    if route := decides(path):
        return route
    try:
        return f"/{resolve(path).route}"
    except Resolver404:
        return "none"


def _provider() -> Any:
    trace = import_module("opentelemetry.sdk.trace")
    export = import_module("opentelemetry.sdk.trace.export")
    otlp = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    resources = import_module("opentelemetry.sdk.resources")
    # What is given here would win over the variables, which are the operator's word.
    is_named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    provider = trace.TracerProvider(resource=resources.Resource.create({} if is_named else {"service.name": "agentiam"}))
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    return provider
