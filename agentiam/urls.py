"""Every address of the product that Django answers; decisions are answered beside it (agentiam.routing)."""

from django.urls import path

from agentiam import dashboard, errors, health, signin

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error

urlpatterns = [
    path("", dashboard.home, name="home"),
    path("login/", signin.LoginPage.as_view(), name="login"),
    path("logout/", signin.LogoutView.as_view(), name="logout"),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
]
