"""The last day of an agent or a person: everything that they have ends in one change, and a signed proof says so.

What is left is counted anew after the ends, by the same selector that listed what there was; if it is not nothing, nothing has
happened.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from agentiam.jobs.queue import enqueue
from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, IllegalTransition
from audit.attestations import OFFBOARDING, attest
from audit.models import Attestation
from audit.services import Change, Target
from directory import events as directory_events
from directory.lifecycle import Event, State, next_state
from directory.models import Agent, Organization, Team, User
from directory.services.offboarding import retire_agent
from directory.services.people import deactivate_person, lock_person, require_not_oneself
from directory.services.reports import conclude, together
from directory.services.reports import report as report_directory
from directory.services.revisions import lock_organization, user_ref
from directory.services.sessions import delete_sessions
from directory.services.targets import target_of
from directory.services.teams import set_team_members
from directory.services.transitions import lock_agent
from directory.services.versions import save_version
from permissions import events
from permissions.models import Grant, RoleAssignment
from permissions.selectors.live import Inventory, partners_of, what_is_live
from permissions.services.endings import AGENT_STEPS, PERSON_STEPS, Ending, Step, end_held_grant, end_held_role

END_ELSEWHERE: Final = "permissions.end_partner_holdings"
"""The task that ends, in one partner's organization, what a retired agent held there."""


class SomethingRemains(Conflict):
    """After everything was ended something was live all the same; so nothing was ended."""


class AgentNotRetired(Conflict):
    """A partner's agent still works; what it holds here ends by hand or with the trust."""


def offboard_agent(*, agent: Agent, by: Actor, reason: str = "", now: datetime) -> tuple[Agent, Attestation]:
    """End all that an agent and those that descend from it have, retire them, and sign a proof of it: in one change.

    What they hold in a partner's organization is that organization's: decisions there deny a retired agent at once, and a job
    ends the rows under their own lock. The proof names each partner, and the job. Raises IllegalTransition when the agent is
    retired and nothing of it is live, and SomethingRemains.
    """
    with together():
        current = lock_agent(agent, by=by)
        before = what_is_live(current, now)
        if not any(before.values()):
            next_state(State(current.state), Event.RETIRE)
        _take(AGENT_STEPS, before, Ending(current.organization, by, reason, now))
        elsewhere = _end_elsewhere(current, now)
        if current.state != State.RETIRED:
            current = retire_agent(agent=current, by=by, reason=reason, now=now)
        subject = {
            "type": "agent",
            "id": current.external_id,
            "label": current.name,
            "spiffe_id": current.spiffe_id,
            "successors": sorted(current.successors.values_list("external_id", flat=True)),
        }
        said = {"subject": subject, "elsewhere": elsewhere}
        proof = _prove(current, current.organization, said, before, by=by, reason=reason, now=now)
        data = _about(proof, before) | {"elsewhere": elsewhere}
        offboarded = report_directory(events.AGENT_OFFBOARDED, current, by=by, reason=reason, now=now, data=data)
        conclude([offboarded], touched=[f"agent/{current.external_id}"])
    return current, proof


def offboard_person(*, person: User, by: Actor, reason: str = "", now: datetime) -> tuple[User, Attestation]:
    """End all that a person has and gave, close their account, and sign a proof of it: in one change.

    The agents that they own are ownerless and stop, as when they are deactivated. Their password, second factors and linked
    identities are gone for good: whoever is reactivated proves anew who they are. Raises NotAPerson, IllegalTransition when the
    account is closed and nothing of it is live, SomethingRemains, and as ``deactivate_person``.
    """
    with together():
        current = lock_person(person, by=by)
        require_not_oneself(current, by=by)
        before = what_is_live(current, now)
        if not any(before.values()):
            raise IllegalTransition(f"{current} is offboarded already.")
        acting: dict[str, Any] = {"by": by, "reason": reason, "now": now}
        answered_for = _answered_for(current)
        if current.is_active:
            current = deactivate_person(person=current, **acting)
        organization = Organization.objects.get(pk=current.organization_id)
        left = what_is_live(current, now)
        _take(PERSON_STEPS, left, Ending(organization, by, reason, now))
        current.refresh_from_db(fields=["password", "password_is_temporary"])
        for membership in left["teams"]:
            _leave(membership.row, current, acting)
        if left["console_roles"]:
            current = _strip(current, acting)
        delete_sessions(current, now=now)
        subject = {
            "type": "person",
            "id": current.external_id,
            "label": current.name,
            "answered_for": answered_for,
        }
        proof = _prove(current, organization, {"subject": subject}, before, by=by, reason=reason, now=now)
        data = _about(proof, before)
        offboarded = report_directory(events.PERSON_OFFBOARDED, current, by=by, reason=reason, now=now, data=data)
        conclude([offboarded], touched=[user_ref(current)])
    return current, proof


