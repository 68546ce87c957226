"""Every request has an id, which log lines, events and error pages name; every answer has the same strict headers."""

import re
from typing import Any, Final

from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin
from structlog.contextvars import bind_contextvars, clear_contextvars

from agentiam.kit.ids import uuid7

_ACCEPTABLE: Final = re.compile(r"[A-Za-z0-9._:-]{8,128}")
_FEATURES: Final = ("camera", "display-capture", "geolocation", "gyroscope", "microphone", "payment", "usb")
_HEADERS: Final = {
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _FEATURES),
    "Cross-Origin-Resource-Policy": "same-origin",
    # Pages show one person's view of one organization: nobody may keep them. Static files say otherwise.
    "Cache-Control": "no-store",
}


class RequestMiddleware(MiddlewareMixin):
    """Name the request and finish the headers of its answer."""

    def process_request(self, request: HttpRequest) -> None:
        """Take over a well-formed ``X-Request-Id`` or make one."""
        given = request.headers.get("X-Request-Id", "")
        request.id = given if _ACCEPTABLE.fullmatch(given) else str(uuid7())  # type: ignore[attr-defined]
        clear_contextvars()
        bind_contextvars(request_id=request_id(request))

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Add what is not set yet."""
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["X-Request-Id"] = request_id(request)
        clear_contextvars()
        return response


def request_id(request: Any) -> str:
    """Tell the id of a request."""
    return str(getattr(request, "id", ""))


def client_address(request: HttpRequest) -> str:
    """Tell where a request came from: the server has already put the client's address in place of a trusted proxy's."""
    return str(request.META.get("REMOTE_ADDR", ""))
