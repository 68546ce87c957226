"""Ending anything denies the very next request, though it was ended in another process than those that answer."""

import pytest

from tests.access.asking import Asking, question
from tests.serving import Served

ALICE = {"type": "user", "id": "alice"}
CHAIN = ["agent/planner"]
AGENT = "agent = Agent.objects.get(organization=organization, external_id={!r})\n"


def _ends(fresh: Asking, code: str, term: str, action: str = "read", **more: object) -> None:
    """Show that a question is allowed in both processes, and refused by both at once after the change."""
    for _ in range(6):
        assert fresh(action, "record-1", **more)[0] == "allow"
    fresh.run(code)
    for _ in range(6):
        assert fresh.lost(action, "record-1", **more) == term


def test_suspending_the_agent(fresh: Asking) -> None:
    _ends(fresh, AGENT.format("runner") + "suspend_agent(agent=agent, by=by, reason='stop', now=now)", "subject")
    fresh.run(AGENT.format("runner") + "resume_agent(agent=agent, by=by, reason='go', now=now)")
    assert fresh("read", "record-1")[0] == "allow"


def test_suspending_or_retiring_the_parent(fresh: Asking) -> None:
    code = AGENT.format("runner") + "suspend_agent(agent=agent, by=by, reason='stop', now=now)"
    _ends(fresh, code, "parent", subject="agent/helper")
    fresh.run(AGENT.format("runner") + "retire_agent(agent=agent, by=by, reason='end', now=now)")
    assert fresh.lost("read", "record-1", subject="agent/helper") == "subject"


def test_ending_a_grant(fresh: Asking) -> None:
    code = "grant = Grant.objects.get(organization=organization, user__agent__external_id='runner')\n"
    _ends(fresh, code + "end_grant(grant=grant, by=by, reason='end', now=now)", "grants", action="write", amount=1)


def test_ending_a_role_assignment(fresh: Asking) -> None:
    code = "found = RoleAssignment.objects.get(organization=organization, user__external_id='alice')\n"
    _ends(fresh, code + "end_assignment(assignment=found, by=by, reason='end', now=now)", "grants", subject="user/alice")


def test_emptying_a_role_and_taking_it_from_the_blueprint(fresh: Asking) -> None:
    code = """
role = Role.objects.get(organization=organization, external_id='reader')
set_role_entitlements(role=role, entitlements=[], by=by, now=now)
"""
    _ends(fresh, code, "grants")


def test_taking_a_role_from_the_blueprint(fresh: Asking) -> None:
    code = """
blueprint = Blueprint.objects.get(organization=organization, external_id='support')
set_blueprint_roles(blueprint=blueprint, roles=[], by=by, now=now)
"""
    _ends(fresh, code, "grants")


def test_taking_a_person_out_of_a_team(fresh: Asking) -> None:
    code = """
team = Team.objects.get(organization=organization, external_id='finance')
set_team_members(team=team, members=[], by=by, now=now)
"""
    _ends(fresh, code, "grants", subject="user/bob")


def test_taking_back_a_consent(fresh: Asking) -> None:
    code = """
consent = Consent.objects.get(organization=organization, user__external_id='alice', agent__external_id='runner')
end_consent(consent=consent, by=by, reason='no more', now=now)
"""
    _ends(fresh, code, "consent", on_behalf_of=ALICE)


def test_ending_a_delegation(fresh: Asking) -> None:
    code = """
delegation = Delegation.objects.get(organization=organization)
end_delegation(delegation=delegation, by=by, reason='end', now=now)
"""
    _ends(fresh, code, "delegation", delegation=CHAIN)


def test_suspending_the_delegator(fresh: Asking) -> None:
    code = AGENT.format("planner") + "suspend_agent(agent=agent, by=by, reason='stop', now=now)"
    _ends(fresh, code, "delegator", delegation=CHAIN)


def test_deactivating_the_user(fresh: Asking) -> None:
    code = """
bob = User.objects.get(organization=organization, external_id='bob')
deactivate_person(person=bob, by=by, reason='left', now=now)
"""
    _ends(fresh, code, "subject", subject="user/bob")


def test_an_owner_who_leaves_stops_their_agents_and_coming_back_does_not_start_them(fresh: Asking) -> None:
    code = "alice = User.objects.get(organization=organization, external_id='alice')\n"
    _ends(fresh, code + "deactivate_person(person=alice, by=by, reason='left', now=now)", "subject")
    fresh.run(code + "reactivate_person(person=alice, by=by, reason='back', now=now)")
    assert fresh.lost("read", "record-1") == "subject"


