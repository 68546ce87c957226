"""What an explanation says: what was tried, why it did not cover, and what would make it a yes."""

import pytest

from permissions.engine.conditions import Change
from permissions.engine.evaluate import decide
from permissions.engine.explain import MAX_CLAUSED, MAX_TRIED, _changed, explain, explain_loss
from permissions.engine.types import Effect, Failure, Mode
from tests.engine.scenes import FUTURE, PAST, Scene, assigned, ceiling, holding, rail, role, rule, run
from tests.engine.scenes import delegation as delegated_right
from tests.engine.scenes import entitlement as right


def explained(scene):
    world, question = scene.made()
    return explain(world, question)


def tried(scene, term="grants"):
    return {each.rule.id: each.reason for report in explained(scene).terms if report.name == term for each in report.tried}


def would_allow(scene):
    return [(each.kind, each.text, each.sufficient) for each in explained(scene).would_allow]


def test_every_rule_that_was_tried_says_why_it_does_not_cover():
    scene = Scene().holds(
        holding(name="other", resource="record-2"),
        holding(name="away", subtree=("folder", "f9")),
        holding(name="row", where='resource.region == "US"'),
        holding(name="error", when="context.hour > 9"),
        holding(name="both", where='resource.region == "US"', when='subject.department == "sales"'),
        holding(name="fieldless", fields=""),
        holding(name="ended", until=PAST),
        holding(name="early", since=FUTURE),
        holding(name="handed", mode=Mode.DELEGATE),
    )
    found = tried(scene)
    assert found["other"] == "it is for record-2 only"
    assert found["away"] == "it is for what lies in folder/f9"
    assert found["row"] == 'the condition resource.region == "US" does not hold'
    assert found["error"].startswith("the condition context.hour > 9 cannot be computed: ")
    assert "sales" in found["both"]
    assert "US" in found["both"]
    assert found["fieldless"] == "it is for none of the fields"
    assert found["ended"] == "it ended at 2026-06-01T11:00:00+00:00"
    assert found["early"] == "it starts at 2026-06-01T13:00:00+00:00"
    assert found["handed"] == "it may be handed on, not used"


def test_roles_out_of_their_time_are_named():
    scene = Scene().of(
        "worker", assignments=(assigned("reader", until=PAST), assigned("writer", until=PAST), assigned("ghost", until=PAST))
    )
    scene.world(roles={"reader": role(right("read")), "writer": role(right("write"))})
    assert tried(scene) == {"reader": "it ended at 2026-06-01T11:00:00+00:00"}


def test_what_a_delegator_may_only_use_is_named():
    scene = Scene().delegated().of("planner", grants=(holding(name="mine", mode=Mode.USE),))
    assert tried(scene, "delegator") == {"mine": "it may not be handed on"}


def test_a_teams_holdings_out_of_their_time_are_named():
    scene = Scene().in_team(grants=(holding(name="ours", until=PAST),))
    assert tried(scene) == {"ours": "it ended at 2026-06-01T11:00:00+00:00"}


def test_a_rule_that_covers_says_so():
    scene = Scene().holds(holding(name="yes", where='resource.region == "EU"'), holding(name="no", resource="record-2"))
    report = next(each for each in explained(scene).terms if each.name == "grants")
    assert report.holds
    assert report.reason == ""
    assert report.fields == ("title", "email", "iban")
    assert [(each.rule.id, each.covers) for each in report.tried] == [("yes", True), ("no", False)]


def test_only_so_many_rules_are_tried_and_fewer_in_detail():
    scene = Scene().holds(
        *[holding(name=f"g{number}", where=f'resource.region == "X{number}"') for number in range(MAX_TRIED + 5)]
    )
    report = next(each for each in explained(scene).terms if each.name == "grants")
    assert len(report.tried) == MAX_TRIED
    assert sum(bool(each.clauses) for each in report.tried) == MAX_CLAUSED
    assert all(each.reason for each in report.tried)


def test_errors_are_named_in_the_answer():
    world, question = Scene().holds(holding(name="broken", when="context.hour > 9"), holding(name="fine")).made()
    decision = decide(world, question)
    assert decision.allows
    assert rule("fine") in decision.rules
    assert rule("broken") not in decision.rules
    assert decision.failures[0].rule == rule("broken")
    assert isinstance(decision.failures[0], Failure)
    assert "hour" in decision.failures[0].error


def test_the_deciding_rules_are_named():
    world, question = Scene().for_alice().delegated().on_task(run()).made()
    found = {(each.kind, each.id) for each in decide(world, question).rules}
    assert found == {
        ("role", "reader"),
        ("grant", "g1"),
        ("grant", "alices"),
        ("consent", "c1"),
        ("grant", "d1"),
        ("run", "run-1"),
    }


