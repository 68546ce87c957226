"""How freshly somebody proved who they are: a risky act asks for a proof of the last minutes, whatever the session says."""

import time
from datetime import timedelta
from typing import Any, Final

from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.reauthentication import suspend_request
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

SECOND_FACTORS: Final = frozenset({"totp", "webauthn", "recovery_codes"})
_STRONG: Final = frozenset({"totp", "webauthn"})


def proofs(request: HttpRequest, *, within: timedelta) -> frozenset[str]:
    """Name the means by which the person of this session proved who they are lately.

    They are ``password``, ``totp``, ``webauthn``, ``recovery_codes``, and ``provider`` for another's sign-in.
    """
    now = time.time()
    since = now - within.total_seconds()
    records = get_authentication_records(request, request.user)  # type: ignore[arg-type]  # None stands for nobody, too
    return frozenset(means(record) for record in records if since <= record["at"] <= now)


def means(record: dict[str, Any]) -> str:
    """Name the means of one record of the session."""
    names = {"mfa": record.get("type", ""), "socialaccount": "provider"}
    return str(names.get(record["method"], record["method"]))


def recently_proved(request: HttpRequest, *, within: timedelta, strong: bool) -> bool:
    """Tell whether the person proved who they are lately; ``strong`` asks for a passkey or an authenticator app.

    A recovery code is not strong: it stands for a device that is lost.
    """
    found = proofs(request, within=within)
    return bool(found & _STRONG if strong else found)


def prove_again(request: HttpRequest) -> HttpResponse:
    """Send the person to prove who they are, and afterwards back to what they were about to do, with the form as it was."""
    return suspend_request(request, reverse("account_reauthenticate"))
