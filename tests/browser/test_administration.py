"""The admin in a real browser: every kind of page under the strict policy, accessible, in light and dark."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib import admin
from playwright.sync_api import Page, expect

from audit.models import Event
from directory.lifecycle import State
from directory.models import Agent, Organization, Team, User
from permissions.models import ApplicationKey, Guardrail
from tests.administration.worlds import World, make_world
from tests.browser.conftest import PASSWORD
from tests.browser.test_pages import background
from tests.factories import make_agent, make_person

SCHEMES = ("light", "dark")


@pytest.fixture
def world(transactional_db: None) -> World:
    return make_world("acme", "Acme")


@pytest.fixture
def ada(world: World) -> User:
    """An auditor: no second factor is asked of her, and nothing is changed by her."""
    return make_person(world[Organization], "ada", name="Ada", password=PASSWORD, console_roles=["auditor"])


@pytest.fixture
def alice(world: World, settings: Any) -> User:
    settings.REQUIRE_SECOND_FACTOR = False
    return make_person(world[Organization], "alice", name="Alice", password=PASSWORD, console_roles=["security_administrator"])


def come_in(page: Page, name: str, path: str = "/admin/") -> None:
    """Ask for a page of the admin, sign in on the way, and arrive there."""
    page.goto(path)
    expect(page).to_have_url(re.compile(r"/login/\?next=/admin/"))
    page.get_by_label(re.compile("User name")).fill(f"{name}@acme.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile(re.escape(path) + "$"))
    page.wait_for_load_state()


def assert_accessible(page: Page) -> None:
    """Look at what the browser shows; the style sheets are not loaded a second time, which the policy would refuse."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_function(
        "[...document.querySelectorAll('select.admin-autocomplete')].every("
        "(select) => select.nextElementSibling.querySelector('.select2-selection')?.ariaLabel)"
    )
    results = Axe().run(page, options={"preload": False})
    assert results.violations_count == 0, results.generate_report()


def address(model: Any, page: str, *parts: Any) -> str:
    options = model._meta
    row = "" if page in ("", "add") else f"{parts[0]}/"
    rest = "/".join(str(part) for part in parts[1:])
    return f"/admin/{options.app_label}/{options.model_name}/{row}{page + '/' if page else ''}{rest + '/' if rest else ''}"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_kind_of_page_is_accessible_in_light_and_dark(visit: Any, world: World, alice: User, scheme: str) -> None:
    page = visit(scheme=scheme)
    come_in(page, "alice")
    agent = world[Agent].pk
    for path in (
        "/admin/",
        "/admin/directory/",
        address(Agent, ""),
        address(Agent, "add"),
        address(Agent, "change", agent),
        address(Agent, "history", agent),
        address(Agent, "do", agent, "transfer"),
        address(Team, "change", world[Team].pk),
        address(Guardrail, "add"),
        address(Event, ""),
        address(Event, "change", world[Event].pk),
    ):
        page.goto(path)
        assert_accessible(page)


def test_every_list_and_every_row_keeps_to_the_policy(visit: Any, world: World, alice: User) -> None:
    page = visit(width=1440)
    come_in(page, "alice")
    for model, row in world.items():
        if model._meta.app_label == "api":
            continue
        page.goto(address(model, ""))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.goto(address(model, "change", admin.utils.quote(row.pk)))
        expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_an_agent_is_found_changed_and_suspended_with_reasons(visit: Any, world: World, alice: User) -> None:
    other = make_person(world[Organization], "zoe", name="Zoe Zimmer")
    page = visit()
    come_in(page, "alice", "/admin/directory/agent/")
    page.get_by_label("Search", exact=True).fill("Acme-agent")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Acme-agent", exact=True).first.click()
    page.get_by_label("Purpose:").fill("Does something else now.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("This field is required.")).to_be_visible()
    assert_accessible(page)
    expect(page.get_by_label("Purpose:")).to_have_value("Does something else now.")
    page.get_by_label("Reason:").fill("Its task is another.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert_accessible(page)

    page.goto(address(Agent, "change", world[Agent].pk))
    page.get_by_role("link", name="Transfer").click()
    # A choice that is looked up while one types.
    page.locator("#select2-id_owner-container").click()
    page.locator(".select2-search__field").last.fill("Zoe")
    page.get_by_role("option", name="Zoe Zimmer").click()
    page.get_by_label("Reason:").fill("Zoe takes over.")
    page.get_by_role("button", name="Transfer").click()
    expect(page.get_by_text("Transfer: done for Acme-agent.")).to_be_visible()
    assert Agent.objects.get(pk=world[Agent].pk).owner == other

    page.get_by_role("link", name="Suspend").click()
    page.get_by_label("Reason:").fill("To look at it.")
    page.get_by_role("button", name="Suspend").click()
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("cell", name="Zoe takes over.")).to_be_visible()
    expect(page.get_by_role("cell", name="To look at it.")).to_be_visible()
    expect(page.get_by_text("Does something else now.")).to_be_visible()


def test_several_agents_are_suspended_at_once(visit: Any, world: World, alice: User) -> None:
    for number in range(2):
        make_agent(world[Organization], f"Zz-{number}", owner=world[User])
    page = visit()
    come_in(page, "alice", "/admin/directory/agent/?q=Zz-")
    page.get_by_role("checkbox", name=re.compile("Zz-0")).check()
    page.get_by_role("checkbox", name=re.compile("Zz-1")).check()
    page.get_by_label("Action:").select_option("suspend")
    page.get_by_role("button", name="Go").click()
    assert_accessible(page)
    page.get_by_label("Reason:").fill("Both.")
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_text("Suspend: done for 2.")).to_be_visible()
    assert Agent.objects.filter(external_id__startswith="Zz-", state=State.SUSPENDED.value).count() == 2


