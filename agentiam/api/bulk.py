"""Many things in one request: each is done or refused by itself, and the answer says which, in the order of the request."""

from collections.abc import Callable, Sequence
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentiam.api.problems import problem_of
from agentiam.api.serializers import Told


@extend_schema_field({"oneOf": [{"$ref": "#/components/schemas/Problem"}, {"type": "null"}]})
class ProblemOfItem(serializers.DictField):
    """A problem document, as the item would have been answered with."""


class BulkResult(Told):
    """What became of one item: the status it would have had as a request of its own, and the problem if there was one."""

    status = serializers.IntegerField()
    id = serializers.UUIDField(allow_null=True)
    problem = ProblemOfItem(allow_null=True)


class BulkTold(Told):
    """What became of the items, in their order."""

    results = BulkResult(many=True)
    done = serializers.IntegerField()
    refused = serializers.IntegerField()


def each_by_itself(items: Sequence[Any], do: Callable[[Any], Any], *, status: int = 200) -> dict[str, Any]:
    """Do something with each item; ``do`` answers the row. What nobody foresaw ends the request, not one item."""
    results: list[dict[str, Any]] = []
    for item in items:
        try:
            row = do(item)
        except Exception as error:
            problem = problem_of(error, item)
            if problem is None:
                raise
            results.append({"status": problem.status, "id": None, "problem": problem.body()})
        else:
            results.append({"status": status, "id": str(row.pk), "problem": None})
    refused = sum(each["problem"] is not None for each in results)
    return {"results": results, "done": len(results) - refused, "refused": refused}
