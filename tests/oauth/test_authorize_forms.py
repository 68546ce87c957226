"""What a person decides is what they were shown, and what the code is worth that they get for it."""

import pytest
from django.core import signing
from django.utils import timezone

from directory.cards.signing import thumbprint
from permissions.models import Authorization, AuthorizationCode, OAuthClient
from permissions.oauth.forms import SALT
from tests.factories import make_organization, make_person
from tests.oauth.asking import (
    CALLBACK,
    PATH,
    VERIFIER,
    address,
    allowed,
    browser_of,
    form_of,
    make_client,
    redeemed,
    redirect_of,
    texts,
)
from tests.oauth.worlds import KEYS, World, ask, introspected, post
from tests.permissions.factories import make_guardrail

CODE = "authorization_code"


@pytest.fixture
def client(world: World) -> OAuthClient:
    return make_client(world)


def test_a_form_is_good_for_one_yes(world, client) -> None:
    browser = browser_of(world.ada)
    shown = form_of(browser.get(address()))
    redirect_of(browser.post(PATH, shown))
    again = browser.post(PATH, shown)
    assert (again.status_code, "Location" in again.headers) == (409, False)
    assert Authorization.objects.count() == AuthorizationCode.objects.count() == 1


def test_a_form_is_of_one_person_in_one_session(world, client) -> None:
    bea = make_person(world.acme, "bea")
    shown = form_of(browser_of(world.ada).get(address()))
    for browser in (browser_of(bea), browser_of(world.ada)):
        answer = browser.post(PATH, shown)
        assert (answer.status_code, "Location" in answer.headers) == (400, False)
    # Who signed out meanwhile is asked to sign in, and then asked again.
    assert browser_of(None).post(PATH, shown).headers["Location"].startswith("/login/?next=")
    assert not Authorization.objects.exists()


def test_a_form_that_was_changed_or_is_old_is_refused(world, client, monkeypatch) -> None:
    browser = browser_of(world.ada)
    sent = form_of(browser.get(address()))
    other = signing.dumps({"query": "x"}, salt="another")
    for shown in ("", "x", sent["shown"][:-1] + ("A" if sent["shown"][-1] != "A" else "B"), other):
        assert browser.post(PATH, sent | {"shown": shown}).status_code == 400
    monkeypatch.setattr("django.core.signing.time.time", lambda: timezone.now().timestamp() + 601)
    assert browser.post(PATH, sent).status_code == 400
    assert signing.loads(sent["shown"], salt=SALT)["query"]
    assert not Authorization.objects.exists()


def test_a_form_says_what_is_asked_and_the_address_it_is_sent_to_says_nothing(world, client) -> None:
    browser = browser_of(world.ada)
    shown = form_of(browser.get(address()))
    other = address(scope="record:read record:write", redirect_uri="https://evil.example/", state="other")
    where, said = redirect_of(browser.post(other, shown))
    assert (where, said["state"]) == (CALLBACK, "s-1")
    assert Authorization.objects.get().scopes == ["record:read"]


def test_an_address_that_was_taken_away_meanwhile_gets_nothing(world, client) -> None:
    browser = browser_of(world.ada)
    shown = form_of(browser.get(address()))
    make_client(world, "https://planner.example/other")
    answer = browser.post(PATH, shown)
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_what_changed_since_it_was_shown_is_shown_again(world, client) -> None:
    browser = browser_of(world.ada)
    shown = form_of(browser.get(address(scope="record:read record:write")))
    make_guardrail(world.acme, actions=["write"], effect="require_approval")
    page = browser.post(PATH, shown)
    assert page.status_code == 409
    assert "has changed since you looked" in texts(page)
    assert not Authorization.objects.exists()
    redirect_of(browser.post(PATH, form_of(page)))
    assert Authorization.objects.count() == 1


def test_a_decision_from_another_site_is_refused(world, client) -> None:
    browser = browser_of(world.ada, enforce_csrf_checks=True)
    assert browser.post(PATH, form_of(browser.get(address()))).status_code == 403
    assert not Authorization.objects.exists()


def test_another_organizations_path_does_not_take_the_form(world, client) -> None:
    make_organization("evil")
    browser = browser_of(world.ada)
    shown = form_of(browser.get(address()))
    assert browser.post("/o/evil/oauth/authorize", shown).status_code == 400
    assert not Authorization.objects.exists()


# --- what a code is worth ---------------------------------------------------------------------------------------------------


def test_a_code_is_good_for_what_was_shown_once(world, client) -> None:
    said = allowed(browser_of(world.ada))
    assert redeemed(world, said, redirect_uri="https://evil.example/").body["error"] == "invalid_grant"
    said = allowed(browser_of(world.ada))
    assert redeemed(world, said, code_verifier="w" * 50).body["error"] == "invalid_grant"
    said = allowed(browser_of(world.ada))
    token = redeemed(world, said)
    assert introspected(world, token.token)["active"]
    assert redeemed(world, said).body["error"] == "invalid_grant"
    assert introspected(world, token.token) == {"active": False}


def test_a_code_that_was_mixed_up_is_good_for_no_other_client(world, client) -> None:
    said = allowed(browser_of(world.ada))
    given = {"grant_type": CODE, "code": said["code"], "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    assert ask(world, "worker", given).body["error"] == "invalid_grant"


def test_a_code_for_a_key_is_good_with_that_key_alone(world, client) -> None:
    key = KEYS["ES256"]
    said = allowed(browser_of(world.ada), dpop_jkt=thumbprint(key.as_dict(private=False)))
    assert redeemed(world, said).body["error"] == "invalid_grant"
    said = allowed(browser_of(world.ada), dpop_jkt="x" * 43)
    assert redeemed(world, said).body["error"] == "invalid_grant"
    assert AuthorizationCode.objects.filter(jkt="x" * 43).count() == 1


def test_a_public_client_redeems_its_code_without_a_secret(world) -> None:
    make_client(world, public=True)
    said = allowed(browser_of(world.ada))
    given = {"grant_type": CODE, "code": said["code"], "redirect_uri": CALLBACK, "client_id": "planner"}
    assert post("token", given | {"code_verifier": "w" * 50}).body["error"] == "invalid_grant"
    said = allowed(browser_of(world.ada))
    assert post("token", given | {"code": said["code"], "code_verifier": VERIFIER}).body["scope"] == "record:read"


def test_a_task_that_is_not_this_persons_is_said_on_a_page_that_leads_back(world, client) -> None:
    answer = browser_of(world.ada).get(address(task="nobody's"))
    assert (answer.status_code, "Location" in answer.headers) == (200, False)
    assert f"{CALLBACK}?error=invalid_request" in answer.content.decode()
    # It is no page that goes on by itself: right after signing in the browser would not be let go.
    assert "http-equiv" not in answer.content.decode()
