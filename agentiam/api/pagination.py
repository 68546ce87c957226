"""Pages by key: a page begins after the last row of the one before, so that the thousandth costs what the first does.

The order is that of one column and then of the id. A cursor names the last row's values and the order; it carries no right:
each page starts anew from what the caller sees.
"""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet
from django.utils.dateparse import parse_datetime
from rest_framework.pagination import BasePagination
from rest_framework.response import Response

from agentiam.api.filters import in_utc
from agentiam.api.problems import invalid
from agentiam.kit.texts import is_storable

DEFAULT_LIMIT: Final = 50
MOST: Final = 500


class KeysetPagination(BasePagination):
    """``limit``, ``after`` and ``order``; the answer has ``items`` and ``next``, the cursor of the next page or null."""

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        """Read one page, and one row more to see whether there is another."""
        self.request = request
        orders: Sequence[str] = view.orders
        order = request.query_params.get("order") or orders[0]
        if order not in orders:
            raise invalid({"order": [f"One of: {', '.join(orders)}."]})
        limit = _limit(request.query_params.get("limit"))
        rows = queryset.order_by(*_ordering(order))
        if after := request.query_params.get("after"):
            rows = rows.filter(_beyond(order, _opened(after, order, queryset)))
        page = list(rows[: limit + 1])
        self.next = _sealed(order, page[limit - 1]) if len(page) > limit else None
        return page[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        """Wrap a page; the Link header (RFC 8288) says the next address in full."""
        headers = {}
        if self.next is not None:
            parameters = self.request.query_params.copy()
            parameters["after"] = self.next
            address = self.request.build_absolute_uri(f"{self.request.path}?{parameters.urlencode()}")
            headers["Link"] = f'<{address}>; rel="next"'
        return Response({"items": data, "next": self.next}, headers=headers)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page."""
        following = {"type": ["string", "null"], "description": "Give it as `after` to read on; null at the end."}
        return {
            "type": "object",
            "required": ["items", "next"],
            "properties": {"items": schema, "next": following},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe the parameters."""
        return [
            _parameter("limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT}, "Rows a page."),
            _parameter("after", {"type": "string"}, "The cursor that the page before gave as `next`."),
            _parameter(
                "order", {"type": "string", "enum": list(view.orders), "default": view.orders[0]}, "A minus turns it round."
            ),
        ]


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdecimal()) or len(text) > 4 or not 1 <= int(text) <= MOST:
        raise invalid({"limit": [f"A number from 1 to {MOST}."]})
    return int(text)


def _column(order: str) -> str:
    return order.removeprefix("-")


def _ordering(order: str) -> list[Any]:
    column, down = _column(order), order.startswith("-")
    if column == "id":
        return ["-pk" if down else "pk"]
    # Rows without a value come last in either direction, on both databases.
    value = F(column).desc(nulls_last=True) if down else F(column).asc(nulls_last=True)
    return [value, "-pk" if down else "pk"]


def _beyond(order: str, last: tuple[Any, Any]) -> Q:
    column, down = _column(order), order.startswith("-")
    value, key = last
    further = "lt" if down else "gt"
    same_or_on = Q(**{f"pk__{further}": key})
    if column == "id":
        return same_or_on
    if value is None:
        return Q(**{f"{column}__isnull": True}) & same_or_on
    return Q(**{f"{column}__{further}": value}) | Q(**{column: value}) & same_or_on | Q(**{f"{column}__isnull": True})


def _sealed(order: str, row: Any) -> str:
    column = _column(order)
    value = None if column == "id" else getattr(row, column)
    plain = value.isoformat() if isinstance(value, datetime) else value
    text = json.dumps([order, plain, str(row.pk)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _opened(cursor: str, order: str, queryset: QuerySet[Any]) -> tuple[Any, Any]:
    """Take a cursor apart; it must be of the same order, and its value of the column's type."""
    try:
        known, value, key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        opened = _value(value, _column(order), queryset), _key(key, queryset)
    except (ValueError, TypeError, AttributeError, RecursionError, ValidationError):
        known = None
    if known != order:
        raise invalid({"after": ["This is not a cursor of this list in this order; begin again without it."]})
    return opened


def _key(value: Any, queryset: QuerySet[Any]) -> Any:
    """Read a row's key, which is a UUID or a text; raises ValueError or ValidationError for what it could not be."""
    if not isinstance(value, str) or not is_storable(value):
        raise ValueError("key")
    return queryset.model._meta.pk.to_python(value)  # noqa: SLF001  (Django's documented name)


def _value(value: Any, column: str, queryset: QuerySet[Any]) -> Any:
    """Read a column's value; raises ValueError or ValidationError for what it could not hold."""
    if value is None or column == "id":
        return None
    field = queryset.model._meta.get_field(column)  # noqa: SLF001  (Django's documented name)
    read = parse_datetime(value) if field.get_internal_type() == "DateTimeField" else field.to_python(value)
    if read is None or (isinstance(read, str) and not is_storable(read)):
        raise ValueError(column)
    return in_utc(read) if isinstance(read, datetime) else read
