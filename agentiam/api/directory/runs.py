"""Runs over the API: an agent begins a task and ends it."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.directory.capabilities import CapabilityField
from agentiam.api.filters import Filters
from agentiam.api.serializers import Named, Reason, Told, one_of
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import operation
from directory.models import Agent, Run, User
from directory.services.runs import end_run, start_run


class RunTold(Told):
    """One working instance of an agent on one task."""

    id = serializers.UUIDField(source="pk")
    agent = Named()
    task_id = serializers.CharField()
    purpose = serializers.CharField()
    on_behalf_of = Named(allow_null=True)
    allows = CapabilityField(allow_null=True)
    started_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class RunStarted(Reason):
    """A task that an agent begins."""

    agent = serializers.UUIDField()
    task_id = serializers.CharField(max_length=200)
    purpose = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    on_behalf_of = serializers.UUIDField(required=False, allow_null=True)
    allows = CapabilityField(allow_null=True, required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class RunFilters(Filters):
    """How the list of runs is narrowed."""

    agent = django_filters.UUIDFilter(field_name="agent_id")
    task_id = django_filters.CharFilter()
    on_behalf_of = django_filters.UUIDFilter(field_name="on_behalf_of_id")
    ended = django_filters.BooleanFilter(field_name="ended_at", lookup_expr="isnull", exclude=True)


class RunViewSet(VersionedViewSet):
    """Runs."""

    model = Run
    told = RunTold
    related = ("agent", "on_behalf_of")
    searched = ("task_id", "purpose")
    filterset_class = RunFilters

    @extend_schema(request=RunStarted, responses={201: RunTold})
    def create(self, request: Any) -> Response:
        """Put an agent on a task; what the task allows limits its decisions."""
        given = self.given(RunStarted)
        why = self.why(given)
        agent = one_of(Agent.objects.visible_to(request.user), given.pop("agent"), "agent")
        self.require("run_agent", agent)
        person = given.pop("on_behalf_of", None)
        user = None if person is None else self._user(person)
        return self.created(start_run(agent=agent, on_behalf_of=user, **given, **why))

    @operation("end", right="change_run", summary="End a run")
    def end(self, run: Run, given: dict[str, Any]) -> Any:
        """End a run; its task allows nothing any more."""
        return end_run(run=run, **self.why(given))

    def _user(self, key: Any) -> User:
        """Find the person acted for; an agent names people whom it does not see, and consent decides what that is worth."""
        people = User.objects.in_organization(self.organization_id).people()
        found: User = one_of(people, key, "on_behalf_of")
        return found
