"""Error pages: what happened, why, what now, and the id under which the log knows it."""

from collections.abc import Callable

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from agentiam.requests import request_id


def _page(request: HttpRequest, status: int, template: str) -> HttpResponse:
    # Without the request's context: whatever is broken must not break its error page too.
    return HttpResponse(render_to_string(f"errors/{template}_page.html", {"request_id": request_id(request)}), status=status)


def _handler(status: int, template: str) -> Callable[[HttpRequest, Exception], HttpResponse]:
    def handle(request: HttpRequest, exception: Exception) -> HttpResponse:
        return _page(request, status, template)

    return handle


bad_request = _handler(400, "bad_request")
forbidden = _handler(403, "forbidden")
not_found = _handler(404, "not_found")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer when the product itself failed."""
    return _page(request, 500, "server_error")


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer to a form that did not come from one of our pages, or from one that is too old."""
    return _page(request, 403, "csrf")
