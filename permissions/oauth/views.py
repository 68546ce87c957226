"""The endpoints that machines call: one request in, one JSON answer out, never stored, never a cookie."""

import json
import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Final

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from agentiam.kit.errors import Refusal
from agentiam.kit.limits import RETRY_SECONDS, NotCounted, take
from permissions.oauth.asking_about import introspect, revoke
from permissions.oauth.errors import UNAVAILABLE, OAuthError
from permissions.oauth.issuers import Issuer, issuer_at
from permissions.oauth.issuing import answer_token_request
from permissions.oauth.keys import KEY_SET_SECONDS, key_set
from permissions.oauth.metadata import server_metadata
from permissions.oauth.parameters import Asking, Parameters, form_of
from permissions.oauth.registration import register

log = logging.getLogger(__name__)
_JSON: Final = "application/json"
REFUSED_A_MINUTE: Final = 60
_NOT_STORED: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def asking_of(request: HttpRequest, issuer: Issuer, endpoint: str, parameters: Parameters) -> Asking:
    """Take down who sent what from where, and when."""
    return Asking(
        issuer=issuer,
        parameters=parameters,
        authorization=request.headers.get("Authorization", ""),
        dpop=request.headers.get("DPoP", ""),
        method=request.method or "",
        endpoint=endpoint,
        address=str(request.META.get("REMOTE_ADDR", "")),
        request_id=str(getattr(request, "id", "")),
        now=timezone.now(),
    )


def answered(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """Answer with JSON that nobody keeps."""
    return HttpResponse(
        json.dumps(body).encode("utf-8"), status=status, content_type=_JSON, headers={**_NOT_STORED, **(headers or {})}
    )


def refused(error: OAuthError, request: HttpRequest) -> HttpResponse:
    """Answer with an error (RFC 6749, section 5.2)."""
    return answered(error.body(), status=error.status, headers=dict(error.headers))


def _limited(error: OAuthError, request: HttpRequest) -> OAuthError:
    """Count a failed proof of this address, together with those at the management API; too many are another refusal."""
    if error.status != HTTPStatus.UNAUTHORIZED:
        return error
    try:
        taken = take(REFUSED_A_MINUTE, "refused", str(request.META.get("REMOTE_ADDR", "")))
    except NotCounted:
        return OAuthError(UNAVAILABLE, "Requests cannot be counted just now.", 503, {"Retry-After": str(RETRY_SECONDS)})
    if taken.allowed:
        return error
    return OAuthError(UNAVAILABLE, "There were too many failed proofs.", 429, {"Retry-After": str(taken.seconds)})


def _endpoint(name: str) -> Callable[[Callable[[Asking], Any]], Callable[..., HttpResponse]]:
    def decorate(answer: Callable[[Asking], Any]) -> Callable[..., HttpResponse]:
        @wraps(answer)
        def view(request: HttpRequest, organization: str | None = None) -> HttpResponse:
            issuer = issuer_at(organization)
            if issuer is None:
                return answered({"error": "not_found", "error_description": "There is no such issuer."}, status=404)
            try:
                parameters = form_of(request.body, request.headers.get("Content-Type", ""))
                found = answer(asking_of(request, issuer, name, parameters))
            except OAuthError as error:
                return refused(_limited(error, request), request)
            except Refusal as error:
                log.warning("a request at %s was refused: %s", name, error.message)
                return refused(OAuthError(UNAVAILABLE, "This cannot be answered now.", 503, {"Retry-After": "1"}), request)
            return answered(found) if found is not None else HttpResponse(status=200, headers=_NOT_STORED)

        return csrf_exempt(login_not_required(require_POST(view)))

    return decorate


@_endpoint("token")
def token(asking: Asking) -> Any:
    """Issue a token."""
    return answer_token_request(asking)


@_endpoint("introspect")
def introspection(asking: Asking) -> Any:
    """Say what a token stands for now."""
    return introspect(asking)


@_endpoint("revoke")
def revocation(asking: Asking) -> None:
    """Revoke a token."""
    revoke(asking)


@csrf_exempt
@login_not_required
@require_POST
def registration(request: HttpRequest, organization: str | None = None) -> HttpResponse:
    """Register a client with an initial access token."""
    issuer = issuer_at(organization)
    if issuer is None:
        return answered({"error": "not_found", "error_description": "There is no such issuer."}, status=404)
    try:
        found = register(
            issuer,
            authorization=request.headers.get("Authorization", ""),
            body=request.body,
            address=str(request.META.get("REMOTE_ADDR", "")),
            request_id=str(getattr(request, "id", "")),
            now=timezone.now(),
        )
    except OAuthError as error:
        return refused(_limited(error, request), request)
    return answered(found, status=201)


@login_not_required
@require_GET
def metadata(request: HttpRequest, organization: str | None = None) -> HttpResponse:
    """Describe the issuer."""
    issuer = issuer_at(organization)
    if issuer is None:
        return answered({"error": "not_found", "error_description": "There is no such issuer."}, status=404)
    return _public(server_metadata(issuer))


@login_not_required
@require_GET
def jwks(request: HttpRequest, organization: str | None = None) -> HttpResponse:
    """Show the public keys."""
    issuer = issuer_at(organization)
    if issuer is None:
        return answered({"error": "not_found", "error_description": "There is no such issuer."}, status=404)
    return _public(key_set(issuer.organization, now=timezone.now()))


def _public(body: Any) -> HttpResponse:
    return HttpResponse(
        json.dumps(body).encode("utf-8"),
        content_type=_JSON,
        headers={"Cache-Control": f"public, max-age={KEY_SET_SECONDS // 4}", "Access-Control-Allow-Origin": "*"},
    )
