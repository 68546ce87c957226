"""Every answer of Django's is counted by route, method and status: words of our own, so that no caller can make new ones."""

import time
from typing import Final

from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

from agentiam.kit.measures import measures

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS: Final = measures.histogram("page_seconds", (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0))


class CountingMiddleware(MiddlewareMixin):
    """Count answers, and how long they took until they began to leave."""

    def process_request(self, request: HttpRequest) -> None:
        """Note when the request came."""
        request.began = time.perf_counter()  # type: ignore[attr-defined]

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Count."""
        method = request.method if request.method in _METHODS else "other"
        measures.counter("http_requests", route=route_of(request), method=method, status=str(response.status_code)).add()
        _SECONDS.observe(time.perf_counter() - request.began)  # type: ignore[attr-defined]
        return response


def route_of(request: HttpRequest) -> str:
    """Name the pattern that an address matched; ``none`` for what is no address of ours, and for static files."""
    match = request.resolver_match
    return "none" if match is None else f"/{match.route}"
