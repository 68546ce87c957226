"""The directory: who exists, who answers for them, and how they prove who they are."""

from django.apps import AppConfig

from audit.events import register
from directory.events import EVENT_TYPES


class DirectoryConfig(AppConfig):
    """Register the directory's event types once the apps are loaded."""

    name = "directory"
    label = "directory"

    def ready(self) -> None:
        """Make the directory's event types known to the event log."""
        register(*EVENT_TYPES)
