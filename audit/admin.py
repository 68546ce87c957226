"""The event log in the admin: read, and nothing else; it takes the right to read the log."""

import json
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agentiam.kit.administration.records import RecordAdmin, pretty
from audit.models import Attestation, Chain, Checkpoint, Event, SigningKey

_VIEW = "audit.view_event"
_DECIDED = "access.decided"
"""The type of every event that has an effect."""


class StatementAdmin(RecordAdmin):
    """Rows whose ``body`` is the bytes that were hashed or signed."""

    view_right: ClassVar[str] = _VIEW

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the record read as JSON, and then as it was hashed."""
        shown = ["moment" if name == "at" else name for name in super().get_fields(request, obj) if name != "body"]
        return [*shown, "record", "hashed"]

    @admin.display(description="at")
    def moment(self, row: Any) -> str:
        """Tell when, to the second: many things happen in a minute."""
        return f"{row.at:%Y-%m-%d %H:%M:%S} UTC"

    @admin.display(description="record")
    def record(self, row: Any) -> SafeString:
        """Show what the record says; a body that is no JSON is shown as it is stored."""
        try:
            return pretty(json.loads(row.body))
        except ValueError:
            return self.hashed(row)

    @admin.display(description="as it was hashed")
    def hashed(self, row: Any) -> SafeString:
        """Show the text itself."""
        return format_html("<pre>{}</pre>", row.body)


class Kind(admin.SimpleListFilter):
    """What was done, or what a decision said."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer changes, and decisions by what they said."""
        return [("changes", "Changes"), ("allow", "Allowed"), ("deny", "Denied"), ("escalate", "Escalated")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list."""
        chosen = self.value()
        if chosen not in {"changes", "allow", "deny", "escalate"}:
            return queryset
        return queryset.filter(effect="" if chosen == "changes" else chosen)


@admin.register(Event)
class EventAdmin(StatementAdmin):
    """Events, the latest first."""

    list_display = ("moment", "type", "actor", "target", "effect", "reason", "id")
    list_filter = (Kind,)
    search_help_text = "The id of an event; or actor:<id>, target:<id> or type:<name>, whole. A target finds changes only."

    @admin.display(description="actor")
    def actor(self, row: Any) -> str:
        """Name who did it."""
        return f"{row.actor_label or row.actor_id} ({row.actor_kind})"

    @admin.display(description="target")
    def target(self, row: Any) -> str:
        """Name what it was done to."""
        return f"{row.target_label or row.target_id} ({row.target_type})" if row.target_type else ""

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Look where an index finds it: never through the texts of all events."""
        term = search_term.strip().replace("\0", "")
        kind, _, rest = term.partition(":")
        match kind if rest else "":
            case "actor":
                found = queryset.filter(actor_id=rest)
            case "target":
                found = queryset.filter(effect="", target_id=rest)
            case "type" if rest == _DECIDED:
                # The greater part of the log, without an index of its own: read from the end, a page of it is full soon.
                found = queryset.filter(type=rest)
            case "type":
                found = queryset.filter(effect="", type=rest)
            case _:
                found = self._by_id(queryset, term) if term else queryset
        return found, False

    def _by_id(self, queryset: Any, term: str) -> Any:
        try:
            return queryset.filter(pk=UUID(term))
        except ValueError:
            return queryset.none()


@admin.register(Chain)
class ChainAdmin(RecordAdmin):
    """The sequences of records, one for each writer."""

    view_right: ClassVar[str] = _VIEW
    list_display = ("writer", "opened_at", "last_sequence", "sworn_sequence")
    searched = {"pk": "exact", "writer": "exact"}


@admin.register(Checkpoint)
class CheckpointAdmin(StatementAdmin):
    """Signed statements of how far the log went."""

    list_display = ("number", "moment", "key_id")
    ordering = ("-number",)


@admin.register(Attestation)
class AttestationAdmin(StatementAdmin):
    """Signed statements about one thing."""

    list_display = ("moment", "kind", "target_type", "target_id", "target_label", "key_id")
    searched = {"pk": "exact", "target_id": "exact"}
    search_help_text = "The id of the statement, or of what it is about, whole."


@admin.register(SigningKey)
class SigningKeyAdmin(RecordAdmin):
    """The public halves of the keys that signed; they belong to the installation, and are the same for everybody."""

    view_right: ClassVar[str] = _VIEW
    list_display = ("key_id", "first_used_at")

    def visible(self, request: HttpRequest) -> QuerySet[Any]:
        """Show them to whoever may read a log, to verify it."""
        person: Any = request.user
        return SigningKey.objects.all() if person.has_perm(_VIEW) else SigningKey.objects.none()
