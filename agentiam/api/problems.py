"""Every error of the management API is a problem document (RFC 9457), with the remedy where there is one."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import structlog
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import exceptions

from agentiam.kit.errors import Conflict, IllegalTransition, Invalid, NotAllowed, Refusal
from agentiam.kit.problems import CONTENT_TYPE, Problem

_log = structlog.get_logger(__name__)

_KINDS: Final[Mapping[type[exceptions.APIException], str]] = {
    exceptions.ParseError: "malformed-body",
    exceptions.NotAuthenticated: "unauthorized",
    exceptions.AuthenticationFailed: "unauthorized",
    exceptions.PermissionDenied: "forbidden",
    exceptions.NotFound: "not-found",
    exceptions.MethodNotAllowed: "method-not-allowed",
    exceptions.NotAcceptable: "not-acceptable",
    exceptions.UnsupportedMediaType: "unsupported-media-type",
    exceptions.Throttled: "too-many-requests",
}
_REMEDIES: Final[Mapping[type[exceptions.APIException], str]] = {
    exceptions.NotAuthenticated: "Send the key as Authorization: Bearer KEY.",
    exceptions.UnsupportedMediaType: "Send the body as JSON, with Content-Type: application/json.",
}
_REFUSALS: Final[tuple[tuple[type[Refusal], int, str], ...]] = (
    (NotAllowed, 403, "not-allowed"),
    (IllegalTransition, 409, "illegal-transition"),
    (Invalid, 422, "invalid"),
    (Conflict, 409, "conflict"),
)


def problem_response(problem: Problem) -> HttpResponse:
    """Answer with a problem."""
    answer = HttpResponse(problem.encode(), status=problem.status, content_type=CONTENT_TYPE)
    for name, value in problem.headers.items():
        answer.headers[name] = value
    return answer


def missing_right(right: str) -> Problem:
    """Say that the caller sees the thing but may not do this with it."""
    detail = f"You see this, but doing this with it needs the right {right}."
    return Problem(403, "forbidden", detail, {"right": right, "remedy": "A security administrator can give it to you."})


def invalid(errors: Any) -> Problem:
    """Say which values are not as they must be; each with a JSON Pointer (RFC 6901)."""
    return Problem(422, "invalid", "Some values are not as they must be.", {"errors": list(_flattened(errors, ""))})


def handle(error: Exception, context: Any) -> HttpResponseBase | None:
    """Turn an exception of a view into its problem; None for what is no answer but a mistake of ours."""
    # A service names its argument; whether the body has a member of that name, only the body knows.
    problem = problem_of(error, context["request"].data if isinstance(error, Invalid) else None)
    if problem is None:
        return None
    if isinstance(error, exceptions.MethodNotAllowed):
        # The header Allow says the same to programs; OPTIONS is in it by the framework, and answers nothing else.
        methods = [each for each in context["view"].allowed_methods if each != "OPTIONS"]
        problem.extra = {"remedy": f"Here are: {', '.join(methods)}."}
    return problem_response(problem)


def problem_of(error: Exception, body: Any = None) -> Problem | None:
    """Say an exception as a problem, pointing into the body that caused it; None for what nobody foresaw."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Refusal):
        return _refused(error, body)
    if isinstance(error, exceptions.ValidationError):
        return invalid(error.detail)
    if isinstance(error, Http404):
        return Problem(404, "not-found", "There is nothing here that you can see.")
    if isinstance(error, PermissionDenied):
        return Problem(403, "forbidden", "This is not allowed.")
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    return None


def _refused(refusal: Refusal, body: Any) -> Problem:
    status, kind = next((status, kind) for family, status, kind in _REFUSALS if isinstance(refusal, family))
    # What the services say of conditions: where in the text the mistake is.
    extra = {name: getattr(refusal, name) for name in ("clause", "line", "column", "caret") if hasattr(refusal, name)}
    if isinstance(refusal, Invalid):
        # A member of that name that is there twice could be either: better no pointer than a wrong one.
        places = list(_places(refusal.field, body, "")) if refusal.field else []
        extra["errors"] = [{"pointer": places[0] if len(places) == 1 else "", "detail": refusal.message}]
    if refusal.remedy:
        extra["remedy"] = refusal.remedy
    return Problem(status, kind, refusal.message, {"fact": type(refusal).__name__, **extra})


def _of_framework(error: exceptions.APIException) -> Problem:
    kind = next((name for family, name in _KINDS.items() if isinstance(error, family)), "error")
    headers = {}
    remedy = next((words for family, words in _REMEDIES.items() if isinstance(error, family)), "")
    extra = {"remedy": remedy} if remedy else {}
    if auth := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, round(wait)))
    return Problem(error.status_code, kind, str(error.detail), extra, headers)


def _places(name: str, value: Any, pointer: str) -> Iterator[str]:
    """Find every member of a name in a body, at any depth."""
    if isinstance(value, Mapping):
        for each, inner in value.items():
            if each == name:
                yield f"{pointer}/{_escaped(each)}"
            yield from _places(name, inner, f"{pointer}/{_escaped(each)}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(name, inner, f"{pointer}/{index}")


def _escaped(name: Any) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")


def _flattened(errors: Any, pointer: str) -> Iterator[dict[str, str]]:
    if isinstance(errors, dict):
        for name, inner in errors.items():
            own = name == "non_field_errors"
            yield from _flattened(inner, pointer if own else f"{pointer}/{_escaped(name)}")
    elif isinstance(errors, list) and any(isinstance(each, (dict, list)) for each in errors):
        for index, inner in enumerate(errors):
            if inner:
                yield from _flattened(inner, f"{pointer}/{index}")
    elif isinstance(errors, list):
        for each in errors:
            yield {"pointer": pointer, "detail": str(each)}
    else:
        yield {"pointer": pointer, "detail": str(errors)}
