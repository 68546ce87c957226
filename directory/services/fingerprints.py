"""What an agent is made of has fingerprints: one that differs from what was known stops the agent until a person has looked."""

from datetime import datetime

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import IllegalTransition, Invalid, NotAllowed
from directory import events
from directory.lifecycle import State
from directory.models import Agent
from directory.services.judges import makers_of, owners_of, require_another
from directory.services.onboarding import acting_person
from directory.services.reports import conclude, report
from directory.services.revisions import agent_refs
from directory.services.transitions import FINGERPRINTS, accept_review, and_descendants, latch_review, lock_agent
from directory.services.versions import changes, save_version


class NothingReported(Invalid):
    """No fingerprint was named."""


class AnotherAgent(NotAllowed):
    """An agent reports its own fingerprints, and no other's."""


class OwnChange(NotAllowed):
    """Those who own an agent or changed it, themselves or through an agent of theirs, cannot review it."""


def report_fingerprints(
    *,
    agent: Agent,
    model_hash: str = "",
    charter_hash: str = "",
    tools_hash: str = "",
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Agent:
    """Say what an agent is made of, as it was found when it started; an empty one says nothing.

    What was not known is noted. What differs from what was known suspends the agent at once, and with it all that descend from
    it; the known fingerprints stay as they are until somebody reviews it. Nothing is recorded when there is nothing new. Raises
    NothingReported, AnotherAgent, and IllegalTransition for an agent that is retired or not registered.
    """
    reported = dict(zip(FINGERPRINTS, (model_hash, charter_hash, tools_hash), strict=True))
    reported = {name: value for name, value in reported.items() if value}
    if not reported:
        raise NothingReported("At least one fingerprint must be named.")
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        if by.kind == "agent" and by.user_id != current.user_id:
            raise AnotherAgent("An agent reports for itself only.")
        if current.state in (State.DISCOVERED, State.RETIRED):
            raise IllegalTransition(f"A {current.state} agent has no fingerprints to compare.")
        known = {name: getattr(current, name) for name in reported}
        if current.review_needed or known == reported:
            return current
        differing = {name: [known[name], value] for name, value in reported.items() if known[name] not in ("", value)}
        if differing:
            happened = latch_review(current, differing, by=by, reason=reason, now=now)
        else:
            noted = changes(current, reported)
            save_version(current, by=by, reason=reason, now=now, fields=reported)
            happened = [report(events.AGENT_FINGERPRINTED, current, by=by, reason=reason, now=now, data={"changed": noted})]
        conclude(happened, touched=agent_refs(and_descendants([current])))
    return current


def review_agent(
    *,
    agent: Agent,
    model_hash: str | None = None,
    charter_hash: str | None = None,
    tools_hash: str | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Agent:
    """Accept, as a person, what an agent is made of now; it can be resumed then. None leaves a fingerprint as it is recorded.

    Nobody reviews an agent of their own, nor what they, or an agent of theirs, changed or found changed. Raises OnlyAPerson,
    OwnChange, and IllegalTransition when nothing waits for a review.
    """
    given = dict(zip(FINGERPRINTS, (model_hash, charter_hash, tools_hash), strict=True))
    accepted = {name: value for name, value in given.items() if value is not None}
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        if not current.review_needed or current.state == State.RETIRED:
            raise IllegalTransition("The agent does not wait for a review.")
        person = acting_person(by, current)
        no_judges = owners_of(current) | makers_of(current, since_review=True)
        require_another(person, current, than=no_judges, refusal=OwnChange)
        reviewed = accept_review(current, accepted, by=by, reason=reason, now=now)
        conclude([reviewed], touched=agent_refs(and_descendants([current])))
    return current
