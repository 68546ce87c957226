"""An agent card is for everybody: of an active agent that publishes one; of every other the answer is the same as of none."""

import hashlib
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from agentiam.kit.canonical import canonical_bytes
from agentiam.kit.problems import CONTENT_TYPE, Problem
from directory.cards.document import BadCard, card_of
from directory.cards.signing import public_jwk, signed
from directory.models import Agent, Organization

_JSON: Final = "application/json"
_KEYS: Final = "application/jwk-set+json"
# Kept, but asked for again each time: a suspended agent has no card from the next request on.
_ASK_AGAIN: Final = "public, no-cache"
_FIVE_MINUTES: Final = "public, max-age=300"


@login_not_required
@require_safe
def agent_card(request: HttpRequest, organization: str, agent: str) -> HttpResponse:
    """Show an agent's signed card."""
    found = _published(organization, agent)
    if found is None:
        return _nothing()
    try:
        card = card_of(found)
    except BadCard:
        return _nothing()
    keys_url = settings.BASE_URL + reverse("cards:agent-card-keys", args=[organization])
    return _answer(request, signed(card, found.organization, keys_url=keys_url), _JSON, _ASK_AGAIN)


@login_not_required
@require_safe
def agent_card_keys(request: HttpRequest, organization: str) -> HttpResponse:
    """Show the key that an organization's cards verify with (RFC 7517)."""
    # Where nobody shows a card there is nothing to verify, and nobody is told that there is such an organization.
    publishing = Agent.objects.effectively_active(timezone.now()).filter(publishes_card=True)
    found = Organization.objects.filter(slug=organization, pk__in=publishing.values("organization")).first()
    return _nothing() if found is None else _answer(request, {"keys": [public_jwk(found)]}, _KEYS, _FIVE_MINUTES)


def _published(organization: str, name: str) -> Agent | None:
    """Find an agent by the id that the organization uses, or by its own, if it may do anything now and publishes its card."""
    if not name.isprintable():
        return None  # not every database can look up what it cannot store
    shown = Agent.objects.effectively_active(timezone.now()).filter(organization__slug=organization, publishes_card=True)
    shown = shown.select_related("organization")
    named = shown.filter(external_id=name).first()
    if named is not None:
        return named
    try:
        return shown.filter(pk=UUID(name)).first()
    except ValueError:
        return None


def _answer(request: HttpRequest, members: dict[str, Any], content_type: str, caching: str) -> HttpResponse:
    body = canonical_bytes(members)
    etag = f'"{hashlib.sha256(body).hexdigest()}"'
    response = HttpResponse(body, content_type=content_type, headers={"ETag": etag, "Cache-Control": caching})
    answer = get_conditional_response(request, etag=etag, response=response)
    return response if answer is None else answer


def _nothing() -> HttpResponse:
    problem = Problem(404, "not-found", "There is no such card.")
    return HttpResponse(problem.encode(), status=problem.status, content_type=CONTENT_TYPE)
