"""Signing in, proving it again, and passwords: django-allauth's pages with our forms, and our words in them."""

import json
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password, resume_request
from allauth.account.views import LoginView, PasswordChangeView, ReauthenticateView, sensitive_post_parameters_m
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.base.views import ReauthenticateView as ReauthenticateCodeView
from allauth.mfa.webauthn.views import LoginWebAuthnView, ReauthenticateWebAuthnView
from django.contrib import messages
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from agentiam.accounts import events, forms
from agentiam.accounts.backends import owes_password
from agentiam.accounts.providers import all_providers
from agentiam.accounts.records import actor_of, note
from directory.models import User


def as_json(options: Any) -> str:
    """Write a ceremony's options for an attribute of the page."""
    return json.dumps(options, cls=DjangoJSONEncoder)


class PasskeyOptions:
    """Hand the options of a passkey's ceremony to the page's script, in an attribute: pages have no inline script."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the options as JSON."""
        data: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]  # of the view beside this one
        if "js_data" in data:
            options = data["js_data"].get("request_options") or data["js_data"].get("creation_options")
            data["options"] = as_json(options)
        return data


class LoginPage(LoginView):
    """The sign-in page."""

    template_name = "account/login_page.html"

    def get_form_class(self) -> type[forms.LoginForm]:
        """Use our form."""
        return forms.LoginForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the identity providers."""
        data: dict[str, Any] = super().get_context_data(**kwargs)
        return {**data, "providers": all_providers()}


class SecondFactorPage(PasskeyOptions, AuthenticateView):
    """The second step of signing in."""

    template_name = "mfa/authenticate_page.html"
    form_class = forms.SecondFactorForm
    webauthn_form_class = forms.SecondPasskeyForm

    def get_form_class(self) -> type[forms.SecondFactorForm]:
        """Use our form."""
        return forms.SecondFactorForm

    def get_webauthn_form_class(self) -> type[forms.SecondPasskeyForm]:
        """Use our form."""
        return forms.SecondPasskeyForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Say which second factors there are."""
        data: dict[str, Any] = super().get_context_data(**kwargs)
        user = self.stage.login.user
        kinds = set(user.authenticator_set.values_list("type", flat=True))
        return {**data, "by_passkey": "webauthn" in kinds, "by_code": bool(kinds - {"webauthn"})}


class PasskeyLogin(LoginWebAuthnView):
    """Signing in with a passkey alone: GET gives the script its challenge, POST takes the answer."""

    def get_form_class(self) -> type[forms.LoginPasskeyForm]:
        """Use our form."""
        return forms.LoginPasskeyForm

    def form_invalid(self, form: Any) -> HttpResponse:
        """Say it on the sign-in page, in one sentence."""
        found = form.errors.get("credential") or form.non_field_errors()
        messages.error(self.request, found[0] if found else forms.WRONG_PASSKEY)
        return HttpResponseRedirect(reverse("login"))


class ProvePage(ReauthenticateView):
    """The password again; who has a second factor goes on to that, and who has neither proves it at their provider."""

    template_name = "account/reauthenticate_page.html"

    def get_form_class(self) -> type[forms.ProvePasswordForm]:
        """Use our form."""
        return forms.ProvePasswordForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Show the providers to somebody who has no password and no second factor."""
        self.by_provider = not _methods(request)
        if self.by_provider:
            return self.render_to_response({"providers": _own_providers(request), "next": request.GET.get("next", "/")})
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return answer

    def form_valid(self, form: Any) -> HttpResponse:
        """Note it, and go on with what was to be done."""
        reauthenticate_by_password(self.request)
        user: Any = self.request.user
        note(events.PERSON_REAUTHENTICATED, user, by=actor_of(self.request, user), data={"method": "password"})
        return resume_request(self.request) or HttpResponseRedirect(reverse("account_page"))


class ProveCodePage(ReauthenticateCodeView):
    """A code again."""

    template_name = "account/reauthenticate_page.html"

    def get_form_class(self) -> type[forms.ProveCodeForm]:
        """Use our form."""
        return forms.ProveCodeForm


class ProvePasskeyPage(PasskeyOptions, ReauthenticateWebAuthnView):
    """A passkey again."""

    template_name = "account/reauthenticate_page.html"

    def get_form_class(self) -> type[forms.ProvePasskeyForm]:
        """Use our form."""
        return forms.ProvePasskeyForm

    def form_invalid(self, form: Any) -> HttpResponse:
        """Show the page again with the reason."""
        return self.render_to_response(self.get_context_data(form=form))


class PasswordPage(PasswordChangeView):
    """Another password."""

    template_name = "account/password_page.html"

    def get_form_class(self) -> type[forms.ChangePasswordForm]:
        """Use our form."""
        return forms.ChangePasswordForm

    @sensitive_post_parameters_m
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Who signs in by a provider has no password, and gets none here: that would be another way in."""
        user: Any = request.user
        if owes_password(user):
            # Past the library's own page for those without a password.
            past: HttpResponseBase = super(PasswordChangeView, self).dispatch(request, *args, **kwargs)
            return past
        if not user.has_usable_password():
            messages.info(request, "You sign in by your organization's identity provider, so there is no password to change.")
            return HttpResponseRedirect(reverse("account_page"))
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return answer


def _methods(request: HttpRequest) -> list[dict[str, Any]]:
    methods: list[dict[str, Any]] = get_adapter().get_reauthentication_methods(request.user)
    return methods


def _own_providers(request: HttpRequest) -> list[Any]:
    user = request.user
    if not isinstance(user, User):
        return []
    return [provider for provider in all_providers() if provider.organization == user.organization.slug]
