"""A session of the pages ends with the right to have one, and what is remembered of it (address, browser) goes with it."""

from datetime import datetime

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session

from directory.models import User
from directory.selectors import sessions_of


def delete_sessions(person: User, *, now: datetime) -> int:
    """Delete the sessions of one person in the database, and their records; answers how many sessions there were.

    They are found by the records; of sessions without one, each is read (``sessions_of``).
    """
    theirs = [session.pk for session in sessions_of(person, now)]
    Session.objects.filter(pk__in=theirs).delete()
    UserSession.objects.filter(user=person).delete()
    return len(theirs)
