"""How each kind of thing that an agent or a person has comes to its end: one step for each, with its event and its version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount

from agentiam.kit.actors import Actor
from audit.events import EventType
from audit.services import Change
from directory import events as directory_events
from directory.models import Agent, Invitation, OnboardingToken, Organization, PersonKey, Run, User
from directory.selectors import factor_name
from directory.services.reports import report as report_directory
from directory.services.revisions import agent_refs, user_ref
from directory.services.versions import save_version
from permissions import events
from permissions.models import (
    AccessToken,
    Application,
    Authorization,
    Consent,
    Delegation,
    Grant,
    OAuthClient,
    Replacement,
    Role,
    RoleAssignment,
)
from permissions.services.authorizations import (
    end_authorizations_without_consent,
    end_locked,
    revoke_with_descendants,
    token_refs,
    tokens_revoked,
)
from permissions.services.holders import holder_touched
from permissions.services.oauth_clients import remove_oauth_client
from permissions.services.reports import holder_of, holding_ref, report
from permissions.services.rows import end


@dataclass(slots=True)
class Ending:
    """What was ended so far in one locked organization: by whom, why, when, and what it touched."""

    organization: Organization
    by: Actor
    reason: str
    now: datetime
    changes: list[Change] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)

    @property
    def acting(self) -> dict[str, Any]:
        """Who acts, why and when, as every step takes it."""
        return {"by": self.by, "reason": self.reason, "now": self.now}

    def close(self, row: Any, event: EventType, data: Mapping[str, Any], touched: set[str]) -> None:
        """End a row of what is allowed, and note it."""
        end(row, **self.acting)
        self.changes.append(report(event, row, data=data, **self.acting))
        self.touched |= touched

    def note(self, event: EventType, thing: Any, data: Mapping[str, Any], touched: set[str] | None = None) -> None:
        """Note what happened to a row of the directory."""
        self.changes.append(report_directory(event, thing, data=data, **self.acting))
        self.touched |= touched or set()


def end_held_grant(ending: Ending, grant: Grant) -> None:
    """End a grant."""
    holder = holder_of(grant)
    ending.close(grant, events.GRANT_ENDED, {"holder": holding_ref(grant)}, holder_touched(holder, ending.organization))


def end_held_role(ending: Ending, assignment: RoleAssignment) -> None:
    """End a role assignment."""
    holder = holder_of(assignment)
    data = {"role": assignment.role.external_id, "holder": holding_ref(assignment)}
    ending.close(assignment, events.ASSIGNMENT_ENDED, data, holder_touched(holder, ending.organization))


def _end_delegation(ending: Ending, delegation: Delegation) -> None:
    data = {"delegator": delegation.delegator.external_id, "delegate": delegation.delegate.external_id}
    ending.close(delegation, events.DELEGATION_ENDED, data, agent_refs([delegation.delegator]))


def _end_consent(ending: Ending, consent: Consent) -> None:
    data = {"user": consent.user.external_id, "agent": consent.agent.external_id}
    ending.close(consent, events.CONSENT_ENDED, data, {user_ref(consent.user)})
    changes, touched = end_authorizations_without_consent(consent=consent, because=ending.reason, by=ending.by, now=ending.now)
    ending.changes += changes
    ending.touched |= touched


def _end_authorization(ending: Ending, authorization: Authorization) -> None:
    """End an authorization that its last consent did not end, with its refresh tokens and access tokens."""
    rows = Authorization.objects.select_for_update(of=("self",)).select_related("user", "agent")
    current = rows.get(pk=authorization.pk)
    if current.ended_at is None:
        change, touched = end_locked(current, because=ending.reason, by=ending.by, now=ending.now)
        ending.changes.append(change)
        ending.touched |= touched


def _revoke_tokens(ending: Ending, token: AccessToken) -> None:
    """Revoke what an agent has for the same user as a token, unless it is done; one event for all of it."""
    if token_refs([token.pk]) <= ending.touched:
        return
    alike = AccessToken.objects.filter(agent=token.agent_id, user=token.user_id).live(ending.now)
    revoked = revoke_with_descendants(alike, ending.now)
    if revoked:
        ending.changes.append(tokens_revoked(token.agent, revoked, because=ending.reason, by=ending.by, now=ending.now))
        ending.touched |= token_refs(revoked)


def _remove_client(ending: Ending, client: OAuthClient) -> None:
    remove_oauth_client(client=client, **ending.acting)


def abandon(ending: Ending, replacement: Replacement) -> None:
    """Abandon a replacement: what the successor got by it, and still holds, ends first."""
    given = {str(pk) for _, pk in replacement.given}
    held = {"ended_at__isnull": True, "pk__in": given, "user": replacement.successor.user_id}
    grants = list(Grant.objects.filter(**held).select_related("resource_type", "user__agent").order_by("pk"))
    roles = list(RoleAssignment.objects.filter(**held).select_related("role", "user__agent").order_by("pk"))
    for grant in grants:
        end_held_grant(ending, grant)
    for assignment in roles:
        end_held_role(ending, assignment)
    replacement.state = Replacement.State.ABANDONED
    replacement.ended_at = ending.now
    save_version(replacement, fields=["state", "ended_at"], **ending.acting)
    data = {**agents_of(replacement), "ended": len(grants) + len(roles)}
    ending.changes.append(report(events.REPLACEMENT_ABANDONED, replacement, data=data, **ending.acting))
    ending.touched |= agent_refs([replacement.predecessor, replacement.successor])


def agents_of(replacement: Replacement) -> dict[str, str]:
    """Name the two agents of a replacement, for the event log."""
    return {"predecessor": replacement.predecessor.external_id, "successor": replacement.successor.external_id}


def _withdraw_card(ending: Ending, agent: Agent) -> None:
    agent.publishes_card = False
    save_version(agent, fields=["publishes_card"], **ending.acting)
    ending.note(directory_events.AGENT_CARD_WITHDRAWN, agent, {"changed": ["publishes_card"]})


def _end_right(ending: Ending, row: Any) -> None:
    """Take a right back: on one object, or over the organization."""
    right = row.permission.codename
    thing = getattr(row, "content_object", None)
    row.delete()
    if thing is None:
        data = {"right": row.permission.codename, "to": _named(row.user)}
        ending.note(directory_events.ACCESS_WITHDRAWN, ending.organization, data)
        return
    data = {"right": right, "to": _named(row.user if hasattr(row, "user") else row.group.team)}
    named = report if isinstance(thing, (Application, Role)) else report_directory
    ending.changes.append(named(directory_events.ACCESS_WITHDRAWN, thing, data=data, **ending.acting))


def _leave_group(ending: Ending, row: Any) -> None:
    row.delete()
    data = {"right": f"group {row.group.name}", "to": _named(row.user)}
    ending.note(directory_events.ACCESS_WITHDRAWN, ending.organization, data)


def _end_run(ending: Ending, run: Run) -> None:
    run.ended_at = max(ending.now, run.started_at)
    save_version(run, fields=["ended_at"], **ending.acting)
    ending.note(directory_events.RUN_ENDED, run, {"agent": run.agent.external_id}, agent_refs([run.agent]))


def _withdraw_invitation(ending: Ending, invitation: Invitation) -> None:
    invitation.withdrawn_at = ending.now
    save_version(invitation, fields=["withdrawn_at"], **ending.acting)
    ending.note(directory_events.INVITATION_WITHDRAWN, invitation, {"person": invitation.external_id})


def _revoke_key(ending: Ending, key: PersonKey) -> None:
    key.revoked_at = ending.now
    save_version(key, fields=["revoked_at"], **ending.acting)
    data = {"person": key.user.external_id, "public_id": key.public_id}
    ending.note(directory_events.PERSON_KEY_REVOKED, key, data, {f"key/{key.public_id}"})


def _revoke_token(ending: Ending, token: OnboardingToken) -> None:
    token.revoked_at = ending.now
    save_version(token, fields=["revoked_at"], **ending.acting)
    data = {"public_id": token.public_id, "uses": token.uses}
    ending.note(directory_events.ONBOARDING_TOKEN_REVOKED, token, data, {f"key/{token.public_id}"})


def _remove_password(ending: Ending, person: User) -> None:
    person.set_unusable_password()
    person.password_is_temporary = False
    save_version(person, fields=["password", "password_is_temporary"], **ending.acting)
    ending.note(directory_events.PERSON_PASSWORD_REMOVED, person, {}, {user_ref(person)})


def _remove_factor(ending: Ending, factor: Authenticator) -> None:
    factor.delete()
    data = {"kind": factor.type, "label": factor_name(factor)}
    ending.note(_FACTOR_REMOVED[factor.type], factor.user, data, {user_ref(factor.user)})


def _unlink_identity(ending: Ending, identity: SocialAccount) -> None:
    identity.delete()
    data = {"provider": identity.provider, "subject": identity.uid}
    ending.note(directory_events.IDENTITY_UNLINKED, identity.user, data, {user_ref(identity.user)})


def _forget_address(ending: Ending, address: EmailAddress) -> None:
    """Remove what django-allauth may know of an address; the directory's own stays, and is no way in by itself."""
    address.delete()
    ending.note(directory_events.PERSON_UPDATED, address.user, {"changed": ["addresses"]}, {user_ref(address.user)})


