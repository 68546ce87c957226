"""A person's answer: a yes makes the consents that are lacking, the authorization and a code in one step; a no is recorded.

The authorization has the id that its form was made with, so a form is good for one yes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import IllegalTransition
from agentiam.kit.tokens import Token
from audit.services import Change, Target, record_all
from directory.models import Run, User
from directory.services.reports import together
from directory.services.revisions import lock_organization
from permissions import events
from permissions.models import Authorization, Consent, ResourceType
from permissions.oauth.authorize import Request
from permissions.oauth.codes import new_code
from permissions.oauth.offers import Item, detail_of
from permissions.services.consents import give_consent
from permissions.services.terms import EVERY_ACTION

MAX_PURPOSE: Final = 500


class AnsweredAlready(IllegalTransition):
    """The form was sent before, and its answer stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person chose of what they were shown."""

    id: UUID
    request: Request
    run: Run | None
    user: User
    chosen: Sequence[Item]
    ends_at: datetime


def allow(*, answer: Answer, by: Actor, now: datetime) -> Token:
    """Let an agent act as the person chose, and make the code for it; raises AnsweredAlready and what consenting raises."""
    request = answer.request
    with transaction.atomic():
        organization = lock_organization(answer.user.organization_id, by=by)
        if Authorization.objects.filter(pk=answer.id).exists():
            raise AnsweredAlready("You have answered this already.")
        with together():
            consents = [_consent(answer, each, by=by, now=now) for each in _needed(answer)]
        authorization = Authorization.objects.create(
            id=answer.id,
            organization=organization,
            user=answer.user,
            agent=request.agent,
            run=answer.run,
            audience=request.target.audience,
            scopes=[each.key for each in answer.chosen if each.detail is None],
            details=detail_of(answer.chosen, request.wanted.details or ()),
            created_at=now,
            ends_at=answer.ends_at,
        )
        authorization.consents.set(consents)
        data = {
            "scopes": authorization.scopes,
            "details": authorization.details,
            "consents": [str(each.pk) for each in consents],
            "run": None if answer.run is None else answer.run.task_id,
            "ends_at": answer.ends_at.isoformat(),
        }
        target = Target(type="authorization", id=str(authorization.pk), label=str(authorization))
        record_all([_event(events.AUTHORIZATION_GIVEN, request, target, data, by=by, now=now)])
        return new_code(
            authorization,
            redirect_uri=request.way.redirect_uri,
            challenge=request.challenge,
            jkt=request.jkt,
            now=now,
        )


def decline(*, request: Request, by: Actor, now: datetime) -> None:
    """Record that a person did not let an agent act for them."""
    target = Target(type="agent", id=request.agent.external_id, label=request.agent.name)
    with transaction.atomic():
        record_all([_event(events.AUTHORIZATION_DECLINED, request, target, {}, by=by, now=now)])


@dataclass(frozen=True, slots=True)
class _Need:
    type: str
    actions: tuple[str, ...]
    classes: frozenset[str] | None

    def met_by(self, consent: Consent, ends_at: datetime, purpose: str, run: UUID | None) -> bool:
        actions, classes = set(consent.actions), consent.data_classes
        return (
            consent.purpose in ("", purpose)
            and consent.run_id in (None, run)
            and (actions == {EVERY_ACTION} or actions >= set(self.actions))
            and (classes is None or (self.classes is not None and set(classes) >= self.classes))
            and (consent.ends_at is None or consent.ends_at >= ends_at)
        )


def _needed(answer: Answer) -> Iterator[_Need]:
    """What was shown with the same classes of data is one consent for each type; a wider one would give what was not shown."""
    found: dict[tuple[str, frozenset[str] | None], list[str]] = {}
    for each in answer.chosen:
        found.setdefault((each.type, each.classes), []).append(each.action)
    for (name, classes), actions in found.items():
        yield _Need(name, tuple(dict.fromkeys(actions)), classes)


def _consent(answer: Answer, need: _Need, *, by: Actor, now: datetime) -> Consent:
    """Find a consent that says all this already, as long; else the person gives one."""
    purpose = "" if answer.run is None else answer.run.purpose[:MAX_PURPOSE]
    kept = Consent.objects.filter(user=answer.user, agent=answer.request.agent, resource_type__name=need.type).live(now)
    for each in kept.order_by("pk"):
        if need.met_by(each, answer.ends_at, purpose, None if answer.run is None else answer.run.pk):
            return each
    resource_type = ResourceType.objects.get(organization=answer.user.organization_id, name=need.type)
    return give_consent(
        user=answer.user,
        agent=answer.request.agent,
        resource_type=resource_type,
        actions=need.actions,
        data_classes=None if need.classes is None else sorted(need.classes),
        purpose=purpose,
        run=answer.run,
        ends_at=answer.ends_at,
        by=by,
        now=now,
    )


def _event(event: Any, request: Request, target: Target, data: Mapping[str, Any], *, by: Actor, now: datetime) -> Change:
    return Change(
        event_type=event,
        organization_id=request.asking.issuer.organization.pk,
        by=by,
        target=target,
        data={
            "agent": request.agent.external_id,
            "client_id": request.way.client_id,
            "redirect_uri": request.way.redirect_uri,
            "audience": request.target.audience,
            **data,
        },
        at=now,
    )
