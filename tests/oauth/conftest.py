"""One world for all tests of the authorization server; each has it as it was made."""

import pytest
from django.core.cache import cache

from agentiam.kit import limits
from permissions.oauth import views
from tests.oauth.worlds import World, make_world
from tests.remembered import Remembered

_remembered = Remembered(make_world)


@pytest.fixture(autouse=True)
def _nobody_has_failed_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count failed proofs without an end: in Redis they are counted for all processes of a run together."""
    monkeypatch.setattr(views, "REFUSED_A_MINUTE", 1_000_000)
    # The agents of each test have the ids of those before, and what was counted of these does not count.
    cache.clear()
    limits._limiter.cache_clear()


@pytest.fixture
def world(db: None) -> World:
    return _remembered()
