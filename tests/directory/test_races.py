"""Two at once: one wins, the other is refused, and nothing is half done."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from agentiam.kit.errors import Refusal
from directory.lifecycle import State
from directory.models import Agent, PolicyChange, SignOff
from directory.services.credentials import issue_api_key, rotate_api_key
from directory.services.onboarding import approve_onboarding
from directory.services.people import create_person, deactivate_person
from directory.services.runs import start_run
from directory.services.spawning import spawn_agent
from directory.services.suspension import suspend_agent
from tests.directory.conftest import make_cast
from tests.directory.recorded import event_types, revision
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_person

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls):
    """Run calls in threads that start together; answer what each gave, refusals included."""
    barrier = Barrier(len(calls))

    def run(call):
        try:
            connection.ensure_connection()
            barrier.wait(timeout=20)
            return call()
        except Refusal as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def winners(results):
    return [result for result in results if not isinstance(result, Refusal)]


def test_of_two_clicks_on_suspend_one_wins():
    agent = make_cast().agent
    before = revision(agent.organization)
    results = at_once(*[lambda: suspend_agent(agent=agent, by=SYSTEM, now=NOW)] * 4)
    assert len(winners(results)) == 1
    assert event_types(agent.organization).count("agent.suspended") == 1
    assert agent.history.filter(state="suspended").count() == 1
    assert revision(agent.organization) == before + 1


def test_spawning_at_once_cannot_pass_the_limit():
    cast = make_cast()
    blueprint = make_blueprint(cast.acme, spawn_depth=1, spawn_children=2)
    parent = make_agent(cast.acme, blueprint=blueprint)

    def spawn(number):
        return lambda: spawn_agent(
            parent=parent, external_id=f"child-{number}", name="Child", purpose="Helps.", by=SYSTEM, now=NOW
        )

    results = at_once(*[spawn(number) for number in range(6)])
    assert len(winners(results)) == 2
    assert Agent.objects.filter(parent=parent).count() == 2


def test_sign_offs_at_once_are_both_counted():
    cast = make_cast()
    agent = make_agent(cast.acme, state=State.PENDING, blueprint=make_blueprint(cast.acme, sign_offs=2))
    agent.refresh_from_db()
    people = [cast.alice, cast.carol]
    at_once(*[lambda person=person: approve_onboarding(agent=agent, by=person.as_actor(), now=NOW) for person in people])
    assert SignOff.objects.filter(agent=agent).count() == 2
    assert Agent.objects.get(pk=agent.pk).state == "active"


def test_two_rotations_of_one_key_have_one_winner():
    from datetime import timedelta

    agent = make_cast().agent
    credential, _ = issue_api_key(agent=agent, label="key", by=SYSTEM, now=NOW)
    rotate = lambda: rotate_api_key(credential=credential, overlap=timedelta(hours=1), by=SYSTEM, now=NOW)  # noqa: E731
    assert len(winners(at_once(rotate, rotate, rotate))) == 1
    assert agent.credentials.count() == 2


def test_one_run_on_one_task():
    agent = make_cast().agent
    start = lambda: start_run(agent=agent, task_id="T-1", by=SYSTEM, now=NOW)  # noqa: E731
    assert len(winners(at_once(start, start, start))) == 1
    assert agent.runs.count() == 1


def test_one_username_in_two_organizations_is_given_once():
    cast = make_cast()

    def create(organization):
        return lambda: create_person(
            organization=organization, external_id="dave", username="dave", name="Dave", by=SYSTEM, now=NOW
        )

    results = at_once(create(cast.acme), create(cast.elsewhere))
    assert len(winners(results)) == 1


def test_an_owner_who_leaves_while_an_agent_is_activated_leaves_no_active_agent():
    from directory.services.onboarding import activate_agent

    cast = make_cast()
    owner = make_person(cast.acme, "erin")
    agent = make_agent(cast.acme, state=State.PENDING, owner=owner, sponsor=cast.alice)
    at_once(
        lambda: activate_agent(agent=agent, by=SYSTEM, now=NOW),
        lambda: deactivate_person(person=owner, by=SYSTEM, now=NOW),
    )
    left = Agent.objects.get(pk=agent.pk)
    assert left.ownerless
    assert left.state in ("pending", "suspended")


def test_revisions_have_no_gap_and_no_repetition():
    cast = make_cast()
    agents = [make_agent(cast.acme) for _ in range(4)]
    at_once(*[lambda agent=agent: suspend_agent(agent=agent, by=SYSTEM, now=NOW) for agent in agents])
    numbers = list(PolicyChange.objects.filter(organization=cast.acme).order_by("revision").values_list("revision", flat=True))
    assert numbers == list(range(2, revision(cast.acme) + 1))
