import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentiam.operations import tracing, watching
from agentiam.operations.tracing import route_of, with_provider
from permissions.access.application import route_of as decides

SECRET = "S3cretS3cretS3cretS3cret"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def ask(spans: InMemorySpanExporter) -> Callable[..., list[Any]]:
    """Send one request to an application that is traced; give what was sent back."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))

    def run(application: Any, path: str = "/healthz", headers: tuple[tuple[bytes, bytes], ...] = ()) -> list[Any]:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": SECRET.encode(), "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": f"next={SECRET}".encode(),
            "headers": [(b"host", b"iam.example.com"), *headers],
            "client": ("192.0.2.7", 1234),
            "server": ("127.0.0.1", 8000),
            "scheme": "https",
            "http_version": "1.1",
        }
        asyncio.run(with_provider(application, provider=provider, decides=decides)(scope, receive, send))
        return sent

    return run


async def answer(scope: Any, receive: Any, send: Any) -> None:
    assert scope["query_string"] == f"next={SECRET}".encode()
    assert scope["client"] == ("192.0.2.7", 1234)
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 201, "headers": [(b"set-cookie", SECRET.encode())]})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def test_a_span_says_route_method_and_status(ask: Callable[..., Any], spans: InMemorySpanExporter) -> None:
    ask(answer)
    (span,) = spans.get_finished_spans()
    assert span.name == "POST /healthz"
    assert span.attributes["http.route"] == "/healthz"
    assert span.attributes["http.status_code"] == 201


def test_the_application_and_its_caller_see_each_other_as_they_are(ask: Callable[..., Any]) -> None:
    sent = ask(answer)
    assert sent[0]["headers"] == [(b"set-cookie", SECRET.encode())]
    assert [message.get("body") for message in sent] == [None, SECRET.encode(), b""]


def test_a_span_holds_no_word_of_the_caller_or_of_the_answer(
    ask: Callable[..., Any], spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for way in ("REQUEST", "RESPONSE"):
        monkeypatch.setenv(f"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_{way}", ".*")
    headers = ((b"authorization", f"Bearer {SECRET}".encode()), (b"cookie", SECRET.encode()), (b"user-agent", SECRET.encode()))
    ask(answer, f"/invitations/{SECRET}/", headers)
    ask(answer, "/access/v1/evaluation", headers)
    text = "".join(span.to_json() for span in spans.get_finished_spans())
    assert "/access/v1/evaluation" in text
    for word in (SECRET, "192.0.2.7", "iam.example.com"):
        assert word not in text


def test_what_goes_wrong_is_raised_and_its_text_is_in_no_span(ask: Callable[..., Any], spans: InMemorySpanExporter) -> None:
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError(SECRET)

    with pytest.raises(RuntimeError, match=SECRET):
        ask(fail)
    (span,) = spans.get_finished_spans()
    assert (span.status.status_code.name, span.status.description) == ("ERROR", "RuntimeError")
    assert SECRET not in span.to_json()


def test_the_trace_of_the_caller_goes_on(ask: Callable[..., Any], spans: InMemorySpanExporter) -> None:
    ask(answer, headers=((b"traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode()), (b"baggage", f"key={SECRET}".encode())))
    (span,) = spans.get_finished_spans()
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert SECRET not in span.to_json()


def test_what_is_no_request_is_left_alone(spans: InMemorySpanExporter) -> None:
    seen = []

    async def lifespan(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    asyncio.run(with_provider(lifespan, provider=provider, decides=decides)({"type": "lifespan"}, None, None))
    assert (seen, spans.get_finished_spans()) == (["lifespan"], ())


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/healthz", "/healthz"),
        ("/access/v1/evaluation", "/access/v1/evaluation"),
        ("/access/v1/search/subject", "/access/v1/search/subject"),
        (f"/access/v1/{SECRET}", "none"),
        (f"/.well-known/authzen-configuration/{SECRET}", "/.well-known/authzen-configuration"),
        (f"/o/acme/{SECRET}", "none"),
        (f"/{SECRET}", "none"),
    ],
)
def test_a_route_is_a_word_of_ours(path: str, route: str) -> None:
    assert route_of(path, decides=decides) == route


def test_nothing_stands_between_unless_it_is_wanted(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(watching.metrics, "available", lambda: False)
    settings.TRACING = False
    assert watching.watched(answer, decides=decides) is answer
    settings.TRACING = True
    monkeypatch.setattr(tracing, "available", lambda: False)
    assert watching.watched(answer, decides=decides) is answer


def test_names_come_from_opentelemetrys_own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    first = tracing._provider()
    assert first.resource.attributes["service.name"] == "agentiam"
    assert first.resource.attributes["deployment.environment"] == "test"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "iam-eu")
    second = tracing._provider()
    assert second.resource.attributes["service.name"] == "iam-eu"
    for provider in (first, second):
        provider.shutdown()
    assert json.loads(first.resource.to_json())["attributes"]["service.name"] == "agentiam"
