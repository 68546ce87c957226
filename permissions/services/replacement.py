"""A successor takes an agent's place: what it gets is shown and agreed to by somebody else, both work, then one goes."""

from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Any
from uuid import UUID

from django.db.models import Q

from agentiam.kit.actors import Actor
from agentiam.kit.canonical import fingerprint
from agentiam.kit.errors import Conflict, IllegalTransition, NotAllowed
from audit.models import Attestation
from directory.lifecycle import State
from directory.models import Agent, Blueprint, User
from directory.services.agents import AgentProfile, may_register_as, register_agent
from directory.services.judges import owners_of, people_behind, require_another, shapers_of
from directory.services.onboarding import acting_person
from directory.services.reports import conclude, together
from directory.services.revisions import agent_refs, lock_organization, require_same_organization
from directory.services.transitions import accept_review, lock_agent, require_effectively_active
from directory.services.versions import save_version
from permissions import events
from permissions.models import Grant, Held, Replacement, RoleAssignment
from permissions.selectors.differences import difference
from permissions.services.endings import Ending, abandon, agents_of
from permissions.services.grants import Terms, assign_role, give_grant
from permissions.services.holders import require_unretired
from permissions.services.offboarding import offboard_agent
from permissions.services.reports import report
from permissions.services.rows import read_anew
from permissions.services.terms import EntitlementSpec


class BadSuccessor(Conflict):
    """The agent cannot take the other's place: it is spawned, neither pending nor active, or in another replacement."""


class OwnProposal(NotAllowed):
    """Those who own one of the agents, made the successor what it is or proposed the replacement cannot agree to it."""


class DifferenceChanged(Conflict):
    """What the successor would get is no longer what was shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSuccessor:
    """A successor that is registered with the proposal; its predecessor's owner and sponsor answer for it."""

    external_id: str
    profile: AgentProfile
    blueprint: Blueprint | None = None
    """The predecessor's unless another is named."""


def propose_replacement(
    *, predecessor: Agent, successor: Agent | NewSuccessor, by: Actor, reason: str = "", now: datetime
) -> Replacement:
    """Propose that an agent, pending or active or new, takes another's place; nothing is given before somebody agreed to it.

    Raises BadSuccessor, RetiredAgent, ForeignOrganization, and as ``register_agent``.
    """
    with together():
        leaving = lock_agent(predecessor, by=by)
        require_unretired(leaving)
        if isinstance(successor, NewSuccessor):
            successor = _register(leaving, successor, by=by, reason=reason, now=now)
        require_same_organization(leaving.organization, successor)
        coming = lock_agent(successor, by=by)
        _require_fit(leaving, coming)
        compared = difference(leaving, coming, now)
        replacement = Replacement(
            organization=leaving.organization,
            predecessor=leaving,
            successor=coming,
            difference=compared,
            difference_hash=fingerprint(compared),
            proposed_by=f"{by.kind}/{by.id}",
            reason=reason,
            proposed_at=now,
        )
        save_version(replacement, by=by, reason=reason, now=now)
        data = {**agents_of(replacement), **_summary(replacement)}
        proposed = report(events.REPLACEMENT_PROPOSED, replacement, by=by, reason=reason, now=now, data=data)
        conclude([proposed], touched=agent_refs([leaving, coming]))
    return replacement


def compare_replacement(*, replacement: Replacement, by: Actor, reason: str = "", now: datetime) -> Replacement:
    """Take the difference anew, so that it can be shown as it is now; raises IllegalTransition once it was agreed to."""
    with together():
        current = _lock(replacement, Replacement.State.PROPOSED, by=by)
        current.difference = difference(current.predecessor, current.successor, now)
        current.difference_hash = fingerprint(current.difference)
        save_version(current, by=by, reason=reason, now=now, fields=["difference", "difference_hash"])
        data = {**agents_of(current), **_summary(current)}
        compared = report(events.REPLACEMENT_COMPARED, current, by=by, reason=reason, now=now, data=data)
        conclude([compared], touched=agent_refs([current.predecessor, current.successor]))
    return current


def review_replacement(
    *, replacement: Replacement, difference_hash: str, by: Actor, reason: str = "", now: datetime
) -> Replacement:
    """Agree, as a person, to the difference of that hash: the successor gets it, and both work side by side.

    What is given is what was shown and still is: raises DifferenceChanged otherwise. A successor that waited for a review has
    had it by this. Raises OnlyAPerson, OwnProposal, RetiredAgent, and IllegalTransition once it was agreed to.
    """
    with together():
        current = _lock(replacement, Replacement.State.PROPOSED, by=by)
        person = acting_person(by, current.successor)
        require_another(person, current.successor, than=_no_judges(current), refusal=OwnProposal)
        require_unretired(current.predecessor)
        _require_fit(current.predecessor, current.successor, within=current)
        found = difference(current.predecessor, current.successor, now)
        shown_and_still = (current.difference_hash, fingerprint(found))
        if not difference_hash.isascii() or not all(compare_digest(difference_hash, each) for each in shown_and_still):
            raise DifferenceChanged("The difference is not the one that was shown.", remedy="Compare anew, and look again.")
        current.given = [_give(each, current.successor, by=by, reason=reason, now=now) for each in found["gains"]]
        current.state = Replacement.State.SIDE_BY_SIDE
        current.reviewed_by, current.reviewed_at = person, now
        fields = ["given", "state", "reviewed_by", "reviewed_at"]
        save_version(current, by=by, reason=reason, now=now, fields=fields)
        data = {**agents_of(current), **_summary(current), "given": len(current.given)}
        happened = [report(events.REPLACEMENT_REVIEWED, current, by=by, reason=reason, now=now, data=data)]
        if current.successor.review_needed:
            happened.append(accept_review(current.successor, by=by, reason=reason, now=now))
        conclude(happened, touched=agent_refs([current.predecessor, current.successor]))
    return current


