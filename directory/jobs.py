"""What the clock does for the directory, each time with the instant at which it begins."""

from typing import Final
from uuid import UUID

from django.utils import timezone

from agentiam.jobs.progress import progress
from agentiam.jobs.schedule import At, Every
from agentiam.jobs.tasks import job_task
from directory.services import dormancy, expiry, mails, notices, ownerless, retention


@job_task(name="directory.end_expired", outside=True)
def end_expired() -> None:
    """End runs, credentials and invitations that are over."""
    expiry.end_expired(now=timezone.now(), heard=progress)


@job_task(name="directory.latch_ownerless", outside=True)
def latch_ownerless() -> None:
    """Latch and suspend the agents of owners who are gone."""
    ownerless.latch_abandoned(now=timezone.now(), heard=progress)


@job_task(name="directory.announce_ends", outside=True)
def announce_ends() -> None:
    """Announce the ends of agents and credentials to those who answer for them."""
    notices.announce_ends(now=timezone.now(), heard=progress)


@job_task(name="directory.deliver_notice")
def deliver_notice(*, event_id: str) -> None:
    """Make one mail for each person whom an announcement names."""
    mails.deliver_notice(event_id=UUID(event_id), now=timezone.now())


@job_task(name="directory.mail_notice", outside=True)
def mail_notice(*, event_id: str, person_id: str) -> None:
    """Mail an announcement to one person."""
    mails.mail_notice(event_id=UUID(event_id), person_id=UUID(person_id))


@job_task(name="directory.mark_dormant", outside=True)
def mark_dormant() -> None:
    """Mark the agents that nobody has seen for long."""
    dormancy.mark_dormant(now=timezone.now(), heard=progress)


@job_task(name="directory.prune", outside=True)
def prune() -> None:
    """Delete expired sessions with their records, and what old policy revisions touched."""
    retention.prune(now=timezone.now(), heard=progress)


SCHEDULE: Final = (
    Every("directory.end_expired", minutes=1),
    Every("directory.latch_ownerless", minutes=5),
    Every("directory.announce_ends", hours=1),
    At("directory.mark_dormant", hour=1),
    At("directory.prune", hour=2),
)