def end_partner_holdings(
    *, organization: Organization, agent: Agent, by: Actor, reason: str = "", now: datetime
) -> list[Grant | RoleAssignment]:
    """End what a partner's agent that was retired, and those that descend from it, held in an organization; answers what ended.

    The organization's log names the proof that the partner signed. Safe to repeat. Raises AgentNotRetired.
    """
    with transaction.atomic():
        locked = lock_organization(organization.pk, by=by)
        family = Agent.objects.filter(pk=agent.pk).and_below()
        if family.exclude(state=State.RETIRED.value).exists():
            raise AgentNotRetired(f"{agent} is not retired.")
        ending = Ending(locked, by, reason, now)
        held = {"organization": locked, "user__in": family.values("user"), "ended_at__isnull": True}
        grants = list(Grant.objects.filter(**held).select_related("resource_type", "user__agent").order_by("pk"))
        roles = list(RoleAssignment.objects.filter(**held).select_related("role", "user__agent").order_by("pk"))
        for grant in grants:
            end_held_grant(ending, grant)
        for assignment in roles:
            end_held_role(ending, assignment)
        if ending.changes:
            ended = {"grants": len(grants), "roles": len(roles)}
            ending.changes.append(_offboarded_by_partner(agent, ending, ended))
        _conclude(ending)
    return [*grants, *roles]


def _end_elsewhere(agent: Agent, now: datetime) -> list[dict[str, str]]:
    """Leave to jobs what an agent's family holds at partners, and name each partner and its job."""
    told = []
    for partner in Organization.objects.filter(pk__in=partners_of(agent)).order_by("slug"):
        ids = {"organization_id": str(partner.pk), "agent_id": str(agent.pk)}
        job = enqueue(END_ELSEWHERE, arguments=ids, organization_id=partner.pk, now=now)
        told.append({"organization": partner.slug, "job": str(getattr(job, "pk", ""))})
    return told


def _offboarded_by_partner(agent: Agent, ending: Ending, ended: Mapping[str, int]) -> Change:
    """Say in the log of an organization that its partner's agent is gone, and by which proof of the partner's.

    A partner's agent goes by its SPIFFE id: an agent of one's own may have the same external id.
    """
    proofs = Attestation.objects.filter(organization_id=agent.organization_id, kind=OFFBOARDING)
    proof = proofs.filter(target_type="agent", target_id=agent.external_id).order_by("-at", "-id").first()
    named = {} if proof is None else {"proof": str(proof.pk), "hash": proof.hash}
    return Change(
        event_type=events.AGENT_OFFBOARDED_BY_PARTNER,
        organization_id=ending.organization.pk,
        by=ending.by,
        target=Target(type="agent", id=agent.spiffe_id, label=agent.name),
        reason=ending.reason,
        data={"organization": agent.organization.slug, **named, "ended": dict(ended)},
        at=ending.now,
    )


def _take(steps: Mapping[str, Step], before: Inventory, ending: Ending) -> None:
    for kind, step in steps.items():
        for thing in before[kind]:
            step(ending, thing.row)
    _conclude(ending)


def _conclude(ending: Ending) -> None:
    if ending.changes:
        conclude(ending.changes, touched=ending.touched)


def _leave(team: Team, person: User, acting: dict[str, Any]) -> None:
    set_team_members(team=team, members=team.members.exclude(pk=person.pk), **acting)


def _strip(person: User, acting: dict[str, Any]) -> User:
    """Take a person's console roles, and what Django's own flags let them do."""
    data = {"before": person.console_roles, "after": []}
    person.console_roles, person.is_staff, person.is_superuser = [], False, False
    save_version(person, fields=["console_roles", "is_staff", "is_superuser"], **acting)
    changed = report_directory(directory_events.PERSON_ROLES_CHANGED, person, data=data, **acting)
    conclude([changed], touched=[user_ref(person)])
    return person


def _answered_for(person: User) -> dict[str, list[str]]:
    """Name the agents that a person answered for: others must do so now."""
    agents = Agent.objects.exclude(state=State.RETIRED.value).order_by("external_id")
    return {
        "owner": list(agents.filter(owner=person).values_list("external_id", flat=True)),
        "sponsor": list(agents.filter(sponsor=person).values_list("external_id", flat=True)),
    }


def _prove(
    who: Agent | User,
    organization: Organization,
    said: Mapping[str, Any],
    before: Inventory,
    *,
    by: Actor,
    reason: str,
    now: datetime,
) -> Attestation:
    """Count anew what is live, and swear to it; raises SomethingRemains."""
    remaining = {kind: len(things) for kind, things in what_is_live(who, now).items()}
    if left := [f"{number} {kind}" for kind, number in remaining.items() if number]:
        raise SomethingRemains(f"Of {who} there would remain: {', '.join(left)}.")
    content = {
        **said,
        "organization": organization.slug,
        "by": {"kind": by.kind, "id": by.id, "label": by.label},
        "reason": reason,
        "revision": _next_revision(organization.pk),
        "ended": {kind: [thing.words() for thing in things] for kind, things in before.items()},
        "remaining": remaining,
    }
    return attest(organization_id=organization.pk, kind=OFFBOARDING, target=target_of(who), content=content, at=now)


def _next_revision(organization_id: UUID) -> int:
    """The revision that this change makes: it is counted when all of the change is there."""
    return Organization.objects.values_list("revision", flat=True).get(pk=organization_id) + 1


def _about(proof: Attestation, before: Inventory) -> dict[str, Any]:
    ended = {kind: len(things) for kind, things in before.items() if things}
    return {"proof": str(proof.pk), "hash": proof.hash, "ended": ended}
