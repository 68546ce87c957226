"""The directory: who exists, who answers for them, and how they prove who they are."""

from uuid import UUID

from django.apps import AppConfig

from audit.events import register
from audit.names import install_finder, install_namer
from directory.events import EVENT_TYPES


class DirectoryConfig(AppConfig):
    """Register the directory's event types once the apps are loaded."""

    name = "directory"
    label = "directory"

    def ready(self) -> None:
        """Make the directory's event types known to the event log, and its organizations by their names."""
        register(*EVENT_TYPES)
        install_finder(self._organization)
        install_namer(self._slug)

    def _organization(self, slug: str) -> UUID | None:
        rows = self.get_model("Organization")._default_manager.filter(slug=slug)  # noqa: SLF001  (whatever it is called)
        found = rows.values_list("pk", flat=True).first()
        return found if found is None else UUID(str(found))

    def _slug(self, organization_id: UUID) -> str | None:
        rows = self.get_model("Organization")._default_manager.filter(pk=organization_id)  # noqa: SLF001  (as above)
        found = rows.values_list("slug", flat=True).first()
        return found if found is None else str(found)
