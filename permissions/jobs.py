"""What the clock does for what is allowed, each time with the instant at which it begins."""

from typing import Final

from django.utils import timezone

from agentiam.jobs.progress import progress
from agentiam.jobs.schedule import At, Every
from agentiam.jobs.tasks import job_task
from agentiam.kit.actors import CLOCK, system
from directory.models import Agent, Organization
from permissions.oauth import keys
from permissions.oauth import retention as tokens_retention
from permissions.services import expiry, lapses, notices, offboarding

OFFBOARDING: Final = system("offboarding")


@job_task(name="permissions.end_expired", outside=True)
def end_expired() -> None:
    """End agents, keys, holdings, consents, delegations and trusts that are over."""
    expiry.end_expired(now=timezone.now(), heard=progress)


@job_task(name="permissions.announce_ends", outside=True)
def announce_ends() -> None:
    """Announce the ends of applications' keys, grants and role assignments to those whose they are."""
    notices.announce_ends(now=timezone.now(), heard=progress)


@job_task(name=offboarding.END_ELSEWHERE)
def end_partner_holdings(*, organization_id: str, agent_id: str) -> None:
    """End what a partner's agent held in an organization, now that it is retired."""
    offboarding.end_partner_holdings(
        organization=Organization.objects.get(pk=organization_id),
        agent=Agent.objects.get(pk=agent_id),
        by=OFFBOARDING,
        reason="The partner retired its agent.",
        now=timezone.now(),
    )


@job_task(name="permissions.rotate_token_keys", outside=True)
def rotate_token_keys() -> None:
    """Make the next keys for tokens in every organization whose present ones are old."""
    for number, organization in enumerate(keys.due_for_rotation(now=timezone.now()), start=1):
        keys.rotate_keys(organization=organization, by=CLOCK, reason="Their time was over.", now=timezone.now())
        progress(number)


@job_task(name="permissions.prune_tokens", outside=True)
def prune_tokens() -> None:
    """Delete what was issued to agents and is over."""
    tokens_retention.prune(now=timezone.now(), heard=progress)


@job_task(name="permissions.lapse_signs", outside=True)
def lapse_signs() -> None:
    """Let the signs about agents that are a day old count no more."""
    lapses.lapse_signs(now=timezone.now(), heard=progress)


@job_task(name="permissions.prune_signs", outside=True)
def prune_signs() -> None:
    """Delete the signs about agents that are older than the retention."""
    lapses.prune_signs(now=timezone.now(), heard=progress)


SCHEDULE: Final = (
    Every("permissions.end_expired", minutes=1),
    Every("permissions.lapse_signs", minutes=1),
    Every("permissions.announce_ends", hours=1),
    Every("permissions.prune_tokens", hours=1),
    At("permissions.prune_signs", hour=2),
    At("permissions.rotate_token_keys", hour=4),
)
