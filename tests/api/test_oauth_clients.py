"""An agent as an OAuth client: who may say where browsers are sent back to, and which version they replace."""

import pytest
from django.utils import timezone

from audit.models import Event
from permissions.models import Authorization, OAuthClient
from permissions.services.oauth_clients import set_oauth_client
from tests.factories import SYSTEM

CALLBACK = "https://runner.example/callback"


@pytest.fixture
def path(agent) -> str:
    return f"agents/{agent.pk}/oauth-client"


def test_it_is_made_read_replaced_and_removed(as_, agent, path) -> None:
    alice = as_("alice")
    assert alice.get(path).status_code == 404
    assert alice("PUT", path, {"redirect_uris": [CALLBACK]}).status_code == 428
    made = alice("PUT", path, {"redirect_uris": [CALLBACK]}, **{"If-Match": "*"})
    assert made.status_code == 201
    assert made.json() == alice.get(path).json()
    assert made.json()["client_id"] == agent.external_id
    tag = made.headers["ETag"]
    replaced = alice("PUT", path, {"redirect_uris": [f"{CALLBACK}2"], "public": True}, **{"If-Match": tag})
    assert (replaced.status_code, replaced.json()["public"]) == (200, True)
    assert alice("PUT", path, {"redirect_uris": [CALLBACK]}, **{"If-Match": tag}).status_code == 412
    assert alice("DELETE", path, **{"If-Match": tag}).status_code == 412
    assert alice("DELETE", path).status_code == 428
    assert alice("DELETE", path, **{"If-Match": replaced.headers["ETag"]}).status_code == 204
    assert alice("DELETE", path, **{"If-Match": "*"}).status_code == 404
    happened = Event.objects.filter(type__startswith="oauth_client.").order_by("id").values_list("type", "actor_id")
    assert list(happened) == [("oauth_client.registered", "alice"), *[("oauth_client.updated", "alice")] * 2]
    versions = OAuthClient.history.order_by("history_id").values_list("history_type", "history_user__external_id")
    assert list(versions) == [("+", "alice"), ("~", "alice"), ("-", "alice")]


@pytest.mark.parametrize(
    "uris",
    [
        [],
        "https://runner.example/",
        ["http://runner.example/callback"],
        ["https://runner.example/callback#x"],
        ["https://ada@runner.example/callback"],
        ["javascript:alert(1)"],
        ["runner:/callback"],
        ["data:text/html,x"],
        ["//runner.example/callback"],
        ["https:///callback"],
        ["https://runner.example/a b"],
        ["https://runner.example\\@evil.example/"],
        ["https://runner.example:x/"],
        ["http://127.0.0.1.evil.example/"],
        ["https://runner.example/" + "x" * 2_000],
        [CALLBACK, CALLBACK],
        [f"{CALLBACK}{number}" for number in range(11)],
    ],
)
def test_a_browser_is_sent_to_safe_addresses_only(as_, path, uris) -> None:
    answer = as_("alice")("PUT", path, {"redirect_uris": uris}, **{"If-Match": "*"})
    assert answer.status_code == 422, answer.json()
    assert not OAuthClient.objects.exists()


@pytest.mark.parametrize(
    "uri",
    [CALLBACK, f"{CALLBACK}?a=1", "http://127.0.0.1/cb", "http://[::1]/cb", "http://localhost:3000/cb", "com.example.app:/cb"],
)
def test_an_app_of_any_kind_has_an_address(as_, path, uri) -> None:
    assert as_("alice")("PUT", path, {"redirect_uris": [uri]}, **{"If-Match": "*"}).status_code == 201


def test_what_people_agreed_to_ends_with_the_client(as_, acme, people, agent, path) -> None:
    now = timezone.now()
    set_oauth_client(agent=agent, redirect_uris=[CALLBACK], by=SYSTEM, now=now)
    given = {"organization": acme, "user": people["dave"], "agent": agent, "audience": "https://crm.example"}
    row = Authorization.objects.create(**given, created_at=now, ends_at=now.replace(year=now.year + 1))
    assert as_("alice")("DELETE", path, **{"If-Match": "*"}).status_code == 204
    row.refresh_from_db()
    assert row.ended_at is not None


def test_who_describes_itself_elsewhere_is_not_described_here(as_, agent, path) -> None:
    client = set_oauth_client(agent=agent, redirect_uris=[CALLBACK], by=SYSTEM, now=timezone.now())
    OAuthClient.objects.filter(pk=client.pk).update(source="document", document_url="https://runner.example/client.json")
    answer = as_("alice")("PUT", path, {"redirect_uris": [CALLBACK]}, **{"If-Match": "*"})
    assert (answer.status_code, answer.json()["fact"]) == (409, "NotAClient")
