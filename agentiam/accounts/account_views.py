"""One's own account: second factors, sessions; each change of how one proves who one is asks for a fresh proof first."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Final

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.internal.auth import begin_registration
from allauth.mfa.webauthn.views import AddWebAuthnView, RemoveWebAuthnView
from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_POST, require_safe

from agentiam.accounts import events, forms
from agentiam.accounts.adapters import has_second_factor
from agentiam.accounts.devices import device_of
from agentiam.accounts.gate import second_factor_missing, second_factor_required
from agentiam.accounts.records import actor_of, note
from agentiam.accounts.stepup import SECOND_FACTORS, proofs, prove_again
from agentiam.accounts.views import as_json
from audit.events import EventType
from directory import events as directory_events
from directory.models import User

FRESH: Final = timedelta(minutes=5)

View = Callable[..., HttpResponseBase]


def fresh_proof(view: View) -> View:
    """Ask for a proof of the last minutes before a view runs; of a second factor, where the person has one."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = request.user
        found = proofs(request, within=FRESH)
        if isinstance(user, User) and has_second_factor(user):
            found &= SECOND_FACTORS
        return view(request, *args, **kwargs) if found else prove_again(request)

    return guarded


@require_safe
def account_page(request: HttpRequest) -> HttpResponse:
    """Show how one signs in, and where one is signed in."""
    user: Any = request.user
    found = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    codes = next((each for each in found if each.type == Authenticator.Type.RECOVERY_CODES), None)
    context = {
        "app": next((each for each in found if each.type == Authenticator.Type.TOTP), None),
        "passkeys": [each for each in found if each.type == Authenticator.Type.WEBAUTHN],
        "codes_left": None if codes is None else len(RecoveryCodes(codes).get_unused_codes()),
        "required": second_factor_required(user),
        "missing": second_factor_missing(request, user),
        "sessions": _sessions(request, user),
        "account": user,
    }
    return render(request, "account/account_page.html", context)


@require_POST
def end_session(request: HttpRequest, number: int) -> HttpResponse:
    """End one of one's own sessions; the one that asks ends by signing out."""
    user: Any = request.user
    found = UserSession.objects.filter(user=user, pk=number).first()
    if found is None or found.session_key == request.session.session_key:
        raise Http404
    return _end(request, user, [found])


@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """End all of one's own sessions but the one that asks."""
    user: Any = request.user
    return _end(request, user, list(UserSession.objects.filter(user=user).exclude(session_key=request.session.session_key)))


def _end(request: HttpRequest, user: User, sessions: list[UserSession]) -> HttpResponse:
    number = len(sessions)
    end_sessions(request, sessions)
    if number:
        note(directory_events.SESSIONS_ENDED, user, by=actor_of(request, user), data={"sessions": number})
    messages.info(request, f"{number} {'session' if number == 1 else 'sessions'} ended.")
    return HttpResponseRedirect(reverse("account_page"))


def _sessions(request: HttpRequest, user: User) -> list[dict[str, Any]]:
    rows = sorted(UserSession.objects.purge_and_list(user), key=lambda row: row.created_at, reverse=True)
    return [
        {
            "id": row.pk,
            "address": row.ip,
            "device": device_of(row.user_agent),
            "since": row.created_at,
            "current": row.session_key == request.session.session_key,
        }
        for row in rows
    ]


def _person(request: HttpRequest) -> User:
    user: Any = request.user
    person: User = user
    return person


def _hold(request: HttpRequest) -> None:
    """Hold the account while a way in is added to it: none is added to one that was closed since the request began."""
    found = User.objects.people().active().select_for_update(no_key=True).filter(pk=_person(request).pk).first()
    if found is None:
        raise PermissionDenied


def _note(request: HttpRequest, event: EventType) -> None:
    note(event, _person(request), by=actor_of(request, _person(request)))


def _note_added(request: HttpRequest, event: EventType, *, codes: bool) -> None:
    _note(request, event)
    if codes:
        _note(request, events.RECOVERY_CODES_MADE)


