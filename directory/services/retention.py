"""What nobody needs any more is deleted by its age: sessions, their records, what revisions touched; events never are."""

from datetime import datetime
from typing import Any, Final

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, QuerySet

from agentiam.kit.rounds import Heard, unheard
from directory.models import PolicyChange

_AT_ONCE: Final = 1_000


def prune(*, now: datetime, heard: Heard = unheard) -> int:
    """Delete sessions that are over, and what policy revisions touched longer ago than the retention; answers how many rows.

    The record of a session (address, browser) goes when the session is gone, however it went.
    A reader of revisions that finds one missing reads its organization anew.
    """
    done = 0
    over = Session.objects.filter(expire_date__lte=now)
    gone = UserSession.objects.filter(~Exists(Session.objects.filter(pk=OuterRef("session_key"))))
    for rows in (over, gone, PolicyChange.objects.filter(changed_at__lte=now - settings.RETENTION_POLICY_CHANGES)):
        while deleted := _delete_some(rows):
            done += deleted
            heard(done)
    return done


def _delete_some(rows: QuerySet[Any]) -> int:
    """Delete up to a thousand rows in a statement of its own, so that nobody waits long for it."""
    some = list(rows.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE])
    return rows.filter(pk__in=some).delete()[0] if some else 0
