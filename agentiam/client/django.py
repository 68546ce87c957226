"""For Django: a middleware for everything, or a decorator for a view; with threads and with an event loop."""

import functools
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from agentiam.client.challenges import HttpAnswer, refusal, unavailable
from agentiam.client.errors import Refused, Unavailable
from agentiam.client.tokens import AccessToken
from agentiam.client.verification import ResourceServer

View = Callable[..., HttpResponseBase | Awaitable[HttpResponseBase]]
_log: Final = logging.getLogger(__name__)


def configured_server() -> ResourceServer:
    """Give the resource server that ``AGENTIAM_RESOURCE_SERVER`` names, by its dotted path."""
    path = getattr(settings, "AGENTIAM_RESOURCE_SERVER", None)
    found = import_string(path) if isinstance(path, str) else path
    if not isinstance(found, ResourceServer):
        raise ImproperlyConfigured("AGENTIAM_RESOURCE_SERVER must name a ResourceServer")
    return found


def token_of(request: HttpRequest) -> AccessToken:
    """Give a request's verified token. Raises LookupError where none was verified."""
    found = getattr(request, "agentiam", None)
    if isinstance(found, AccessToken):
        return found
    raise LookupError("no token of this request was verified")


class ResourceServerMiddleware:
    """Verifies every request before a view sees it, puts the token into ``request.agentiam``, and serves the metadata.

    Settings: ``AGENTIAM_RESOURCE_SERVER``, and ``AGENTIAM_SCOPES`` that every request needs, and ``AGENTIAM_OPEN_PATHS`` that
    are let through without a token.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        self._server = configured_server()
        self._scopes = tuple(getattr(settings, "AGENTIAM_SCOPES", ()))
        self._open = frozenset(getattr(settings, "AGENTIAM_OPEN_PATHS", ()))
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer one request."""
        if self._is_async:
            return self._acall(request)
        answer = self._own_answer(request)
        if answer is None and request.path not in self._open:
            answer = _verified(self._server, request, self._scopes)
        return answer or cast("HttpResponseBase", self._get_response(request))

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        answer = self._own_answer(request)
        if answer is None and request.path not in self._open:
            answer = await _averified(self._server, request, self._scopes)
        return answer or cast("HttpResponseBase", await self._get_response(request))

    def _own_answer(self, request: HttpRequest) -> HttpResponse | None:
        if request.path != self._server.metadata_path:
            return None
        return resource_metadata(request, server=self._server)


def resource_metadata(request: HttpRequest, *, server: ResourceServer | None = None) -> HttpResponse:
    """Serve the protected resource's metadata, as a view."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    return JsonResponse((server or configured_server()).metadata())


def token_required(*scopes: str, server: ResourceServer | None = None) -> Callable[[View], View]:
    """Let nobody into a view without a verified token that has these scopes.

    The view is taken out of the CSRF protection: a browser does not send such a token by itself.
    """

    def decorate(view: View) -> View:
        if iscoroutinefunction(view):

            @functools.wraps(view)
            async def averify(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
                refused = await _averified(server or configured_server(), request, scopes)
                return refused or await cast("Awaitable[HttpResponseBase]", view(request, *args, **kwargs))

            verify: View = averify
        else:

            @functools.wraps(view)
            def verify_in_thread(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
                refused = _verified(server or configured_server(), request, scopes)
                return refused or cast("HttpResponseBase", view(request, *args, **kwargs))

            verify = verify_in_thread
        verify.csrf_exempt = True  # type: ignore[attr-defined]
        return verify

    return decorate


def _presented(server: ResourceServer, request: HttpRequest) -> tuple[str, str, list[tuple[str, str]]]:
    # A WSGI server joins headers that come twice with a comma, which no token and no proof can hold.
    path = request.get_full_path().partition("?")[0]
    return request.method or "", server.origin + path, list(request.headers.items())


def _verified(server: ResourceServer, request: HttpRequest, scopes: Sequence[str]) -> HttpResponse | None:
    try:
        if not _is_known(request, server, scopes):
            method, url, headers = _presented(server, request)
            _set_token(request, server.verify(method, url, headers, scopes=scopes))
    except Exception as error:  # noqa: BLE001  (whatever it was, nobody gets in)
        return _refused(error, server, scopes)
    return None


async def _averified(server: ResourceServer, request: HttpRequest, scopes: Sequence[str]) -> HttpResponse | None:
    try:
        if not _is_known(request, server, scopes):
            method, url, headers = _presented(server, request)
            _set_token(request, await server.averify(method, url, headers, scopes=scopes))
    except Exception as error:  # noqa: BLE001  (whatever it was, nobody gets in)
        return _refused(error, server, scopes)
    return None


def _is_known(request: HttpRequest, server: ResourceServer, scopes: Sequence[str]) -> bool:
    """Tell whether the middleware verified this request already: a proof is good once. Raises ScopeInsufficient."""
    known = getattr(request, "agentiam", None)
    if not isinstance(known, AccessToken) or (known.issuer, known.audience) != (server.issuer, server.resource):
        _set_token(request, None)
        return False
    known.require(*scopes)
    return True


def _set_token(request: HttpRequest, token: AccessToken | None) -> None:
    request.agentiam = token  # type: ignore[attr-defined]


def _refused(error: Exception, server: ResourceServer, scopes: Sequence[str]) -> HttpResponse:
    if isinstance(error, Refused):
        return _response(refusal(error, server.realm, needed=scopes))
    known = error if isinstance(error, Unavailable) else None
    _log.warning("a token could not be verified: %s", known or type(error).__name__, exc_info=None if known else error)
    return _response(unavailable())


def _response(refused: HttpAnswer) -> HttpResponse:
    """Write an answer; of headers that come twice, Django knows only one line, and lists of challenges may be joined."""
    response = HttpResponse(refused.body, status=refused.status)
    joined: dict[str, list[str]] = {}
    for name, value in refused.headers:
        joined.setdefault(name, []).append(value)
    for name, values in joined.items():
        response[name] = ", ".join(values)
    return response
