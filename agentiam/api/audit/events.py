"""The event log over the API: read by page, exported as a stream; every export is itself an event."""

import json
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer, JSONRenderer

from agentiam.api.filters import Filters, InstantFilter
from agentiam.api.problems import invalid
from agentiam.api.serializers import Given, Told
from agentiam.api.viewsets import ResourceViewSet
from audit import export
from audit.events import event_types
from audit.models import Effect, Event

_EFFECTS = [effect.value for effect in Effect if effect.value]


class EventTold(Told):
    """One event, as its record says it."""

    id = serializers.UUIDField(source="pk")
    type = serializers.CharField()
    at = serializers.DateTimeField()
    effect = serializers.ChoiceField(choices=_EFFECTS, allow_null=True)
    actor = serializers.SerializerMethodField()
    target = serializers.SerializerMethodField()
    reason = serializers.CharField()
    request_id = serializers.CharField()
    chain = serializers.UUIDField(source="chain_id")
    sequence = serializers.IntegerField()
    hash = serializers.CharField()
    record = serializers.SerializerMethodField(help_text="Everything that was hashed.")

    def to_representation(self, instance: Any) -> Any:
        """Say null for an event that is no decision."""
        told = super().to_representation(instance)
        told["effect"] = instance.effect or None
        return told

    @extend_schema_field({"type": "object", "properties": {name: {"type": "string"} for name in ("kind", "id", "label")}})
    def get_actor(self, event: Event) -> dict[str, str]:
        """Tell who did it."""
        return {"kind": event.actor_kind, "id": event.actor_id, "label": event.actor_label}

    @extend_schema_field(
        {"type": ["object", "null"], "properties": {name: {"type": "string"} for name in ("type", "id", "label")}}
    )
    def get_target(self, event: Event) -> dict[str, str] | None:
        """Tell what it was done to."""
        if not event.target_type:
            return None
        return {"type": event.target_type, "id": event.target_id, "label": event.target_label}

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_record(self, event: Event) -> Any:
        """Parse the record."""
        return json.loads(event.body)


def first_id(instant: datetime) -> UUID:
    """Answer the smallest UUIDv7 of an instant (RFC 9562, section 5.7): ids are in the order of time, and indexed."""
    return UUID(int=max(0, int(instant.timestamp() * 1000)) << 80)


class EventFilters(Filters):
    """How the log is narrowed."""

    type = django_filters.CharFilter(method="of_type")
    effect = django_filters.MultipleChoiceFilter(choices=[(effect, effect) for effect in _EFFECTS])
    actor = django_filters.CharFilter(field_name="actor_id")
    target = django_filters.CharFilter(field_name="target_id")
    target_type = django_filters.CharFilter()
    request_id = django_filters.CharFilter()
    since = InstantFilter(method="after_instant", help_text="From this instant on.")
    until = InstantFilter(method="before_instant", help_text="Before this instant.")

    def of_type(self, rows: "QuerySet[Event]", name: str, value: str) -> "QuerySet[Event]":
        """Keep one type; one that was never there is misspelt, and no empty log."""
        known = {each.name for each in event_types()}
        if value not in known:
            near = get_close_matches(value[:200], sorted(known), n=1)
            raise invalid({name: [f"There is no event type {value[:200]!r}{f'; did you mean {near[0]}?' if near else '.'}"]})
        return rows.filter(type=value)

    def after_instant(self, rows: "QuerySet[Event]", name: str, value: datetime) -> "QuerySet[Event]":
        """Keep what was recorded from an instant on."""
        return rows.filter(id__gte=first_id(value))

    def before_instant(self, rows: "QuerySet[Event]", name: str, value: datetime) -> "QuerySet[Event]":
        """Keep what was recorded before an instant."""
        return rows.filter(id__lt=first_id(value))


class ExportAsked(Given):
    """Which events to export, and in which form."""

    format = serializers.ChoiceField(choices=[(each.value, each.value) for each in export.Format])
    since = serializers.DateTimeField(required=False, default=None, allow_null=True)
    until = serializers.DateTimeField(required=False, default=None, allow_null=True)
    types = serializers.ListField(child=serializers.CharField(max_length=200), required=False, default=list, max_length=200)
    actor = serializers.CharField(required=False, default="", allow_blank=True, max_length=500)
    target = serializers.CharField(required=False, default="", allow_blank=True, max_length=500)
    effects = serializers.ListField(child=serializers.ChoiceField(choices=_EFFECTS), required=False, default=list, max_length=3)
    newest_first = serializers.BooleanField(required=False, default=False)
    after = serializers.UUIDField(required=False, default=None, allow_null=True, help_text="The last event that you have.")
    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=2_000)


# What comes after the first byte no header can say: this is under which id the log tells whether the stream went to its end.
EXPORT_HEADER: Final = "X-Agentiam-Export"
_STREAMS: Final = {(200, kind.partition(";")[0]): OpenApiTypes.STR for kind in export.CONTENT_TYPES.values()}


class Streamed(BaseRenderer):
    """Let a client ask for any type: the stream has the type of its format."""

    media_type = "*/*"
    format = "any"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> Any:
        """Give what was rendered already."""
        return data


class EventViewSet(ResourceViewSet):
    """The event log."""

    model = Event
    told = EventTold
    orders = ("-id", "id")
    filterset_class = EventFilters
    never_repeated = ("export",)  # a stream, and what leaves twice is recorded twice

    @extend_schema(request=ExportAsked, responses=_STREAMS, filters=False)
    @action(detail=False, methods=["post"], pagination_class=None, renderer_classes=[JSONRenderer, Streamed])
    def export(self, request: Any) -> Any:
        """Stream events in a format; that is itself an event, recorded before the first byte leaves.

        The header ``X-Agentiam-Export`` is that event's id. A stream that ends well is whole, and leaves the event
        ``log.export_completed`` with that id, the count and the last event's id; one that fails is broken off. Go on with
        ``after``, the id of the last event that you have.
        """
        self.require("export_event")
        given = self.given(ExportAsked)
        form = export.Format(given.pop("format"))
        after, reason = given.pop("after"), given.pop("reason")
        chosen: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
        stream = export.export(
            organization_id=self.organization_id,
            format=form,
            after=after,
            filters=export.Filters(**chosen),
            by=self.actor,
            reason=reason,
            now=self.now,
        )
        answer = StreamingHttpResponse(stream.asynchronously(), content_type=export.CONTENT_TYPES[form])
        answer.headers["Content-Disposition"] = f'attachment; filename="events.{export.SUFFIXES[form]}"'
        answer.headers[EXPORT_HEADER] = str(stream.id)
        return answer


def require_no_parameters(request: Any) -> None:
    """Refuse parameters where there are none."""
    if request.query_params:
        raise invalid({name: ["There is no such parameter here."] for name in request.query_params})
