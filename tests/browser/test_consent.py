"""A person is asked in a real browser, and the answer arrives at a client that listens on this device."""

import base64
import hashlib
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from directory.models import Agent
from directory.services.credentials import issue_client_secret
from permissions.models import Authorization, Consent
from permissions.oauth.keys import ensure_keys
from permissions.services.oauth_clients import set_oauth_client
from tests.browser.conftest import PASSWORD
from tests.browser.test_pages import SCHEMES, assert_accessible, assert_no_sideways_scrolling
from tests.factories import SYSTEM, make_agent, make_organization, make_person
from tests.permissions.factories import (
    make_application,
    make_delegation,
    make_grant,
    make_guardrail,
    make_resource_type,
    spec,
)

CRM = "https://crm.acme.example"
VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
WIDTHS = (320, 390, 1440)
ISSUER = "/o/acme/oauth"


class Callbacks:
    """A client's own little server, and what browsers brought to it."""

    def __init__(self) -> None:
        self.answers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/callback"):
                    query = parse_qs(urlsplit(self.path).query)
                    outer.answers.append({name: value[0] for name, value in query.items()})
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<!doctype html><title>Client</title><h1>Back at the client</h1>")

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}/callback"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def callbacks() -> Iterator[Callbacks]:
    found = Callbacks()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def elsewhere(callbacks: Callbacks) -> tuple[str, ...]:
    """Let browsers go to the client, and nowhere else."""
    return (callbacks.uri.removesuffix("callback"),)


@pytest.fixture
def planner(transactional_db: None) -> Agent:
    """Make an agent that may read leads, must ask before it writes, and can never delete."""
    cache.clear()
    acme = make_organization("acme")
    crm = make_application(acme, "crm", name="CRM", audience=CRM)
    lead = {"actions": ["read", "update", "export", "delete"], "fields": {"name": "internal", "email": "personal"}}
    resource_type = make_resource_type(acme, "crm.lead", application=crm, **lead)
    agent, helper = make_agent(acme, "support-copilot", name="support-copilot"), make_agent(acme, "refund-runner")
    ada = make_person(acme, "ada", name="Ada Adams", email="ada@acme.example", password=PASSWORD)
    for holder, actions in ((agent.user, ["read", "update", "delete"]), (ada, ["read", "update", "export"])):
        make_grant(acme, holder, spec(type="crm.lead", actions=actions), use=True, delegate=True)
    make_guardrail(acme, resource_type=resource_type, actions=["update"], effect="require_approval")
    make_delegation(agent, helper, spec(type="crm.lead", actions=["read"]))
    set_oauth_client(agent=agent, redirect_uris=["http://127.0.0.1/callback"], by=SYSTEM, now=timezone.now())
    ensure_keys(acme, now=timezone.now())
    return agent


def address(callbacks: Callbacks, **values: str) -> str:
    given = {
        "response_type": "code",
        "client_id": "support-copilot",
        "redirect_uri": callbacks.uri,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "scope": "crm.lead:read crm.lead:update crm.lead:export",
        "resource": CRM,
        "state": "s-1",
    }
    return f"{ISSUER}/authorize?{urlencode(given | values)}"