def test_a_secret_is_shown_once_and_accessibly(visit: Any, world: World, alice: User) -> None:
    page = visit()
    come_in(page, "alice", address(ApplicationKey, "do", world[ApplicationKey].pk, "rotate"))
    page.get_by_label("Reason:").fill("It is old.")
    page.get_by_role("button", name="Rotate").click()
    secret = page.get_by_label("Secret", exact=True).inner_text()
    assert secret.startswith("aip_")
    assert_accessible(page)
    keys = ApplicationKey.objects.count()
    page.reload()
    expect(page.get_by_text("was shown once")).to_be_visible()
    expect(page.get_by_text(secret)).to_have_count(0)
    assert ApplicationKey.objects.count() == keys
    page.get_by_role("link", name="Look at it").click()
    expect(page.get_by_text(secret)).to_have_count(0)


def test_an_auditor_reads_on_a_phone_and_is_offered_nothing_else(visit: Any, world: World, ada: User) -> None:
    page = visit(width=390)
    come_in(page, "ada", address(Agent, "change", world[Agent].pk))
    expect(page.get_by_role("button", name="Save", exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="Suspend")).to_have_count(0)
    expect(page.get_by_role("link", name="History")).to_be_visible()
    assert_accessible(page)


@pytest.mark.parametrize("width", [320, 390])
def test_no_page_is_wider_than_a_phone(visit: Any, world: World, alice: User, width: int) -> None:
    page = visit(width=width)
    come_in(page, "alice")
    for path in (
        "/admin/",
        address(Agent, ""),
        address(Agent, "add"),
        address(Agent, "change", world[Agent].pk),
        address(Agent, "history", world[Agent].pk),
        address(Agent, "do", world[Agent].pk, "transfer"),
        address(Event, ""),
        address(Event, "change", world[Event].pk),
    ):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        # What the top bar offers is within reach, none of it cut off.
        right = page.get_by_role("button", name="Sign out").bounding_box()
        assert right["x"] + right["width"] <= width, path
        assert page.evaluate(
            "(button) => button.contains(document.elementFromPoint(...['x', 'y'].map((side, at) =>"
            " button.getBoundingClientRect()[side] + [button.offsetWidth, button.offsetHeight][at] / 2)))",
            page.get_by_role("button", name="Sign out").element_handle(),
        ), path


def test_the_search_box_takes_the_width_of_a_phone(visit: Any, world: World, alice: User) -> None:
    page = visit(width=390)
    come_in(page, "alice", address(Agent, ""))
    assert page.get_by_label("Search", exact=True).bounding_box()["width"] > 300


def test_a_list_takes_the_width_of_the_page_and_says_where_it_is_wider(visit: Any, world: World, alice: User) -> None:
    page = visit(width=1440)
    come_in(page, "alice", address(Agent, ""))
    hint = page.get_by_text("scroll it sideways")
    assert page.locator("#result_list").bounding_box()["width"] > 1000
    expect(hint).to_be_hidden()
    page.set_viewport_size({"width": 390, "height": 800})
    expect(hint).to_be_visible()
    page.get_by_text("Filter", exact=True).click()
    page.get_by_role("link", name="Suspended").click()
    expect(page.get_by_role("link", name="Clear all filters")).to_be_visible()


def test_yes_and_no_are_words_in_the_admin(visit: Any, world: World, alice: User) -> None:
    page = visit()
    come_in(page, "alice", address(Agent, "change", world[Agent].pk))
    shown = page.locator(".field-ownerless .readonly")
    expect(shown.locator("img")).to_be_hidden()
    assert shown.evaluate("(box) => getComputedStyle(box, '::after').content") == '"no"'


def test_the_theme_that_was_chosen_holds_here_too(visit: Any, world: World, ada: User) -> None:
    page = visit(scheme="dark")
    come_in(page, "ada")
    dark = background(page)
    switch = page.get_by_role("button", name=re.compile("^Theme"))
    switch.click()
    light = background(page)
    assert light != dark
    link = page.evaluate("getComputedStyle(document.querySelector('#content a')).color")
    page.goto("/")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.goto("/admin/")
    assert background(page) == light
    assert page.evaluate("getComputedStyle(document.querySelector('#content a')).color") == link
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--accent')") == page.evaluate(
        "getComputedStyle(document.documentElement).getPropertyValue('--petrol')"
    )