def test_ending_a_task(fresh: Asking) -> None:
    code = AGENT.format("runner")
    fresh.run(code + "run = start_run(agent=agent, task_id='t-1', purpose='refunds', by=by, now=now)\nresult = run.pk")
    end = code + "end_run(run=Run.objects.get(agent=agent, task_id='t-1'), by=by, now=now)"
    _ends(fresh, end, "task", task={"id": "t-1", "purpose": "refunds"})
    assert fresh("read", "record-1")[0] == "allow"


def test_a_task_limits_what_the_agent_may_do_on_it(fresh: Asking) -> None:
    assert fresh("read", "record-1", task={"id": "t-2"})[0] == "allow"
    fresh.run(
        AGENT.format("runner")
        + "only = [{'type': 'record', 'actions': ['write']}]\n"
        + "start_run(agent=agent, task_id='t-2', purpose='refunds', allows=only, by=by, now=now)"
    )
    assert fresh.lost("read", "record-1", task={"id": "t-2"}) == "task"
    assert fresh("write", "record-1", amount=1, task={"id": "t-2"})[0] == "allow"


def test_publishing_and_withdrawing_a_guardrail(fresh: Asking) -> None:
    code = """
record = ResourceType.objects.get(organization=organization, name='record')
wording = Wording(effect='deny', resource_type=record, actions=['read'], reason='closed')
draft_guardrail(organization=organization, external_id='closed', name='Closed', wording=wording, by=by, now=now)
"""
    fresh.run(code)
    assert fresh("read", "record-1")[0] == "allow"
    publish = """
rail = Guardrail.objects.get(organization=organization, external_id='closed')
publish_guardrail(guardrail=rail, number=1, state='published', by=by, now=now)
"""
    _ends(fresh, publish, "guardrail")
    rail = "rail = Guardrail.objects.get(organization=organization, external_id='closed')\n"
    fresh.run(rail + "withdraw_guardrail(guardrail=rail, by=by, now=now)")
    assert fresh("read", "record-1")[0] == "allow"


def test_suspending_the_organization(fresh: Asking) -> None:
    _ends(fresh, "suspend_organization(organization=organization, by=by, reason='stop', now=now)", "organization")


def test_moving_or_changing_a_stored_resource(fresh: Asking) -> None:
    code = """
resource = Resource.objects.get(organization=organization, type__name='record', external_id='record-1')
update_resource(resource=resource, attributes={'status': 'active', 'region': 'US'}, parent=None, by=by, now=now)
"""
    _ends(fresh, code, "grants")


@pytest.mark.parametrize("ending", ["revoke", "suspend"])
def test_a_key_that_ended_is_refused_at_once(fresh: Asking, ending: str) -> None:
    for _ in range(6):
        assert fresh("read", "record-1")[0] == "allow"
    application = "application = Application.objects.get(organization=organization, slug='crm')\n"
    if ending == "revoke":
        fresh.run(application + "revoke_application_key(key=application.keys.get(), by=by, reason='leaked', now=now)")
    else:
        fresh.run(application + "suspend_application(application=application, by=by, reason='stop', now=now)")
    for _ in range(6):
        assert fresh.raw(question()).status_code == 401


def test_an_agents_key_ends_with_the_agent(fresh: Asking) -> None:
    runner = fresh.as_agent("runner")
    assert runner("read", "record-1")[0] == "allow"
    fresh.run(AGENT.format("runner") + "retire_agent(agent=agent, by=by, reason='end', now=now)")
    for _ in range(6):
        assert runner.raw(question()).status_code == 401


def test_what_ends_by_the_clock_has_ended_without_any_job(fresh: Asking) -> None:
    fresh.run(
        """
from datetime import timedelta
import time
agent = Agent.objects.get(organization=organization, external_id='planner')
spec = EntitlementSpec(type='record', actions=['read'])
give_grant(organization=organization, holder=agent.user, entitlement=spec,
           terms=Terms(ends_at=now + timedelta(seconds=2)), by=by, now=now)
"""
    )
    assert fresh("read", "record-2", subject="agent/planner")[0] == "allow"
    fresh.run("import time\ntime.sleep(2.1)")
    effect, context = fresh("read", "record-2", subject="agent/planner")
    assert effect == "deny"
    assert "ended at" in str(context["lost"]["tried"])


def test_a_stranger_sees_no_change(product: Served, fresh: Asking) -> None:
    theirs = Asking(product, product.keys["other:application/crm"], slug="other")
    before = theirs("read", "record-1")[1]["revision"]
    fresh.run(AGENT.format("runner") + "suspend_agent(agent=agent, by=by, reason='stop', now=now)")
    assert theirs("read", "record-1")[1]["revision"] == before
