"""A person's own page of what acts for them: shown in sentences, ended with one click."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from agentiam.kit.errors import IllegalTransition
from permissions.models import Authorization, Consent
from permissions.selectors.connections import connections_of
from permissions.services.connections import end_connection
from permissions.services.consents import end_consent

_ENDED: Final = "{agent} acts for you no more with this, from its next request on."


@require_safe
def connected_agents(request: HttpRequest) -> HttpResponse:
    """Show what acts for the person who asks."""
    user: Any = request.user
    return render(request, "permissions/connected_agents_page.html", {"connections": connections_of(user, now=timezone.now())})


@require_POST
def end_authorization_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End one of one's own authorizations, with its consents."""
    user: Any = request.user
    row = Authorization.objects.visible_to(user).filter(pk=pk, user=user).select_related("agent").first()
    if row is None:
        raise Http404
    end_connection(authorization=row, by=_by(request), now=timezone.now())
    return _done(request, row)


@require_POST
def end_consent_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End one of one's own consents."""
    user: Any = request.user
    row = Consent.objects.visible_to(user).filter(pk=pk, user=user).select_related("agent").first()
    if row is None:
        raise Http404
    try:
        end_consent(consent=row, by=_by(request), now=timezone.now())
    except IllegalTransition as error:
        messages.info(request, error.message)
        return HttpResponseRedirect(reverse("permissions:connected-agents-page"))
    return _done(request, row)


def _by(request: HttpRequest) -> Any:
    user: Any = request.user
    return user.as_actor(address=str(request.META.get("REMOTE_ADDR", "")), request_id=str(getattr(request, "id", "")))


def _done(request: HttpRequest, row: Authorization | Consent) -> HttpResponse:
    messages.info(request, _ENDED.format(agent=row.agent.name))
    return HttpResponseRedirect(reverse("permissions:connected-agents-page"))
