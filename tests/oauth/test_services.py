"""Every service of the authorization server that somebody calls by hand: keywords, an event with who and why, no stranger."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

import permissions.oauth
from agentiam.kit.actors import Actor
from audit.models import Event
from directory.models import PolicyChange
from directory.services.revisions import ForeignOrganization
from permissions.models import AccessToken, TokenKey
from permissions.oauth.authorizations import revoke_token, revoke_tokens_of
from permissions.oauth.keys import rotate_keys, withdraw_key
from tests.factories import make_organization, make_person
from tests.oauth.worlds import World, own_token

pytestmark = pytest.mark.django_db

REASON = "because of ticket 42"
SERVICES: dict[Callable[..., Any], tuple[Callable[[World], dict[str, Any]], str, bool]] = {
    revoke_token: (lambda world: {"token": AccessToken.objects.latest("id")}, "token.revoked", True),
    revoke_tokens_of: (lambda world: {"agent": world.planner}, "token.revoked", True),
    # What signs next is in no decision's world.
    rotate_keys: (lambda world: {"organization": world.acme}, "token_key.made", False),
    withdraw_key: (lambda world: {"key": TokenKey.objects.get(algorithm="EdDSA")}, "token_key.withdrawn", True),
}


def services() -> set[Callable[..., Any]]:
    """List the functions that somebody calls, and says why."""
    found: set[Callable[..., Any]] = set()
    for each in pkgutil.iter_modules(permissions.oauth.__path__):
        name = f"permissions.oauth.{each.name}"
        for _, function in inspect.getmembers(importlib.import_module(name), inspect.isfunction):
            given = inspect.signature(function).parameters.keys()
            if function.__module__ == name and not function.__name__.startswith("_") and {"by", "reason"} <= given:
                found.add(function)
    return found


def test_every_service_is_tried() -> None:
    assert services() == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_takes_keywords_only_and_is_documented(service: Callable[..., Any]) -> None:
    assert {each.kind for each in inspect.signature(service).parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert inspect.getdoc(service)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_leaves_an_event_with_who_and_why(world: World, service: Callable[..., Any]) -> None:
    assert own_token(world).status == 200
    arguments, name, revises = SERVICES[service]
    alice = make_person(world.acme, "alice")
    seen, revisions = set(Event.objects.values_list("id", flat=True)), PolicyChange.objects.count()
    service(**arguments(world), by=alice.as_actor(), reason=REASON, now=timezone.now())
    happened = [each for each in Event.objects.exclude(id__in=seen) if each.actor_kind == "person"]
    assert {(each.type, each.actor_id, each.reason, each.organization_id) for each in happened} == {
        (name, "alice", REASON, world.acme.pk)
    }
    assert PolicyChange.objects.count() - revisions == int(revises)


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_of_another_organization_can_call_a_service(world: World, service: Callable[..., Any]) -> None:
    assert own_token(world).status == 200
    stranger = make_person(make_organization("elsewhere"), "mallory").as_actor()
    arguments = SERVICES[service][0](world)
    for actor in (stranger, Actor(kind="person", id="x", label="X")):
        before = Event.objects.count(), PolicyChange.objects.count()
        with pytest.raises(ForeignOrganization):
            service(**arguments, by=actor, reason=REASON, now=timezone.now())
        assert (Event.objects.count(), PolicyChange.objects.count()) == before
