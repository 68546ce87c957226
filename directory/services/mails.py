"""An announcement, of an end or a suspension, becomes one mail for each person it names, if they are still there."""

import json
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Q

from agentiam.jobs.queue import enqueue_all
from audit.models import Event
from directory.models import Organization, User

MAIL: Final = "directory.mail_notice"
_ANNOUNCES: Final = ".expiry_announced"
_SUSPENDED: Final = "agent.suspension_announced"
_LONGEST: Final = 200
_WHOSE: Final = ("user", "agent", "application", "holder")


class NotAnAnnouncement(LookupError):
    """There is no such event, or it announces nothing."""


def deliver_notice(*, event_id: UUID, now: datetime) -> int:
    """Add a mail job for each person whom an announcement names, who is still active and has an address; answers how many."""
    event = _announcement(event_id)
    told = User.objects.filter(organization_id=event.organization_id, kind=User.Kind.PERSON, is_active=True)
    people = told.filter(external_id__in=_data(event)["to"]).exclude(email="").values_list("pk", flat=True)
    jobs = [(f"mail:{event_id}:{pk}", {"event_id": str(event_id), "person_id": str(pk)}) for pk in people.order_by("pk")]
    enqueue_all(MAIL, keyed=jobs, organization_id=event.organization_id, now=now)
    return len(jobs)


def mail_notice(*, event_id: UUID, person_id: UUID) -> bool:
    """Mail one announcement to one person; answers False for one who has left, or has no address any more.

    A repeated mail has the same Message-ID. Raises what the mail server's refusal raises.
    """
    event = _announcement(event_id)
    people = User.objects.filter(organization_id=event.organization_id, kind=User.Kind.PERSON, is_active=True)
    person = people.filter(pk=person_id).exclude(email="").first()
    if person is None or person.external_id not in _data(event)["to"]:
        return False
    subject, body = _words(event, person, Organization.objects.get(pk=event.organization_id))
    host = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip(" >")
    headers = {"Message-ID": f"<{event_id}.{person_id}@{host}>", "Auto-Submitted": "auto-generated"}
    return bool(EmailMessage(subject=subject, body=body, to=[person.email], headers=headers).send())


def _announcement(event_id: UUID) -> Event:
    event = Event.objects.filter(Q(type__endswith=_ANNOUNCES) | Q(type=_SUSPENDED), pk=event_id).first()
    if event is None:
        raise NotAnAnnouncement(f"{event_id} announces nothing.")
    return event


def _data(event: Event) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(event.body)["data"]
    return data


def _words(event: Event, person: User, organization: Organization) -> tuple[str, str]:
    data = _data(event)
    if event.type == _SUSPENDED:
        return _words_on_suspension(event, data, person, organization)
    ends_at = datetime.fromisoformat(data["ends_at"]).astimezone(ZoneInfo(organization.time_zone))
    kind = event.type.removesuffix(_ANNOUNCES).replace("_", " ")
    label = _line(event.target_label or event.target_id)
    days = f"{data['days']} {'day' if data['days'] == 1 else 'days'}"
    whose = next((f", of {name} {_line(data[name])}" for name in _WHOSE if data.get(name)), "")
    body = (
        f"{_line(person.name)},\n\n"
        f"the {kind} “{label}”{whose} ends on {ends_at:%Y-%m-%d} at {ends_at:%H:%M} ({organization.time_zone}).\n"
        "From then on nobody can use it. "
        f"You hear of it because you answer for it, or hold it, at {_line(organization.name)}.\n\n"
        f"{settings.BASE_URL}\n"
    )
    return f"The {kind} “{label}” ends within {days}", body


def _words_on_suspension(event: Event, data: dict[str, Any], person: User, organization: Organization) -> tuple[str, str]:
    at = event.at.astimezone(ZoneInfo(organization.time_zone))
    label = _line(event.target_label or event.target_id)
    body = (
        f"{_line(person.name)},\n\n"
        f"the agent “{label}” was suspended on {at:%Y-%m-%d} at {at:%H:%M} ({organization.time_zone}).\n"
        f"There are signs that somebody else has its proofs: {_line(', '.join(data['signs']).replace('_', ' '))}. "
        f"Its risk is {data['risk']} of 100.\n"
        "It and all that descend from it are refused everything until somebody resumes it. Give it new credentials first.\n"
        f"You hear of it because you answer for it, or for security, at {_line(organization.name)}.\n\n"
        f"{settings.BASE_URL}\n"
    )
    return f"The agent “{label}” was suspended", body


def _line(text: str) -> str:
    """Make one line of a name, so that none adds a header, or writes paragraphs of its own."""
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
