"""What a row was: its versions, newest first, each with who, when and why, and what it changed field by field."""

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import models
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from agentiam.api.problems import invalid
from agentiam.api.serializers import Named, Told
from agentiam.api.viewsets import ResourceViewSet

PAGE: Final = 50
_KINDS: Final = {"+": "created", "~": "changed", "-": "removed"}
# What no version keeps, and what says nothing to people: the checked form of a condition, and secrets' digests.
_UNTOLD: Final = frozenset({"digest", "pepper", "password", "where_checked", "when_checked"})


class ChangeTold(Told):
    """One field, before and after."""

    field = serializers.CharField()
    before = serializers.JSONField()
    after = serializers.JSONField()


class VersionTold(Told):
    """One version."""

    number = serializers.IntegerField(help_text="Rises with every version, of this row or another.")
    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(choices=[(name, name) for name in _KINDS.values()])
    by = Named(allow_null=True, help_text="Null for the system, applications and a trust's other side.")
    reason = serializers.CharField()
    changes = ChangeTold(many=True)


class VersionsTold(Told):
    """A page of versions."""

    items = VersionTold(many=True)
    next = serializers.IntegerField(allow_null=True, help_text="Give it as `after` to read on; null at the end.")


class VersionedViewSet(ResourceViewSet):
    """Rows whose versions are kept."""

    @extend_schema(
        responses=VersionsTold,
        parameters=[OpenApiParameter("after", int, description="The number that the page before gave as `next`.")],
        filters=False,
    )
    @action(detail=True, methods=["get"], pagination_class=None)
    def versions(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Tell what the row was, newest first."""
        after = after_number(request)
        row = self.get_object()
        found = newest_first(row.history, after)
        ours = self.organization_id == (getattr(row, "organization_id", None) or self.organization_id)
        items = [
            {**who_and_why(version, self.organization_id, ours=ours), "changes": _changes(version, former)}
            for version, former in zip(found, [*found[1:], None], strict=False)
        ]
        return Response(VersionsTold({"items": items[:PAGE], "next": next_number(found)}).data)


def after_number(request: Any) -> int | None:
    """Read where a page begins; raises a 422 problem."""
    if unknown := set(request.query_params) - {"after"}:
        raise invalid({name: ["There is no such parameter; there is: after."] for name in unknown})
    after = request.query_params.get("after")
    if after is None:
        return None
    if not (after.isascii() and after.isdecimal()) or len(after) > 18:
        raise invalid({"after": ["A number."]})
    return int(after)


def newest_first(versions: Any, after: int | None) -> list[Any]:
    """Read a page of versions, and one more to see whether there is another and what was before."""
    rows = versions.select_related("history_user").order_by("-history_id")
    return list((rows if after is None else rows.filter(history_id__lt=after))[: PAGE + 1])


def next_number(found: Sequence[Any]) -> int | None:
    """Say where the next page begins, if there is one."""
    return found[PAGE - 1].history_id if len(found) > PAGE else None


def who_and_why(version: Any, reader: UUID, *, ours: bool) -> dict[str, Any]:
    """Tell a version without its fields; what the other side of a shared row did there is told without a name and a reason."""
    author = version.history_user
    told = ours if author is None else author.organization_id == reader
    return {
        "number": version.history_id,
        "at": version.history_date,
        "kind": _KINDS[version.history_type],
        "by": author if told else None,
        "reason": (version.history_change_reason or "") if told else "",
    }


def field_changes(before: Any, after: Any, *, without: Collection[str] = ()) -> list[dict[str, Any]]:
    """Compare two versions field by field; None stands for nothing before, or nothing after."""
    changes = []
    for field in (after or before).tracked_fields:
        if field.name in _UNTOLD or field.name in without:
            continue
        was = None if before is None else _plain(before, field)
        becomes = None if after is None else _plain(after, field)
        if was != becomes:
            changes.append({"field": field.name, "before": was, "after": becomes})
    return changes


def _changes(version: Any, former: Any) -> list[dict[str, Any]]:
    return field_changes(former, version) if version.history_type != "-" else []


def _plain(version: Any, field: "models.Field[Any, Any]") -> Any:
    value = getattr(version, field.attname)
    return value if value is None or isinstance(value, (bool, int, float, str, list, dict)) else _text(value)


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
