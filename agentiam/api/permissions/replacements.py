"""Replacements over the API: proposed, looked at and agreed to by somebody else, side by side, then cut over or given up."""

from dataclasses import fields as fields_of
from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from agentiam.api.directory.agent_bodies import ProfileGiven
from agentiam.api.filters import Filters
from agentiam.api.problems import invalid
from agentiam.api.serializers import Named, Reason, RequiredReason, Told, one_of
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import Given as Values
from agentiam.api.viewsets import operation
from directory.models import Agent, Team
from directory.services.agents import AgentProfile
from permissions.models import Replacement
from permissions.services.replacement import (
    NewSuccessor,
    abandon_replacement,
    compare_replacement,
    complete_replacement,
    propose_replacement,
    review_replacement,
)


class ReplacementTold(Told):
    """A replacement, with the difference in access that was shown."""

    id = serializers.UUIDField(source="pk")
    predecessor = Named()
    successor = Named()
    state = serializers.ChoiceField(choices=Replacement.State.choices)
    difference = serializers.DictField()
    difference_hash = serializers.CharField()
    proposed_by = serializers.CharField()
    reviewed_by = Named(allow_null=True)
    reason = serializers.CharField()
    proposed_at = serializers.DateTimeField()
    reviewed_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class SuccessorGiven(ProfileGiven):
    """An agent to be registered as the successor; the predecessor's owner and sponsor answer for it."""

    external_id = serializers.CharField(max_length=200)


class ReplacementProposed(Reason):
    """Who leaves, and who comes: an agent that is there, or a new one."""

    predecessor = serializers.UUIDField()
    successor = serializers.UUIDField(required=False)
    new_successor = SuccessorGiven(required=False)


class Reviewed(Reason):
    """Which difference was looked at."""

    difference_hash = serializers.CharField(max_length=64)


class ReplacementFilters(Filters):
    """How the list of replacements is narrowed."""

    predecessor = django_filters.UUIDFilter(field_name="predecessor_id")
    successor = django_filters.UUIDFilter(field_name="successor_id")
    state = django_filters.ChoiceFilter(choices=Replacement.State.choices)


class ReplacementViewSet(VersionedViewSet):
    """Replacements."""

    model = Replacement
    told = ReplacementTold
    related = ("predecessor", "successor", "reviewed_by")
    orders = ("id", "-id", "proposed_at", "-proposed_at")
    filterset_class = ReplacementFilters

    @extend_schema(request=ReplacementProposed, responses={201: ReplacementTold})
    def create(self, request: Any) -> Response:
        """Propose that an agent takes another's place; nothing is given before somebody else agreed to the difference."""
        given = self.given(ReplacementProposed)
        why = self.why(given)
        agents = Agent.objects.visible_to(request.user)
        predecessor = one_of(agents, given["predecessor"], "predecessor")
        self.require("manage_agent", predecessor)
        if ("successor" in given) == ("new_successor" in given):
            raise invalid({"successor": ["Name an agent that is there, or a new one, and one of the two."]})
        if "new_successor" in given:
            # Who may change the predecessor may register its like; whether it gets anything, somebody else says.
            return self.created(
                propose_replacement(predecessor=predecessor, successor=self._new(given["new_successor"]), **why)
            )
        successor = one_of(agents, given["successor"], "successor")
        self.require("manage_agent", successor)
        return self.created(propose_replacement(predecessor=predecessor, successor=successor, **why))

    @operation("compare", right="change_replacement", summary="Take the difference anew")
    def compare(self, replacement: Replacement, given: Values) -> Any:
        """Take the difference anew, to be looked at as it is now."""
        return compare_replacement(replacement=replacement, **self.why(given))

    @extend_schema(request=Reviewed, responses=ReplacementTold, summary="Agree to the difference that was shown")
    @action(detail=True, methods=["post"], url_path="review", url_name="review")
    def review(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Agree to the difference of that hash: for those who may approve for the successor, and did not propose it."""
        replacement = self.get_object()
        self.require("approve_agent", replacement.successor)
        given = self.given(Reviewed)
        why = self.why(given)
        return self.answer(self.again(review_replacement(replacement=replacement, **given, **why)))

    @operation("complete", right="change_replacement", takes=RequiredReason, summary="Cut over to the successor")
    def complete(self, replacement: Replacement, given: Values) -> Any:
        """Cut over: the predecessor is offboarded, with a signed proof."""
        done, _ = complete_replacement(replacement=replacement, **self.why(given))
        return done

    @operation("abandon", right="change_replacement", takes=RequiredReason, summary="Give a replacement up")
    def abandon(self, replacement: Replacement, given: Values) -> Any:
        """Give a replacement up: what the successor got by it ends."""
        return abandon_replacement(replacement=replacement, **self.why(given))

    def _new(self, given: Values) -> NewSuccessor:
        external_id = given.pop("external_id")
        if given.get("team") is not None:
            given["team"] = one_of(Team.objects.visible_to(self.request.user), given["team"], "new_successor/team")
        known = {each.name for each in fields_of(AgentProfile)}
        profile = AgentProfile(**{name: value for name, value in given.items() if name in known})
        return NewSuccessor(external_id=external_id, profile=profile)