def test_a_refusal_has_no_terms():
    explanation = explained(Scene().ask(action="fly"))
    assert explanation.terms == explanation.guardrails == explanation.would_allow == ()
    world, question = Scene().ask(action="fly").made()
    assert explain_loss(world, question, decide(world, question)).terms == ()


def test_a_yes_needs_no_explanation_of_a_loss():
    world, question = Scene().made()
    decision = decide(world, question)
    assert explain_loss(world, question, decision).terms == ()


def test_a_guardrail_says_what_it_saw():
    scene = Scene().rails(
        rail("deny", "a", when='resource.region == "EU"', type="record"), rail("mask", "b"), rail("deny", "c", type="blob")
    )
    world, question = scene.made()
    explanation = explain_loss(world, question, decide(world, question))
    (report,) = explanation.guardrails
    assert (report.rule.id, report.applies, report.report_only) == ("a", True, False)
    assert report.clauses[0].seen == "EU"
    assert [each.rule.id for each in explain(world, question).guardrails] == ["a", "b"]
    assert explain(world, question).would_allow == ()


# What would make it a yes: the change, and whether it is enough.
ENOUGH = [
    ("a stored attribute", lambda s: s.holds(holding(where='resource.region == "US"')), "resource.region == 'US'"),
    ("a number above", lambda s: s.holds(holding(where="resource.amount > 100.0")), "resource.amount > 100.0"),
    ("a number below", lambda s: s.holds(holding(where="resource.amount < 10.0")), "resource.amount < 10.0"),
    ("a number at most", lambda s: s.holds(holding(where="resource.amount <= 10.0")), "resource.amount <= 10.0"),
    ("another value", lambda s: s.holds(holding(where='resource.region != "EU"')), "resource.region != 'EU'"),
    ("one of some", lambda s: s.holds(holding(where='resource.region in ["US", "CH"]')), "resource.region in ['US', 'CH']"),
    (
        "none of some",
        lambda s: s.holds(holding(where='!(resource.region in ["EU", "CH"])')),
        "resource.region not in ['EU', 'CH']",
    ),
    ("presence", lambda s: s.holds(holding(where="has(resource.status)")), "resource.status present"),
    ("absence", lambda s: s.holds(holding(where="!has(resource.region)")), "resource.region absent"),
    ("a beginning", lambda s: s.holds(holding(where='resource.region.startsWith("U")')), "resource.region startsWith 'U'"),
    ("a tag", lambda s: s.holds(holding(where='"vip" in resource.tags')), "resource.tags contains 'vip'"),
    (
        "two at once",
        lambda s: s.holds(holding(where='resource.region == "US" && resource.amount > 60.0')),
        "resource.region == 'US' and resource.amount > 60.0",
    ),
    (
        "row and situation",
        lambda s: s.holds(holding(where='resource.region == "US"', when="context.hour == 9")),
        "resource.region == 'US' and context.hour == 9",
    ),
    ("the context", lambda s: s.holds(holding(when="context.hour >= 9")).ask(context={"hour": 8}), "context.hour >= 9"),
    (
        "something within the context",
        lambda s: s.holds(holding(when='context.device.os == "linux"')),
        "context.device.os == 'linux'",
    ),
    (
        "something absent from the context",
        lambda s: s.holds(holding(when="!has(context.override)")).ask(context={"override": 1}),
        "context.override absent",
    ),
    (
        "a network",
        lambda s: s.holds(holding(when='ipInRange(context.ip, "10.0.0.0/8")')).ask(context={"ip": "192.0.2.1"}),
        "context.ip in network '10.0.0.0/8'",
    ),
    (
        "the action's properties",
        lambda s: s.holds(holding(when="action.properties.amount < 200.0")).ask(action_properties={"amount": 250.0}),
        "action.properties.amount < 200.0",
    ),
    (
        "the subject's attribute",
        lambda s: s.holds(holding(when='subject.department == "sales"')),
        "subject.department == 'sales'",
    ),
    ("a truth", lambda s: s.holds(holding(when="context.vip != true")).ask(context={"vip": True}), "context.vip != True"),
]
STEPS = [
    (
        "the agent's own facts",
        lambda s: s.holds(holding(when='agent.environment == "staging"')),
        "agent.environment == 'staging'",
    ),
    ("who the subject is", lambda s: s.holds(holding(when='subject.name == "boss"')), "subject.name == 'boss'"),
    ("which object it is", lambda s: s.holds(holding(where='resource.id == "record-2"')), "resource.id == 'record-2'"),
    ("the task", lambda s: s.holds(holding(when='task.purpose == "refunds"')).ask(task_id="t9"), "task.purpose == 'refunds'"),
    ("the action's name", lambda s: s.holds(holding("*", when='action.name == "write"')), "action.name == 'write'"),
    (
        "a later term",
        lambda s: s.for_alice().holds(holding(where='resource.region == "US"')).of("alice", consents={}),
        "resource.region == 'US'",
    ),
    ("a guardrail", lambda s: s.holds(holding(where='resource.region == "US"')).rails(rail("deny")), "resource.region == 'US'"),
]


