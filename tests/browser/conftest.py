"""A real browser: Debian's Chromium, or what AGENTIAM_CHROMIUM names. In CI a missing one is a failure, never a skip."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from directory.lifecycle import State
from directory.models import Organization, User
from tests.factories import make_agent, make_organization, make_person

PASSWORD = "correct horse battery staple"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> str:
    path = os.environ.get("AGENTIAM_CHROMIUM", "/usr/bin/chromium")
    if not os.access(path, os.X_OK):
        reason = f"there is no browser at {path}: install chromium, or name one in AGENTIAM_CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture
def browser(chromium: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """Start a browser for one test: meanwhile an event loop runs in this thread, which no other test may find there."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    # As root, in a container, Chromium cannot make the sandbox it wants; it opens our own pages only.
    sandbox = [] if os.geteuid() else ["--no-sandbox"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def acme(transactional_db: None) -> Organization:
    organization = make_organization("acme")
    for state in (State.ACTIVE, State.ACTIVE, State.SUSPENDED, State.PENDING):
        make_agent(organization, state=state)
    return organization


@pytest.fixture
def alice(acme: Organization) -> User:
    rights = {"is_superuser": True, "is_staff": True}
    return make_person(acme, "alice", name="Alice Adams", email="alice@acme.example", password=PASSWORD, **rights)


@pytest.fixture
def elsewhere() -> tuple[str, ...]:
    """Name the other origins that a test's pages may lead to: none, unless it says so."""
    return ()


@pytest.fixture
def visit(browser: Browser, live_server: Any, elsewhere: tuple[str, ...]) -> Iterator[Any]:
    """Open pages of a chosen theme and width; a complaint of policy or script, or a request elsewhere, fails the test."""
    complaints: list[str] = []
    contexts = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    def watch(request: Request) -> None:
        if not request.url.startswith((live_server.url, *elsewhere)):
            complaints.append(request.url)

    def open_page(*, scheme: str = "light", width: int = 1280) -> Page:
        context = browser.new_context(
            base_url=live_server.url,
            color_scheme=scheme,
            viewport={"width": width, "height": 800},
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", hear)
        page.on("request", watch)
        return page

    yield open_page
    for context in contexts:
        context.close()
    # An error status of a page that a test asked for is no complaint of the policy.
    assert [text for text in complaints if "Failed to load resource" not in text] == []
