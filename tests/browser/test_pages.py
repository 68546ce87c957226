import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from directory.models import User
from tests.browser.conftest import PASSWORD

SCHEMES = ("light", "dark")
WIDTHS = (320, 390, 768, 1024, 1440)


def sign_in(page: Page) -> None:
    page.goto("/")
    page.get_by_label("User name or e-mail").fill("alice@acme.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1, name="Acme")).to_be_visible()


def assert_accessible(page: Page) -> None:
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def assert_no_sideways_scrolling(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def background(page: Page) -> Any:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_a_person_signs_in_sees_the_overview_and_signs_out(visit: Any, alice: User) -> None:
    page = visit()
    sign_in(page)
    expect(page.get_by_text("2 of 4 agents are active.")).to_be_visible()
    page.get_by_label("Your account: Alice Adams").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/login/$"))
    page.goto("/")
    expect(page).to_have_url(re.compile("/login/"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_page_is_accessible_at_every_width_without_sideways_scrolling(visit: Any, alice: User, scheme: str) -> None:
    page = visit(scheme=scheme)

    def look() -> None:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert_no_sideways_scrolling(page)
            assert_accessible(page)

    page.goto("/login/")
    look()
    page.get_by_label("User name or e-mail").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    look()
    sign_in(page)
    look()
    page.locator("summary").click()
    look()
    page.goto("/nothing/")
    look()


def test_the_empty_overview_is_accessible(visit: Any, alice: User) -> None:
    from tests.factories import make_organization, make_person

    make_person(make_organization("empty"), "zoe", password=PASSWORD)
    page = visit(width=320)
    page.goto("/")
    page.get_by_label("User name or e-mail").fill("zoe@empty.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Nothing to decide about yet")).to_be_visible()
    assert_no_sideways_scrolling(page)
    assert_accessible(page)


def test_the_theme_follows_the_system_until_it_is_chosen_and_stays_chosen(visit: Any, db: None) -> None:
    page = visit(scheme="dark")
    page.goto("/login/")
    dark = background(page)
    switch = page.get_by_role("button", name=re.compile("^Theme"))
    expect(switch).to_have_accessible_name("Theme: as the system")
    switch.click()
    expect(switch).to_have_accessible_name("Theme: light")
    light = background(page)
    assert light != dark
    # Already so when the first style sheet is read, hence before anything is painted.
    page.goto("/nothing/")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert background(page) == light
    switch.click()
    switch.click()
    expect(switch).to_have_accessible_name("Theme: as the system")
    assert background(page) == dark


def test_everything_works_from_the_keyboard(visit: Any, alice: User) -> None:
    page = visit()
    page.goto("/login/")
    expect(page.get_by_label("User name or e-mail")).to_be_focused()
    page.keyboard.type("alice@acme.example")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_phones_have_a_bottom_bar_and_desks_a_sidebar(visit: Any, alice: User) -> None:
    page = visit(width=390)
    sign_in(page)
    expect(page.get_by_role("navigation", name="Main, bottom")).to_be_visible()
    expect(page.get_by_role("navigation", name="Main", exact=True)).to_be_hidden()
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.get_by_role("navigation", name="Main, bottom")).to_be_hidden()
    expect(page.get_by_role("navigation", name="Main", exact=True)).to_be_visible()


def test_pages_work_without_scripts(browser: Any, live_server: Any, alice: User) -> None:
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page)
    expect(page.get_by_role("button", name=re.compile("^Theme"))).to_have_count(0)
    context.close()
