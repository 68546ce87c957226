"""The product's addresses as they are where a SAML provider is configured."""

from django.urls import include, path

urlpatterns = [path("login/", include("agentiam.accounts.saml_urls")), path("", include("agentiam.urls"))]
