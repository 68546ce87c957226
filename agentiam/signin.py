"""People sign in with a password: only people, only so many tries, and every try at a known account is an event."""

import hashlib
from dataclasses import replace
from typing import Any, Final

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.contrib.auth.views import LoginView, LogoutView
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest

from agentiam.kit.actors import Actor, system
from agentiam.requests import client_address, request_id
from audit.events import EventType, Severity
from audit.services import record
from directory.models import User
from directory.services.targets import target_of

__all__ = ["LoginPage", "LogoutView", "TooManyTries", "connect"]

PERSON_SIGNED_IN: Final = EventType("person.signed_in", "A person signed in")
PERSON_SIGNED_OUT: Final = EventType("person.signed_out", "A person signed out")
PERSON_REFUSED: Final = EventType("person.refused", "A sign-in as a person was refused", Severity.MEDIUM)
EVENT_TYPES: Final = (PERSON_SIGNED_IN, PERSON_SIGNED_OUT, PERSON_REFUSED)

WINDOW_SECONDS: Final = 300
# One account from one place; one account from anywhere (so that a stranger cannot lock its owner out cheaply); one place.
LIMITS: Final = (5, 50, 50)


class TooManyTries(ValidationError):
    """The account or the address tried too often in the last minutes."""


def _counters(username: str, address: str) -> tuple[str, str, str]:
    def key(*parts: str) -> str:
        return "signin:" + hashlib.sha256("\0".join(parts).encode()).hexdigest()

    account = username.casefold()
    return key("both", account, address), key("account", account), key("address", address)


def _count(key: str) -> int:
    cache.add(key, 0, WINDOW_SECONDS)
    try:
        return int(cache.incr(key))
    except ValueError:  # the window ended between the two
        return 1


class LoginForm(AuthenticationForm):
    """User name and password."""

    error_messages = {
        "invalid_login": "The user name or the password is not right. Both are case-sensitive.",
        "inactive": "The user name or the password is not right. Both are case-sensitive.",
    }

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs | {"label_suffix": ""})
        for name, label in (("username", "User name"), ("password", "Password")):
            self.fields[name].label = label
            self.fields[name].widget.attrs["class"] = "field"
        self.fields["username"].widget.attrs |= {"autocapitalize": "none", "spellcheck": "false"}

    def clean(self) -> dict[str, Any]:
        """Count the try before the password is looked at, so that many at once do not slip through."""
        username = self.cleaned_data.get("username")
        if not username or self.request is None:
            return super().clean()
        counters = _counters(username, client_address(self.request))
        # All three are counted, whatever the first says.
        if any([_count(key) > limit for key, limit in zip(counters, LIMITS, strict=True)]):  # noqa: C419
            raise TooManyTries("Too many tries. Wait five minutes, then try again.", code="too_many")
        cleaned = super().clean()
        cache.delete_many(counters[:2])
        return cleaned

    def confirm_login_allowed(self, user: Any) -> None:
        """Refuse agents' accounts in the words in which a wrong password is refused."""
        super().confirm_login_allowed(user)
        if not user.is_person:
            raise self.get_invalid_login_error()


class LoginPage(LoginView):
    """The sign-in page."""

    form_class = LoginForm
    template_name = "login_page.html"
    redirect_authenticated_user = True


def connect() -> None:
    """Listen to Django's own signals of signing in and out."""
    user_logged_in.connect(_signed_in, dispatch_uid="agentiam.signin.in")
    user_logged_out.connect(_signed_out, dispatch_uid="agentiam.signin.out")
    user_login_failed.connect(_refused, dispatch_uid="agentiam.signin.refused")


def _record(event: EventType, user: User, by: Actor) -> None:
    with transaction.atomic():
        record(event, organization_id=user.organization_id, by=by, target=target_of(user))


def _signed_in(request: HttpRequest | None, user: User, **_: Any) -> None:
    address = client_address(request) if request is not None else ""
    _record(PERSON_SIGNED_IN, user, user.as_actor(address=address, request_id=request_id(request)))


def _signed_out(request: HttpRequest | None, user: User | None, **_: Any) -> None:
    if user is not None and request is not None:
        _record(PERSON_SIGNED_OUT, user, user.as_actor(address=client_address(request), request_id=request_id(request)))


def _refused(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Record a try at an account that exists; what else was typed may be a password in the wrong field and is kept nowhere."""
    user = User.objects.filter(username=credentials.get("username", "")).first()
    if user is not None and request is not None:
        stranger = replace(system("sign-in"), address=client_address(request), request_id=request_id(request))
        _record(PERSON_REFUSED, user, stranger)
