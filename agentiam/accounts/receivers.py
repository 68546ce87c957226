"""What Django and django-allauth do for people is recorded when they say that they did it: who, by which means, from where."""

from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_used
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from agentiam.accounts import events
from agentiam.accounts.backends import find_account
from agentiam.accounts.records import actor_of, note, refuse
from agentiam.accounts.stepup import means
from directory.models import User


def connect() -> None:
    """Listen."""
    user_logged_in.connect(_signed_in, dispatch_uid="agentiam.accounts.in")
    user_logged_out.connect(_signed_out, dispatch_uid="agentiam.accounts.out")
    user_login_failed.connect(_failed, dispatch_uid="agentiam.accounts.failed")
    authenticator_used.connect(_used, dispatch_uid="agentiam.accounts.used")


def _signed_in(request: HttpRequest | None, user: User, **_: Any) -> None:
    records = [] if request is None else get_authentication_records(request, user)
    data: dict[str, Any] = {"methods": sorted({means(record) for record in records})}
    providers = sorted({str(record["provider"]) for record in records if "provider" in record})
    if providers:
        data["provider"] = providers[0]
    note(events.PERSON_SIGNED_IN, user, by=actor_of(request, user), data=data)


def _signed_out(request: HttpRequest | None, user: User | None, **_: Any) -> None:
    if user is not None and request is not None:
        note(events.PERSON_SIGNED_OUT, user, by=actor_of(request, user))


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    user = find_account(str(credentials.get("username") or ""))
    if user is None:
        return
    cause = "wrong password"
    if not user.is_person:
        cause = "an agent's account"
    elif not user.is_active:
        cause = "deactivated"
    refuse(request, user, way="password", cause=cause)


def _used(request: HttpRequest, user: User, authenticator: Authenticator, reauthenticated: bool = False, **_: Any) -> None:  # noqa: FBT001, FBT002
    if reauthenticated:
        note(events.PERSON_REAUTHENTICATED, user, by=actor_of(request, user), data={"method": authenticator.type})
