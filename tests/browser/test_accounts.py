"""Signing in as people do it, in a real browser: password, authenticator app, passkey; in both themes, at every width."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from agentiam.accounts.resets import link_of
from directory.models import User
from directory.services.people import set_password
from tests.browser.conftest import PASSWORD
from tests.factories import NOW, SYSTEM
from tests.people.conftest import code_of

CHOSEN = "chosen at the first sign-in"
WIDTHS = (320, 390, 768, 1440)


class Named:
    """The live server by a name that passkeys may be bound to."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.url: str = server.url.replace("127.0.0.1", "localhost")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.server, name)


@pytest.fixture
def live_server(live_server: Any) -> Named:
    return Named(live_server)


@pytest.fixture
def home(live_server: Named, settings: Any) -> str:
    settings.CSRF_TRUSTED_ORIGINS = [live_server.url]
    return live_server.url


def sign_in(page: Page, home: str, password: str = PASSWORD) -> None:
    page.goto(f"{home}/login/")
    page.get_by_label("User name or e-mail").fill("alice@acme.example")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_out(page: Page) -> None:
    page.get_by_label("Your account: Alice Adams").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def look(page: Page) -> None:
    """Hold a page against the rules of accessibility at every width."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), width
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()


def with_authenticator(page: Page) -> Any:
    """Give the browser an authenticator of its own, as in a laptop, and answer its session."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return session


def test_password_then_an_app_then_a_passkey_alone(visit: Callable[..., Page], home: str, alice: User) -> None:
    page = visit()
    with_authenticator(page)
    sign_in(page, home)
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme")
    page.goto(f"{home}/account/")
    page.get_by_role("link", name="Add an authenticator app").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    secret = page.locator(".secret-key").inner_text()
    page.get_by_label("Code that the app shows").fill(code_of(secret, later=-1))
    page.get_by_role("button", name="Add the app").click()
    expect(page.locator(".codes li")).to_have_count(10)
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_text("Passkey “Laptop”")).to_be_visible()
    sign_out(page)

    sign_in(page, home)
    expect(page.get_by_role("heading", level=1)).to_have_text("Second step")
    page.get_by_label("Code of your authenticator app").fill(code_of(secret))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme")
    sign_out(page)

    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme")
    sign_out(page)

    sign_in(page, home)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme")


def test_a_passkey_of_somebody_who_was_deactivated_opens_nothing(visit: Callable[..., Page], home: str, alice: User) -> None:
    page = visit()
    with_authenticator(page)
    sign_in(page, home)
    page.goto(f"{home}/account/")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    User.objects.filter(pk=alice.pk).update(is_active=False)
    page.goto(f"{home}/login/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert").first).to_have_text("This account cannot sign in.")
    page.goto(home)
    expect(page).to_have_url(re.compile("/login/"))


def test_a_browser_without_a_passkey_says_so_and_the_password_still_works(
    visit: Callable[..., Page], home: str, alice: User
) -> None:
    page = visit()
    session = with_authenticator(page)
    page.goto(f"{home}/login/")
    session.send("WebAuthn.disable")
    page.evaluate("() => { navigator.credentials.get = () => Promise.reject(new DOMException('no', 'NotAllowedError')); }")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("The passkey was not used.")).to_be_visible()
    sign_in(page, home)
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_accounts_is_accessible_at_every_width(
    visit: Callable[..., Page], home: str, alice: User, scheme: str
) -> None:
    page = visit(scheme=scheme)
    with_authenticator(page)
    page.goto(f"{home}/login/")
    look(page)
    for path in ("/invitations/nothing/", "/login/forgotten/", "/login/forgotten/nothing/", urlsplit(link_of(alice)).path):
        page.goto(f"{home}{path}")
        look(page)
    page.get_by_label("New password", exact=True).fill("short")
    page.get_by_label("New password again").fill("other")
    page.get_by_role("button", name="Set the password").click()
    expect(page.locator(".field-error").first).to_be_visible()
    look(page)
    set_password(person=alice, password="given", temporary=True, by=SYSTEM, now=NOW)
    sign_in(page, home, "given")
    expect(page.get_by_role("heading", level=1)).to_have_text("Change your password")
    page.get_by_label("New password", exact=True).fill("short")
    page.get_by_label("New password again").fill("other")
    page.get_by_role("button", name="Change the password").click()
    expect(page.locator(".field-error").first).to_be_visible()
    look(page)
    page.get_by_label("New password", exact=True).fill(CHOSEN)
    page.get_by_label("New password again").fill(CHOSEN)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    look(page)
    page.goto(f"{home}/account/app/")
    look(page)
    page.get_by_label("Code that the app shows").fill(code_of(page.locator(".secret-key").inner_text(), later=-1))
    page.get_by_role("button", name="Add the app").click()
    expect(page.locator(".codes li")).to_have_count(10)
    look(page)
    for path in ("/account/", "/account/passkeys/new/", "/account/app/remove/", "/account/recovery-codes/new/"):
        page.goto(f"{home}{path}")
        look(page)
    page.goto(f"{home}/account/proof/code/")
    look(page)
    page.goto(f"{home}/account/")
    sign_out(page)
    sign_in(page, home, CHOSEN)
    expect(page.get_by_role("heading", level=1)).to_have_text("Second step")
    look(page)


def test_everything_but_passkeys_works_without_scripts(browser: Any, home: str, alice: User) -> None:
    context = browser.new_context(base_url=home, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{home}/login/")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("User name or e-mail").fill("alice@acme.example")
    page.get_by_role("button", name="Mail me a link").click()
    expect(page.get_by_role("status")).to_contain_text("a link is on its way")
    page.goto(f"{home}{urlsplit(link_of(alice)).path}")
    page.get_by_label("New password", exact=True).fill(CHOSEN)
    page.get_by_label("New password again").fill(CHOSEN)
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("status")).to_contain_text("The password is set.")
    sign_in(page, home, CHOSEN)
    page.goto(f"{home}/account/app/")
    secret = page.locator(".secret-key").inner_text()
    page.get_by_label("Code that the app shows").fill(code_of(secret, later=-1))
    page.get_by_role("button", name="Add the app").click()
    expect(page.locator(".codes li")).to_have_count(10)
    page.goto(f"{home}/account/")
    page.get_by_role("link", name="Make new ones").click()
    page.get_by_role("button", name="Make new codes").click()
    expect(page.locator(".codes li")).to_have_count(10)
    page.goto(f"{home}/account/")
    page.get_by_label("Your account: Alice Adams").click()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, home, CHOSEN)
    page.get_by_label("Code of your authenticator app").fill(code_of(secret))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme")
    expect(page.get_by_role("button", name="Use a passkey")).to_have_count(0)
    context.close()
