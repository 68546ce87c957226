"""The authorization endpoint: whom it asks, what it shows, where it sends a browser, and what an answer is worth."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import Event
from directory.services.runs import end_run, start_run
from permissions.models import AccessToken, Authorization, Consent, OAuthClient
from permissions.oauth.facts import token_facts
from permissions.services.connections import end_connection
from permissions.services.consents import end_consent
from tests.directory.recorded import data_of
from tests.factories import SYSTEM
from tests.oauth.asking import (
    CALLBACK,
    PATH,
    address,
    allowed,
    browser_of,
    form_of,
    make_client,
    redeemed,
    redirect_of,
    texts,
)
from tests.oauth.worlds import CRM, ISSUER, World, ask, exchanged, introspected
from tests.permissions.factories import make_consent, make_grant, make_guardrail, spec

REFRESH = "refresh_token"


@pytest.fixture
def client(world: World) -> OAuthClient:
    return make_client(world)


# --- a whole run ------------------------------------------------------------------------------------------------------------


def test_a_yes_becomes_consents_an_authorization_a_code_and_a_token(world, client) -> None:
    Consent.objects.all().delete()
    said = allowed(browser_of(world.ada), scope="record:read record:write")
    assert said["state"] == "s-1"
    assert said["iss"] == ISSUER
    [row] = Authorization.objects.all()
    assert (row.user, row.agent, row.audience, row.scopes) == (world.ada, world.planner, CRM, ["record:read", "record:write"])
    [consent] = row.consents.all()
    assert (consent.actions, consent.data_classes) == (["read", "write"], ["internal", "personal", "sensitive"])
    assert consent.ends_at == row.ends_at
    event = Event.objects.get(type="authorization.given")
    assert (event.actor_id, event.target_id) == ("ada", str(row.pk))
    token = redeemed(world, said)
    assert token.body["scope"] == "record:read record:write"
    assert introspected(world, token.token)["active"]


def test_what_is_switched_off_is_not_allowed(world, client) -> None:
    browser = browser_of(world.ada)
    page = browser.get(address(scope="record:read record:write"))
    redirect_of(browser.post(PATH, form_of(page) | {"item": ["record:read"]}))
    assert Authorization.objects.get().scopes == ["record:read"]


def test_what_was_not_shown_cannot_be_switched_on(world, client) -> None:
    browser = browser_of(world.ada)
    page = browser.get(address(scope="record:read record:delete"))
    sent = form_of(page) | {"item": ["record:read", "record:delete", "record:write"]}
    redirect_of(browser.post(PATH, sent))
    assert Authorization.objects.get().scopes == ["record:read"]


def test_a_no_is_recorded_and_told_to_the_client(world, client) -> None:
    browser = browser_of(world.ada)
    page = browser.get(address())
    where, said = redirect_of(browser.post(PATH, form_of(page) | {"answer": "decline"}))
    assert where == CALLBACK
    assert (said["error"], said["state"], said["iss"]) == ("access_denied", "s-1", ISSUER)
    assert Event.objects.filter(type="authorization.declined", actor_id="ada").count() == 1
    assert not Authorization.objects.exists()


def test_a_yes_to_nothing_is_no_yes_and_the_page_says_so(world, client) -> None:
    browser = browser_of(world.ada)
    page = browser.post(PATH, form_of(browser.get(address())) | {"item": []})
    assert page.status_code == 422
    assert "so nothing was allowed" in texts(page)
    assert not Authorization.objects.exists()


def test_details_come_back_with_the_chosen_actions(world, client) -> None:
    browser = browser_of(world.ada)
    details = '[{"type":"entitlement","resource_type":"record","datatypes":["personal"]}]'
    page = browser.get(address(scope=None, authorization_details=details))
    assert "personal data: email" in lists_of(page)[0]
    assert "internal data" not in lists_of(page)[0]
    said = redirect_of(browser.post(PATH, form_of(page) | {"item": ["0/record:read"]}))[1]
    row = Authorization.objects.get()
    assert row.scopes == []
    assert [each["actions"] for each in row.details] == [["read"]]
    assert redeemed(world, said).body["authorization_details"] == row.details


def test_nobody_is_asked_about_one_object_as_a_consent_is_to_the_type(world, client) -> None:
    Consent.objects.all().delete()
    details = '[{"type":"entitlement","resource_type":"record","actions":["read"],"identifier":"r-7"}]'
    answer = browser_of(world.ada).get(address(scope=None, authorization_details=details))
    to, said = redirect_of(answer)
    assert (to, said["error"], said["state"]) == (CALLBACK, "invalid_authorization_details", "s-1")
    assert not Consent.objects.exists()
    assert not Authorization.objects.exists()


def test_without_a_scope_it_is_all_that_is_possible(world, client) -> None:
    said = allowed(browser_of(world.ada), scope=None)
    assert Authorization.objects.get().scopes == ["record:read", "record:write"]
    assert redeemed(world, said).body["scope"] == "record:read record:write"


# --- what the page says -----------------------------------------------------------------------------------------------------


def lists_of(page) -> tuple[str, str, str]:
    """Cut the page into what it can, what it asks for each time, and what it can never."""
    rest = texts(page)
    before, _, never = rest.partition("It can never")
    can, _, asks = before.partition("It will ask each time")
    return can, asks, never.partition("For how long")[0]


def test_what_neither_consent_nor_anything_gives_is_under_never_with_the_reason(world, client) -> None:
    Consent.objects.all().delete()
    make_grant(world.acme, world.planner.user, spec(actions=["delete"]))
    make_guardrail(world.acme, actions=["write"], reason="nobody writes in December")
    page = browser_of(world.ada).get(address(scope="record:read record:write record:delete record:fly"))
    can, _, never = lists_of(page)
    assert "record:read" in can
    assert "You may not do this yourself." in never
    assert "nobody writes in December" in never
    assert "There is nothing of that name here." in never
    assert 'value="record:write"' not in texts(page)


def test_what_a_person_must_approve_is_under_asks(world, client) -> None:
    make_guardrail(world.acme, actions=["write"], effect="require_approval")
    can, asks, _ = lists_of(browser_of(world.ada).get(address(scope="record:read record:write")))
    assert "record:read" in can
    assert "record:write" in asks


def test_fields_are_named_with_their_classes_and_the_shortest_time_is_picked(world, client) -> None:
    page = browser_of(world.ada).get(address())
    assert "personal data: email" in texts(page)
    assert form_of(page)["period"] == [("hour" if "One hour" in texts(page) else "today")]
    assert "planner.example" in texts(page)


def test_a_task_is_the_first_time_to_choose(world, client) -> None:
    now = timezone.now()
    start_run(
        agent=world.planner,
        task_id="t-1",
        purpose="billing",
        on_behalf_of=world.ada,
        expires_at=now + timedelta(minutes=20),
        by=SYSTEM,
        now=now,
    )
    Consent.objects.all().delete()
    browser = browser_of(world.ada)
    page = browser.get(address(task="t-1"))
    assert form_of(page)["period"] == ["task"]
    redirect_of(browser.post(PATH, form_of(page)))
    row = Authorization.objects.get()
    assert row.ends_at == now + timedelta(minutes=20)
    assert row.consents.get().purpose == "billing"


def on_task(world: World, task: str, **values):
    return start_run(
        agent=world.planner, task_id=task, purpose="billing", on_behalf_of=world.ada, by=SYSTEM, now=timezone.now(), **values
    )


def test_what_was_given_for_a_task_is_for_that_task_alone(world, client) -> None:
    agreed, other = on_task(world, "t-1"), on_task(world, "t-2")
    browser = browser_of(world.ada)
    said = allowed(browser, task="t-1")
    assert Authorization.objects.get().run == agreed
    assert data_of(Event.objects.get(type="authorization.given"))["run"] == "t-1"
    first = redeemed(world, said)
    assert first.claims["run"]["task"] == "t-1"
    named = ask(world, "planner", {"grant_type": REFRESH, "refresh_token": first.body["refresh_token"], "task": "t-2"})
    assert named.body["error"] == "invalid_request"
    assert exchanged(world, "planner", first.token, run=str(other.pk)).body["error"] == "invalid_request"
    assert redeemed(world, allowed(browser, task="t-1"), run=str(other.pk)).body["error"] == "invalid_request"
    again = ask(world, "planner", {"grant_type": REFRESH, "refresh_token": first.body["refresh_token"]})
    assert again.claims["run"]["task"] == "t-1"


def test_what_was_given_for_a_task_ends_with_it(world, client) -> None:
    run = on_task(world, "t-1")
    browser = browser_of(world.ada)
    said, unused = allowed(browser, task="t-1"), allowed(browser, task="t-1")
    first = redeemed(world, said)
    own = exchanged(world, "planner", first.token).token
    assert introspected(world, first.token)["active"]
    assert introspected(world, own)["active"]
    end_run(run=run, by=SYSTEM, now=timezone.now())
    assert introspected(world, first.token) == introspected(world, own) == {"active": False}
    again = ask(world, "planner", {"grant_type": REFRESH, "refresh_token": first.body["refresh_token"]})
    assert (again.status, again.body["error"]) == (400, "invalid_grant")
    assert redeemed(world, unused).body["error"] == "invalid_grant"


def test_what_the_task_does_not_allow_is_in_no_token_of_it(world, client) -> None:
    on_task(world, "t-1", allows=[{"type": "record", "actions": ["read"]}])
    said = allowed(browser_of(world.ada), scope="record:read record:write", task="t-1")
    assert redeemed(world, said).body["scope"] == "record:read"


def test_a_token_that_says_no_run_ends_with_the_one_that_was_agreed_to(world, client) -> None:
    run = on_task(world, "t-1")
    token = redeemed(world, allowed(browser_of(world.ada), task="t-1")).token
    AccessToken.objects.update(run=None)
    assert introspected(world, token)["active"]
    end_run(run=run, by=SYSTEM, now=timezone.now())
    assert introspected(world, token) == {"active": False}
    facts = token_facts(token, world.acme, None, now=timezone.now())
    assert facts is not None
    assert facts.proven.ended == "the run that the token is for has ended"


def test_nothing_lasts_longer_than_ninety_days(world, client) -> None:
    browser = browser_of(world.ada)
    redirect_of(browser.post(PATH, form_of(browser.get(address())) | {"period": "stopped"}))
    assert Authorization.objects.get().ends_at <= timezone.now() + timedelta(days=90)
    page = browser.get(address())
    assert browser.post(PATH, form_of(page) | {"period": "forever"}).status_code == 422


def test_names_are_text_and_never_markup(world, client) -> None:
    page = browser_of(world.ada).get(address(scope='record:read <b>x</b>:"><script>'))
    assert page.status_code in (200, 303)
    assert b"<script>" not in page.content.replace(b"<script src=", b"")


# --- consents that are there ------------------------------------------------------------------------------------------------


def test_a_consent_that_says_it_all_is_used_and_a_narrower_one_is_left_as_it_is(world, client) -> None:
    [wide] = Consent.objects.all()
    allowed(browser_of(world.ada))
    assert Authorization.objects.get().consents.get() == wide
    end_consent(consent=wide, by=SYSTEM, reason="for the test", now=timezone.now())
    narrow = make_consent(world.ada, world.planner, world.record, data_classes=["internal"])
    allowed(browser_of(world.ada))
    latest = Authorization.objects.order_by("-created_at").first()
    assert latest is not None
    made = latest.consents.get()
    assert made != narrow
    narrow.refresh_from_db()
    assert narrow.data_classes == ["internal"]


def test_an_authorization_ends_with_its_last_consent_and_its_tokens_with_it(world, client) -> None:
    Consent.objects.all().delete()
    token = redeemed(world, allowed(browser_of(world.ada)))
    row = Authorization.objects.get()
    end_consent(consent=row.consents.get(), by=world.ada.as_actor(), now=timezone.now())
    row.refresh_from_db()
    assert row.ended_at is not None
    assert introspected(world, token.token) == {"active": False}
    refreshed = ask(world, "planner", {"grant_type": "refresh_token", "refresh_token": token.body["refresh_token"]})
    assert refreshed.body["error"] == "invalid_grant"


def test_a_consent_that_another_authorization_rests_on_stays(world, client) -> None:
    Consent.objects.all().delete()
    browser = browser_of(world.ada)
    redirect_of(browser.post(PATH, form_of(browser.get(address())) | {"period": "month"}))
    allowed(browser)
    latest, first = Authorization.objects.order_by("-created_at")
    consent = first.consents.get()
    assert latest.consents.get() == consent
    end_connection(authorization=latest, by=world.ada.as_actor(), now=timezone.now())
    consent.refresh_from_db()
    assert consent.ended_at is None
    end_connection(authorization=first, by=world.ada.as_actor(), now=timezone.now())
    consent.refresh_from_db()
    assert consent.ended_at is not None
