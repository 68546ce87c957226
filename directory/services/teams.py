"""Teams within teams, mirrored into Django's groups: a team's group holds its own people and those of all teams below it."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import Group
from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict
from directory import events
from directory.models import Organization, Team, User
from directory.services.people import NotAPerson
from directory.services.reports import conclude, report
from directory.services.revisions import EVERYTHING, lock_organization, require_same_organization, user_ref
from directory.services.versions import changes, save_version


class TeamCycle(Conflict):
    """The team would lie within itself."""


def create_team(
    *,
    organization: Organization,
    external_id: str,
    name: str,
    parent: Team | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Team:
    """Add a team without people, at the top or within another."""
    team = Team(organization=organization, external_id=external_id, name=name, parent=parent, created_at=now)
    with transaction.atomic():
        require_same_organization(lock_organization(organization.pk, by=by), parent)
        team.group = Group.objects.create(name=f"team:{team.pk}")
        save_version(team, by=by, reason=reason, now=now)
        data = {"parent": None if parent is None else parent.external_id}
        conclude([report(events.TEAM_CREATED, team, by=by, reason=reason, now=now, data=data)], touched=[EVERYTHING])
    return team


def update_team(*, team: Team, name: str, parent: Team | None, by: Actor, reason: str = "", now: datetime) -> Team:
    """Rename a team or move it, with the teams below it, elsewhere; None moves it to the top. Raises TeamCycle."""
    with transaction.atomic():
        current = _lock_team(team, by=by)
        require_same_organization(current.organization, parent)
        before = _and_around(current)
        if parent is not None and Team.objects.filter(pk=current.pk).and_below().filter(pk=parent.pk).exists():
            raise TeamCycle(f"{parent} lies within {current}.")
        changed = changes(current, {"name": name, "parent": parent})
        save_version(current, by=by, reason=reason, now=now, fields=["name", "parent"])
        if "parent" in changed:
            _mirror({*before, *_and_around(current)})
        updated = report(events.TEAM_UPDATED, current, by=by, reason=reason, now=now, data={"changed": changed})
        conclude([updated], touched=[EVERYTHING])
    return current


def set_team_members(*, team: Team, members: Iterable[User], by: Actor, reason: str = "", now: datetime) -> Team:
    """Say who is in a team, all of them; those of the teams below it are not named here. Raises NotAPerson for an agent."""
    wanted = {person.pk: person for person in members}
    with transaction.atomic():
        current = _lock_team(team, by=by)
        require_same_organization(current.organization, *wanted.values())
        for person in wanted.values():
            if not person.is_person:
                raise NotAPerson(f"{person} is an agent.", remedy="An agent belongs to a team through its profile.")
        present = {person.pk: person for person in current.members.all()}
        # One version for both steps of the many-to-many change, and not one each.
        current.skip_history_when_saving = True  # type: ignore[attr-defined]  # how simple-history is told
        current.members.set(wanted.values())
        del current.skip_history_when_saving  # type: ignore[attr-defined]
        save_version(current, by=by, reason=reason, now=now, fields=["name"])
        _mirror(_and_around(current))
        added = [wanted[pk] for pk in wanted.keys() - present.keys()]
        removed = [present[pk] for pk in present.keys() - wanted.keys()]
        data = {"added": sorted(p.external_id for p in added), "removed": sorted(p.external_id for p in removed)}
        changed = report(events.TEAM_MEMBERS_CHANGED, current, by=by, reason=reason, now=now, data=data)
        conclude([changed], touched=[f"team/{current.external_id}", *map(user_ref, [*added, *removed])])
    return current


def _lock_team(team: Team, *, by: Actor) -> Team:
    lock_organization(team.organization_id, by=by)
    locked = Team.objects.select_for_update(no_key=True, of=("self",))
    return locked.select_related("organization", "parent", "group").get(pk=team.pk)


def _and_around(team: Team) -> set[Team]:
    start = Team.objects.filter(pk=team.pk)
    return set(start.and_around().select_related("group"))


def _mirror(teams: Iterable[Team]) -> None:
    """Make each team's group hold the people of the team and of all teams below it."""
    for team in teams:
        within = Team.objects.filter(pk=team.pk).and_below()
        people = User.objects.filter(pk__in=Team.members.through.objects.filter(team__in=within).values("user"))
        team.group.user_set.set(people)
