"""Consents: a user's own yes to an agent; nobody says it for them, and they end it whenever they like."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Invalid, NotAllowed
from directory.models import Agent, Run, User
from directory.services.people import NotAPerson
from directory.services.reports import conclude
from directory.services.revisions import lock_organization, require_same_organization, user_ref
from directory.services.versions import save_version
from permissions import events
from permissions.models import Consent, ResourceType
from permissions.services.authorizations import end_authorizations_without_consent
from permissions.services.holders import require_unretired
from permissions.services.reports import report
from permissions.services.rows import end, read_anew
from permissions.services.terms import check_actions, check_data_classes
from permissions.services.windows import check_window


class NotYourConsent(NotAllowed):
    """Only the user can consent; another person who ends a consent says why, and agents and applications end none."""


class AnotherRun(Invalid):
    """What is consented to is a task of the agent that the consent is for."""

    field = "run"


def give_consent(
    *,
    user: User,
    agent: Agent,
    resource_type: ResourceType,
    actions: Sequence[str],
    data_classes: Sequence[str] | None = None,
    purpose: str = "",
    run: Run | None = None,
    ends_at: datetime | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Consent:
    """Let an agent act on a user's behalf, with objects of one type; classes of data None stand for all.

    With a ``run`` of that agent the consent is to its task alone, and ends with it.
    By that user, or by the system when it takes over what was said elsewhere. Raises NotYourConsent, NotAPerson, RetiredAgent,
    UnknownAction, UnknownDataClass, AnotherRun, and BadWindow.
    """
    check_window(ends_at=ends_at, now=now)
    with transaction.atomic():
        organization = lock_organization(user.organization_id, by=by)
        if by.kind != "system" and by.user_id != user.pk:
            raise NotYourConsent(f"Only {user} can consent to this.")
        require_same_organization(organization, agent, resource_type)
        if not user.is_person:
            raise NotAPerson(f"{user} is an agent.", remedy="An agent lets another act for it by a delegation.")
        require_unretired(agent)
        if run is not None and run.agent_id != agent.pk:
            raise AnotherRun("The run is another agent's.")
        current_type = read_anew(resource_type)
        consent = Consent(
            organization=organization,
            user=user,
            agent=agent,
            resource_type=current_type,
            actions=check_actions(current_type, actions),
            data_classes=check_data_classes(data_classes),
            purpose=purpose,
            run=run,
            given_at=now,
            ends_at=ends_at,
        )
        save_version(consent, by=by, reason=reason, now=now)
        data = {
            "user": user.external_id,
            "agent": agent.external_id,
            "type": current_type.name,
            "actions": consent.actions,
            "data_classes": consent.data_classes,
            "purpose": purpose,
            "run": None if run is None else str(run.pk),
            "ends_at": None if ends_at is None else ends_at.isoformat(),
        }
        given = report(events.CONSENT_GIVEN, consent, by=by, reason=reason, now=now, data=data)
        conclude([given], touched=[user_ref(user)])
    return consent


def end_consent(*, consent: Consent, by: Actor, reason: str = "", now: datetime) -> Consent:
    """Take a consent back, from the next decision on: the user does, or another person or the system with a reason.

    Raises NotYourConsent and EndedAlready. Whether another person may end consents is for the entrance to know.
    """
    with transaction.atomic():
        lock_organization(consent.organization_id, by=by)
        current = read_anew(consent, "user", "agent")
        if by.user_id != current.user_id:
            if by.kind not in ("person", "system"):
                raise NotYourConsent(f"Only {current.user} can end this.")
            if not reason.strip():
                raise NotYourConsent("Who ends another's consent says why.", remedy="Give a reason.")
        end(current, by=by, reason=reason, now=now)
        data = {"user": current.user.external_id, "agent": current.agent.external_id}
        ended = report(events.CONSENT_ENDED, current, by=by, reason=reason, now=now, data=data)
        changes, touched = end_authorizations_without_consent(consent=current, because=reason, by=by, now=now)
        conclude([ended, *changes], touched=[user_ref(current.user), *touched])
    return current
