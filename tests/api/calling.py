"""The product as a WSGI application within a test's transaction, for clients that bring their own requests."""

from collections.abc import Callable, Iterable
from typing import Any

from django.test.client import ClientHandler

_handler = ClientHandler(enforce_csrf_checks=True)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer as the product does; unlike Django's own handler, without ending the connection that the test is in."""
    answer = _handler(environ)
    start_response(f"{answer.status_code} {answer.reason_phrase}", list(answer.items()))
    return [answer.content if not answer.streaming else b""]
