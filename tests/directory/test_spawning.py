"""Spawning within limits, stopping and retiring what descends from an agent, and what the clock ends."""

from datetime import timedelta

import pytest

from directory.lifecycle import State
from directory.models import Agent, Credential, Run
from directory.services.agents import AgentKnown
from directory.services.credentials import issue_api_key
from directory.services.declarations import BadDeclaration
from directory.services.offboarding import retire_agent
from directory.services.organizations import suspend_organization
from directory.services.runs import start_run
from directory.services.spawning import AddressAsId, SpawningNotAllowed, SpawnLimitReached, spawn_agent
from directory.services.suspension import resume_agent, suspend_agent
from directory.services.transitions import AgentIsOver, AgentNotActive
from tests.directory.recorded import data_of, events_of, last_event, last_touched
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint

HOUR = timedelta(hours=1)


@pytest.fixture
def root(cast):
    blueprint = make_blueprint(cast.acme, spawn_depth=2, spawn_children=2, spawn_seconds=3600)
    return make_agent(cast.acme, "root", owner=cast.bob, sponsor_team=cast.sales, blueprint=blueprint)


def spawn(parent, external_id="child", **values):
    values = {"name": "Child", "purpose": "Helps.", "by": parent.user.as_actor(), "now": NOW} | values
    return spawn_agent(parent=parent, external_id=external_id, **values)


def test_a_child_inherits_who_answers_for_it_and_is_active_at_once(root, cast):
    child = spawn(root)
    assert (child.state, child.depth, child.parent) == (State.ACTIVE, 1, root)
    assert (child.owner, child.sponsor, child.sponsor_team) == (cast.bob, None, cast.sales)
    assert (child.blueprint, child.environment) == (root.blueprint, root.environment)
    assert child.expires_at == NOW + HOUR
    assert last_event(cast.acme, "agent.spawned").actor_id == "root"


def test_a_child_ends_with_whatever_ends_first(root, cast):
    assert spawn(root, "a", expires_at=NOW + HOUR / 2).expires_at == NOW + HOUR / 2
    assert spawn(root, "b", expires_at=NOW + 2 * HOUR).expires_at == NOW + HOUR
    short = make_agent(cast.acme, blueprint=root.blueprint, expires_at=NOW + HOUR / 4)
    assert spawn(short, "c").expires_at == NOW + HOUR / 4
    unlimited = make_agent(cast.acme, blueprint=make_blueprint(cast.acme, spawn_depth=1, spawn_children=1))
    assert spawn(unlimited, "d").expires_at is None
    with pytest.raises(AgentIsOver):
        spawn(root, "e", expires_at=NOW)


def test_agents_are_spawned_as_deep_as_the_blueprint_says(root):
    grandchild = spawn(spawn(root), "grandchild")
    assert grandchild.depth == 2
    with pytest.raises(SpawnLimitReached, match="2 deep"):
        spawn(grandchild, "too-deep")


def test_only_living_children_count(root):
    first = spawn(root, "a")
    spawn(root, "b")
    with pytest.raises(SpawnLimitReached, match="2 living children"):
        spawn(root, "c")
    retire_agent(agent=first, by=SYSTEM, now=NOW)
    spawn(root, "c")
    suspend_agent(agent=Agent.objects.get(external_id="b"), by=SYSTEM, now=NOW)
    with pytest.raises(SpawnLimitReached):
        spawn(root, "d")
    # After an hour the others are over by the clock, though no job has run.
    spawn(root, "d", now=NOW + HOUR)


def test_an_agent_without_a_blueprint_that_lets_it_does_not_spawn(cast):
    for blueprint in (None, make_blueprint(cast.acme, spawn_depth=1), make_blueprint(cast.acme, spawn_children=1)):
        with pytest.raises(SpawningNotAllowed):
            spawn(make_agent(cast.acme, blueprint=blueprint))


def test_an_agent_spawns_for_itself_only(root, cast):
    with pytest.raises(SpawningNotAllowed):
        spawn(root, by=cast.agent.user.as_actor())


def test_the_external_id_must_be_free_and_the_declaration_well_formed(root, cast):
    with pytest.raises(AgentKnown):
        spawn(root, "crm-bot")
    with pytest.raises(BadDeclaration):
        spawn(root, capabilities=[{}])


