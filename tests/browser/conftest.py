"""A real browser: Debian's Chromium, or the one that AGENTIAM_CHROMIUM names. In CI a missing one is a failure, never a silent skip."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from directory.lifecycle import State
from directory.models import Organization, User
from tests.factories import make_agent, make_organization, make_person

PASSWORD = "correct horse battery staple"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    chromium = os.environ.get("AGENTIAM_CHROMIUM", "/usr/bin/chromium")
    if not os.access(chromium, os.X_OK):
        reason = f"there is no browser at {chromium}: install chromium, or name one in AGENTIAM_CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    # As root, in a container, Chromium cannot make the sandbox it wants; it opens our own pages only.
    sandbox = [] if os.geteuid() else ["--no-sandbox"]
    return browser_type_launch_args | {"executable_path": chromium, "args": sandbox}


@pytest.fixture(scope="session", autouse=True)
def _allow_the_database_beside_the_browsers_event_loop() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture
def acme(transactional_db: None) -> Organization:
    organization = make_organization("acme")
    for state in (State.ACTIVE, State.ACTIVE, State.SUSPENDED, State.PENDING):
        make_agent(organization, state=state)
    return organization


@pytest.fixture
def alice(acme: Organization) -> User:
    return make_person(acme, "alice", name="Alice Adams", password=PASSWORD, is_superuser=True, is_staff=True)


@pytest.fixture
def visit(browser: Browser, live_server: Any) -> Iterator[Any]:
    """Open pages of a chosen theme and width; a message of the policy or of a script, and a request elsewhere, fail the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(*, scheme: str = "light", width: int = 1280) -> Page:
        context = browser.new_context(
            base_url=live_server.url,
            color_scheme=scheme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 800},
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("request", lambda request: request.url.startswith(live_server.url) or complaints.append(request.url))
        return page

    yield open_page
    for context in contexts:
        context.close()
    # An error status of a page that a test asked for is no complaint of the policy.
    assert [text for text in complaints if "Failed to load resource" not in text] == []
