"""An agent that somebody saw and nobody registered: noted with those who have to clear up what it is, and inert."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from agentiam.api.directory.agent_bodies import AgentTold, Answering
from agentiam.api.serializers import Reason, one_of
from agentiam.api.viewsets import ResourceViewSet
from directory.models import Team, User
from directory.services.agents import record_discovery


class AgentDiscovered(Answering, Reason):
    """An agent that was seen; owner and sponsor are those who have to clear up what it is."""

    external_id = serializers.CharField(max_length=200)
    name = serializers.CharField(max_length=200)
    seen_in = serializers.CharField(max_length=1_000, help_text="Where it was seen, like a log or a scan.")


class Discovery(ResourceViewSet):
    """What comes before an agent's registration."""

    @extend_schema(request=AgentDiscovered, responses={201: AgentTold})
    @action(detail=False, methods=["post"])
    def discover(self, request: Any) -> Response:
        """Note an agent that was seen and is not registered: it can do nothing until somebody registers it under this id."""
        self.require("add_agent")
        given = self.given(AgentDiscovered)
        why = self.why(given)
        people, teams = User.objects.visible_to(request.user), Team.objects.visible_to(request.user)
        given["owner"] = one_of(people, given["owner"], "owner")
        for name, rows in (("sponsor", people), ("sponsor_team", teams)):
            if given.get(name) is not None:
                given[name] = one_of(rows, given[name], name)
        return self.created(record_discovery(organization=self.organization, **given, **why))
