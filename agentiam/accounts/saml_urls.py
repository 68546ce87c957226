"""The addresses of SAML, for each provider by its ``client_id``; the names are those that django-allauth looks for."""

from allauth.socialaccount.providers.saml import views
from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, path, reverse_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView

from agentiam.accounts.saml import FinishPage, SignOutPage, TakePage

_to_login = login_not_required(RedirectView.as_view(url=reverse_lazy("login")))

# What providers send has no token of our forms: their signature stands in for it.
urlpatterns: list[URLPattern] = [
    path("saml/<str:organization_slug>/acs/", csrf_exempt(login_not_required(TakePage.as_view())), name="saml_acs"),
    path("saml/<str:organization_slug>/acs/finish/", login_not_required(FinishPage.as_view()), name="saml_finish_acs"),
    path("saml/<str:organization_slug>/sls/", csrf_exempt(login_not_required(SignOutPage.as_view())), name="saml_sls"),
    path("saml/<str:organization_slug>/metadata/", views.metadata, name="saml_metadata"),
    # A sign-in begins at the sign-in page, by a form.
    path("saml/<str:organization_slug>/login/", _to_login, name="saml_login"),
]
