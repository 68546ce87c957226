"""The management API as an app, so that it can remember what it answered."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The table of answers to be repeated."""

    name = "agentiam.api"
    label = "api"
    verbose_name = "Management API"
    default_auto_field = "django.db.models.BigAutoField"
