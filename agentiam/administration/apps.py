"""Django's admin with our site in place of its own."""

from django.contrib.admin.apps import AdminConfig


class AdministrationConfig(AdminConfig):
    """Let every ``admin.register`` of every app go to our site."""

    default_site = "agentiam.administration.site.AdministrationSite"
