"""Signs that somebody else has an agent's proofs: each is an event with a weight, and their sum is the agent's risk.

A sign is proven when it came with something that only the agent should have: a secret, a signature, a code, a refresh token.
One that is not can be caused by whoever knows the agent's name. It weighs little, and never helps to suspend an agent.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final

from django.db import transaction

from agentiam.jobs.queue import enqueue_all
from agentiam.kit.actors import Actor, system
from agentiam.kit.measures import measures
from audit.services import Change, Target, record_all
from directory.lifecycle import State
from directory.models import Agent, Credential
from directory.services.notices import DELIVER, answering_for
from directory.services.reports import conclude
from directory.services.revisions import agent_refs
from directory.services.suspension import suspend_locked
from directory.services.transitions import and_descendants, lock_agent
from permissions import events
from permissions.models import Signal
from permissions.selectors.signals import MOST, NO_RISK, Risk, risks_of
from permissions.services.floods import within_a_minute
from permissions.services.notices import security_administrators

MOST_A_MINUTE: Final = 10
"""Of one kind, about one agent; the rest is only counted."""
UNPROVEN_WEIGHT: Final = 10
SUSPENDER: Final = system("signals")
_UNNOTED: Final = measures.counter("signs_not_noted")


class Sign(Enum):
    """What was seen, and how much it weighs when it is proven: 100 is certainty."""

    PROOF_REPLAYED = (Signal.Kind.PROOF_REPLAYED.value, 40)
    ASSERTION_REPLAYED = (Signal.Kind.ASSERTION_REPLAYED.value, 60)
    REFRESH_REUSED = (Signal.Kind.REFRESH_REUSED.value, 80)
    CODE_REUSED = (Signal.Kind.CODE_REUSED.value, 80)
    NETWORK_REFUSED = (Signal.Kind.NETWORK_REFUSED.value, 30)
    FAR_APART = (Signal.Kind.FAR_APART.value, 50)
    UNKNOWN_KID = (Signal.Kind.UNKNOWN_KID.value, 10)

    def __init__(self, kind: str, weight: int) -> None:
        self.kind = kind
        self.weight = weight


def note_sign(
    *,
    sign: Sign,
    agent: Agent,
    proven: bool,
    credential: Credential | None = None,
    data: Mapping[str, Any],
    by: Actor,
    now: datetime,
) -> Signal | None:
    """Note a sign, let the agent's risk rise, and suspend the agent where its blueprint says so, all in one transaction.

    It is not taken back when what it was seen in is refused. Of too many like it in a minute it is only counted, and None.
    """
    if not within_a_minute(f"signs/{agent.pk}/{sign.kind}/{proven}", most=MOST_A_MINUTE):
        _UNNOTED.add()
        return None
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        before = risks_of([current.pk]).get(current.pk, NO_RISK)
        signal = Signal.objects.create(
            organization=current.organization,
            agent=current,
            sign=sign.kind,
            weight=sign.weight if proven else min(sign.weight, UNPROVEN_WEIGHT),
            proven=proven,
            credential=credential,
            address=by.address,
            data=dict(data),
            at=now,
        )
        risk = risks_of([current.pk])[current.pk]
        changes = [_noted(signal, risk, by=by)]
        suspended = _suspension(current, risk, now=now) if proven else None
        if suspended is not None:
            changes.append(suspended)
        if suspended is None and (risk.total, risk.signs) == (before.total, before.signs):
            # Nothing that a decision sees is another, so nobody has to read the agent anew.
            record_all(changes)
        else:
            conclude(changes, touched=agent_refs(and_descendants([current])))
        if suspended is not None:
            _announce(current, risk, now=now)
    return signal


def _noted(signal: Signal, risk: Risk, *, by: Actor) -> Change:
    about = {"sign": signal.sign, "weight": signal.weight, "proven": signal.proven, "risk": risk.total}
    return Change(
        event_type=events.SIGN_NOTED,
        organization_id=signal.organization_id,
        by=by,
        target=Target(type="agent", id=signal.agent.external_id, label=signal.agent.name),
        data={**signal.data, **about, "credential": None if signal.credential_id is None else str(signal.credential_id)},
        at=signal.at,
    )


def _suspension(agent: Agent, risk: Risk, *, now: datetime) -> Change | None:
    """Suspend a locked agent whose blueprint wants it at this risk; only what is proven counts."""
    limit = None if agent.blueprint is None else agent.blueprint.suspend_at_risk
    if limit is None or agent.state != State.ACTIVE or min(MOST, risk.proven) < limit:
        return None
    reason = f"Its risk is {risk.total}, and its blueprint lets it reach {limit}: {', '.join(risk.signs)}."
    return suspend_locked(agent, by=SUSPENDER, reason=reason, now=now)


def _announce(agent: Agent, risk: Risk, *, now: datetime) -> None:
    """Tell whoever answers for an agent, and the security administrators, by mail."""
    answering = Agent.objects.select_related("owner", "sponsor", "sponsor_team__group").get(pk=agent.pk)
    people = [*answering_for(answering), *security_administrators(agent.organization_id).values()]
    told = {person.external_id for person in people if person.is_person and person.is_active}
    announced = Change(
        event_type=events.AGENT_SUSPENSION_ANNOUNCED,
        organization_id=agent.organization_id,
        by=SUSPENDER,
        target=Target(type="agent", id=agent.external_id, label=agent.name),
        data={"risk": risk.total, "signs": list(risk.signs), "to": sorted(told)},
        at=now,
    )
    [event] = record_all([announced])
    enqueue_all(
        DELIVER, keyed=[(f"suspended:{event.pk}", {"event_id": str(event.pk)})], organization_id=event.organization_id, now=now
    )