def sign_in(page: Page) -> None:
    page.get_by_label("User name or e-mail").fill("ada@acme.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def without_script(browser: Browser, live_server: Any) -> Page:
    """Open a page of a browser that runs no script."""
    return browser.new_context(base_url=live_server.url, java_script_enabled=False).new_page()


def test_the_whole_way_from_the_client_to_tokens_and_back(
    visit: Any, live_server: Any, callbacks: Callbacks, planner: Agent
) -> None:
    secret = issue_client_secret(agent=planner, label="secret", by=SYSTEM, now=timezone.now())[1].text
    page = visit()
    page.goto(address(callbacks))
    sign_in(page)
    expect(page.get_by_role("heading", level=1, name="support-copilot wants to act for you in CRM.")).to_be_visible()
    expect(page.get_by_role("group", name="It can")).to_contain_text("Read lead")
    expect(page.get_by_role("group", name="It will ask each time")).to_contain_text("Update lead")
    expect(page.get_by_role("region", name="It can never")).to_contain_text("Export lead")
    page.get_by_role("checkbox", name="Update").uncheck()
    page.get_by_role("radio", name="7 days").check()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", name="Back at the client")).to_be_visible()
    [said] = callbacks.answers
    assert said["state"] == "s-1"
    assert said["iss"].endswith("/o/acme")
    assert Authorization.objects.get().scopes == ["crm.lead:read"]

    def asked(data: dict[str, str]) -> httpx.Response:
        return httpx.post(f"{live_server.url}{ISSUER}/token", data=data, auth=("support-copilot", secret), timeout=30)

    first = asked(
        {"grant_type": "authorization_code", "code": said["code"], "redirect_uri": callbacks.uri, "code_verifier": VERIFIER}
    ).json()
    assert first["scope"] == "crm.lead:read"
    second = asked({"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}).json()
    assert second["refresh_token"] != first["refresh_token"]
    # A refresh token that comes a second time is in two hands.
    assert asked({"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}).status_code == 400
    assert asked({"grant_type": "refresh_token", "refresh_token": second["refresh_token"]}).status_code == 400
    assert Authorization.objects.get().ended_at is not None


def test_not_now_goes_back_and_allows_nothing(visit: Any, callbacks: Callbacks, planner: Agent) -> None:
    page = visit()
    page.goto(address(callbacks))
    sign_in(page)
    page.get_by_role("button", name="Not now").click()
    expect(page.get_by_role("heading", name="Back at the client")).to_be_visible()
    assert callbacks.answers[0]["error"] == "access_denied"
    assert not Consent.objects.exists()


def test_the_two_answers_are_equal_and_reachable_by_keyboard(visit: Any, callbacks: Callbacks, planner: Agent) -> None:
    page = visit(width=390)
    page.goto(address(callbacks))
    sign_in(page)
    boxes = [page.get_by_role("button", name=name, exact=True).bounding_box() for name in ("Not now", "Allow")]
    assert len({(round(box["width"]), round(box["height"])) for box in boxes if box}) == 1
    page.get_by_role("radio", name="Today").or_(page.get_by_role("radio", name="One hour")).focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="7 days")).to_be_checked()
    page.get_by_role("checkbox", name="Read").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("checkbox", name="Read")).not_to_be_checked()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_pages_are_accessible_at_every_width(visit: Any, callbacks: Callbacks, planner: Agent, scheme: str) -> None:
    page = visit(scheme=scheme)

    def look() -> None:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert_no_sideways_scrolling(page)
            assert_accessible(page)

    page.goto(address(callbacks))
    sign_in(page)
    expect(page.get_by_role("button", name="Allow")).to_be_visible()
    look()
    for box in page.get_by_role("checkbox").all():
        box.uncheck()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was switched on")
    look()
    page.goto(address(callbacks, client_id="nobody"))
    expect(page.get_by_role("heading", name="No such client")).to_be_visible()
    look()
    page.goto("/me/agents/")
    expect(page.get_by_text("Nobody acts for you")).to_be_visible()
    look()
    page.goto(address(callbacks))
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", name="Back at the client")).to_be_visible()
    page.goto("/me/agents/")
    expect(page.get_by_text("for you in CRM.")).to_be_visible()
    look()


def test_it_works_without_scripts(browser: Browser, live_server: Any, callbacks: Callbacks, planner: Agent) -> None:
    page = without_script(browser, live_server)
    page.goto(address(callbacks))
    sign_in(page)
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", name="Back at the client")).to_be_visible()
    assert "code" in callbacks.answers[0]
    page.goto("/me/agents/")
    page.get_by_role("button", name=re.compile("End.*support-copilot in CRM")).click()
    expect(page.get_by_role("status")).to_contain_text("support-copilot acts for you no more")
    expect(page.get_by_text("Nobody acts for you")).to_be_visible()
    assert Authorization.objects.get().ended_at is not None


def test_somebody_else_can_sign_in_and_the_request_is_still_there(visit: Any, callbacks: Callbacks, planner: Agent) -> None:
    make_person(make_organization("evil"), "mallory", email="mallory@evil.example", password=PASSWORD)
    page = visit()
    page.goto("/")
    page.get_by_label("User name or e-mail").fill("mallory@evil.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1, name="Evil")).to_be_visible()
    page.goto(address(callbacks))
    page.get_by_role("button", name="Sign out, and in as somebody else").click()
    sign_in(page)
    expect(page.get_by_role("heading", level=1, name="support-copilot wants to act for you in CRM.")).to_be_visible()
    page.get_by_role("button", name="Use another account").click()
    sign_in(page)
    page.get_by_role("button", name="Not now").click()
    expect(page.get_by_role("heading", name="Back at the client")).to_be_visible()
    assert callbacks.answers[0]["state"] == "s-1"
