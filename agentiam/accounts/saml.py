"""SAML as we let it be: an assertion answers a request of this browser, signs in once, and no unsigned message signs out.

Imported only where a provider is configured: the library that checks signatures is an extra.
"""

import hashlib
import logging
import time
import zlib
from typing import Any, Final
from xml.etree.ElementTree import Element

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.providers.saml.provider import SAMLProvider
from allauth.socialaccount.providers.saml.utils import get_app_or_404
from allauth.socialaccount.providers.saml.views import ACSView, FinishACSView, SLSView
from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.constants import OneLogin_Saml2_Constants
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from agentiam.accounts import forms
from agentiam.accounts.limits import LINK, TryRefused, cache_errors
from agentiam.accounts.providers import FAILED

log = logging.getLogger(__name__)
_CONFIRMED: Final = "//saml:Assertion/saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData"


class AssertionRefused(PermissionDenied):
    """The assertion is signed and of now, but was used before, or does not say which request it answers."""


class OnceProvider(SAMLProvider):
    """A provider whose assertions are each good for one sign-in."""

    def sociallogin_from_response(self, request: HttpRequest, response: OneLogin_Saml2_Auth) -> Any:
        """Use an assertion up, whose signature and times were found right; raises AssertionRefused."""
        require_own_request(response)
        use_up(self.app.client_id, response)
        return super().sociallogin_from_response(request, response)


def require_own_request(response: OneLogin_Saml2_Auth) -> None:
    """Demand that the assertion itself names the request: around a signed assertion anybody can write a response that does.

    Whether this browser made the request is looked at afterwards. Raises AssertionRefused.
    """
    answered = response.get_last_response_in_response_to()
    root: Element = OneLogin_Saml2_XML.to_etree(response.get_last_response_xml())
    named = [each.get("InResponseTo") for each in OneLogin_Saml2_XML.query(root, _CONFIRMED)]
    if not answered or not named or any(each != answered for each in named):
        raise AssertionRefused("the assertion does not name the request")


def use_up(provider: str, response: OneLogin_Saml2_Auth) -> None:
    """Remember an assertion until it is over; raises AssertionRefused for one that was used, never ends, or cannot be kept."""
    ends, number = response.get_last_assertion_not_on_or_after(), response.get_last_assertion_id()
    if not ends or not number:
        raise AssertionRefused("the assertion has no end")
    left = int(ends - time.time()) + OneLogin_Saml2_Constants.ALLOWED_CLOCK_DRIFT + 60
    key = "assertions/" + hashlib.sha256(f"{provider}\0{number}".encode()).hexdigest()
    try:
        fresh = cache.add(key, 1, left)
    except cache_errors() as error:
        log.warning("an assertion cannot be remembered and is refused: %s", type(error).__name__)
        raise AssertionRefused("the assertion cannot be remembered") from None
    if not fresh:
        raise AssertionRefused("the assertion was used before")


class TakePage(ACSView):
    """What the provider's page sends by POST, without our session: kept for a moment, and looked at by the next request."""

    def dispatch(self, request: HttpRequest, organization_slug: str) -> HttpResponse:
        """Count a try before anything is kept."""
        get_app_or_404(request, organization_slug)
        try:
            forms.tries(request, "saml", LINK).spend()
        except TryRefused as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(reverse("login"))
        return super().dispatch(request, organization_slug)


class FinishPage(FinishACSView):
    """The assertion is looked at, and whoever it names signed in."""

    def get_provider(self, organization_slug: str) -> OnceProvider:
        """Take the provider whose assertions are good once."""
        return OnceProvider(self.request, app=get_app_or_404(self.request, organization_slug))

    def dispatch(self, request: HttpRequest, organization_slug: str) -> HttpResponse:
        """Go back to the sign-in page for whatever is not good, in the same words."""
        try:
            return super().dispatch(request, organization_slug)
        except ImmediateHttpResponse as error:
            answer: HttpResponse = error.response
            return answer
        except (PermissionDenied, SyntaxError, ValueError):
            # No such request of this browser, used before, no XML, or no name in it.
            messages.error(request, FAILED.format(name=self.get_provider(organization_slug).name))
            return HttpResponseRedirect(reverse("login"))


class SignOutPage(SLSView):
    """The provider ends a session by a link; whoever else sends such a link does not."""

    def dispatch(self, request: HttpRequest, organization_slug: str) -> HttpResponse:
        """Refuse a message without a signature: the library checks one that is there, and asks for none."""
        if not request.GET.get("Signature"):
            return _not_taken("The message is not signed.")
        try:
            return super().dispatch(request, organization_slug)
        except (SyntaxError, ValueError, zlib.error):
            return _not_taken("The message cannot be read.")


def _not_taken(words: str) -> HttpResponse:
    return HttpResponse(words, content_type="text/plain", status=400)
