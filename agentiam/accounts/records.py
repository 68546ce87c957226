"""What people do with their accounts enters the event log, with who and where; a stranger's try is by the sign-in itself."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from agentiam.accounts import events
from agentiam.kit.actors import Actor, system
from agentiam.requests import client_address, request_id
from audit.events import EventType
from audit.services import record
from directory.models import User
from directory.services.targets import target_of


def actor_of(request: HttpRequest | None, user: User) -> Actor:
    """Name a person as the one who acts in a request."""
    return user.as_actor(address="" if request is None else client_address(request), request_id=request_id(request))


def stranger(request: HttpRequest, *, component: str = "sign-in") -> Actor:
    """Name a part of the product as the one who acts, for somebody who has not proved who they are."""
    return replace(system(component), address=client_address(request), request_id=request_id(request))


def note(event: EventType, user: User, *, by: Actor, data: Mapping[str, Any] | None = None) -> None:
    """Record what happened to a person's account."""
    with transaction.atomic():
        record(event, organization_id=user.organization_id, by=by, target=target_of(user), data=data)


def refuse(request: HttpRequest | None, user: User | None, *, way: str, cause: str) -> None:
    """Record a try at an account that exists; what else was typed may be a password in the wrong field and is kept nowhere."""
    if user is not None and request is not None:
        note(events.PERSON_REFUSED, user, by=stranger(request), data={"way": way, "cause": cause})