class AddAppPage(ActivateTOTPView):
    """An authenticator app."""

    template_name = "mfa/add_app_page.html"

    def get_form_class(self) -> type[forms.AddAppForm]:
        """Use our form."""
        return forms.AddAppForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Give the QR code as a drawing of the page: an image from a data address is not allowed here."""
        data: dict[str, Any] = super().get_context_data(**kwargs)
        drawing = data["totp_svg"].partition("<svg")[2]
        # Made by the library from modules of black and white; nothing that anybody typed is in it but as such.
        return {**data, "drawing": mark_safe(f'<svg class="qr" role="img" aria-label="QR code"{drawing}')}  # noqa: S308

    def form_valid(self, form: Any) -> HttpResponse:
        """Add it with its event, and take the first code for a proof: the recovery codes are shown next, and once."""
        with transaction.atomic():
            _hold(self.request)
            answer: HttpResponse = super().form_valid(form)
            _note_added(self.request, events.SECOND_FACTOR_ADDED, codes=self.did_generate_recovery_codes)
        record_authentication(self.request, _person(self.request), "mfa", type=Authenticator.Type.TOTP.value)
        return answer


class RemoveAppPage(DeactivateTOTPView):
    """No authenticator app any more."""

    template_name = "mfa/confirm_page.html"
    extra_context = {
        "heading": "Remove the authenticator app",
        "words": "Its codes no longer sign you in. If it is your only second factor, your recovery codes end too.",
        "button": "Remove",
        "danger": True,
    }

    def form_valid(self, form: Any) -> HttpResponse:
        """Remove it with its event."""
        with transaction.atomic():
            answer: HttpResponse = super().form_valid(form)
            _note(self.request, directory_events.SECOND_FACTOR_REMOVED)
        return answer


class AddPasskeyPage(AddWebAuthnView):
    """A passkey."""

    template_name = "mfa/add_passkey_page.html"

    def get_form_class(self) -> type[forms.AddPasskeyForm]:
        """Use our form."""
        return forms.AddPasskeyForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Ask for a passkey that is found without a user name and checks who uses it, so that it can sign in alone."""
        data: dict[str, Any] = super().get_context_data(**kwargs)
        data["options"] = as_json(begin_registration(_person(self.request), True))  # noqa: FBT003
        return data

    def form_valid(self, form: Any) -> HttpResponse:
        """Add it with its event, and take it for a proof: the recovery codes are shown next, and once."""
        with transaction.atomic():
            _hold(self.request)
            answer: HttpResponse = super().form_valid(form)
            _note_added(self.request, events.PASSKEY_ADDED, codes=self.did_generate_recovery_codes)
        record_authentication(self.request, _person(self.request), "mfa", type=Authenticator.Type.WEBAUTHN.value)
        return answer


class RemovePasskeyPage(RemoveWebAuthnView):
    """One passkey less."""

    template_name = "mfa/confirm_page.html"
    extra_context = {
        "heading": "Remove the passkey",
        "words": "It no longer signs you in. If it is your only second factor, your recovery codes end too.",
        "button": "Remove",
        "danger": True,
    }

    def form_valid(self, form: Any) -> HttpResponse:
        """Remove it with its event."""
        with transaction.atomic():
            answer: HttpResponse = super().form_valid(form)
            _note(self.request, directory_events.PASSKEY_REMOVED)
        return answer


class MakeCodesPage(GenerateRecoveryCodesView):
    """New recovery codes."""

    template_name = "mfa/confirm_page.html"
    extra_context = {
        "heading": "Make new recovery codes",
        "words": "The codes that you have now become void. The new ones are shown once.",
        "button": "Make new codes",
    }

    def form_valid(self, form: Any) -> HttpResponse:
        """Make them with their event."""
        with transaction.atomic():
            _hold(self.request)
            answer: HttpResponse = super().form_valid(form)
            _note(self.request, events.RECOVERY_CODES_MADE)
        return answer


class CodesPage(ViewRecoveryCodesView):
    """The recovery codes, once."""

    template_name = "mfa/recovery_codes_page.html"
