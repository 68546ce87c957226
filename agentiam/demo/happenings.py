"""What no manifest says because nobody plans it: people agree to onboardings, agents are seen, take up tasks, fall silent."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings

from agentiam.kit.actors import Actor
from directory.models import Agent, Organization, User
from directory.services.agents import record_discovery
from directory.services.onboarding import approve_onboarding
from directory.services.runs import start_run
from permissions.services.replacement import propose_replacement

SILENT_AGENT: Final = "fuel-watch"
SILENT_FOR: Final = settings.DORMANT_AFTER + timedelta(days=11)

SIGN_OFFS: Final = (
    ("rebooking-assistant", "clara.winther", "Read the charter and tried it on last week's disruptions."),
    ("group-quotes", "clara.winther", "Quotes only; a person confirms."),
    ("waitlist-filler", "clara.winther", "Offers, and never cancels."),
    ("cancellation-refunds", "karel.novotny", "Sees neither passports nor cards."),
    ("voucher-issuer", "karel.novotny", "Sees neither passports nor cards."),
    ("seat-plan-helper", "clara.winther", "On trial."),
    ("invoice-matcher", "henrik.aas", "Reads and matches."),
    ("invoice-matcher", "karel.novotny", "Bank accounts stay masked."),
    # Of the two people whom its blueprint asks for, one has agreed; to ledger-closer nobody has.
    ("payment-runner", "henrik.aas", "Agreed, provided that security looks at it as well."),
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """An agent that somebody came across."""

    external_id: str
    name: str
    seen_in: str
    owner: str


SIGHTINGS: Final = (
    Sighting("mail-helper", "Mail helper", "the log of the mail gateway", "jonas.petri"),
    Sighting("spreadsheet-copilot", "Spreadsheet copilot", "the web proxy of the finance department", "greta.nyman"),
)


@dataclass(frozen=True, slots=True)
class Task:
    """A task that an agent is on."""

    agent: str
    task_id: str
    purpose: str
    user: str = ""
    allows: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    hours: int = 24 * 14


TASKS: Final = (
    Task("rebooking-assistant", "disruption-204", "rebooking", user="yasmin.haddad"),
    Task("customs-coordinator", "week-of-clearances", "customs", allows=(("consignment", ("read", "update", "release")),)),
    Task("claims-triage", "backlog", "triage", allows=(("claim", ("read", "triage")), ("message", ("read",)))),
    Task("maintenance-planner", "gannet-docking", "docking of Saltmark Gannet", hours=72),
    Task("occupancy-forecast", "autumn-model", "forecast"),
)


def happen(organization: Organization, *, by: Actor, now: datetime) -> None:
    """Let it all happen to a company that was just loaded."""
    people = {person.external_id: person for person in User.objects.people().in_organization(organization.pk)}
    agents = {agent.external_id: agent for agent in Agent.objects.in_organization(organization.pk)}
    for name, person, reason in SIGN_OFFS:
        approve_onboarding(agent=agents[name], by=people[person].as_actor(), reason=reason, now=now)
    for sighting in SIGHTINGS:
        record_discovery(
            organization=organization,
            external_id=sighting.external_id,
            name=sighting.name,
            seen_in=sighting.seen_in,
            owner=people[sighting.owner],
            sponsor=people["solveig.dahl"],
            by=by,
            reason="Nobody had registered it.",
            now=now,
        )
    for task in TASKS:
        start_run(
            agent=agents[task.agent],
            task_id=task.task_id,
            purpose=task.purpose,
            on_behalf_of=people[task.user] if task.user else None,
            allows=_limits(task),
            expires_at=now + timedelta(hours=task.hours),
            by=by,
            now=now,
        )
    propose_replacement(
        predecessor=agents["voucher-issuer"],
        successor=agents["cancellation-refunds"],
        by=people["nikolai.berg"].as_actor(),
        reason="One agent for refunds and vouchers.",
        now=now,
    )
    _fall_silent(agents[SILENT_AGENT], now=now)


def _limits(task: Task) -> list[dict[str, Any]] | None:
    if task.allows is None:
        return None
    return [{"type": name, "actions": list(actions)} for name, actions in task.allows]


def _fall_silent(agent: Agent, *, now: datetime) -> None:
    """Say when an agent was last seen, as its former home did; the clock will find that this is long ago."""
    Agent.objects.filter(pk=agent.pk).update(last_seen_at=now - SILENT_FOR)
