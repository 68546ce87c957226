"""Addresses of the authorization server: under each organization's path, and without one for the organization that has it."""

from django.urls import path

from permissions.oauth import consent_views, views

app_name = "oauth"

_WELL_KNOWN = ("oauth-authorization-server", "openid-configuration")
_MACHINES = (
    ("token", views.token),
    ("introspect", views.introspection),
    ("revoke", views.revocation),
    ("jwks", views.jwks),
    ("register", views.registration),
)

urlpatterns = [
    *(path(f".well-known/{name}", views.metadata, name=f"{name}-bare") for name in _WELL_KNOWN),
    *(path(f".well-known/{name}/o/<slug:organization>", views.metadata, name=name) for name in _WELL_KNOWN),
    path("o/<slug:organization>/.well-known/openid-configuration", views.metadata, name="openid-configuration-appended"),
    path("oauth/authorize", consent_views.authorize, name="authorize-bare"),
    path("o/<slug:organization>/oauth/authorize", consent_views.authorize, name="authorize"),
    *(path(f"oauth/{name}", view, name=f"{name}-bare") for name, view in _MACHINES),
    *(path(f"o/<slug:organization>/oauth/{name}", view, name=name) for name, view in _MACHINES),
]
