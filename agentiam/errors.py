"""Error pages: what happened, why, what now, and the id under which the log knows it."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve

from agentiam.kit.problems import CONTENT_TYPE, Problem
from agentiam.requests import request_id

_ANY_ID: Final = str(UUID(int=0))


def _page(request: HttpRequest, status: int, template: str) -> HttpResponse:
    # Without the request's context: whatever is broken must not break its error page too.
    return HttpResponse(render_to_string(f"errors/{template}_page.html", {"request_id": request_id(request)}), status=status)


def _problem(status: int, template: str, remedy: str = "") -> HttpResponse:
    detail = "There is no such address." if status == HTTPStatus.NOT_FOUND else "This cannot be answered."
    problem = Problem(status, template.replace("_", "-"), detail, {"remedy": remedy} if remedy else {})
    return HttpResponse(problem.encode(), status=status, content_type=CONTENT_TYPE)


def _handler(status: int, template: str) -> Callable[[HttpRequest, Exception], HttpResponse]:
    def handle(request: HttpRequest, exception: Exception) -> HttpResponse:
        if request.path.startswith("/api/"):
            return _problem(status, template, _way_to_an_id(request.path) if status == HTTPStatus.NOT_FOUND else "")
        return _page(request, status, template)

    return handle


def _way_to_an_id(path: str) -> str:
    """Say how to find an id, of a path that would lead somewhere if one of its parts were one; else nothing."""
    parts = path.split("/")
    for position, part in enumerate(parts):
        if part and _leads_on("/".join([*parts[:position], _ANY_ID, *parts[position + 1 :]])):
            return (
                f"Ids are UUIDs, and {part[:100]!r} is none; find one in {'/'.join(parts[:position])}, often by ?external_id=…"
            )
    return ""


def _leads_on(path: str) -> bool:
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


bad_request = _handler(400, "bad_request")
forbidden = _handler(403, "forbidden")
not_found = _handler(404, "not_found")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer when the product itself failed."""
    if request.path.startswith("/api/"):
        return _problem(500, "server_error")
    return _page(request, 500, "server_error")


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer to a form that did not come from one of our pages, or from one that is too old."""
    return _page(request, 403, "csrf")
