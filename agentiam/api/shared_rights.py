"""Who may do what with one object besides those whose office it is: rights given to a person or a team, and taken back."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from agentiam.api.serializers import Named, Reason, Told, one_of
from agentiam.api.viewsets import ResourceViewSet
from directory.models import Team, User
from directory.services.access import give_access, withdraw_access


class RightGiven(Reason):
    """A right on this object, for a person or a team."""

    right = serializers.CharField(max_length=100, help_text="Like operate_agent.")
    person = serializers.UUIDField(required=False)
    team = serializers.UUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Demand one of the two."""
        if ("person" in attrs) == ("team" in attrs):
            raise serializers.ValidationError("Name a person or a team, and not both.")
        return attrs


class RightTold(Told):
    """One right that was given."""

    right = serializers.CharField()
    person = Named(allow_null=True)
    team = Named(allow_null=True)


class RightsTold(Told):
    """The rights that were given on this object."""

    items = RightTold(many=True)


class SharedRights(ResourceViewSet):
    """The rights on the object of the address, shared by whoever manages it; the service lets nobody hand on what they lack."""

    gives: ClassVar[Callable[..., None]] = staticmethod(give_access)
    withdraws: ClassVar[Callable[..., None]] = staticmethod(withdraw_access)

    @extend_schema(responses=RightsTold, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def rights(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Tell who was given which right on this object."""
        return self._told(self.get_object())

    @extend_schema(request=RightGiven, responses=RightsTold)
    @action(detail=True, methods=["post"], url_path="rights/give", url_name="rights-give")
    def give_right(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Give a person or a team a right on this object."""
        return self._change(type(self).gives, User.objects.visible_to(request.user).people().active())

    @extend_schema(request=RightGiven, responses=RightsTold)
    @action(detail=True, methods=["post"], url_path="rights/withdraw", url_name="rights-withdraw")
    def withdraw_right(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Take a right on this object back."""
        # Of whoever has it, also of an account that could not be given it today.
        return self._change(type(self).withdraws, User.objects.visible_to(request.user))

    def _change(self, service: Callable[..., None], people: QuerySet[User]) -> Response:
        thing = self.get_object()
        self.require(f"manage_{type(thing).__name__.lower()}", thing)
        given = self.given(RightGiven)
        why = self.why(given)
        name = "person" if "person" in given else "team"
        to = one_of(people if name == "person" else Team.objects.visible_to(self.request.user), given[name], name)
        service(thing=thing, right=given["right"], to=to, **why)
        return self._told(thing)

    def _told(self, thing: Any) -> Response:
        noun = type(thing).__name__.lower()
        people = getattr(thing, f"{noun}userpermission_set").select_related("user", "permission")
        teams = getattr(thing, f"{noun}grouppermission_set").select_related("group__team", "permission")
        # Only of those whom the caller sees: the names of others are no part of the object.
        seen_people = User.objects.visible_to(self.request.user)
        seen_teams = Team.objects.visible_to(self.request.user)
        items = [
            {"right": row.permission.codename, "person": row.user, "team": None}
            for row in people.filter(user__in=seen_people).order_by("pk")
        ]
        items += [
            {"right": row.permission.codename, "person": None, "team": row.group.team}
            for row in teams.filter(group__team__in=seen_teams).order_by("pk")
        ]
        return Response(RightsTold({"items": items}).data)
