"""What a row's parts were: those that came, changed and went, newest first, each with who, when and why."""

from typing import Any

from django.db import models
from django.db.models import OuterRef, Subquery
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from agentiam.api.serializers import Told
from agentiam.api.versions import PAGE, VersionTold, after_number, field_changes, newest_first, next_number, who_and_why


class PartVersionTold(VersionTold):
    """One version of one part."""

    part = serializers.CharField(help_text="The part's own id.")


class PartVersionsTold(Told):
    """A page of versions of parts."""

    items = PartVersionTold(many=True)
    next = serializers.IntegerField(allow_null=True, help_text="Give it as `after` to read on; null at the end.")


def part_versions(model: type[models.Model], parent: str, *, path: str, summary: str) -> Any:
    """Make ``GET …/<id>/<path>``: the versions of the rows of ``model`` that belong to the row of the address."""
    column = f"{parent}_id"

    def view(self: Any, request: Any, *args: Any, **kwargs: Any) -> Response:
        after = after_number(request)
        row = self.get_object()
        history: Any = model.history  # type: ignore[attr-defined]  # made by simple-history
        found = newest_first(_with_former(history.filter(**{column: row.pk})), after)
        formers = history.in_bulk([each.former for each in found if each.former is not None])
        items = [
            {
                **who_and_why(version, self.organization_id, ours=True),
                "part": str(version.id),
                "changes": _changes(version, formers.get(version.former), without={"id", parent}),
            }
            for version in found[:PAGE]
        ]
        return Response(PartVersionsTold({"items": items, "next": next_number(found)}).data)

    view.__name__ = path.replace("/", "_")
    view.__doc__ = f"{summary}, newest first."
    described: Any = extend_schema(
        responses=PartVersionsTold,
        parameters=[OpenApiParameter("after", int, description="The number that the page before gave as `next`.")],
        filters=False,
        summary=summary,
    )
    return described(action(detail=True, methods=["get"], pagination_class=None, url_path=path, url_name=path)(view))


def _with_former(versions: Any) -> Any:
    """Find for each version the one before of the same part; the versions of other parts lie between."""
    before = versions.model._default_manager.filter(  # noqa: SLF001  (Django's documented name)
        id=OuterRef("id"), history_id__lt=OuterRef("history_id")
    )
    return versions.annotate(former=Subquery(before.order_by("-history_id").values("history_id")[:1]))


def _changes(version: Any, former: Any, *, without: set[str]) -> list[dict[str, Any]]:
    if version.history_type == "-":
        return field_changes(version, None, without=without)
    return field_changes(former, version, without=without)
