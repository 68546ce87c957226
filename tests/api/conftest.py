"""The cast as callers of the API: people by session, and an agent and an application by their keys."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from directory.models import Agent, Organization, User
from directory.services.credentials import issue_api_key
from permissions.services.application_keys import issue_application_key
from tests.api.world import Cast, make_cast
from tests.factories import SYSTEM
from tests.permissions.factories import make_application

ROOT = "/api/v1"


class Caller:
    """One of the cast, with the body's and the answer's JSON taken care of."""

    def __init__(self, client: Client, **headers: str) -> None:
        self.client = client
        self.headers = headers

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        path = path if path.startswith("/") else f"{ROOT}/{path}"
        options: dict[str, Any] = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        return self.client.generic(method, path, headers={**self.headers, **headers}, **options)

    def get(self, path: str, **headers: str) -> Any:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("POST", path, {} if body is None else body, **headers)

    def replace(self, path: str, body: Any, **headers: str) -> Any:
        """Set the whole of something, whatever is there."""
        return self.post(path, body, **{"If-Match": "*", **headers})

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self("PATCH", path, body, **{"If-Match": "*", **headers})


@pytest.fixture(autouse=True)
def _own_counters(settings: Any) -> None:
    """Let no test use up another's requests."""
    settings.API_RATE = 100_000
    cache.clear()


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def acme(cast: Cast) -> Organization:
    return cast.acme


@pytest.fixture
def evil(cast: Cast) -> Organization:
    return cast.evil


@pytest.fixture
def people(cast: Cast) -> dict[str, User]:
    """alice administers, bob approves, carol audits, olivia owns, dave develops; mallory administers another organization."""
    return cast.people


@pytest.fixture
def agent(cast: Cast) -> Agent:
    """An active agent of olivia's."""
    return cast.agent


@pytest.fixture
def as_(people: dict[str, User], agent: Agent) -> Callable[[str], Caller]:
    """Give one of the cast as a caller; ``agent`` and ``application`` come with their keys, ``anonymous`` with nothing."""

    def caller(name: str, scopes: tuple[str, ...] = ("read", "write"), **options: Any) -> Caller:
        client = Client(**options)
        if name in people:
            client.force_login(people[name])
        elif name == "agent":
            _, token = issue_api_key(agent=agent, label="t", scopes=scopes, by=SYSTEM, now=timezone.now())
            return Caller(client, Authorization=f"Bearer {token.text}")
        elif name == "application":
            application = make_application(agent.organization, f"app-{uuid4().hex[:8]}")
            _, token = issue_application_key(application=application, label="t", scopes=scopes, by=SYSTEM, now=timezone.now())
            return Caller(client, Authorization=f"Bearer {token.text}")
        return Caller(client)

    return caller
