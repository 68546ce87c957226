"""People's accounts as a Django app: sign-in and what belongs to it, with the events of both."""

from django.apps import AppConfig

from audit.events import register


class AccountsConfig(AppConfig):
    """Sign-in, second factors, invitations, sessions."""

    name = "agentiam.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Register the events, and listen to the libraries that sign people in; both need the models, loaded only now."""
        from agentiam.accounts import events, receivers  # noqa: PLC0415

        register(*events.EVENT_TYPES)
        receivers.connect()
