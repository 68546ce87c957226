"""People come and go; when one leaves, the agents they own stop and wait for somebody to take them over."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, IllegalTransition, NotAllowed
from audit.services import Change
from directory import events
from directory.lifecycle import State
from directory.models import Agent, Organization, PersonKey, User
from directory.services.reports import conclude, report
from directory.services.revisions import agent_refs, lock_organization, user_ref
from directory.services.rights import STAFF, acting_account, known_roles, require_another_administrator, require_assignable
from directory.services.sessions import delete_sessions
from directory.services.transitions import and_descendants, latch_ownerless
from directory.services.user_names import require_own_user_name
from directory.services.versions import changes, save_version


class NotAPerson(Conflict):
    """The account is an agent's; what is asked is for people."""


class RightsNotYours(NotAllowed):
    """Only the system makes a superuser."""


class NotYourPassword(NotAllowed):
    """Somebody else's password."""


class PasswordUsedUp(Conflict):
    """A one-time password was used or replaced meanwhile."""


class OwnAccount(NotAllowed):
    """People do not close their own account."""


def create_person(
    *,
    organization: Organization,
    external_id: str,
    username: str,
    name: str,
    email: str = "",
    attributes: Mapping[str, Any] | None = None,
    password: str | None = None,
    console_roles: Iterable[str] = (),
    password_is_temporary: bool = False,
    is_staff: bool = False,
    is_superuser: bool = False,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> User:
    """Add a person; without a password they log in by other means. Only the system makes a superuser.

    Raises RightsNotYours, UnknownConsoleRole, RoleNotYours for console roles that the one who acts may not give, and
    ForeignUserName for a user name that could be somebody's of another organization.
    """
    roles = known_roles(console_roles)
    if is_superuser and by.kind != "system":
        raise RightsNotYours("A superuser is made by the operator.")
    person = User(
        organization=organization,
        kind=User.Kind.PERSON,
        external_id=external_id,
        username=username,
        name=name,
        email=email,
        attributes=dict(attributes or {}),
        console_roles=roles,
        password_is_temporary=password_is_temporary,
        is_staff=is_staff or bool(STAFF & set(roles)),
        is_superuser=is_superuser,
        created_at=now,
    )
    person.set_password(password)
    rights = {"is_staff": person.is_staff, "is_superuser": is_superuser, "roles": roles}
    with transaction.atomic():
        require_own_user_name(lock_organization(organization.pk, by=by), username, by=by)
        if roles:
            require_assignable(roles, by=acting_account(by))
        save_version(person, by=by, reason=reason, now=now)
        created = report(events.PERSON_CREATED, person, by=by, reason=reason, now=now, data=rights)
        conclude([created], touched=[user_ref(person)])
    return person


def update_person(
    *,
    person: User,
    name: str,
    email: str,
    attributes: Mapping[str, Any],
    by: Actor,
    reason: str = "",
    now: datetime,
) -> User:
    """Change what is known of a person; the event log names the fields, and only the version history their values.

    An address is a way in: raises RoleNotYours and RightsNotYours for that of somebody whose rights one could not give.
    """
    values = {"name": name, "email": email, "attributes": dict(attributes)}
    with transaction.atomic():
        current = lock_person(person, by=by)
        changed = changes(current, values)
        if "email" in changed:
            require_may_give_back(current, by=by, what="The address")
        save_version(current, by=by, reason=reason, now=now, fields=values)
        updated = report(events.PERSON_UPDATED, current, by=by, reason=reason, now=now, data={"changed": sorted(changed)})
        conclude([updated], touched=[user_ref(current)])
    return current


def deactivate_person(*, person: User, by: Actor, reason: str = "", now: datetime) -> User:
    """End a person's access: sessions and keys end, and the agents they own are ownerless and, where active, suspended.

    The agents they sponsor go on; the event log says so. Password, second factors and linked identities stay, so that an
    account which is closed for a while opens again as it was; offboarding ends them. Raises OwnAccount, and LastAdministrator
    for somebody without whom nobody could administer the organization.
    """
    with transaction.atomic():
        current = lock_person(person, by=by)
        require_not_oneself(current, by=by)
        if not current.is_active:
            raise IllegalTransition(f"{current} is deactivated already.")
        require_another_administrator(current)
        current.is_active = False
        current.deactivated_at = now
        save_version(current, by=by, reason=reason, now=now, fields=["is_active", "deactivated_at"])
        unretired = Agent.objects.exclude(state=State.RETIRED.value)
        owned = list(unretired.filter(owner=current, ownerless=False).select_related("owner").order_by("depth", "id"))
        happened = latch_ownerless(owned, by=by, reason=reason, now=now)
        happened += [
            report(events.AGENT_SPONSOR_LEFT, agent, by=by, reason=reason, now=now, data={"sponsor": current.external_id})
            for agent in unretired.filter(sponsor=current).order_by("depth", "id")
        ]
        keys = _revoke_keys(current, by=by, reason=reason, now=now)
        happened += keys.values()
        data = {"ownerless": [agent.external_id for agent in owned], "sessions": delete_sessions(current, now=now)}
        happened.append(report(events.PERSON_DEACTIVATED, current, by=by, reason=reason, now=now, data=data))
        conclude(happened, touched={user_ref(current)} | keys.keys() | agent_refs(and_descendants(owned)))
    return current


def reactivate_person(*, person: User, by: Actor, reason: str = "", now: datetime) -> User:
    """Let a person in again; the agents that they owned stay ownerless until somebody takes them over.

    Whoever was offboarded has no password, second factor or linked identity any more, and gets none by this.
    """
    with transaction.atomic():
        current = lock_person(person, by=by)
        if current.is_active:
            raise IllegalTransition(f"{current} is active already.")
        current.is_active = True
        current.deactivated_at = None
        save_version(current, by=by, reason=reason, now=now, fields=["is_active", "deactivated_at"])
        conclude([report(events.PERSON_REACTIVATED, current, by=by, reason=reason, now=now)], touched=[user_ref(current)])
    return current


def set_password(
    *,
    person: User,
    password: str,
    temporary: bool = False,
    with_keys: bool = False,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> User:
    """Give a person another password; their sessions end with the old one, and a temporary one is good for one sign-in.

    ``with_keys`` ends their keys too. Raises NotYourPassword: only the person and the system do this.
    """
    with transaction.atomic():
        current = lock_person(person, by=by)
        if by.kind != "system" and by.user_id != current.pk:
            raise NotYourPassword("People set their own passwords.", remedy="The operator can reset one.")
        current.set_password(password)
        current.password_is_temporary = temporary
        save_version(current, by=by, reason=reason, now=now, fields=["password", "password_is_temporary"])
        keys = _revoke_keys(current, by=by, reason=reason, now=now) if with_keys else {}
        data = {"temporary": temporary, "sessions": delete_sessions(current, now=now)}
        changed = report(events.PERSON_PASSWORD_CHANGED, current, by=by, reason=reason, now=now, data=data)
        conclude([*keys.values(), changed], touched={user_ref(current)} | keys.keys())
    return current


def use_up_password(*, person: User, by: Actor, reason: str = "", now: datetime) -> User:
    """Void the one-time password that a person signs in with; they have none until they have chosen one.

    ``person`` is the account as the password was compared with it: of two sign-ins at once the second raises PasswordUsedUp.
    Raises NotYourPassword as ``set_password``.
    """
    with transaction.atomic():
        current = lock_person(person, by=by)
        if by.kind != "system" and by.user_id != current.pk:
            raise NotYourPassword("People sign in with their own passwords.")
        if not current.password_is_temporary or current.password != person.password:
            raise PasswordUsedUp("This password was used or replaced meanwhile.")
        current.set_unusable_password()
        save_version(current, by=by, reason=reason, now=now, fields=["password"])
        data = {"sessions": delete_sessions(current, now=now)}
        used = report(events.PERSON_PASSWORD_USED_UP, current, by=by, reason=reason, now=now, data=data)
        conclude([used], touched=[user_ref(current)])
    return current


def lock_person(person: User, *, by: Actor) -> User:
    """Lock the person's organization and then the person, and read them anew; raises NotAPerson for an agent's account."""
    lock_organization(person.organization_id, by=by)
    current: User = User.objects.select_for_update(no_key=True).get(pk=person.pk)
    if not current.is_person:
        raise NotAPerson(f"{current} is an agent.", remedy="Agents are registered, suspended and retired as agents.")
    return current


def require_not_oneself(person: User, *, by: Actor) -> None:
    """Refuse to close one's own account, by whatever way; raises OwnAccount."""
    if by.user_id == person.pk:
        raise OwnAccount("Nobody closes their own account.", remedy="Another security administrator may.")


def require_may_give_back(person: User, *, by: Actor, what: str) -> None:
    """Refuse to change a way in to whoever could not give that person's rights: by it they could get in as them.

    Raises RoleNotYours, RightsNotYours, and NotAnActivePerson.
    """
    if by.user_id == person.pk or not (person.console_roles or person.is_superuser):
        return
    account = acting_account(by)
    if person.is_superuser and account is not None and not account.is_superuser:
        raise RightsNotYours(f"{what} of a superuser is changed by the operator.")
    require_assignable(person.console_roles, by=account)


def _revoke_keys(person: User, *, by: Actor, reason: str, now: datetime) -> dict[str, Change]:
    """End the keys of a person who is locked; answers what happened, by the reference that it touches."""
    happened = {}
    for key in PersonKey.objects.filter(user=person, revoked_at__isnull=True).order_by("id"):
        key.revoked_at = now
        save_version(key, by=by, reason=reason, now=now, fields=["revoked_at"])
        data = {"person": person.external_id, "public_id": key.public_id}
        revoked = report(events.PERSON_KEY_REVOKED, key, by=by, reason=reason, now=now, data=data)
        happened[f"key/{key.public_id}"] = revoked
    return happened