@pytest.mark.parametrize(("sentence", "change", "text"), ENOUGH, ids=[each[0] for each in ENOUGH])
def test_a_change_that_is_enough_is_said(sentence, change, text):
    scene = Scene()
    change(scene)
    assert would_allow(scene)[0] == ("condition", text, True)


@pytest.mark.parametrize(("sentence", "change", "text"), STEPS, ids=[each[0] for each in STEPS])
def test_a_change_that_is_not_enough_is_called_a_step(sentence, change, text):
    scene = Scene()
    change(scene)
    (found,) = [each for each in would_allow(scene) if each[0] == "condition"]
    assert found[2] is False
    assert found[1].startswith(f"{text} (a step")


def test_the_fewest_changes_come_first_and_three_at_most():
    scene = Scene().holds(
        holding(where='resource.region == "US" && resource.amount == 1.0'),
        holding(where='resource.region == "CH"'),
        holding(where='resource.status == "open"'),
        holding(where='resource.status == "new"'),
    )
    found = would_allow(scene)
    assert len(found) == 3
    assert found[0] == ("condition", "resource.region == 'CH'", True)


def test_changes_show_what_was_seen():
    (suggestion,) = explained(Scene().holds(holding(where='resource.region == "US"'))).would_allow
    assert suggestion.changes == ({"reference": "resource.region", "needed": {"op": "==", "value": "US"}, "seen": "EU"},)


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        (lambda s: s.holds(), "grant", "a grant or role that lets agent/worker read on record record-1"),
        (lambda s: s.of("root", grants=()), "grant", "a grant or role that lets agent/root read on record record-1"),
        (
            lambda s: s.for_alice().of("alice", grants=()),
            "grant",
            "a grant or role that lets user/alice read on record record-1",
        ),
        (
            lambda s: s.delegated().of("planner", grants=()),
            "grant",
            "a grant or role that lets agent/planner read on record record-1",
        ),
        (lambda s: s.for_alice().of("alice", consents={}), "consent", "the consent of user/alice to read on record record-1"),
        (
            lambda s: s.delegated().of("planner", delegations={}),
            "delegation",
            "a delegation from agent/planner that covers read on record record-1",
        ),
    ],
)
def test_what_would_have_to_be_given_is_said(change, kind, text):
    scene = Scene()
    change(scene)
    assert would_allow(scene) == [(kind, text, True)]
    assert [each[2] for each in would_allow(scene.rails(rail("deny")))] == [False]


def test_a_gift_that_is_not_enough_is_called_a_step():
    (found,) = would_allow(Scene().holds().rails(rail("deny")))
    assert found[0] == "grant"
    assert found[2] is False
    assert "a step" in found[1]


def test_a_ceiling_suggests_nothing():
    assert would_allow(Scene().of("worker", capabilities=ceiling())) == []
    assert would_allow(Scene().ask(subject="agent/nobody")) == []


def test_a_condition_without_a_simple_change_asks_for_a_grant():
    assert would_allow(Scene().holds(holding(when="now.getHours() == 3"))) == [
        ("grant", "a grant or role that lets agent/worker read on record record-1", True)
    ]


def test_fewer_fields_are_suggested_only_if_they_are_allowed():
    held = Scene().holds(holding(fields="title email"))
    assert would_allow(held.ask(fields=("title", "iban")))[0] == ("fields", "leave out iban", True)
    assert not [each for each in would_allow(held.ask(fields=("iban",))) if each[0] == "fields"]
    assert not [each for each in would_allow(held.ask(fields=("iban", "iban"))) if each[0] == "fields"]


@pytest.mark.parametrize("kind", ["deny", "require_approval"])
def test_fewer_fields_are_suggested_where_a_guardrail_is_about_some(kind):
    scene = Scene().rails(rail(kind, fields="email"), rail("mask", "other", fields="title")).ask(fields=("title", "email"))
    world, question = scene.made()
    assert decide(world, question).effect in {Effect.DENY, Effect.ESCALATE}
    assert would_allow(scene) == [("fields", "leave out email", True)]


def test_a_delegation_of_one_resource_is_tried():
    scene = Scene().delegated().of("planner", delegations={"worker": (delegated_right(resource="record-2"),)})
    assert tried(scene, "delegation") == {"d1": "it is for record-2 only"}


def test_values_that_cannot_be_put_anywhere_change_nothing():
    _, question = Scene().made()
    for reference in ("now", "user.department", "action.name", "action.properties", "resource.a.b", "task.id"):
        assert not list(_changed(question, (Change(reference, {"op": "==", "value": 1}, None),)))
    assert not list(_changed(question, (Change("resource.region", {"op": "in", "value": "EU"}, None),)))
    for op in ("<", "!=", "lacks"):
        assert list(_changed(question, (Change("resource.region", {"op": op, "value": "EU"}, None),)))