def test_an_agent_that_is_stopped_in_any_way_does_not_spawn(root, cast):
    child = spawn(root)
    suspend_agent(agent=root, by=SYSTEM, now=NOW)
    for parent in (root, child):
        with pytest.raises(AgentNotActive):
            spawn(parent, "x")
    resume_agent(agent=root, by=SYSTEM, now=NOW)
    with pytest.raises(AgentNotActive):
        spawn(child, "x", now=NOW + HOUR)
    suspend_organization(organization=cast.acme, by=SYSTEM, now=NOW)
    with pytest.raises(AgentNotActive):
        spawn(root, "x")


def family(root):
    child = spawn(root, "child")
    return child, spawn(child, "grandchild")


def working(now=NOW):
    return set(Agent.objects.effectively_active(now).values_list("external_id", flat=True))


def test_suspending_stops_descendants_without_touching_their_state(root, cast):
    child, grandchild = family(root)
    assert working() == {"crm-bot", "root", "child", "grandchild"}
    suspend_agent(agent=root, by=SYSTEM, now=NOW)
    assert working() == {"crm-bot"}
    assert Agent.objects.get(pk=grandchild.pk).state == State.ACTIVE
    assert data_of(last_event(cast.acme, "agent.suspended"))["descendants_stopped"] == 2
    assert last_touched(cast.acme) == ["agent/child", "agent/grandchild", "agent/root"]
    resume_agent(agent=root, by=SYSTEM, now=NOW)
    suspend_agent(agent=child, by=SYSTEM, now=NOW)
    assert working() == {"crm-bot", "root"}


def test_the_clock_stops_an_agent_and_all_below_it(cast):
    blueprint = make_blueprint(cast.acme, spawn_depth=2, spawn_children=2)
    root = make_agent(cast.acme, "root", blueprint=blueprint, expires_at=NOW + HOUR)
    child = spawn(root)
    # As if the parent's end had been brought forward after it spawned.
    Agent.objects.filter(pk=child.pk).update(expires_at=None)
    assert working(NOW + HOUR - timedelta(microseconds=1)) == {"crm-bot", "root", "child"}
    assert working(NOW + HOUR) == {"crm-bot"}


def test_a_suspended_organization_stops_everybody(root, cast):
    suspend_organization(organization=cast.acme, by=SYSTEM, now=NOW)
    assert working() == set()


def test_retiring_ends_the_whole_family_and_all_that_it_had(root, cast):
    child, grandchild = family(root)
    issue_api_key(agent=child, label="key", by=SYSTEM, now=NOW)
    start_run(agent=grandchild, task_id="T-1", by=SYSTEM, now=NOW)
    seen = len(events_of(cast.acme))
    later = NOW + HOUR / 2
    retired = retire_agent(agent=root, by=cast.alice.as_actor(), reason="No longer needed.", now=later)
    assert retired.pk == root.pk
    for agent in Agent.objects.filter(pk__in=[root.pk, child.pk, grandchild.pk]).select_related("user"):
        assert agent.state == State.RETIRED
        assert not agent.user.is_active
        assert agent.user.deactivated_at == later
    assert Credential.objects.get(agent=child).revoked_at == later
    assert Run.objects.get(agent=grandchild).ended_at == later
    assert [(event.type, event.reason) for event in events_of(cast.acme)[seen:]] == [
        ("run.ended", "No longer needed."),
        ("agent.retired", "No longer needed."),
        ("credential.revoked", "No longer needed."),
        ("agent.retired", "No longer needed."),
        ("agent.retired", "No longer needed."),
    ]
    of_retirement = [data_of(event) for event in events_of(cast.acme)[seen:] if event.type == "agent.retired"]
    assert [data.get("because_of") for data in of_retirement] == ["root", "root", None]


def test_ancestors_and_descendants_are_found_at_any_depth(root):
    child, grandchild = family(root)
    start = Agent.objects.filter(pk=grandchild.pk)
    assert set(start.and_around()) == {root, child, grandchild}
    assert set(Agent.objects.filter(pk=root.pk).and_below()) == {root, child, grandchild}


@pytest.mark.parametrize("address", ["https://app.example/client.json", "HTTPS://app.example/x", "app://x"])
def test_nobody_makes_up_a_client_of_elsewhere_by_spawning(root, address):
    with pytest.raises(AddressAsId):
        spawn_agent(parent=root, external_id=address, name="Helper", purpose="Helps.", by=root.user.as_actor(), now=NOW)
    assert not Agent.objects.filter(external_id=address).exists()
