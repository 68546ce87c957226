"""What acts for a person: they see it, and they end it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from permissions.models import Authorization, Consent, OAuthClient
from permissions.selectors.connections import connections_of
from tests.factories import make_person
from tests.oauth.asking import (
    allowed,
    browser_of,
    make_client,
    redeemed,
    texts,
)
from tests.oauth.worlds import World, introspected
from tests.permissions.factories import make_consent


@pytest.fixture
def client(world: World) -> OAuthClient:
    return make_client(world)


def test_what_acts_for_a_person_is_shown_and_ended_by_them_alone(world, client) -> None:
    Consent.objects.all().delete()
    browser = browser_of(world.ada)
    assert "No agent acts for you now." in texts(browser.get("/me/agents/"))
    token = redeemed(world, allowed(browser))
    page = texts(browser.get("/me/agents/"))
    assert "It may read record for you in Crm." in page
    assert "It last got a token for this on" in page
    row = Authorization.objects.get()
    end = f"/me/agents/authorizations/{row.pk}/end/"
    assert browser.get(end).status_code == 405
    assert browser_of(make_person(world.acme, "bea", is_superuser=True)).post(end).status_code == 404
    assert browser.post(end, follow=True).status_code == 200
    assert introspected(world, token.token) == {"active": False}
    assert not Consent.objects.live(timezone.now()).exists()
    assert "No agent acts for you now." in texts(browser.get("/me/agents/"))
    # Ending it twice is ending it.
    assert browser.post(end).status_code == 302


def test_many_connections_cost_no_more_queries_than_one(world, client) -> None:
    browser = browser_of(world.ada)
    allowed(browser)
    make_consent(world.ada, world.worker, world.record)
    with CaptureQueriesContext(connection) as few:
        assert len(connections_of(world.ada, now=timezone.now())) == 2
    for _ in range(5):
        allowed(browser)
        make_consent(world.ada, world.worker, world.record)
    with CaptureQueriesContext(connection) as many:
        assert len(connections_of(world.ada, now=timezone.now())) == 12
    assert len(many) == len(few) <= 5


def test_a_consent_that_was_given_elsewhere_is_shown_and_ended(world) -> None:
    [consent] = Consent.objects.all()
    browser = browser_of(world.ada)
    assert "It may read and write record for you in Crm." in texts(browser.get("/me/agents/"))
    end = f"/me/agents/consents/{consent.pk}/end/"
    assert browser_of(make_person(world.acme, "bea")).post(end).status_code == 404
    browser.post(end)
    assert not Consent.objects.live(timezone.now()).exists()
    assert browser.post(end).status_code == 302
