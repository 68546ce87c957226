"""Applications: the systems that hold resources, ask for decisions and enforce them."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, IllegalTransition
from audit.events import EventType
from directory.models import Organization
from directory.services.reports import conclude
from directory.services.revisions import SHARED, lock_organization
from directory.services.versions import changes, save_version
from permissions import events
from permissions.models import Application, TokenKey
from permissions.services.reports import application_ref, report
from permissions.services.rows import read_anew


class AudienceTaken(Conflict):
    """Another live application has this audience, and a token is for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTerms:
    """What the tokens for an application are: signed or looked up, signed with what, and how long they last."""

    token_format: str = Application.TokenFormat.JWT.value
    token_algorithm: str = TokenKey.Algorithm.ES256.value
    token_seconds: int = 300

    @classmethod
    def of(cls, application: Application) -> Self:
        """Read those of an application."""
        return cls(
            token_format=application.token_format,
            token_algorithm=application.token_algorithm,
            token_seconds=application.token_seconds,
        )


def create_application(
    *,
    organization: Organization,
    slug: str,
    name: str,
    audience: str = "",
    believes_resource_properties: bool = True,
    believes_subject_properties: bool = False,
    requires_tokens: bool = False,
    tokens: TokenTerms | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Application:
    """Add an application, active and without keys; ``audience`` is the URI that tokens for it are made out to.

    Raises AudienceTaken.
    """
    data: dict[str, Any] = {
        "audience": audience,
        "believes_resource_properties": believes_resource_properties,
        "believes_subject_properties": believes_subject_properties,
        "requires_tokens": requires_tokens,
        **asdict(tokens or TokenTerms()),
    }
    application = Application(organization=organization, slug=slug, name=name, created_at=now, **data)
    with transaction.atomic():
        lock_organization(organization.pk, by=by)
        _require_own_audience(application)
        save_version(application, by=by, reason=reason, now=now)
        _conclude(events.APPLICATION_CREATED, application, by=by, reason=reason, now=now, data=data)
    return application


def update_application(
    *,
    application: Application,
    name: str,
    audience: str,
    believes_resource_properties: bool,
    believes_subject_properties: bool,
    requires_tokens: bool,
    tokens: TokenTerms | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Application:
    """Change what is known of an application, what it is believed, and what its tokens are; the slug stays.

    Without ``tokens`` those stay as they are. Raises AudienceTaken.
    """
    values: dict[str, Any] = {
        "name": name,
        "audience": audience,
        "believes_resource_properties": believes_resource_properties,
        "believes_subject_properties": believes_subject_properties,
        "requires_tokens": requires_tokens,
        **(asdict(tokens) if tokens else {}),
    }
    with transaction.atomic():
        lock_organization(application.organization_id, by=by)
        current = read_anew(application)
        changed = changes(current, values)
        _require_own_audience(current)
        save_version(current, by=by, reason=reason, now=now, fields=values)
        _conclude(events.APPLICATION_UPDATED, current, by=by, reason=reason, now=now, data={"changed": changed})
    return current


def suspend_application(*, application: Application, by: Actor, reason: str = "", now: datetime) -> Application:
    """Answer an application no more, from the next request on; raises IllegalTransition when it is suspended already."""
    return _set_state(application, Application.State.SUSPENDED, events.APPLICATION_SUSPENDED, by=by, reason=reason, now=now)


def resume_application(*, application: Application, by: Actor, reason: str = "", now: datetime) -> Application:
    """Answer a suspended application again; raises IllegalTransition when it is active already, and AudienceTaken."""
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
        _require_own_audience(current)
        save_version(current, by=by, reason=reason, now=now, fields=["state"])
        _conclude(event, current, by=by, reason=reason, now=now, data={})
    return current


def _require_own_audience(application: Application) -> None:
    """Refuse what another live application has, and what is agentiam's own or an agent's; raises AudienceTaken."""
    if not application.audience or application.state != Application.State.ACTIVE:
        return
    ours = settings.BASE_URL.lower()
    named = application.audience.lower()
    if named == ours or named.startswith((f"{ours}/", f"{ours}?", f"{ours}#", "spiffe:")):
        raise AudienceTaken(
            f"{application.audience} is agentiam's own, or an agent's: whoever has it learns of tokens and ends them.",
            remedy="Name the address of the application itself.",
        )
    alike = Application.objects.active().filter(organization=application.organization_id, audience=application.audience)
    other = alike.exclude(pk=application.pk).first()
    if other is not None:
        raise AudienceTaken(
            f"{application.audience} is the audience of {other.slug}, and a token is for one application.",
            remedy="Give it another audience, or suspend the other one.",
        )


def _conclude(
    event: EventType, application: Application, *, by: Actor, reason: str, now: datetime, data: dict[str, object]
) -> None:
    happened = report(event, application, by=by, reason=reason, now=now, data=data)
    conclude([happened], touched=[SHARED, application_ref(application)])
