"""The authorization endpoint: whom it asks, what it shows, where it sends a browser, and what an answer is worth."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import signing
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event
from directory.cards.signing import thumbprint
from directory.services.runs import end_run, start_run
from directory.services.suspension import suspend_agent
from permissions.models import AccessToken, Authorization, AuthorizationCode, Consent, OAuthClient
from permissions.oauth.facts import token_facts
from permissions.oauth.forms import SALT
from permissions.selectors.connections import connections_of
from permissions.services.connections import end_connection
from permissions.services.consents import end_consent
from tests.directory.recorded import data_of
from tests.factories import SYSTEM, make_organization, make_person
from tests.oauth.asking import (
    CALLBACK,
    PATH,
    VERIFIER,
    address,
    allowed,
    browser_of,
    form_of,
    make_client,
    redirect_of,
)
from tests.oauth.worlds import CRM, ISSUER, KEYS, World, ask, exchanged, introspected, post
from tests.permissions.factories import make_consent, make_grant, make_guardrail, spec

CODE = "authorization_code"
REFRESH = "refresh_token"


@pytest.fixture
def client(world: World) -> OAuthClient:
    return make_client(world)


def redeemed(world: World, said: dict[str, str], **data):
    given = {"grant_type": CODE, "code": said["code"], "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    return ask(world, "planner", given | data)


def texts(page) -> str:
    return " ".join(page.content.decode().split())


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


# --- never to a stranger's address ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "",
        "https://evil.example/callback",
        "https://planner.example/callback/",
        "https://planner.example/callback?x=1",
        "https://planner.example/callback#x",
        "https://planner.example:8443/callback",
        "https://planner.example/callback/../evil",
        "https://planner.example@evil.example/callback",
        "https://planner.example.evil.example/callback",
        "https://PLANNER.example/callback",
        "http://planner.example/callback",
        "//planner.example/callback",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://127.0.0.1/callback",
        "https://planner.example/callback\r\nX: y",
        "https://planner.example/%63allback",
    ],
)
def test_a_browser_is_never_sent_to_an_address_that_was_not_registered(world, client, uri) -> None:
    for browser in (browser_of(world.ada), browser_of(None)):
        for more in ({}, {"response_type": "token"}, {"prompt": "none"}):
            answer = browser.get(address(redirect_uri=uri, **more))
            assert answer.status_code == 400
            assert "Location" not in answer.headers
            assert "evil.example" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("client_id", [None, "", "worker", "nobody", "https://planner.example/client.json"])
def test_who_is_no_client_gets_a_page(world, client, client_id) -> None:
    answer = browser_of(world.ada).get(address(client_id=client_id))
    assert answer.status_code == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("registered", "given", "fine"),
    [
        ("http://127.0.0.1/cb", "http://127.0.0.1:5123/cb", True),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:5123/cb", True),
        ("http://[::1]/cb", "http://[::1]:5123/cb", True),
        ("http://127.0.0.1/cb", "http://127.0.0.1:5123/other", False),
        ("http://127.0.0.1/cb", "http://[::1]:5123/cb", False),
        ("http://127.0.0.1/cb", "https://127.0.0.1:5123/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:5123/cb?x=1", False),
        ("http://127.0.0.1/cb", "http://x@127.0.0.1:5123/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", False),
        ("http://localhost:3000/cb", "http://localhost:3001/cb", False),
        ("https://planner.example/cb", "https://planner.example:444/cb", False),
        ("com.example.planner:/cb", "com.example.planner:/cb", True),
        ("com.example.planner:/cb", "com.example.planner:/cb2", False),
    ],
)
def test_the_port_is_free_on_the_loopback_interface_alone(world, registered, given, fine) -> None:
    make_client(world, registered)
    assert browser_of(world.ada).get(address(redirect_uri=given)).status_code == (200 if fine else 400)


def test_the_policy_lets_the_form_end_at_the_clients_address_and_nowhere_else(world, client) -> None:
    page = browser_of(world.ada).get(address())
    directives = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert directives["form-action"] == "'self' https://planner.example"
    assert directives["frame-ancestors"] == "'none'"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "planner.example" not in browser_of(world.ada).get("/me/agents/").headers["Content-Security-Policy"]


def test_an_address_that_no_policy_can_name_is_gone_to_by_a_page(world) -> None:
    make_client(world, "http://[::1]/cb")
    browser = browser_of(world.ada)
    page = browser.get(address(redirect_uri="http://[::1]:5123/cb"))
    answer = browser.post(PATH, form_of(page))
    assert answer.status_code == 200
    assert "http://[::1]:5123/cb?code=aac_" in answer.content.decode()


# --- what goes back to the client -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "x" * 44}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"dpop_jkt": "x"}, "invalid_request"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "https://planner.example/r"}, "request_uri_not_supported"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"scope": 'record:"read'}, "invalid_scope"),
        ({"resource": "https://nobody.example"}, "invalid_target"),
        ({"resource": None}, "invalid_target"),
        ({"resource": [CRM, "https://lake.acme.example"]}, "invalid_target"),
        ({"authorization_details": "{}"}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"payment"}]'}, "invalid_authorization_details"),
        ({"scope": None, "resource": "http://127.0.0.1:8000"}, "invalid_scope"),
    ],
)
def test_what_is_wrong_is_said_to_the_client_before_anybody_signs_in(world, client, wrong, error) -> None:
    for user in (None, world.ada):
        where, said = redirect_of(browser_of(user).get(address(**wrong)))
        assert where == CALLBACK
        assert (said["error"], said["state"], said["iss"]) == (error, "s-1", ISSUER)
        assert said["error_description"]
        assert "code" not in said


def test_without_a_page_nobody_is_asked(world, client) -> None:
    assert redirect_of(browser_of(None).get(address(prompt="none")))[1]["error"] == "interaction_required"
    assert redirect_of(browser_of(world.ada).get(address(prompt="none")))[1]["error"] == "consent_required"


@pytest.mark.parametrize("extra", ["&state=s-2", "&client_id=worker", f"&redirect_uri={CALLBACK}", "&scope=a:b"])
def test_a_parameter_that_is_there_twice_is_said_on_a_page(world, client, extra) -> None:
    assert browser_of(world.ada).get(address() + extra).status_code == 400


def test_too_much_state_and_too_long_a_request_are_said_on_a_page(world, client) -> None:
    assert browser_of(world.ada).get(address(state="s" * 500)).status_code == 200
    assert browser_of(world.ada).get(address(state="s" * 501)).status_code == 400
    assert browser_of(world.ada).get(address(login_hint="x" * 8_000)).status_code == 400


def test_a_query_of_the_clients_address_is_kept(world) -> None:
    make_client(world, f"{CALLBACK}?a=1")
    answer = browser_of(world.ada).get(address(redirect_uri=f"{CALLBACK}?a=1", response_type="token"))
    assert parse_qs(urlsplit(answer.headers["Location"]).query)["a"] == ["1"]


# --- who may answer ---------------------------------------------------------------------------------------------------------


def test_the_request_survives_signing_in(world, client) -> None:
    answer = browser_of(None).get(address(scope="record:read record:write"))
    where = urlsplit(answer.headers["Location"])
    assert (answer.status_code, where.path) == (302, "/login/")
    following = parse_qs(where.query)["next"][0]
    assert following == address(scope="record:read record:write")
    assert browser_of(world.ada).get(following).status_code == 200


def test_somebody_of_another_organization_is_told_so_and_may_sign_in_as_another(world, client) -> None:
    stranger = make_person(make_organization("evil"), "mallory")
    page = browser_of(stranger).get(address())
    assert page.status_code == 403
    assert "Sign in as somebody else" in texts(page)
    assert 'name="next" value="/o/acme/oauth/authorize?' in page.content.decode()
    # What ada saw is of no use to mallory, either.
    shown = form_of(browser_of(world.ada).get(address()))
    assert browser_of(stranger).post(PATH, shown).status_code == 400
    assert not Authorization.objects.exists()


def test_an_agent_that_is_not_active_acts_for_nobody(world, client) -> None:
    browser = browser_of(world.ada)
    shown = form_of(browser.get(address()))
    suspend_agent(agent=world.planner, by=SYSTEM, reason="for the test", now=timezone.now())
    assert browser.get(address()).status_code == 403
    answer = browser.post(PATH, shown)
    assert (answer.status_code, "Location" in answer.headers) == (403, False)
    assert not Authorization.objects.exists()


def test_an_issuer_that_is_not_there_is_not_found(world, client) -> None:
    assert browser_of(world.ada).get(address("/o/nowhere/oauth/authorize")).status_code == 404
    assert browser_of(world.ada).put(PATH).status_code == 405


# --- what is decided is what was shown --------------------------------------------------------------------------------------


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


# --- connected agents -------------------------------------------------------------------------------------------------------


def test_what_acts_for_a_person_is_shown_and_ended_by_them_alone(world, client) -> None:
    Consent.objects.all().delete()
    browser = browser_of(world.ada)
    assert "No agent acts for you now." in texts(browser.get("/me/agents/"))
    token = redeemed(world, allowed(browser))
    page = texts(browser.get("/me/agents/"))
    assert "It may read record for you in Crm." in page
    assert "It last got a token for this on" in page
    row = Authorization.objects.get()
    end = f"/me/agents/authorizations/{row.pk}/end/"
    assert browser.get(end).status_code == 405
    assert browser_of(make_person(world.acme, "bea", is_superuser=True)).post(end).status_code == 404
    assert browser.post(end, follow=True).status_code == 200
    assert introspected(world, token.token) == {"active": False}
    assert not Consent.objects.live(timezone.now()).exists()
    assert "No agent acts for you now." in texts(browser.get("/me/agents/"))
    # Ending it twice is ending it.
    assert browser.post(end).status_code == 302


def test_many_connections_cost_no_more_queries_than_one(world, client) -> None:
    browser = browser_of(world.ada)
    allowed(browser)
    make_consent(world.ada, world.worker, world.record)
    with CaptureQueriesContext(connection) as few:
        assert len(connections_of(world.ada, now=timezone.now())) == 2
    for _ in range(5):
        allowed(browser)
        make_consent(world.ada, world.worker, world.record)
    with CaptureQueriesContext(connection) as many:
        assert len(connections_of(world.ada, now=timezone.now())) == 12
    assert len(many) == len(few) <= 5


def test_a_consent_that_was_given_elsewhere_is_shown_and_ended(world) -> None:
    [consent] = Consent.objects.all()
    browser = browser_of(world.ada)
    assert "It may read and write record for you in Crm." in texts(browser.get("/me/agents/"))
    end = f"/me/agents/consents/{consent.pk}/end/"
    assert browser_of(make_person(world.acme, "bea")).post(end).status_code == 404
    browser.post(end)
    assert not Consent.objects.live(timezone.now()).exists()
    assert browser.post(end).status_code == 302
