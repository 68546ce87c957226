"""Applications: the systems that hold resources, ask for decisions and enforce them."""

from datetime import datetime

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import IllegalTransition
from audit.events import EventType
from directory.models import Organization
from directory.services.reports import conclude
from directory.services.revisions import SHARED, lock_organization
from directory.services.versions import changes, save_version
from permissions import events
from permissions.models import Application
from permissions.services.reports import application_ref, report
from permissions.services.rows import read_anew


def create_application(
    *,
    organization: Organization,
    slug: str,
    name: str,
    audience: str = "",
    believes_resource_properties: bool = True,
    believes_subject_properties: bool = False,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Application:
    """Add an application, active and without keys; ``audience`` is the URI that tokens for it are made out to."""
    application = Application(
        organization=organization,
        slug=slug,
        name=name,
        audience=audience,
        believes_resource_properties=believes_resource_properties,
        believes_subject_properties=believes_subject_properties,
        created_at=now,
    )
    with transaction.atomic():
        lock_organization(organization.pk, by=by)
        save_version(application, by=by, reason=reason, now=now)
        data = {
            "audience": audience,
            "believes_resource_properties": believes_resource_properties,
            "believes_subject_properties": believes_subject_properties,
        }
        _conclude(events.APPLICATION_CREATED, application, by=by, reason=reason, now=now, data=data)
    return application


def update_application(
    *,
    application: Application,
    name: str,
    audience: str,
    believes_resource_properties: bool,
    believes_subject_properties: bool,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Application:
    """Change what is known of an application and what it is believed; the slug stays."""
    values = {
        "name": name,
        "audience": audience,
        "believes_resource_properties": believes_resource_properties,
        "believes_subject_properties": believes_subject_properties,
    }
    with transaction.atomic():
        lock_organization(application.organization_id, by=by)
        current = read_anew(application)
        changed = changes(current, values)
        save_version(current, by=by, reason=reason, now=now, fields=values)
        _conclude(events.APPLICATION_UPDATED, current, by=by, reason=reason, now=now, data={"changed": changed})
    return current


def suspend_application(*, application: Application, by: Actor, reason: str = "", now: datetime) -> Application:
    """Answer an application no more, from the next request on; raises IllegalTransition when it is suspended already."""
    return _set_state(application, Application.State.SUSPENDED, events.APPLICATION_SUSPENDED, by=by, reason=reason, now=now)


def resume_application(*, application: Application, by: Actor, reason: str = "", now: datetime) -> Application:
    """Answer a suspended application again; raises IllegalTransition when it is active already."""
    return _set_state(application, Application.State.ACTIVE, events.APPLICATION_RESUMED, by=by, reason=reason, now=now)


def _set_state(
    application: Application, state: Application.State, event: EventType, *, by: Actor, reason: str, now: datetime
) -> Application:
    with transaction.atomic():
        lock_organization(application.organization_id, by=by)
        current = read_anew(application)
        if current.state == state:
            raise IllegalTransition(f"{current} is {state} already.")
        current.state = state
        save_version(current, by=by, reason=reason, now=now, fields=["state"])
        _conclude(event, current, by=by, reason=reason, now=now, data={})
    return current


def _conclude(
    event: EventType, application: Application, *, by: Actor, reason: str, now: datetime, data: dict[str, object]
) -> None:
    happened = report(event, application, by=by, reason=reason, now=now, data=data)
    conclude([happened], touched=[SHARED, application_ref(application)])
