"""One resource of the API: everything starts from what the caller sees, checks a right by name, and calls one service.

A viewset names its model, what it tells of a row, and for each operation the right that it needs. The order of refusals is
always the same: not known (401), scope of the key (403), not seen (404), no right (403), another version (412, 428), bad body
(422), and then what the service refuses (403, 409, 422).
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, ClassVar, TypeAlias
from uuid import UUID

from django.db import models, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet

from agentiam.api import idempotency
from agentiam.api.callers import actor_of
from agentiam.api.etags import etag_of, matches, require_match
from agentiam.api.filters import TextSearch, TypedFilters, require_known_parameters
from agentiam.api.limits import note_refused, rate_headers
from agentiam.api.problems import missing_right
from agentiam.api.serializers import Reason
from agentiam.kit.actors import Actor
from agentiam.kit.problems import Problem
from directory.models import Organization
from directory.services.revisions import lock_organization

Given: TypeAlias = dict[str, Any]


class ApiViewSet(GenericViewSet[Any]):
    """What every view of the API has: problems, rate limits, and repeated POSTs that do nothing twice."""

    rate: tuple[int, int, int] | None = None
    never_repeated: ClassVar[Sequence[str]] = ()
    _claim: idempotency.Claim | None = None

    @property
    def actor(self) -> Actor:
        """The one who makes this request."""
        return actor_of(self.request)

    @property
    def organization_id(self) -> UUID:
        """The organization of the caller, in which everything happens."""
        caller: Any = self.request.user
        identity: UUID = caller.organization_id
        return identity

    @property
    def organization(self) -> Organization:
        """The same as a row."""
        caller: Any = self.request.user
        return Organization.objects.visible_to(caller).get()

    @property
    def now(self) -> datetime:
        """The instant at which this request is answered; one for the whole request."""
        if not hasattr(self, "_now"):
            self._now = timezone.now()
        return self._now

    def not_proven(self, detail: str) -> Exception:
        """Make the refusal of a caller who did not prove who it is; it counts as a try, and too many are another refusal."""
        try:
            note_refused(self.request)
        except (Throttled, Problem) as refusal:
            return refusal
        return Problem(401, "unauthorized", detail, {}, {"WWW-Authenticate": 'Bearer realm="agentiam"'})

    def why(self, given: Given) -> dict[str, Any]:
        """Take the reason out of a body, and answer what every service wants to know besides."""
        return {"by": self.actor, "reason": given.pop("reason", ""), "now": self.now}

    def given(self, serializer: type[Serializer[Any]], *, partial: bool = False) -> Given:
        """Read the body; raises ValidationError."""
        reading = serializer(data=self.request.data, partial=partial, context=self.get_serializer_context())
        reading.is_valid(raise_exception=True)
        values: Given = dict(reading.validated_data)
        return values

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer; a POST with an Idempotency-Key in one transaction with the memory of its answer."""
        if request.method != "POST" or idempotency.HEADER not in request.headers:
            return super().dispatch(request, *args, **kwargs)
        with transaction.atomic():
            answer: Any = super().dispatch(request, *args, **kwargs)
            if hasattr(answer, "render") and not answer.is_rendered:
                answer.render()
            if answer.status_code == HTTPStatus.UNAUTHORIZED:
                # Whoever proves nothing leaves nothing, but for the signs that somebody else has an agent's proofs.
                transaction.set_rollback(not getattr(request, "leaves_a_trace", False))
            elif self._claim is not None:
                self._claim.remember(answer)
        done: HttpResponseBase = answer
        return done

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Let in whom the scopes let in, then see whether the request was answered before."""
        super().initial(request, *args, **kwargs)
        if self.action in self.never_repeated and idempotency.HEADER in request.headers:
            raise Problem(400, "not-repeatable", "Every answer to this is made anew: leave Idempotency-Key out.")
        if request.method == "POST" and (key := idempotency.key_of(request)) is not None:
            self._claim = idempotency.claim(request, key, self.repeats_for(request), now=self.now)

    def repeats_for(self, request: Any) -> str:
        """Say whose Idempotency-Keys these are: two callers may use the same."""
        by = self.actor
        return f"{by.organization_id}/{by.kind}/{by.id}"

    def handle_exception(self, exc: Exception) -> Any:
        """Answer again what was answered before; count those who cannot prove who they are."""
        if isinstance(exc, idempotency.AnswerAgain):
            return exc.answer
        if isinstance(exc, AuthenticationFailed):
            try:
                note_refused(self.request)
            except (Throttled, Problem) as refusal:
                return super().handle_exception(refusal)
        return super().handle_exception(exc)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Say how many requests are left."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        for name, value in rate_headers(self.rate).items() if self.rate else ():
            answer.headers[name] = value
        return answer


class ResourceViewSet(ApiViewSet):
    """One kind of row: lists and single rows for those who see them; what can be changed, subclasses add."""

    model: ClassVar[type[models.Model]]
    told: ClassVar[type[Serializer[Any]]]
    related: ClassVar[Sequence[str]] = ()
    gathered: ClassVar[Sequence[Any]] = ()
    orders: ClassVar[Sequence[str]] = ("id", "-id")
    searched: ClassVar[Sequence[str]] = ()
    filter_backends = [TypedFilters, TextSearch]
    lookup_value_converter = "uuid"

    def get_queryset(self) -> Any:
        """Start from what the caller sees."""
        rows: Any = self.model._default_manager  # noqa: SLF001  (Django's documented name)
        if getattr(self, "swagger_fake_view", False):
            return rows.none()
        return rows.visible_to(self.request.user).select_related(*self.related).prefetch_related(*self.gathered)

    def get_serializer_class(self) -> type[Serializer[Any]]:
        """Answer with what is told of a row."""
        return self.told

    def list(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Answer one page."""
        require_known_parameters(request, self)
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Answer one row, or 304 if the caller has it."""
        answer = self.answer(self.get_object())
        if matches(request.headers.get("If-None-Match", ""), answer.headers["ETag"]):
            return Response(status=304, headers={"ETag": answer.headers["ETag"]})
        return answer

    def answer(self, row: Any, *, status: int = 200, more: Given | None = None) -> Response:
        """Tell a row, with its version."""
        data = self.told(row, context=self.get_serializer_context()).data
        headers = {"ETag": etag_of(data)}
        return Response({**data, **(more or {})}, status=status, headers=headers)

    def again(self, row: Any) -> Any:
        """Read a row that a service changed as it is told; what the caller sees no more is told as the service left it."""
        return self.get_queryset().filter(pk=row.pk).first() or row

    def require(self, right: str, row: Any = None) -> None:
        """Demand a right: on a row that the caller sees, or over the organization; raises a 403 problem."""
        user: Any = self.request.user
        if row is None:
            if not user.has_perm(self.named(right)):
                raise missing_right(right)
        elif not type(row)._default_manager.permitting(user, right).filter(pk=row.pk).exists():  # noqa: SLF001  (as above)
            raise missing_right(right)

    def named(self, right: str) -> str:
        """Name a right as Django does."""
        return right if "." in right else f"{self.model._meta.app_label}.{right}"  # noqa: SLF001  (Django's documented name)

    def created(self, row: Any, *, more: Given | None = None) -> Response:
        """Answer 201 with the row and its address."""
        answer = self.answer(self.again(row), status=201, more=more)
        answer.headers["Location"] = self.reverse_action("detail", args=[row.pk])
        return answer

    def changed(
        self, right: str, takes: type[Serializer[Any]], change: Callable[[Any, Given], Any], *, partial: bool = True
    ) -> Response:
        """Change the row of the address, if the caller knows its present version; all under the organization's lock."""
        self.require(right, self.get_object())
        with transaction.atomic():
            lock_organization(self.organization_id, by=self.actor)
            row = self.get_object()
            require_match(self.request, etag_of(self.told(row, context=self.get_serializer_context()).data))
            done = change(row, self.given(takes, partial=partial))
        return self.answer(self.again(done))


