"""The composition root as a Django app: commands, checks and pages that belong to no single app."""

from django.apps import AppConfig


class AgentiamConfig(AppConfig):
    """Wire the apps together."""

    name = "agentiam"
    label = "agentiam"

    def ready(self) -> None:
        """Register the checks.

        Celery's app is made here, before anybody asks for a task.
        """
        from agentiam import celery, checks  # noqa: F401, PLC0415

        checks.register()
