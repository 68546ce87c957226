"""What somebody can do at all agrees with every single decision, and says where it comes from and what stands in its way."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import event, given
from hypothesis import strategies as st

from permissions.engine.conditions import FALSE, TRUE, Situation
from permissions.engine.conditions.exact import Scope, evaluate
from permissions.engine.conditions.text import text_of
from permissions.engine.effective import access
from permissions.engine.evaluate import decide
from permissions.engine.types import Effect, Mode
from tests.engine.scenes import FUTURE, NOW, Scene, assigned, ceiling, consent, entitlement, holding, rail, role
from tests.engine.strategies import EFFORT, RESOURCES, questions, sent, worlds
from tests.engine.test_agreement import lies_in


def reached(scene):
    world, question = scene.made()
    return access(world, question)


@EFFORT
@given(worlds(), questions, st.lists(sent, min_size=1, max_size=4))
def test_every_decision_about_one_field_is_what_the_conditions_on_it_say(world, question, rows):
    question = replace(question, fields=None)
    found = access(world, replace(question, context={}, action_properties={}))
    event(found.effect)
    for name in RESOURCES:
        for properties in rows:
            asked = replace(question, resource=name, resource_properties=properties)
            for group in found.fields:
                for field in group.fields:
                    decision = decide(world, replace(asked, fields=(field,)))
                    holds = evaluated(world, asked, group)
                    assert holds["allowed"] == (decision.effect is Effect.ALLOW)
                    assert holds["escalated"] == (decision.effect is Effect.ESCALATE)
                    assert holds["masked"] == bool(decision.masked)
            if found.effect == "deny":
                assert decide(world, asked).effect is Effect.DENY


def evaluated(world, question, group):
    stored = world.resources.get(("record", question.resource))
    row = {**({} if stored is None else stored.attributes), **question.resource_properties, "id": question.resource}
    row.pop("parent", None)
    action = {"name": question.action, "properties": question.action_properties}
    situation = Situation(resource=row, action=action, context=question.context)
    scope = Scope(situation, within=lies_in(world, question.resource, question.resource_properties))
    return {name: evaluate(getattr(group, name), scope) for name in ("allowed", "escalated", "masked")}


@EFFORT
@given(worlds(), questions)
def test_what_is_asked_later_is_not_looked_at(world, question):
    other = replace(question, resource="another", resource_properties={"region": "EU"}, context={"hour": 3})
    other = replace(other, action_properties={"amount": 1.0}, fields=("title",))
    assert access(world, question) == access(world, other)


def test_what_holds_everywhere_is_allowed():
    found = reached(Scene())
    assert (found.effect, found.blocked, found.until, found.depends_on) == ("allow", (), None, ())
    [group] = found.fields
    assert (group.fields, group.allowed, group.escalated, group.masked) == (("title", "email", "iban"), TRUE, FALSE, FALSE)


def test_conditions_on_the_row_and_the_context_stay_as_they_are_written():
    found = reached(Scene().holds(holding(where='resource.region == "EU"', when="context.hour < 18")))
    assert found.effect == "conditional"
    assert found.depends_on == ("context.hour",)
    [group] = found.fields
    assert 'resource.region == "EU"' in text_of(group.allowed)
    assert "context.hour < 18" in text_of(group.allowed)
    [source] = next(each for each in found.terms if each.name == "grants").sources
    assert source.outcome == "depends"


def test_what_is_known_is_computed():
    here = 'subject.department == "support"'
    assert reached(Scene().holds(holding(when=here))).effect == "allow"
    assert reached(Scene().holds(holding(when=f"!({here})"))).effect == "deny"
    late = 'now >= timestamp("2026-06-01T13:00:00Z")'
    assert reached(Scene().holds(holding(when=late))).effect == "deny"
    assert reached(Scene().holds(holding(when=late)).ask(now=FUTURE)).effect == "allow"


def test_fields_are_told_apart_by_what_rules_do_to_them():
    found = reached(
        Scene()
        .holds(holding(fields="title email"))
        .rails(rail("mask", "m", fields="email"), rail("require_approval", "a", when="context.amount > 5.0"))
    )
    groups = {group.fields: group for group in found.fields}
    assert set(groups) == {("title",), ("email",), ("iban",)}
    assert groups["iban",].allowed == FALSE
    assert groups["title",].masked == FALSE
    assert groups["email",].masked == groups["email",].allowed
    assert found.depends_on == ("context.amount",)


def test_every_obstacle_that_is_enough_alone_is_named():
    found = reached(Scene().of("worker", capabilities=ceiling(write=None)).rails(rail("deny", "never", reason="Never.")))
    assert found.effect == "deny"
    assert [(each.term, each.who) for each in found.blocked] == [("capabilities", "agent/worker"), ("guardrail", "never")]
    assert found.lost == found.blocked[0]


def test_an_approval_that_is_always_needed_is_an_escalation():
    found = reached(Scene().rails(rail("require_approval", "ask")))
    assert (found.effect, found.blocked) == ("escalate", ())
    [only] = found.rails
    assert (only.outcome, only.whole) == ("always", True)


def test_a_guardrail_that_only_reports_takes_nothing_away():
    found = reached(Scene().rails(rail("deny", "try", report_only=True)))
    assert found.effect == "allow"
    assert found.rails[0].outcome == "always"


def test_access_is_over_with_the_first_term_whose_last_source_is_over():
    soon, later = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    both = (holding(until=soon, name="g1"), holding(until=later, name="g2"))
    assert reached(Scene().holds(*both)).until == later
    assert reached(Scene().holds(*both, holding(name="g3"))).until is None
    assert reached(Scene().holds(*both).of("worker", until=soon)).until == soon
    assert reached(Scene().of("root", until=soon)).until == soon
    assert reached(Scene().for_alice()).until is None
    assert reached(Scene().for_alice().of("alice", consents={"worker": (consent(until=soon),)})).until == soon


def test_what_does_not_count_now_is_listed_with_the_reason():
    found = reached(Scene().holds(holding(since=FUTURE, name="g1"), holding(mode=Mode.DELEGATE, name="g2")))
    assert found.effect == "deny"
    sources = {each.rule.id: each for each in found.terms[0].sources}
    assert sources["g1"].reason.startswith("it starts at")
    assert sources["g2"].reason == "it may be handed on, not used"
    assert reached(Scene().holds(holding(since=FUTURE)).ask(now=FUTURE)).effect == "allow"


def test_a_role_is_a_source_with_the_window_of_its_assignment():
    scene = Scene().of("worker", assignments=(assigned("reader", until=FUTURE),))
    scene.world(roles={"reader": role(entitlement("read", name="e1"))})
    [source] = reached(scene).terms[0].sources
    assert (source.rule.kind, source.entitlement.rule.id, source.until) == ("role", "e1", FUTURE)


def test_a_question_that_cannot_be_asked_is_blocked_by_its_cause():
    assert reached(Scene().ask(action="fly")).lost.term == "action"
    assert reached(Scene().world(inactive="is suspended")).lost.term == "organization"
    assert reached(Scene().ask(subject="agent/nobody")).lost.term == "subject"


def test_a_type_without_fields_has_one_group_without_names():
    from tests.engine.scenes import BLOB

    found = reached(Scene().holds(holding(type_=BLOB)).of("worker", capabilities=None, parent=None).ask(type="blob"))
    assert [group.fields for group in found.fields] == [()]