def _named(holder: Any) -> dict[str, str]:
    kind = getattr(holder, "kind", "team")
    return {"type": str(kind), "id": holder.external_id, "label": holder.name}


_FACTOR_REMOVED: Final[Mapping[str, EventType]] = MappingProxyType(
    {
        Authenticator.Type.TOTP.value: directory_events.SECOND_FACTOR_REMOVED,
        Authenticator.Type.WEBAUTHN.value: directory_events.PASSKEY_REMOVED,
        Authenticator.Type.RECOVERY_CODES.value: directory_events.RECOVERY_CODES_REMOVED,
    }
)

Step = Callable[[Ending, Any], None]

AGENT_STEPS: Final[Mapping[str, Step]] = MappingProxyType(
    {
        "grants": end_held_grant,
        "roles": end_held_role,
        "delegations": _end_delegation,
        "consents": _end_consent,
        # After the consents, with the last of which an authorization ends.
        "authorizations": _end_authorization,
        "access_tokens": _revoke_tokens,
        "oauth_clients": _remove_client,
        # After the grants and roles, some of which came by it.
        "replacements": abandon,
        "cards": _withdraw_card,
        "rights": _end_right,
    }
)
"""What is ended before the agent retires; retiring it ends its credentials and runs, and closes its account."""

PERSON_STEPS: Final[Mapping[str, Step]] = MappingProxyType(
    {
        "grants": end_held_grant,
        "roles": end_held_role,
        "consents": _end_consent,
        "authorizations": _end_authorization,
        "access_tokens": _revoke_tokens,
        "runs": _end_run,
        "rights": _end_right,
        "groups": _leave_group,
        "invitations": _withdraw_invitation,
        "keys": _revoke_key,
        "onboarding_tokens": _revoke_token,
        "passwords": _remove_password,
        "second_factors": _remove_factor,
        "identities": _unlink_identity,
        "addresses": _forget_address,
    }
)
"""What is ended besides the account and its sessions; keys are left only to one who was deactivated before."""