def operation(
    name: str,
    *,
    right: str,
    takes: type[Serializer[Any]] = Reason,
    gives: Any = None,
    summary: str,
    status: int = 200,
    replaces: bool = False,
) -> Callable[[Callable[[Any, Any, Given], Any]], Any]:
    """Make a method (row, body) → row or Response into ``POST …/<id>/<name>``, for those who have the right on the row.

    One that ``replaces`` a whole set demands to know which version it replaces; any other takes If-Match where it is sent.
    """

    def decorate(method: Callable[[Any, Any, Given], Any]) -> Any:
        def view(self: Any, request: Any, *args: Any, **kwargs: Any) -> Response:
            row = self.get_object()
            self.require(right, row)
            if replaces or "If-Match" in request.headers:
                with transaction.atomic():
                    lock_organization(self.organization_id, by=self.actor)
                    row = self.get_object()
                    require_match(request, etag_of(self.told(row, context=self.get_serializer_context()).data))
                    done = method(self, row, self.given(takes))
            else:
                done = method(self, row, self.given(takes))
            return done if isinstance(done, Response) else self.answer(self.again(done))

        view.replaces = replaces  # type: ignore[attr-defined]  # for the description
        view.__name__ = method.__name__
        view.__doc__ = method.__doc__
        path = action(detail=True, methods=["post"], url_path=name, url_name=name)
        described: Any = _Described(name, takes, gives, summary, status)
        return described(path(view))

    return decorate


class _Described:
    """The description of one operation for the OpenAPI document; ``gives`` None stands for what the viewset tells."""

    def __init__(self, name: str, takes: Any, gives: Any, summary: str, status: int) -> None:
        self._name, self._takes, self._gives, self._summary, self._status = name, takes, gives, summary, status

    def __call__(self, view: Any) -> Any:
        """Attach it."""
        if self._gives is None:
            return extend_schema(request=self._takes, summary=self._summary)(view)
        return extend_schema(request=self._takes, responses={self._status: self._gives}, summary=self._summary)(view)
