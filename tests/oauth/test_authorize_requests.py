"""A request for a person's consent: whom it may come from, and where a browser is never sent."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from directory.services.suspension import suspend_agent
from permissions.models import Authorization, OAuthClient
from tests.factories import SYSTEM, make_organization, make_person
from tests.oauth.asking import (
    CALLBACK,
    PATH,
    address,
    browser_of,
    form_of,
    make_client,
    redirect_of,
    texts,
)
from tests.oauth.worlds import CRM, ISSUER, World


@pytest.fixture
def client(world: World) -> OAuthClient:
    return make_client(world)


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
