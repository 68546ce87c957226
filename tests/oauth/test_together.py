"""Two at once: a code, a refresh token and a form are each good for one, whoever comes first."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections

from permissions.models import AccessToken, Authorization, AuthorizationCode
from tests.oauth.asking import CALLBACK, PATH, VERIFIER, address, allowed, browser_of, form_of, make_client
from tests.oauth.worlds import CRM, KEYS, World, ask, assertion, dpop_proof, make_world, public_key_for, with_assertion

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 4


@pytest.fixture
def world(transactional_db: None) -> World:
    cache.clear()
    world = make_world()
    make_client(world)
    return world


def at_once(act: Callable[[], Any]) -> list[Any]:
    """Let several threads do the same thing at the same moment."""
    barrier = Barrier(AT_ONCE)

    def run(_: int) -> Any:
        try:
            barrier.wait(timeout=10)
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, range(AT_ONCE)))


def codes(world: World) -> dict[str, str]:
    code = allowed(browser_of(world.ada))["code"]
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}


def test_of_those_who_redeem_one_code_one_gets_a_token_and_the_authorization_ends(world: World) -> None:
    given = codes(world)
    answers = at_once(lambda: ask(world, "planner", given))
    assert sorted(each.status for each in answers) == [200] + [400] * (AT_ONCE - 1)
    assert AccessToken.objects.count() == 1
    assert AuthorizationCode.objects.get().used_at is not None
    # A code in two hands is a code that was stolen: what came of it is worth nothing.
    assert Authorization.objects.get().ended_at is not None
    assert not AccessToken.objects.filter(revoked_at__isnull=True).exists()


def test_of_those_who_use_one_refresh_token_one_gets_another_and_the_family_ends(world: World) -> None:
    first = ask(world, "planner", codes(world))
    given = {"grant_type": "refresh_token", "refresh_token": first.body["refresh_token"]}
    answers = at_once(lambda: ask(world, "planner", given))
    assert sorted(each.status for each in answers) == [200] + [400] * (AT_ONCE - 1)
    assert AccessToken.objects.count() == 2
    assert Authorization.objects.get().ended_at is not None
    assert not AccessToken.objects.filter(revoked_at__isnull=True).exists()


def test_of_two_clicks_on_one_form_one_is_a_yes(world: World) -> None:
    browser = browser_of(world.ada)
    shown = form_of(browser.get(address()))
    cookies = browser.cookies

    def click() -> int:
        each = browser_of(None)
        each.cookies = cookies
        return int(each.post(PATH, shown).status_code)

    assert sorted(at_once(click)) == [303] + [409] * (AT_ONCE - 1)
    assert Authorization.objects.count() == AuthorizationCode.objects.count() == 1


def test_of_those_who_bring_one_assertion_one_is_believed(world: World) -> None:
    public_key_for(world.planner, "ES256")
    text = assertion("planner")
    answers = at_once(lambda: with_assertion("planner", text))
    assert sorted(each.status for each in answers) == [200] + [401] * (AT_ONCE - 1)


def test_of_those_who_bring_one_proof_of_possession_one_is_bound(world: World) -> None:
    given = {"grant_type": "client_credentials", "resource": CRM}
    nonce = ask(world, "planner", given, dpop=dpop_proof(KEYS["ES256"])).headers["DPoP-Nonce"]
    proof = dpop_proof(KEYS["ES256"], nonce=nonce)
    answers = at_once(lambda: ask(world, "planner", given, dpop=proof))
    assert sorted(each.status for each in answers) == [200] + [400] * (AT_ONCE - 1)
