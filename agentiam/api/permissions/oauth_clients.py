"""An agent as an OAuth client over the API: where people's browsers are sent back to with the answer to it."""

from typing import Any

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.response import Response

from agentiam.api.etags import etag_of, require_match
from agentiam.api.problems import missing_right
from agentiam.api.rights import WAYS_IN
from agentiam.api.serializers import Reason, Told
from agentiam.api.viewsets import ApiViewSet
from directory.models import Agent
from directory.services.revisions import lock_organization
from permissions.models import OAuthClient
from permissions.oauth.clients import client_id_of
from permissions.services.oauth_clients import MAX_LENGTH, MAX_REDIRECTS, remove_oauth_client, set_oauth_client

_AGENT = OpenApiParameter("agent", OpenApiTypes.UUID, OpenApiParameter.PATH)


class OAuthClientTold(Told):
    """An agent as a client."""

    client_id = serializers.CharField()
    redirect_uris = serializers.ListField(child=serializers.CharField())
    public = serializers.BooleanField(help_text="Has no secret.")
    source = serializers.CharField(  # type: ignore[assignment]  # DRF has an attribute of that name
        help_text=f"Who says so: {', '.join(OAuthClient.Source.values)}."
    )
    document_url = serializers.CharField(help_text="Where it describes itself; empty for most.")
    created_at = serializers.DateTimeField()


class OAuthClientGiven(Reason):
    """Where browsers are sent back to: https, http on the loopback interface, or an app's own scheme."""

    redirect_uris = serializers.ListField(
        child=serializers.CharField(max_length=MAX_LENGTH), min_length=1, max_length=MAX_REDIRECTS
    )
    public = serializers.BooleanField(default=False, help_text="Has no secret.")


class OAuthClientViewSet(ApiViewSet):
    """Agents as OAuth clients; an address to which codes are sent is given like a credential."""

    serializer_class = OAuthClientTold
    pagination_class = None
    scopes_for = {"update": WAYS_IN}

    @extend_schema(
        parameters=[_AGENT],
        responses=OAuthClientTold,
        operation_id="agents_oauth_client",
        filters=False,
        summary="Read an agent's OAuth client",
    )
    def retrieve(self, request: Any, agent: Any) -> Response:
        """Tell where people's browsers are sent back to from the agent's consent page."""
        row = self._row(self._agent(agent))
        if row is None:
            raise NotFound
        return _answer(row)

    @extend_schema(
        parameters=[_AGENT],
        request=OAuthClientGiven,
        responses={200: OAuthClientTold, 201: OAuthClientTold},
        operation_id="agents_oauth_client_set",
        filters=False,
        summary="Make an agent an OAuth client, or replace its addresses",
    )
    def update(self, request: Any, agent: Any) -> Response:
        """Make an agent a client that asks people for their consent, or replace the addresses; If-Match: * for a new one."""
        found = self._managed(agent)
        with transaction.atomic():
            lock_organization(self.organization_id, by=self.actor)
            row = self._row(found)
            require_match(request, _tag(row))
            given = self.given(OAuthClientGiven)
            why = self.why(given)
            done = set_oauth_client(agent=found, **given, **why)
        return _answer(done, status=201 if row is None else 200)

    @extend_schema(
        parameters=[_AGENT],
        request=None,
        responses={204: None},
        operation_id="agents_oauth_client_remove",
        filters=False,
        summary="Make an agent an OAuth client no more",
    )
    def destroy(self, request: Any, agent: Any) -> Response:
        """Ask nobody for consent any longer; what people agreed to ends."""
        found = self._managed(agent)
        with transaction.atomic():
            lock_organization(self.organization_id, by=self.actor)
            row = self._row(found)
            if row is None:
                raise NotFound
            require_match(request, _tag(row))
            remove_oauth_client(client=row, **self.why({}))
        return Response(status=204)

    destroy.replaces = True  # type: ignore[attr-defined]  # for the description: it takes If-Match

    def _agent(self, key: Any) -> Agent:
        found = Agent.objects.visible_to(self.request.user).filter(pk=key).first()
        if found is None:
            raise NotFound
        return found

    def _managed(self, key: Any) -> Agent:
        """Find an agent that the caller manages; raises a 404 or 403 problem."""
        found = self._agent(key)
        if not Agent.objects.permitting(self.request.user, "manage_agent").filter(pk=found.pk).exists():
            raise missing_right("manage_agent")
        return found

    def _row(self, agent: Agent) -> OAuthClient | None:
        return OAuthClient.objects.filter(agent=agent).select_related("agent").first()


def _told(row: OAuthClient) -> dict[str, Any]:
    names = ("redirect_uris", "public", "source", "document_url", "created_at")
    told: dict[str, Any] = OAuthClientTold(
        {"client_id": client_id_of(row.agent), **{name: getattr(row, name) for name in names}}
    ).data
    return told


def _tag(row: OAuthClient | None) -> str:
    return etag_of(None if row is None else _told(row))


def _answer(row: OAuthClient, *, status: int = 200) -> Response:
    data = _told(row)
    return Response(data, status=status, headers={"ETag": etag_of(data)})
