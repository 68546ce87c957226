"""Teams over the API: departments and working groups, and who is in them."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.filters import Filters
from agentiam.api.serializers import Named, Reason, Told, all_of, one_of
from agentiam.api.shared_rights import SharedRights
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import operation
from directory.models import Team, User
from directory.services.teams import create_team, set_team_members, update_team


class TeamTold(Told):
    """A team, with its people."""

    id = serializers.UUIDField(source="pk")
    external_id = serializers.CharField()
    name = serializers.CharField()
    parent = Named(allow_null=True)
    members = Named(many=True)
    created_at = serializers.DateTimeField()


class TeamCreated(Reason):
    """A new team."""

    external_id = serializers.CharField(max_length=200)
    name = serializers.CharField(max_length=200)
    parent = serializers.UUIDField(required=False, allow_null=True)  # type: ignore[assignment]  # a member of the body


class TeamChanged(Reason):
    """Another name or place."""

    name = serializers.CharField(max_length=200)
    parent = serializers.UUIDField(allow_null=True)  # type: ignore[assignment]  # a member of the body


class MembersGiven(Reason):
    """Who is in a team, all of them."""

    members = serializers.ListField(child=serializers.UUIDField(), max_length=1_000)


class TeamFilters(Filters):
    """How the list of teams is narrowed."""

    external_id = django_filters.CharFilter()
    parent = django_filters.UUIDFilter(field_name="parent_id")
    member = django_filters.UUIDFilter(field_name="members")


class TeamViewSet(SharedRights, VersionedViewSet):
    """Teams."""

    model = Team
    told = TeamTold
    related = ("parent", "organization", "group")
    gathered = ("members",)
    orders = ("id", "-id", "name", "-name")
    searched = ("name", "external_id")
    filterset_class = TeamFilters

    @extend_schema(request=TeamCreated, responses={201: TeamTold})
    def create(self, request: Any) -> Response:
        """Add a team without people, at the top or within another."""
        self.require("add_team")
        given = self.given(TeamCreated)
        why = self.why(given)
        parent = self._parent(given.pop("parent", None))
        organization = self.organization
        return self.created(create_team(organization=organization, parent=parent, **given, **why))

    @extend_schema(request=TeamChanged, responses=TeamTold)
    def partial_update(self, request: Any, **_: Any) -> Response:
        """Rename a team, or move it with the teams below it."""

        def change(team: Team, given: dict[str, Any]) -> Team:
            why = self.why(given)
            parent = self._parent(given["parent"]) if "parent" in given else team.parent
            return update_team(team=team, name=given.get("name", team.name), parent=parent, **why)

        return self.changed("manage_team", TeamChanged, change)

    @operation("members", right="manage_team", takes=MembersGiven, replaces=True, summary="Say who is in a team")
    def set_members(self, team: Team, given: dict[str, Any]) -> Any:
        """Say who is in a team, all of them; those of the teams below it are not named here."""
        why = self.why(given)
        members = all_of(User.objects.visible_to(self.request.user), given["members"], "members")
        return set_team_members(team=team, members=members, **why)

    def _parent(self, key: Any) -> Team | None:
        return None if key is None else one_of(Team.objects.visible_to(self.request.user), key, "parent")