def complete_replacement(
    *, replacement: Replacement, by: Actor, reason: str = "", now: datetime
) -> tuple[Replacement, Attestation]:
    """Cut over: the predecessor is offboarded, with a proof, and all that it spawned; the successor names it as predecessor.

    Raises IllegalTransition before it was agreed to, and AgentNotActive while the successor cannot work.
    """
    with together():
        current = _lock(replacement, Replacement.State.SIDE_BY_SIDE, by=by)
        require_effectively_active(current.successor, now=now)
        current.state = Replacement.State.COMPLETED
        current.ended_at = now
        save_version(current, by=by, reason=reason, now=now, fields=["state", "ended_at"])
        current.successor.predecessor = current.predecessor
        save_version(current.successor, by=by, reason=reason, now=now, fields=["predecessor"])
        completed = report(events.REPLACEMENT_COMPLETED, current, by=by, reason=reason, now=now, data=agents_of(current))
        conclude([completed], touched=agent_refs([current.predecessor, current.successor]))
        _, proof = offboard_agent(agent=current.predecessor, by=by, reason=reason, now=now)
    return current, proof


def abandon_replacement(*, replacement: Replacement, by: Actor, reason: str = "", now: datetime) -> Replacement:
    """Give a replacement up: what the successor got by it ends, and the predecessor goes on. Raises IllegalTransition."""
    with together():
        current = _lock(replacement, Replacement.State.PROPOSED, Replacement.State.SIDE_BY_SIDE, by=by)
        ending = Ending(current.organization, by, reason, now)
        abandon(ending, current)
        conclude(ending.changes, touched=ending.touched)
    return current


def _lock(replacement: Replacement, *states: str, by: Actor) -> Replacement:
    lock_organization(replacement.organization_id, by=by)
    related = ("organization", "predecessor__blueprint", "successor__blueprint", "successor__organization", "successor__user")
    current = read_anew(replacement, *related)
    if current.state not in states:
        raise IllegalTransition(f"This replacement is {current.get_state_display().lower()}.")
    return current


def _no_judges(replacement: Replacement) -> set[UUID]:
    """Find who owns or owned either agent, proposed or compared it, or made the successor what it is; also through an agent."""
    leaving, coming = replacement.predecessor, replacement.successor
    proposed: Any = replacement.history
    authors = proposed.filter(state=Replacement.State.PROPOSED).values_list("history_user_id", flat=True)
    return owners_of(leaving) | owners_of(coming) | people_behind(authors) | shapers_of(coming)


def _register(leaving: Agent, wanted: NewSuccessor, *, by: Actor, reason: str, now: datetime) -> Agent:
    blueprint = wanted.blueprint or leaving.blueprint
    return register_agent(
        organization=leaving.organization,
        external_id=wanted.external_id,
        profile=wanted.profile,
        owner=leaving.owner,
        sponsor=leaving.sponsor,
        sponsor_team=leaving.sponsor_team,
        blueprint=blueprint,
        # Who may change an agent may propose its like, and somebody else says whether it may work.
        reviewed=may_register_as(by, blueprint),
        by=by,
        reason=reason,
        now=now,
    )


def _require_fit(leaving: Agent, coming: Agent, *, within: Replacement | None = None) -> None:
    if leaving.pk == coming.pk:
        raise BadSuccessor(f"{leaving} cannot take its own place.")
    for each in (leaving, coming):
        if each.parent_id is not None:
            raise BadSuccessor(f"{each} was spawned.", remedy="Replace the agent that it descends from.")
    if coming.state not in (State.PENDING, State.ACTIVE):
        raise BadSuccessor(f"{coming} is {coming.state}.", remedy="Name an agent that is pending or active.")
    both = [leaving.pk, coming.pk]
    others = Replacement.objects.filter(Q(predecessor__in=both) | Q(successor__in=both), ended_at__isnull=True)
    if (others if within is None else others.exclude(pk=within.pk)).exists():
        raise BadSuccessor("One of the two is in another replacement.", remedy="Complete or abandon that one first.")


def _give(each: dict[str, Any], successor: Agent, *, by: Actor, reason: str, now: datetime) -> list[str]:
    """Give the successor what one entry of a difference says, as it says it, and answer the kind and the id of the row."""
    holder: User = successor.user
    if each["kind"] == "role":
        held = RoleAssignment.objects.select_related("role").get(pk=each["id"])
        assigned = assign_role(role=held.role, holder=holder, terms=_terms(held), by=by, reason=reason, now=now)
        return ["role", str(assigned.pk)]
    grant = Grant.objects.get(pk=each["id"])
    words = each["entitlement"]
    given = give_grant(
        organization=successor.organization,
        holder=holder,
        entitlement=EntitlementSpec(**{**words, "subtree": None if words["subtree"] is None else tuple(words["subtree"])}),
        terms=_terms(grant),
        by=by,
        reason=reason,
        now=now,
    )
    return ["grant", str(given.pk)]


def _terms(row: Grant | RoleAssignment) -> Terms:
    return Terms(
        use=row.use,
        delegate=row.delegate,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        source=Held.Source.REPLACEMENT,
    )


def _summary(replacement: Replacement) -> dict[str, Any]:
    counts = {name: len(replacement.difference[name]) for name in ("gains", "beyond", "has", "lost")}
    return {"difference": replacement.difference_hash, **counts}
