"""Every address of the management API, below /api/v1/."""

from typing import Final

from django.contrib.auth.decorators import login_not_required
from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from agentiam.api.audit import routes as audit_routes
from agentiam.api.directory import routes as directory_routes
from agentiam.api.permissions import routes as permissions_routes
from agentiam.api.permissions.oauth_clients import OAuthClientViewSet

app_name: Final = "api"

_router = SimpleRouter(trailing_slash=False, use_regex_path=False)
for _prefix, _viewset, _name in (*directory_routes.ROUTES, *permissions_routes.ROUTES, *audit_routes.ROUTES):
    _router.register(_prefix, _viewset, _name)

urlpatterns = [
    *_router.urls,
    path(
        "agents/<uuid:agent>/oauth-client",
        OAuthClientViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
        name="oauth-client",
    ),
    path("openapi.json", login_not_required(SpectacularJSONAPIView.as_view()), name="openapi"),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="api:openapi"), name="docs"),
]
