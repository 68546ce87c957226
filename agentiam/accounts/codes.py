"""A code of an authenticator app is good once, in whichever process it comes in: the row knows the last step of time used."""

import hmac

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.db import transaction

from agentiam.accounts.sealing import unseal

_LAST = "last_step"


def use_up(authenticator: Authenticator, code: str) -> bool:
    """Note that a right code was used; answers False for one whose step of time, or a later one, was used before."""
    with transaction.atomic():
        row = Authenticator.objects.select_for_update().get(pk=authenticator.pk)
        secret = unseal(row.data["secret"])
        given = code.replace(" ", "").replace("-", "").encode()
        steps = [
            step
            for step in yield_hotp_counters_from_time()
            if hmac.compare_digest(format_hotp_value(hotp_value(secret, step)).encode(), given)
        ]
        if not steps or max(steps) <= row.data.get(_LAST, 0):
            return False
        row.data[_LAST] = max(steps)
        row.save(update_fields=["data"])
    authenticator.data = row.data
    return True
