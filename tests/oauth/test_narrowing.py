"""Whoever has a narrow token tries to get a wide one for it."""

import json
from typing import Any

import pytest
from django.utils import timezone

from directory.services.runs import start_run
from permissions.models import AccessToken
from permissions.oauth.scopes import names_types
from tests.factories import SYSTEM
from tests.oauth.worlds import BASE, CRM, World, exchanged, own_token
from tests.permissions.factories import make_delegation, spec

pytestmark = pytest.mark.django_db

ONE = {"type": "entitlement", "resource_type": "record", "actions": ["read"], "identifier": "r1"}


def details(*values: dict[str, Any]) -> str:
    return json.dumps(values)


def row_of(answer: Any) -> AccessToken:
    return AccessToken.objects.get(pk=answer.claims["jti"])


def narrow(world: World, **more: Any) -> Any:
    asked = {"scope": "decide", "authorization_details": details(ONE), "may_act": "agent/worker"}
    return own_token(world, resource=BASE, **asked | more)


def test_to_ask_for_decisions_alone_leaves_no_limit_behind(world: World) -> None:
    for who in ("worker", "planner"):
        subject = narrow(world, may_act=f"agent/{who}").token
        answer = exchanged(world, who, subject, resource=BASE, scope="decide")
        row = row_of(answer)
        assert (row.scopes, row.details) == (["decide"], [ONE])
        further = exchanged(world, who, answer.token, resource=CRM)
        assert row_of(further).details == [ONE]
        assert exchanged(world, who, answer.token, resource=CRM, scope="record:read").body["error"] == "invalid_scope"


def test_types_named_as_scopes_are_not_left_behind_either(world: World) -> None:
    subject = own_token(world, resource=BASE, scope="decide record:read").token
    row = row_of(exchanged(world, "planner", subject, resource=BASE, scope="decide"))
    assert row.scopes == ["decide", "record:read"]


def test_where_nothing_of_the_limits_is_possible_nothing_is_granted(world: World) -> None:
    elsewhere = {**ONE, "locations": [world.worker.spiffe_id]}
    subject = own_token(world, resource=world.worker.spiffe_id, authorization_details=details(elsewhere)).token
    assert exchanged(world, "worker", subject, resource=BASE, scope="decide").body["error"] == "invalid_scope"
    written = own_token(world, resource=BASE, scope="decide record:write", may_act="agent/worker").token
    answer = exchanged(world, "worker", written, resource=BASE, scope="decide")
    assert answer.body["error"] == "invalid_scope"


def test_a_token_without_limits_stays_without(world: World) -> None:
    subject = own_token(world, resource=BASE, scope="decide", may_act="agent/worker").token
    row = row_of(exchanged(world, "worker", subject, resource=BASE, scope="decide"))
    assert not names_types(row.scopes, row.details)


def test_what_is_for_one_place_is_not_exchanged_for_another(world: World) -> None:
    here = {"type": "entitlement", "resource_type": "record", "actions": ["read"], "locations": [world.worker.spiffe_id]}
    subject = own_token(world, resource=world.worker.spiffe_id, authorization_details=details(here)).token
    bare = {name: value for name, value in here.items() if name != "locations"}
    for asked in (
        {"scope": "record:read"},
        {"authorization_details": details(bare)},
        {"authorization_details": details({**bare, "locations": [CRM]})},
        {"authorization_details": details({**bare, "locations": [CRM, world.worker.spiffe_id]})},
    ):
        assert exchanged(world, "worker", subject, resource=CRM, **asked).body["error"] == "invalid_scope"


def started(world: World, task: str, *actions: str, **entry: Any) -> Any:
    allows = [{"type": "record", "actions": list(actions), **entry}] if actions else None
    return start_run(agent=world.planner, task_id=task, allows=allows, by=SYSTEM, now=timezone.now())


def test_what_a_task_allows_holds_for_whoever_is_handed_its_token(world: World) -> None:
    make_delegation(world.planner, world.worker, spec(actions=["write"]))
    run = started(world, "T-1", "write")
    wide = own_token(world, resource=BASE, scope="decide", run=str(run.pk), may_act="agent/worker").token
    answer = exchanged(world, "worker", wide, resource=BASE, scope="decide")
    assert row_of(answer).scopes == ["decide", "record:write"]
    assert exchanged(world, "worker", wide, resource=CRM, scope="record:read").body["error"] == "invalid_scope"
    every = {"type": "entitlement", "resource_type": "record", "identifier": "r1"}
    asked = {"scope": "decide", "authorization_details": details(every), "run": str(run.pk), "may_act": "agent/worker"}
    narrowed = row_of(exchanged(world, "worker", own_token(world, resource=BASE, **asked).token, resource=CRM))
    assert narrowed.details == [{**every, "actions": ["write"]}]


def test_who_asks_for_what_is_not_possible_does_not_get_everything_instead(world: World) -> None:
    run = started(world, "T-1", "write")
    for asked in ({"authorization_details": details(ONE), "scope": "decide"}, {"scope": "decide record:delete"}):
        answer = own_token(world, resource=BASE, run=str(run.pk), **asked)
        assert (answer.status, answer.body["error"]) == (400, "invalid_scope")


def test_a_task_without_limits_is_passed_on_and_one_that_limits_fields_is_not(world: World) -> None:
    free, fields = started(world, "T-1"), started(world, "T-2", "read", fields=["title"])
    answers = [
        exchanged(world, "worker", own_token(world, resource=world.worker.spiffe_id, run=str(run.pk)).token)
        for run in (free, fields)
    ]
    assert [each.status for each in answers] == [200, 400]
    assert answers[1].body["error"] == "invalid_grant"


def test_nobody_leaves_a_task_for_another(world: World) -> None:
    first, second = started(world, "T-1", "read"), started(world, "T-2")
    subject = own_token(world, resource=BASE, scope="decide", run=str(first.pk)).token
    other = exchanged(world, "planner", subject, resource=BASE, scope="decide", run=str(second.pk))
    assert other.body["error"] == "invalid_grant"
    assert row_of(exchanged(world, "planner", subject, resource=BASE, scope="decide")).run == first


def test_what_does_not_fit_into_a_token_is_refused_and_nothing_is_left_of_it(world: World) -> None:
    many = [{**ONE, "identifier": f"{number:03}" + "x" * 250} for number in range(45)]
    answer = exchanged(
        world, "planner", own_token(world, resource=CRM).token, resource=CRM, authorization_details=details(*many)
    )
    assert (answer.status, answer.body["error"]) == (400, "invalid_authorization_details")
    assert AccessToken.objects.count() == 1
