"""Addresses of people's own pages about what is allowed."""

from django.urls import path

from permissions import views

app_name = "permissions"

urlpatterns = [
    path("me/agents/", views.connected_agents, name="connected-agents-page"),
    path("me/agents/authorizations/<uuid:pk>/end/", views.end_authorization_page, name="end-authorization"),
    path("me/agents/consents/<uuid:pk>/end/", views.end_consent_page, name="end-consent"),
]
