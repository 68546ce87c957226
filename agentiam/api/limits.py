"""Each caller has so many requests a minute, counted atomically; every answer says how many are left.

The headers are those of draft-ietf-httpapi-ratelimit-headers-10. Callers who fail to prove who they are share a smaller number
for each address, so that keys cannot be guessed. A request that cannot be counted is not answered.
"""

from typing import Any, Final

from django.conf import settings
from rest_framework.exceptions import Throttled
from rest_framework.throttling import BaseThrottle

from agentiam.kit.limits import RETRY_SECONDS, NotCounted, Taken, take
from agentiam.kit.problems import Problem
from agentiam.requests import client_address

WINDOW_SECONDS: Final = 60
REFUSED_A_MINUTE: Final = 60


def _take(a_minute: int, *names: str) -> Taken:
    """Count one; raises Problem (503) when nothing can be counted."""
    try:
        return take(a_minute, *names)
    except NotCounted:
        detail = "Requests cannot be counted just now, so none is answered."
        remedy = "Try again in a moment. Whoever runs agentiam: see whether Redis answers (.venv/bin/python manage.py doctor)."
        raise Problem(503, "unavailable", detail, {"remedy": remedy}, {"Retry-After": str(RETRY_SECONDS)}) from None


class PerCaller(BaseThrottle):
    """The number of requests a minute that AGENTIAM_API_RATE names."""

    def allow_request(self, request: Any, view: Any) -> bool:
        """Count this request; the view's answer tells what is left."""
        caller = request.user
        name = getattr(caller, "pk", None) or getattr(caller, "application_id", None)
        identity = str(name) if name is not None else f"address {client_address(request)}"
        allowed, left, self._seconds = _take(settings.API_RATE, "caller", identity)
        view.rate = (settings.API_RATE, left, self._seconds)
        return allowed

    def wait(self) -> float:
        """Say when it is worth another try."""
        return float(self._seconds)


def note_refused(request: Any) -> None:
    """Count a failed proof of this address; raises Throttled when there were too many, Problem when it cannot be counted."""
    allowed, _, seconds = _take(REFUSED_A_MINUTE, "refused", client_address(request))
    if not allowed:
        raise Throttled(wait=seconds)


def rate_headers(rate: tuple[int, int, int]) -> dict[str, str]:
    """Give the headers for a limit, what is left of it, and the seconds until it is whole again."""
    limit, remaining, seconds = rate
    return {
        "RateLimit-Policy": f'"caller";q={limit};w={WINDOW_SECONDS}',
        "RateLimit": f'"caller";r={remaining};t={seconds}',
    }
