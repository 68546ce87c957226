"""An agent acts for another and for a user: the chain is in the token, and nothing widens on the way."""

from itertools import pairwise

import pytest
from django.utils import timezone

from directory.services.suspension import suspend_agent
from permissions.models import AccessToken, Delegation
from permissions.oauth.authorizations import revoke_token
from permissions.services.delegations import end_delegation
from tests.factories import SYSTEM, make_agent
from tests.oauth.worlds import BASE, CRM, LAKE, World, basic, exchanged, introspected, own_token, post, secret_for
from tests.permissions.factories import make_delegation, make_grant, spec

pytestmark = pytest.mark.django_db


def for_worker(world: World, **data):
    return own_token(world, resource=world.worker.spiffe_id, **data)


def test_the_agent_that_exchanges_becomes_the_actor_and_the_delegation_narrows(world: World) -> None:
    subject = for_worker(world)
    answer = exchanged(world, "worker", subject.token)
    assert answer.status == 200, answer.body
    assert answer.body["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert "refresh_token" not in answer.body
    claims = answer.claims
    assert (claims["sub"], claims["act"]["sub"]) == ("agent/planner", "agent/worker")
    assert claims["act"]["sub_profile"] == "ai_agent"
    assert (claims["aud"], claims["scope"]) == (CRM, "record:read")
    assert claims["exp"] <= subject.claims["exp"]


def test_a_token_that_is_for_somebody_else_is_not_exchanged(world: World) -> None:
    answer = exchanged(world, "worker", own_token(world).token)
    assert (answer.status, answer.body["error"]) == (400, "invalid_grant")


def test_may_act_lets_one_agent_take_a_token_further_and_no_other(world: World) -> None:
    named = own_token(world, may_act="agent/worker").token
    assert exchanged(world, "worker", named).status == 200
    other = for_worker(world, may_act="agent/planner").token
    assert exchanged(world, "worker", other).body["error"] == "invalid_grant"


def test_nothing_widens(world: World) -> None:
    subject = for_worker(world, scope="record:read").token
    assert exchanged(world, "worker", subject, scope="record:read record:write").body["scope"] == "record:read"
    assert exchanged(world, "worker", subject, scope="record:write").body["error"] == "invalid_scope"
    assert exchanged(world, "worker", subject, resource=LAKE).body["error"] == "invalid_scope"
    narrower = for_worker(world, scope="record:write").token
    assert exchanged(world, "worker", narrower).body["error"] == "invalid_scope"


def test_who_was_delegated_nothing_gets_nothing(world: World) -> None:
    stranger = make_agent(world.acme, "stranger")
    make_grant(world.acme, stranger.user)
    world.credentials["stranger"], world.secrets["stranger"] = secret_for(stranger)
    subject = own_token(world, resource=stranger.spiffe_id).token
    assert exchanged(world, "stranger", subject).body["error"] == "invalid_scope"


def test_the_actor_token_is_the_clients_own_or_nothing(world: World) -> None:
    subject = for_worker(world).token
    own = own_token(world, "worker").token
    kind = "urn:ietf:params:oauth:token-type:access_token"
    assert exchanged(world, "worker", subject, actor_token=own, actor_token_type=kind).status == 200
    swapped = own_token(world).token
    assert exchanged(world, "worker", subject, actor_token=swapped, actor_token_type=kind).body["error"] == "invalid_request"
    assert exchanged(world, "worker", subject, actor_token=own).body["error"] == "invalid_request"


def test_a_chain_has_an_end(world: World) -> None:
    names = ["worker", *(f"link-{number}" for number in range(6))]
    agents = {"worker": world.worker}
    for name in names[1:]:
        agents[name] = make_agent(world.acme, name)
        make_grant(world.acme, agents[name].user, use=True, delegate=True)
        world.credentials[name], world.secrets[name] = secret_for(agents[name])
    Delegation.objects.update(depth=9)
    for before, after in pairwise(names):
        make_delegation(agents[before], agents[after], spec(), depth=9)
    current = for_worker(world, scope="record:read").token
    answer = None
    for name, following in zip(names, [*names[1:], "worker"], strict=False):
        answer = exchanged(world, name, current, resource=agents[following].spiffe_id)
        if answer.status != 200:
            break
        current = answer.token
    assert answer is not None
    assert (answer.status, answer.body["error"]) == (400, "invalid_grant")
    assert "5 actors" in answer.body["error_description"]


def test_an_agent_narrows_its_own_token(world: World) -> None:
    wide = own_token(world).token
    narrow = exchanged(world, "planner", wide, scope="record:read")
    assert narrow.claims["scope"] == "record:read"
    assert "act" not in narrow.claims


@pytest.mark.parametrize("ended", ["subject token", "delegator", "actor", "delegation"])
def test_what_it_rests_on_ends_it_at_the_next_call(world: World, ended: str) -> None:
    subject = for_worker(world)
    answer = exchanged(world, "worker", subject.token)
    assert introspected(world, answer.token)["active"] is True
    now = timezone.now()
    match ended:
        case "subject token":
            row = AccessToken.objects.get(pk=subject.claims["jti"])
            revoke_token(token=row, by=SYSTEM, now=now)
        case "delegator":
            suspend_agent(agent=world.planner, by=SYSTEM, now=now)
        case "actor":
            suspend_agent(agent=world.worker, by=SYSTEM, now=now)
        case "delegation":
            end_delegation(delegation=Delegation.objects.get(), by=SYSTEM, now=now)
    assert introspected(world, answer.token) == {"active": False}
    assert exchanged(world, "worker", answer.token).status in (400, 401)


def test_a_token_for_agentiam_as_wide_as_its_agent_is_narrowed_for_an_application(world: World) -> None:
    wide = own_token(world, resource=BASE).token
    assert exchanged(world, "planner", wide).body["scope"] == "record:read record:write"


def test_who_only_hands_on_gets_a_token_for_the_agent_and_none_of_use_elsewhere(world: World) -> None:
    coordinator = make_agent(world.acme, "coordinator")
    _, secret = secret_for(coordinator)
    make_grant(world.acme, coordinator.user, spec(actions=["read"]), use=False, delegate=True)
    header = basic("coordinator", secret.text)
    own = {"grant_type": "client_credentials"}
    assert post("token", own | {"resource": world.worker.spiffe_id, "scope": "record:read"}, authorization=header).status == 400
    make_delegation(coordinator, world.worker, spec(actions=["read"]))
    given = post("token", own | {"resource": world.worker.spiffe_id}, authorization=header)
    assert given.body["scope"] == "record:read"
    assert post("token", own | {"resource": CRM, "scope": "record:read"}, authorization=header).body["error"] == "invalid_scope"
    taken = exchanged(world, "worker", given.token, resource=CRM)
    assert (taken.status, taken.body["scope"]) == (200, "record:read")
    assert (taken.claims["sub"], taken.claims["act"]["sub"]) == ("agent/coordinator", "agent/worker")
    # The worker itself may do more at the CRM than what was handed to it.
    assert exchanged(world, "worker", given.token, resource=CRM, scope="record:write").body["error"] == "invalid_scope"
