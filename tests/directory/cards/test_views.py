"""Who sees which card: everybody that of an active agent that publishes one; all else looks like nothing at all."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from agentiam.kit.errors import IllegalTransition
from directory.cards.document import BadCard
from directory.cards.signing import TrustedKey, check_card
from directory.lifecycle import State
from directory.models import Agent
from directory.services.agents import AgentProfile, update_agent
from directory.services.cards import NoCardWritten, publish_agent_card, set_agent_card, withdraw_agent_card
from directory.services.organizations import suspend_organization
from directory.services.revisions import ForeignOrganization
from directory.services.suspension import resume_agent, suspend_agent
from tests.directory.cards.written import CARD
from tests.directory.recorded import data_of, last_event
from tests.factories import NOW, SYSTEM, make_agent

KEYS = "/o/acme/.well-known/agent-card-keys.json"


def path_of(name, organization="acme"):
    return f"/o/{organization}/agents/{name}/.well-known/agent-card.json"


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def shown(cast):
    set_agent_card(agent=cast.agent, card=CARD, by=cast.bob.as_actor(), now=NOW)
    return publish_agent_card(agent=cast.agent, by=cast.bob.as_actor(), reason="We offer it.", now=NOW)


def test_everybody_gets_a_card_that_verifies_with_the_keys_beside_it(client, cast, shown):
    answer = client.get(path_of("crm-bot"))
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    card = json.loads(answer.content)
    assert (card["name"], card["skills"][0]["id"]) == ("Crm-bot", "refunds")
    keys = client.get(KEYS)
    assert keys["Content-Type"] == "application/jwk-set+json"
    assert keys["Cache-Control"] == "public, max-age=300"
    [jwk] = json.loads(keys.content)["keys"]
    assert "d" not in jwk
    assert check_card(card, [TrustedKey(jwk, cast.acme.pk)]).genuine
    assert client.get(path_of(shown.pk)).content == answer.content
    assert "Set-Cookie" not in answer


def test_a_card_is_asked_for_again_and_sent_only_when_it_changed(client, cast, shown):
    first = client.get(path_of("crm-bot"))
    assert first["Cache-Control"] == "public, no-cache"
    again = client.get(path_of("crm-bot"), headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    set_agent_card(agent=shown, card={**CARD, "description": "Says more."}, by=SYSTEM, now=NOW)
    other = client.get(path_of("crm-bot"), headers={"If-None-Match": first["ETag"]})
    assert other.status_code == 200
    assert other["ETag"] != first["ETag"]
    assert client.head(path_of("crm-bot")).status_code == 200


def gone(client, name, organization="acme"):
    answer = client.get(path_of(name, organization))
    return answer.status_code, answer.content, answer["Content-Type"], answer["Cache-Control"]


def test_what_is_not_shown_looks_like_what_does_not_exist(client, cast, shown):
    nothing = gone(client, "nobody")
    assert nothing[0] == 404
    child = make_agent(parent=shown)
    Agent.objects.filter(pk=child.pk).update(publishes_card=True, card=CARD)
    assert client.get(path_of(child.external_id)).status_code == 200
    unpublished = make_agent(cast.acme)
    set_agent_card(agent=unpublished, card=CARD, by=SYSTEM, now=NOW)
    pending = make_agent(cast.acme, state=State.PENDING)
    over = make_agent(cast.acme, now=NOW)
    Agent.objects.filter(pk__in=[pending.pk, over.pk]).update(publishes_card=True, card=CARD)
    Agent.objects.filter(pk=over.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    for name in (unpublished.external_id, pending.external_id, over.external_id, "a\0b", "x" * 500, str(cast.acme.pk)):
        assert gone(client, name) == nothing, name
    for organization in ("elsewhere", "nowhere"):
        assert gone(client, "crm-bot", organization) == nothing
        assert gone(client, str(shown.pk), organization) == nothing
    suspend_agent(agent=shown, by=SYSTEM, now=NOW)
    assert gone(client, "crm-bot") == gone(client, child.external_id) == nothing
    resume_agent(agent=shown, by=SYSTEM, now=NOW)
    assert client.get(path_of("crm-bot")).status_code == 200
    suspend_organization(organization=cast.acme, by=SYSTEM, now=NOW)
    assert gone(client, "crm-bot") == nothing
    assert client.get(KEYS).status_code == 404


def test_a_card_that_no_longer_makes_one_is_not_shown(client, cast, shown):
    Agent.objects.filter(pk=shown.pk).update(card={"description": "old form"})
    assert gone(client, "crm-bot") == gone(client, "nobody")


def test_what_was_withdrawn_is_gone_at_once(client, cast, shown):
    withdraw_agent_card(agent=shown, by=SYSTEM, now=NOW)
    assert client.get(path_of("crm-bot")).status_code == 404


def test_only_reading_is_possible(client, cast, shown):
    for method in ("post", "put", "patch", "delete"):
        assert getattr(client, method)(path_of("crm-bot")).status_code == 405


def test_publishing_needs_something_written_and_happens_once(cast):
    with pytest.raises(NoCardWritten):
        publish_agent_card(agent=cast.agent, by=SYSTEM, now=NOW)
    with pytest.raises(BadCard):
        set_agent_card(agent=cast.agent, card={"description": "x"}, by=SYSTEM, now=NOW)
    with pytest.raises(IllegalTransition):
        withdraw_agent_card(agent=cast.agent, by=SYSTEM, now=NOW)
    set_agent_card(agent=cast.agent, card=CARD, by=SYSTEM, now=NOW)
    publish_agent_card(agent=cast.agent, by=SYSTEM, now=NOW)
    with pytest.raises(IllegalTransition):
        publish_agent_card(agent=cast.agent, by=SYSTEM, now=NOW)
    assert data_of(last_event(cast.acme, "agent_card.published"))["changed"] == ["publishes_card"]


def test_nobody_of_elsewhere_writes_or_publishes_a_card_here(cast):
    for change in (
        lambda by: set_agent_card(agent=cast.agent, card=CARD, by=by, now=NOW),
        lambda by: publish_agent_card(agent=cast.agent, by=by, now=NOW),
    ):
        with pytest.raises(ForeignOrganization):
            change(cast.mallory.as_actor())
    assert Agent.objects.get(pk=cast.agent.pk).card == {}


def test_a_retired_agent_publishes_nothing(cast):
    with pytest.raises(IllegalTransition):
        set_agent_card(agent=make_agent(cast.acme, state=State.RETIRED), card=CARD, by=SYSTEM, now=NOW)


def test_the_card_has_the_name_that_the_agent_has_now(client, cast, shown):
    profile = AgentProfile(name="New name", purpose=shown.purpose, version="7")
    update_agent(agent=shown, profile=profile, by=SYSTEM, now=NOW)
    card = json.loads(client.get(path_of("crm-bot")).content)
    assert (card["name"], card["version"]) == ("New name", "7")
