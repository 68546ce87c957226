"""Who did an agent's work before it and who after: its line of replacements, as far as the caller sees it."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.response import Response

from agentiam.api.audit.events import require_no_parameters
from agentiam.api.directory.agent_bodies import STATES
from agentiam.api.serializers import Named, Told
from agentiam.api.viewsets import ApiViewSet
from directory.models import Agent
from permissions.selectors.succession import Successive, succeeded_by, succession


class TenureTold(Told):
    """Who answered for an agent, from when until when."""

    owner = serializers.CharField(help_text="The person's external id.")
    sponsor = serializers.CharField(help_text="A person's external id, or team/ and a team's.")
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True, help_text="Null while it lasts.")


class SuccessiveTold(Told):
    """One agent of a line; of one that the caller does not see it is only said that it is there."""

    hidden = serializers.BooleanField()
    agent = Named(allow_null=True)
    state = serializers.ChoiceField(choices=STATES, allow_null=True)
    tenures = TenureTold(many=True)


class LineTold(Told):
    """An agent's line, the nearest first in both directions."""

    agent = SuccessiveTold()
    predecessors = SuccessiveTold(many=True)
    successors = SuccessiveTold(many=True)


class LineViewSet(ApiViewSet):
    """Lines of replacements."""

    serializer_class = LineTold
    pagination_class = None

    @extend_schema(
        parameters=[OpenApiParameter("agent", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses=forced_singular_serializer(LineTold),
        operation_id="agents_line",
        filters=False,
        summary="Whom an agent replaced, and who replaced it",
    )
    def list(self, request: Any, agent: Any) -> Response:
        """Answer with everyone in the agent's line, and with who answered for them when."""
        found = Agent.objects.visible_to(request.user).filter(pk=agent).first()
        if found is None:
            raise NotFound
        require_no_parameters(request)
        before, after = succession(found), succeeded_by(found)
        seen = self._seen([*before, *after])
        return Response(
            LineTold(
                {
                    "agent": _told(before[0], seen),
                    "predecessors": [_told(each, seen) for each in before[1:]],
                    "successors": [_told(each, seen) for each in after],
                }
            ).data
        )

    def _seen(self, line: Sequence[Successive]) -> set[Any]:
        rows = Agent.objects.visible_to(self.request.user).filter(pk__in=[each.agent.pk for each in line])
        return set(rows.values_list("pk", flat=True))


def _told(each: Successive, seen: set[Any]) -> dict[str, Any]:
    if each.agent.pk not in seen:
        return {"hidden": True, "agent": None, "state": None, "tenures": []}
    return {"hidden": False, "agent": each.agent, "state": each.agent.state, "tenures": each.tenures}
