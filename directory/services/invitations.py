"""Nobody signs up: a person comes in by an invitation, once, within a week, with no more rights than the inviter may give."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from agentiam.jobs.queue import enqueue
from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, IllegalTransition, NotAllowed
from directory import events
from directory.models import Invitation, Organization, Team, User
from directory.services.people import create_person
from directory.services.reports import conclude, report, together
from directory.services.revisions import lock_organization, require_same_organization
from directory.services.rights import TeamNotYours, acting_account, known_roles, require_assignable
from directory.services.teams import set_team_members
from directory.services.user_names import user_name_for
from directory.services.versions import save_version

LASTS: Final = timedelta(days=7)
SEND: Final = "directory.send_invitation"
"""The task that mails the link; its argument is the invitation's id."""


class InvitedAlready(Conflict):
    """The address belongs to a person of the organization, or has an invitation that is open."""


class InvitationOver(IllegalTransition):
    """The invitation was accepted or withdrawn, or its time is over."""


class InviterGone(NotAllowed):
    """The one who invited could not give today what the invitation gives."""


def invite_person(
    *,
    organization: Organization,
    email: str,
    name: str = "",
    external_id: str = "",
    console_roles: Iterable[str] = (),
    teams: Iterable[Team] = (),
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Invitation:
    """Invite an e-mail address into an organization; the link is mailed by a job and ends after a week.

    Raises InvitedAlready, RoleNotYours, UnknownConsoleRole, TeamNotYours, and NotAnActivePerson for agents and applications.
    """
    email = email.strip().lower()
    roles, chosen = known_roles(console_roles), list(teams)
    invitation = Invitation(
        organization=organization,
        email=email,
        name=name,
        external_id=external_id or email,
        console_roles=roles,
        created_at=now,
        expires_at=now + LASTS,
    )
    with transaction.atomic():
        require_same_organization(lock_organization(organization.pk, by=by), *chosen)
        inviter = acting_account(by)
        _require_may_give(inviter, roles, chosen)
        _require_new(invitation)
        invitation.invited_by = inviter
        save_version(invitation, by=by, reason=reason, now=now)
        invitation.teams.set(chosen)
        _send(invitation, now=now)
        data = {"roles": roles, "teams": sorted(team.external_id for team in chosen), "ends": invitation.expires_at.isoformat()}
        conclude([report(events.PERSON_INVITED, invitation, by=by, reason=reason, now=now, data=data)], touched=[])
    return invitation


def resend_invitation(*, invitation: Invitation, by: Actor, reason: str = "", now: datetime) -> Invitation:
    """Mail a new link, good for another week; the old one is void. Whoever sends it answers for what it gives.

    Raises InvitationOver for one that was accepted or withdrawn; one whose time is over can be sent again.
    """
    with transaction.atomic():
        current = _lock(invitation, by=by)
        if current.accepted_at is not None or current.withdrawn_at is not None:
            raise InvitationOver("This invitation was accepted or withdrawn.", remedy="Invite the person anew.")
        sender = acting_account(by)
        _require_may_give(sender, current.console_roles, list(current.teams.all()))
        # Strictly later, so that no two links of an invitation name the same end.
        current.expires_at = max(now + LASTS, current.expires_at + timedelta(microseconds=1))
        current.invited_by = sender
        save_version(current, by=by, reason=reason, now=now, fields=["expires_at", "invited_by"])
        _send(current, now=now)
        data = {"ends": current.expires_at.isoformat()}
        conclude([report(events.INVITATION_RESENT, current, by=by, reason=reason, now=now, data=data)], touched=[])
    return current


def withdraw_invitation(*, invitation: Invitation, by: Actor, reason: str = "", now: datetime) -> Invitation:
    """Make an invitation void; raises InvitationOver when it was accepted or withdrawn already."""
    with transaction.atomic():
        current = _lock(invitation, by=by)
        if current.accepted_at is not None or current.withdrawn_at is not None:
            raise InvitationOver("This invitation was accepted or withdrawn already.")
        current.withdrawn_at = now
        save_version(current, by=by, reason=reason, now=now, fields=["withdrawn_at"])
        conclude([report(events.INVITATION_WITHDRAWN, current, by=by, reason=reason, now=now)], touched=[])
    return current


def accept_invitation(
    *, invitation: Invitation, name: str, password: str | None, by: Actor, reason: str = "", now: datetime
) -> User:
    """Make the account of an invited person, with the console roles and teams that the invitation names.

    ``by`` is the system: whoever accepts has no account yet, and has proved to hold the link or the address. What the inviter
    could not give today is not given: raises InviterGone, and InvitationOver for a link that was used before or came too late.
    """
    with together():
        current = _lock(invitation, by=by)
        if current.accepted_at is not None or current.withdrawn_at is not None or current.expires_at <= now:
            raise InvitationOver("This invitation is over.", remedy="Ask for another one.")
        teams = list(current.teams.all())
        _require_still_given(current, teams)
        person = create_person(
            organization=current.organization,
            external_id=current.external_id,
            # Whoever chooses a password came by the mailed link; what a provider says is the organization's own word.
            username=user_name_for(current.organization, current.email, proved=password is not None),
            name=name,
            email=current.email,
            password=password,
            console_roles=current.console_roles,
            by=by,
            reason=reason,
            now=now,
        )
        for team in teams:
            set_team_members(team=team, members=[*team.members.all(), person], by=by, reason=reason, now=now)
        current.person = person
        current.accepted_at = now
        save_version(current, by=by, reason=reason, now=now, fields=["person", "accepted_at"])
        data = {"person": person.external_id}
        conclude([report(events.INVITATION_ACCEPTED, current, by=by, reason=reason, now=now, data=data)], touched=[])
    return person


def _lock(invitation: Invitation, *, by: Actor) -> Invitation:
    lock_organization(invitation.organization_id, by=by)
    locked = Invitation.objects.select_for_update(no_key=True, of=("self",))
    return locked.select_related("organization", "invited_by").get(pk=invitation.pk)


def _send(invitation: Invitation, *, now: datetime) -> None:
    enqueue(SEND, arguments={"invitation_id": str(invitation.pk)}, organization_id=invitation.organization_id, now=now)


def _require_may_give(giver: User | None, roles: Iterable[str], teams: list[Team]) -> None:
    require_assignable(roles, by=giver)
    if giver is None or not teams:
        return
    managed = set(Team.objects.permitting(giver, "manage_team").filter(pk__in=[team.pk for team in teams]))
    for team in teams:
        if team not in managed:
            raise TeamNotYours(f"{giver} does not manage {team}.", remedy="Leave the team out, or ask somebody who manages it.")


def _require_still_given(invitation: Invitation, teams: list[Team]) -> None:
    """Look at the inviter as they are today: an account that was taken over must not leave a way in behind."""
    inviter = invitation.invited_by
    if inviter is None:
        return
    try:
        if not inviter.is_active:
            raise InviterGone("The one who invited has left.")
        _require_may_give(inviter, invitation.console_roles, teams)
    except NotAllowed as refusal:
        raise InviterGone("Whoever invited you could not give this access today.", remedy="Ask for another one.") from refusal


def _require_new(invitation: Invitation) -> None:
    people = User.objects.in_organization(invitation.organization_id).people()
    if people.filter(Q(email__iexact=invitation.email) | Q(external_id=invitation.external_id)).exists():
        raise InvitedAlready("There is a person with this address or id already.")
    unanswered = Invitation.objects.in_organization(invitation.organization_id).filter(
        accepted_at__isnull=True, withdrawn_at__isnull=True
    )
    if unanswered.filter(email=invitation.email).exists():
        raise InvitedAlready("This address has been invited already.", remedy="Send that invitation again, or withdraw it.")
