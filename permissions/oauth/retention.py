"""What is over and proves nothing more is deleted: ids of proofs, codes, tokens; the event log keeps what they did."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Exists, OuterRef, QuerySet

from agentiam.kit.rounds import Heard, unheard
from permissions.models import AccessToken, AuthorizationCode, RefreshToken, UsedProof

KEPT: Final = timedelta(days=1)
"""How long a token is known after its end, for whoever asks what it was."""
_AT_ONCE: Final = 1_000


def prune(*, now: datetime, heard: Heard = unheard) -> int:
    """Delete in steps of a thousand, a token after those that were exchanged for it; answers how many rows."""
    before = now - KEPT
    children = AccessToken.objects.filter(parent=OuterRef("pk"))
    done = 0
    for rows in (
        UsedProof.objects.filter(expires_at__lte=now),
        AuthorizationCode.objects.filter(expires_at__lte=before),
        # A refresh token that was used shows, as long as its authorization lasts, when it is used again.
        RefreshToken.objects.filter(authorization__ends_at__lte=before),
        AccessToken.objects.filter(~Exists(children), expires_at__lte=before),
    ):
        while deleted := _delete_some(rows):
            done += deleted
            heard(done)
    return done


def _delete_some(rows: QuerySet[Any]) -> int:
    some = list(rows.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE])
    return rows.filter(pk__in=some).delete()[0] if some else 0
