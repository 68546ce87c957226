"""Entitlements in bodies: a type, actions, a selector, fields and conditions, read and told alike wherever one stands."""

from collections.abc import Iterable
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentiam.api.problems import invalid
from agentiam.api.serializers import Given, StringList, Told
from agentiam.api.viewsets import Given as Values
from permissions.models import EntitlementTerms, ResourceType
from permissions.services.terms import EntitlementSpec

LONGEST_CONDITION = 2_000
_NAMED: Final = 20


class SubtreeGiven(Given):
    """The root of a subtree."""

    type = serializers.CharField(max_length=200)
    id = serializers.CharField(max_length=500)


class EntitlementGiven(Given):
    """What may be done: actions of a type (``*`` for all), on all objects or some, with all fields or some, under what."""

    type = serializers.CharField(max_length=200, help_text="The name of a resource type.")
    actions = StringList(min_length=1, max_length=200)
    resource = serializers.CharField(required=False, max_length=500, help_text="The one object that it is about.")
    subtree = SubtreeGiven(required=False, allow_null=True)
    where = serializers.CharField(
        required=False, allow_blank=True, max_length=LONGEST_CONDITION, help_text="The condition on the row, in CEL."
    )
    when = serializers.CharField(
        required=False, allow_blank=True, max_length=LONGEST_CONDITION, help_text="The condition on the situation, in CEL."
    )
    fields = StringList(required=False, allow_null=True, min_length=1)  # type: ignore[assignment]  # a member of the body


class SubtreeTold(Told):
    """The root of a subtree."""

    type = serializers.CharField()
    id = serializers.CharField()


class EntitlementTold(Told):
    """What may be done; no fields named stands for all of them."""

    type = serializers.CharField(source="resource_type.name")
    actions = serializers.ListField(child=serializers.CharField())
    resource = serializers.CharField()
    subtree = serializers.SerializerMethodField()
    where = serializers.CharField()
    when = serializers.CharField()
    fields = serializers.ListField(child=serializers.CharField(), allow_null=True)  # type: ignore[assignment]  # as above

    @extend_schema_field(SubtreeTold(allow_null=True))
    def get_subtree(self, row: EntitlementTerms) -> Any:
        """Tell the root of the subtree, where there is one."""
        return {"type": row.subtree_type, "id": row.subtree_id} if row.subtree_id else None


def spec_of(given: Values) -> EntitlementSpec:
    """Read an entitlement out of a body."""
    subtree = given.get("subtree")
    return EntitlementSpec(
        type=given["type"],
        actions=given["actions"],
        resource=given.get("resource", ""),
        subtree=None if subtree is None else (subtree["type"], subtree["id"]),
        where=given.get("where", ""),
        when=given.get("when", ""),
        fields=given.get("fields"),
    )


def require_types_seen(user: Any, names: Iterable[str], pointer: str) -> None:
    """Refuse names of resource types that the caller does not see, in the words for those that do not exist."""
    wanted = set(names)
    types = ResourceType.objects.visible_to(user)
    if wanted - set(types.filter(name__in=wanted).values_list("name", flat=True)):
        some = list(types.order_by("name").values_list("name", flat=True)[: _NAMED + 1])
        known = ", ".join(some[:_NAMED]) + ("…" if len(some) > _NAMED else "")
        there = f"; there are: {known}" if some else ""
        raise invalid({pointer: [f"There is no resource type of this name that you can see{there}."]})
