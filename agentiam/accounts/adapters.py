"""Where django-allauth asks what we want: nobody signs up, only active people get in, and passwords are set by the service."""

from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.stagekit import clear_login
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from agentiam.accounts.backends import may_sign_in
from agentiam.accounts.records import actor_of, refuse
from agentiam.accounts.sealing import seal, unseal
from agentiam.requests import client_address
from directory.models import User
from directory.services.people import PasswordUsedUp, set_password, use_up_password

NOT_ALLOWED_IN = "This account cannot sign in."
BEGIN_ANEW = "The password was changed meanwhile. Sign in again."
_PROVED_AT = "agentiam_password_at_first_step"
USED_UP: Final = "agentiam_used_up"
"""The key in a session under which the hash of the one-time password is that opened it."""


class AccountAdapter(DefaultAccountAdapter):
    """Signing in and passwords."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody signs up; people are invited."""
        return False

    def pre_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse | None:
        """Turn away whoever may not sign in, by whatever way they came, and begin a session that nobody else can know."""
        if not may_sign_in(user):
            clear_login(request)
            refuse(request, user, way="any", cause="an agent's account" if not user.is_person else "deactivated")
            messages.error(request, NOT_ALLOWED_IN)
            return HttpResponseRedirect(reverse("login"))
        # What was proved so far is kept in the session until the second factor: under a key that was not handed to anybody.
        request.session.cycle_key()
        request.session[_PROVED_AT] = user.get_session_auth_hash()
        return None

    def login(self, request: HttpRequest, user: Any) -> None:
        """Begin the session, unless the password was changed between the first step and the second: that ends every sign-in."""
        if not constant_time_compare(request.session.pop(_PROVED_AT, ""), user.get_session_auth_hash()):
            self._turn_back(request, user)
        given = user.password
        once = user.password_is_temporary and user.has_usable_password()
        if once:
            self._use_up(request, user)
        super().login(request, user)
        if once:
            # So that it is not chosen again: the hash of a password that opens nothing any more.
            request.session[USED_UP] = given

    def _use_up(self, request: HttpRequest, user: User) -> None:
        """Void a one-time password before its session begins, which is then bound to the account as it is without."""
        try:
            user.password = use_up_password(person=user, by=actor_of(request, user), now=timezone.now()).password
        except PasswordUsedUp:
            self._turn_back(request, user)

    def _turn_back(self, request: HttpRequest, user: User) -> NoReturn:
        clear_login(request)
        refuse(request, user, way="any", cause="password changed between two steps")
        messages.error(request, BEGIN_ANEW)
        raise ImmediateHttpResponse(HttpResponseRedirect(reverse("login")))

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        """Say what is said to everybody who may not sign in."""
        messages.error(request, NOT_ALLOWED_IN)
        return HttpResponseRedirect(reverse("login"))

    def set_password(self, user: Any, password: str) -> None:
        """Set it by the service, and keep the account in hand true, so that its session can go on."""
        changed = set_password(person=user, password=password, by=actor_of(self.request, user), now=timezone.now())
        user.password, user.password_is_temporary = changed.password, changed.password_is_temporary

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Go to the account's page."""
        return reverse("account_page")

    def is_reauthentication_required(self, *, app: str, **_: Any) -> bool:
        """Leave the question to the addresses (agentiam.accounts.urls), which ask for a second factor where there is one."""
        return False

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Offer the strongest first; a password does not stand in for a second factor that the person has."""
        words = {
            "reauthenticate": "Use your password",
            "mfa_reauthenticate": "Use a code",
            "mfa_reauthenticate:webauthn": "Use a passkey",
        }
        found = {method["id"]: method for method in super().get_reauthentication_methods(user)}
        if has_second_factor(user):
            found.pop("reauthenticate", None)
        order = ("mfa_reauthenticate:webauthn", "mfa_reauthenticate", "reauthenticate")
        return [{**found[name], "description": words[name]} for name in order if name in found]

    def get_client_ip(self, request: HttpRequest) -> str:
        """Tell where a request came from; a socket has no address."""
        return client_address(request) or "::"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send nothing: mail goes by jobs."""


class SecondFactorAdapter(DefaultMFAAdapter):
    """Authenticator apps, passkeys and recovery codes."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This is not right, or was used before.",
    }

    def encrypt(self, text: str) -> str:
        """Seal what is stored."""
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Open what was sealed."""
        return unseal(encrypted_text)

    def get_totp_issuer(self) -> str:
        """Name this installation, so that the app's entry can be told from others."""
        return f"agentiam ({urlsplit(settings.BASE_URL).netloc})"

    def _get_user_identifier(self, user: Any) -> str:
        return str(user.username)

    def _get_site_name(self) -> str:
        return "agentiam"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Bind passkeys to the host that people use; in development that may be another name of the loopback."""
        entity: dict[str, str] = super().get_public_key_credential_rp_entity()
        if settings.PRODUCTION:
            entity["id"] = str(urlsplit(settings.BASE_URL).hostname)
        return entity

    def get_public_key_credential_user_entity(self, user: Any) -> dict[str, Any]:
        """Name the person to their authenticator."""
        return {**super().get_public_key_credential_user_entity(user), "display_name": user.name}

    def generate_authenticator_name(self, user: Any, type: Any) -> str:  # noqa: A002  (the library's name)
        """Propose a name."""
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return f"Passkey {number + 1}"


def has_second_factor(user: User) -> bool:
    """Tell whether a person has an authenticator app or a passkey."""
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    return Authenticator.objects.filter(user_id=user.pk, type__in=kinds).exists()
