"""An agent that was seen somewhere is noted, with those who have to clear it up; it can do nothing until it is registered."""

import pytest

from audit.models import Event
from directory.models import Agent
from tests.factories import make_team


@pytest.fixture
def seen(people):
    olivia = str(people["olivia"].pk)
    return {"external_id": "shadow", "name": "Shadow", "seen_in": "the proxy's log", "owner": olivia, "sponsor": olivia}


def test_what_was_seen_is_in_the_directory_and_inert(as_, seen, people):
    answer = as_("alice").post("agents/discover", {**seen, "reason": "weekly scan"})
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert (told["state"], told["owner"]["external_id"], told["spiffe_id"][:9]) == ("discovered", "olivia", "spiffe://")
    assert answer["Location"].endswith(f"/api/v1/agents/{told['id']}")
    assert as_("olivia").get(f"agents/{told['id']}").json() == told
    agent = Agent.objects.get(pk=told["id"])
    assert agent.user.is_active is False
    recorded = Event.objects.get(type="agent.discovered")
    assert (recorded.actor_id, recorded.reason, recorded.target_id) == ("alice", "weekly scan", "shadow")
    assert "the proxy's log" in recorded.body


def test_it_gets_no_credential_and_cannot_be_started(as_, seen):
    agent = as_("alice").post("agents/discover", seen).json()["id"]
    assert as_("alice").post("credentials", {"agent": agent, "label": "main"}).status_code == 409
    assert as_("alice").post(f"agents/{agent}/activate").status_code == 409
    assert as_("alice").post("runs", {"agent": agent, "task_id": "T-1"}).status_code == 409


def test_registering_it_takes_it_over(as_, seen):
    found = as_("alice").post("agents/discover", seen).json()["id"]
    known = {name: seen[name] for name in ("external_id", "name", "owner", "sponsor")}
    registered = as_("alice").post("agents", {**known, "purpose": "Known by now."})
    assert (registered.status_code, registered.json()["id"], registered.json()["state"]) == (201, found, "pending")


def test_a_team_can_answer_for_it(as_, seen, acme, people):
    team = make_team(acme, "operations", members=(people["dave"],))
    del seen["sponsor"]
    told = as_("alice").post("agents/discover", {**seen, "sponsor_team": str(team.pk)}).json()
    assert (told["sponsor"], told["sponsor_team"]["external_id"]) == (None, "operations")


def test_what_is_known_is_not_discovered_again(as_, seen, agent):
    again = as_("alice").post("agents/discover", {**seen, "external_id": agent.external_id})
    assert (again.status_code, again.json()["fact"]) == (409, "AgentKnown")
    assert Agent.objects.get(pk=agent.pk).state == "active"


@pytest.mark.parametrize("who", ["bob", "carol", "olivia", "dave", "agent", "application"])
def test_it_takes_the_right_to_add_agents(as_, seen, who):
    answer = as_(who).post("agents/discover", seen)
    assert (answer.status_code, answer.json()["right"]) == (403, "add_agent")
    assert not Agent.objects.filter(external_id="shadow").exists()


def test_nobody_unknown_discovers_anything(as_, seen):
    assert as_("anonymous").post("agents/discover", seen).status_code == 401
    assert as_("agent", ("read",)).post("agents/discover", seen).json()["type"] == "urn:agentiam:problem:insufficient-scope"
    assert as_("alice").get("agents/discover").status_code == 405


def test_nobody_is_made_answerable_in_another_organization(as_, seen):
    answer = as_("mallory").post("agents/discover", seen)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/owner")
    assert not Agent.objects.filter(external_id="shadow").exists()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [({"owner": "x"}, "/owner"), ({"seen_in": ""}, "/seen_in"), ({"state": "active"}, "/state"), ({"name": None}, "/name")],
)
def test_what_is_wrong_is_pointed_at(as_, seen, change, pointer):
    answer = as_("alice").post("agents/discover", {**seen, **change})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
