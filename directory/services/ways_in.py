"""Somebody's sessions and second factors, ended by another: for a device that was lost, and a person who has no other way back.

A reset leaves the password alone to stand for a person, so it takes what it would take to give that person's rights. Neither
changes a decision, so neither makes a policy revision.
"""

from collections import Counter
from datetime import datetime

from allauth.mfa.models import Authenticator
from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import NotAllowed
from audit.services import record_all
from directory import events
from directory.models import User
from directory.selectors import second_factors_of
from directory.services.people import lock_person, require_may_give_back
from directory.services.reports import report
from directory.services.rights import acting_account
from directory.services.sessions import delete_sessions


class OwnSecondFactors(NotAllowed):
    """People remove their own second factors with a fresh proof, on the page of their account."""


def end_sessions(*, person: User, by: Actor, reason: str = "", now: datetime) -> None:
    """End all of a person's sessions; their keys stay. Raises NotAPerson."""
    with transaction.atomic():
        current = lock_person(person, by=by)
        data = {"sessions": delete_sessions(current, now=now)}
        record_all([report(events.SESSIONS_ENDED, current, by=by, reason=reason, now=now, data=data)])


def reset_second_factors(*, person: User, by: Actor, reason: str = "", now: datetime) -> None:
    """Remove a person's authenticator app, passkeys and recovery codes, and end their sessions.

    Raises NotAPerson, OwnSecondFactors, NotAnActivePerson for agents and applications, and RoleNotYours and RightsNotYours for
    somebody whose rights the one who acts could not give.
    """
    with transaction.atomic():
        current = lock_person(person, by=by)
        acting_account(by)
        if by.user_id == current.pk:
            raise OwnSecondFactors("Nobody resets their own second factors.", remedy="Remove them on the page of your account.")
        require_may_give_back(current, by=by, what="A second factor")
        factors = second_factors_of(current)
        Authenticator.objects.filter(pk__in=[factor.pk for factor in factors]).delete()
        data = {
            "removed": dict(Counter(factor.type for factor in factors)),
            "sessions": delete_sessions(current, now=now),
        }
        record_all([report(events.SECOND_FACTOR_RESET, current, by=by, reason=reason, now=now, data=data)])
