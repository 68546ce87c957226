"""Lists are narrowed by typed parameters and searched by text; a parameter that nobody reads is a mistake, and refused."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.forms import ChoiceField, ModelChoiceField
from django_filters.fields import IsoDateTimeField, IsoDateTimeRangeField, RangeField
from django_filters.filters import IsoDateTimeFilter, IsoDateTimeFromToRangeFilter, RangeFilter
from django_filters.filterset import FilterSet
from django_filters.rest_framework.backends import DjangoFilterBackend
from rest_framework.filters import BaseFilterBackend

from agentiam.api.problems import invalid
from agentiam.kit.texts import is_storable


def in_utc(instant: datetime) -> datetime:
    """Say an instant in UTC; raises ValueError for one that has no year there.

    PostgreSQL knows offsets up to 16 hours, Python up to 24: only in UTC is every instant one that both can look up.
    """
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("The instant is before the year 1 or after the year 9999.") from error


class InstantField(IsoDateTimeField):
    """An instant in ISO 8601, read into UTC."""

    def to_python(self, value: Any) -> datetime | None:
        """Read it; raises ValidationError."""
        instant = super().to_python(value)
        try:
            return None if instant is None else in_utc(instant)
        except ValueError as error:
            raise ValidationError(str(error)) from error


class InstantRangeField(IsoDateTimeRangeField):
    """Two instants, of which one may be missing."""

    def __init__(self, **options: Any) -> None:
        # Past the base, which brings fields of its own.
        RangeField.__init__(self, (InstantField(), InstantField()), **options)


class InstantFilter(IsoDateTimeFilter):
    """Compare with an instant."""

    field_class = InstantField

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]  # django-filter has no types


class InstantRangeFilter(IsoDateTimeFromToRangeFilter):
    """Compare with two instants, ``<name>_after`` and ``<name>_before``."""

    field_class = InstantRangeField

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]  # as above


class Filters(FilterSet):
    """The parameters of one list; each choice says, when it refuses a value, what it takes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]  # django-filter has no types
        for each in self.filters.values():
            field = each.field
            if isinstance(field, ChoiceField) and not isinstance(field, ModelChoiceField):
                choices: Any = field.choices
                known = ", ".join(str(value) for value, _ in choices if value)
                field.error_messages["invalid_choice"] = f'"%(value)s" is none of: {known}.'


class TypedFilters(DjangoFilterBackend):
    """Apply the view's ``filterset_class``; raises a 422 problem for values of another type."""


class TextSearch(BaseFilterBackend):
    """``q``: every word must be somewhere in one of the columns that the view names as ``searched``."""

    def filter_queryset(self, request: Any, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        """Narrow the rows."""
        columns: Sequence[str] = getattr(view, "searched", ())
        text = request.query_params.get("q", "")
        if not text or not columns:
            return queryset
        if len(text) > 200 or not is_storable(text):
            raise invalid({"q": ["At most 200 characters, none of them U+0000."]})
        for word in text.split()[:10]:
            anywhere = Q()
            for column in columns:
                anywhere |= Q(**{f"{column}__icontains": word})
            queryset = queryset.filter(anywhere)
        return queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe the parameter."""
        columns: Sequence[str] = getattr(view, "searched", ())
        if not columns:
            return []
        description = f"Words that must all be found in: {', '.join(columns)}."
        return [
            {
                "name": "q",
                "in": "query",
                "required": False,
                "schema": {"type": "string", "maxLength": 200},
                "description": description,
            }
        ]


def require_known_parameters(request: Any, view: Any) -> None:
    """Refuse a parameter that this list does not have, so that a misspelt filter is not taken for none."""
    known = {"limit", "after", "order", *(["q"] if getattr(view, "searched", ()) else [])}
    if filterset := getattr(view, "filterset_class", None):
        for name, each in filterset.base_filters.items():
            known |= {name} | ({f"{name}_after", f"{name}_before"} if isinstance(each, RangeFilter) else set())
    if unknown := sorted(set(request.query_params) - known):
        raise invalid({name: [f"This list has no such parameter; it has: {', '.join(sorted(known))}."] for name in unknown})
