"""Jobs as an app, so that they have a table."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """The table of jobs."""

    name = "agentiam.jobs"
    label = "jobs"
    verbose_name = "Jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let the schedule be checked; the module needs the models, which are loaded only now."""
        from agentiam.jobs import checks  # noqa: PLC0415

        checks.register()
