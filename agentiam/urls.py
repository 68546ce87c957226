"""Every address of the product that Django answers; decisions are answered beside it (agentiam.routing)."""

from django.contrib import admin
from django.urls import include, path

from agentiam import dashboard, errors, health
from agentiam.operations import metrics

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error

urlpatterns = [
    path("", dashboard.home, name="home"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("agentiam.api.urls")),
    path("o/<slug:organization>/", include("directory.cards.urls")),
    path("", include("permissions.oauth.urls")),
    path("", include("permissions.urls")),
    path("", include("agentiam.accounts.urls")),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
]
