"""The audit app: what happened, append-only and provable; it knows no other app."""

from django.apps import AppConfig

from audit import checks, events


class AuditConfig(AppConfig):
    """Register audit's own event types and its checks."""

    name = "audit"
    label = "audit"
    verbose_name = "Event log"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the event types known before anything is recorded."""
        events.register(events.LOG_EXPORTED, events.LOG_EXPORT_COMPLETED, events.LOG_VERIFIED, events.LOG_FOUND_BROKEN)
        events.register(events.JOB_REQUEUED, events.JOB_CANCELLED)
        checks.register()
