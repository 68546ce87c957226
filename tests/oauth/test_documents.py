"""Clients that describe themselves: read safely, believed for what they are asked, and registered by people alone."""

from typing import Any

import pytest
from django.utils import timezone

from agentiam.kit.fetching import Document, NotFetched
from audit.models import Event
from directory.models import Agent
from directory.services.agents import AgentProfile, register_agent
from directory.services.onboarding import activate_agent
from permissions.models import OAuthClient
from permissions.oauth import documents
from permissions.oauth.documents import BadDocument, NotRegistered, client_of_document, is_document_url
from permissions.services.oauth_clients import NotAClient, set_oauth_client
from tests.factories import SYSTEM, make_agent, make_organization, make_person
from tests.oauth.asking import PATH, VERIFIER, address, browser_of, form_of, redirect_of
from tests.oauth.worlds import World, post
from tests.permissions.factories import make_grant

pytestmark = pytest.mark.django_db

URL = "https://app.example/client.json"
SAYS = {"client_id": URL, "client_name": "Night clerk", "redirect_uris": ["https://app.example/back"]}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Serve a description without a network; what is put into the dictionary is served next."""
    said: dict[str, Any] = {URL: dict(SAYS)}

    def fetch(url: str) -> Document:
        if url not in said:
            raise NotFetched("the answer was 404")
        return Document(said[url], 0)

    monkeypatch.setattr(documents, "_documents", documents.DocumentCache(fetch))
    return said


@pytest.fixture
def sam(world: World) -> Any:
    return make_person(world.acme, "sam", console_roles=["security_administrator"])


def asked(world: World, url: str = URL) -> tuple[Agent, OAuthClient]:
    return client_of_document(organization=world.acme, url=url, by=world.ada.as_actor(), now=timezone.now())


def test_an_unknown_client_is_noted_once_and_can_do_nothing(world: World, served, sam) -> None:
    for _ in range(2):
        with pytest.raises(NotRegistered, match="not registered"):
            asked(world)
    agent = Agent.objects.get(external_id=URL)
    assert (agent.state, agent.name, agent.owner) == ("discovered", "Night clerk", sam)
    assert not agent.user.is_active
    assert Event.objects.filter(type="agent.discovered").count() == 1


def test_a_description_makes_no_client_of_an_agent_that_people_made(world: World, served, sam) -> None:
    make_agent(world.acme, URL)
    with pytest.raises(NotRegistered):
        asked(world)
    assert not OAuthClient.objects.exists()


def test_a_description_changes_nothing_of_a_client_that_somebody_here_set(world: World, served, sam) -> None:
    with pytest.raises(NotRegistered):
        asked(world)
    agent, now = Agent.objects.get(external_id=URL), timezone.now()
    OAuthClient.objects.all().delete()
    set_oauth_client(agent=agent, redirect_uris=["https://good.example/back"], by=SYSTEM, now=now)
    with pytest.raises(NotAClient):
        asked(world)
    row = OAuthClient.objects.get()
    assert (row.redirect_uris, row.public, row.source) == (["https://good.example/back"], False, "administrator")


def test_a_registered_one_is_known_by_its_address_and_follows_its_description(world: World, served, sam) -> None:
    with pytest.raises(NotRegistered):
        asked(world)
    profile = AgentProfile(name="Night clerk", purpose="Minds the desk.")
    now = timezone.now()
    agent = register_agent(
        organization=world.acme, external_id=URL, profile=profile, owner=world.ada, sponsor=world.ada, by=SYSTEM, now=now
    )
    with pytest.raises(NotRegistered):
        asked(world)
    activate_agent(agent=agent, by=SYSTEM, now=now)
    found, client = asked(world)
    assert (found, client.redirect_uris, client.public) == (agent, ["https://app.example/back"], True)
    served[URL] = {**SAYS, "redirect_uris": ["https://app.example/other"]}
    documents._documents.clear()
    assert asked(world)[1].redirect_uris == ["https://app.example/other"]


def test_without_anybody_to_clear_it_up_nothing_is_noted(world: World, served) -> None:
    with pytest.raises(NotRegistered):
        asked(world)
    assert not Agent.objects.filter(external_id=URL).exists()


def test_the_directory_is_not_filled_by_ever_new_clients(world: World, served, sam) -> None:
    for number in range(15):
        url = f"https://app.example/{number}.json"
        served[url] = {**SAYS, "client_id": url}
        with pytest.raises(NotRegistered):
            asked(world, url)
    assert Agent.objects.filter(state="discovered").count() == documents.DISCOVERIES_A_MINUTE


BAD: dict[str, dict[str, Any]] = {
    "of another client": {"client_id": "https://app.example/other.json"},
    "without an id": {"client_id": None},
    "with a slash more": {"client_id": URL + "/"},
    "with a secret": {"client_secret": "x"},
    "with a shared secret": {"token_endpoint_auth_method": "client_secret_post"},
    "without a name": {"client_name": ""},
    "with a name that breaks lines": {"client_name": "a\nb"},
    "without addresses": {"redirect_uris": []},
    "with addresses that are numbers": {"redirect_uris": [1]},
    "with an address without TLS": {"redirect_uris": ["http://app.example/back"]},
    "with an address that is a script": {"redirect_uris": ["javascript:alert(1)"]},
}


@pytest.mark.parametrize("name", BAD)
def test_a_description_that_is_none_is_refused(world: World, served, sam, name: str) -> None:
    served[URL] = SAYS | BAD[name]
    with pytest.raises(BadDocument):
        asked(world)
    assert not Agent.objects.filter(external_id=URL).exists()


def test_a_description_that_is_gone_stops_the_client(world: World, served, sam) -> None:
    del served[URL]
    with pytest.raises(BadDocument, match="404"):
        asked(world)


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example/c.json",
        "https://app.example",
        "https://app.example/",
        "https://app.example/a/../c.json",
        "https://app.example/./c.json",
        "https://app.example/c.json?x",
        "https://app.example/c.json#x",
        "https://user@app.example/c.json",
        "https://app.example/" + "x" * 300,
        "https://app.example/c .json",
        "planner",
    ],
)
def test_what_is_no_address_of_a_description(url: str) -> None:
    assert not is_document_url(url)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1", "localhost"])
def test_no_description_is_read_from_our_own_network(world: World, sam, host: str) -> None:
    with pytest.raises(BadDocument, match="public network"):
        asked(world, f"https://{host}/client.json")


# --- at the authorization endpoint --------------------------------------------------------------------------------------------

BACK = "https://app.example/back"


def test_it_is_noted_then_registered_by_people_and_then_gets_tokens_without_a_secret(world: World, served, sam) -> None:
    browser, where = browser_of(world.ada), address(client_id=URL, redirect_uri=BACK)
    first = browser.get(where)
    assert first.status_code == 403
    assert "is not registered here" in first.content.decode()
    now = timezone.now()
    profile = AgentProfile(name="Night clerk", purpose="Minds the desk.")
    agent = register_agent(
        organization=world.acme, external_id=URL, profile=profile, owner=world.ada, sponsor=world.ada, by=SYSTEM, now=now
    )
    make_grant(world.acme, activate_agent(agent=agent, by=SYSTEM, now=now).user)
    page = browser.get(where)
    assert page.status_code == 200
    target, said = redirect_of(browser.post(PATH, form_of(page)))
    assert target == BACK
    given = {"grant_type": "authorization_code", "code": said["code"], "redirect_uri": BACK, "code_verifier": VERIFIER}
    answer = post("token", given | {"client_id": URL})
    claims = answer.claims
    assert (claims["client_id"], claims["sub"], claims["act"]["sub"]) == (URL, "user/ada", f"agent/{URL}")
    assert post("token", {"grant_type": "client_credentials", "client_id": URL}).status == 401


def test_nobody_makes_us_fetch_before_they_are_known(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(url: str) -> Document:
        raise AssertionError("fetched")

    monkeypatch.setattr(documents, "_documents", documents.DocumentCache(fetch))
    answer = browser_of(None).get(address(client_id=URL, redirect_uri=BACK))
    assert answer.status_code == 302
    assert "/login/" in answer.headers["Location"]
    stranger = make_person(make_organization("other"), "mallory")
    assert browser_of(stranger).get(address(client_id=URL, redirect_uri=BACK)).status_code == 403


def test_a_description_that_cannot_be_read_sends_nobody_anywhere(world: World, served, sam) -> None:
    del served[URL]
    answer = browser_of(world.ada).get(address(client_id=URL, redirect_uri=BACK))
    assert answer.status_code == 400
    assert "cannot be read" in answer.content.decode()
