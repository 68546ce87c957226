"""One fake authorization server for each test, and a resource server that trusts it."""

from collections.abc import Callable
from typing import Any

import pytest

from agentiam.client import ResourceServer
from tests.client.server import APPLICATION, APPLICATION_KEY, ISSUER, RESOURCE, FakeServer

Make = Callable[..., ResourceServer]


@pytest.fixture
def fake() -> FakeServer:
    return FakeServer()


@pytest.fixture
def make(fake: FakeServer) -> Make:
    """Make resource servers that ask the fake server, and go by its clock."""

    def made(**options: Any) -> ResourceServer:
        given = {"application": APPLICATION, "key": APPLICATION_KEY, "scopes": ("case:read", "case:refund")} | options
        return ResourceServer(
            RESOURCE, ISSUER, client=fake.client(), async_client=fake.async_client(), clock=fake.clock, **given
        )

    return made
