"""The composition root as a Django app: commands, checks and pages that belong to no single app."""

from django.apps import AppConfig

from audit.events import register


class AgentiamConfig(AppConfig):
    """Wire the apps together."""

    name = "agentiam"
    label = "agentiam"

    def ready(self) -> None:
        """Register the checks, and the events of signing in; their module needs the models, which are loaded only now."""
        from agentiam import checks, signin  # noqa: PLC0415

        checks.register()
        register(*signin.EVENT_TYPES)
        signin.connect()
