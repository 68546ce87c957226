"""Permissions: what is allowed, who lets whom, and the answers to those who ask."""

from django.apps import AppConfig

from audit.events import register
from permissions.events import EVENT_TYPES


class PermissionsConfig(AppConfig):
    """Register the event types of what is allowed once the apps are loaded."""

    name = "permissions"
    label = "permissions"

    def ready(self) -> None:
        """Make the event types of what is allowed known to the event log."""
        register(*EVENT_TYPES)
