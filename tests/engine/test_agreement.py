"""Decide, explain, search and plan are four views of one engine: they agree in every organization."""

from dataclasses import replace

from hypothesis import event, given
from hypothesis import strategies as st

from permissions.engine import search
from permissions.engine.conditions import FALSE, matches, two_valued
from permissions.engine.evaluate import decide
from permissions.engine.explain import explain, explain_loss
from permissions.engine.plan import plan
from tests.engine.strategies import ACTIONS, EFFORT, RESOURCES, questions, sent, worlds

REFUSED = {"organization", "resource_type", "action", "fields"}


def lies_in(world, name, properties):
    """Say what a row lies in, as a database of the application would know it."""
    parent = properties.get("parent")
    stored = world.resources.get(("record", name))
    if parent is None:
        above = () if stored is None else stored.ancestors
    else:
        key = (parent["type"], parent["id"])
        facts = world.resources.get(key)
        above = (key, *(() if facts is None else facts.ancestors))
    return lambda type_, id_: (type_, id_) in {("record", name), *above}


@EFFORT
@given(worlds(), questions, st.lists(sent, min_size=1, max_size=6))
def test_a_plan_selects_exactly_the_rows_that_are_allowed(world, question, rows):
    node, lost = plan(world, question)
    event("nothing" if node == FALSE else "some rows")
    assert two_valued(node)
    assert (lost is not None) == (node == FALSE)
    for name in RESOURCES:
        for properties in rows:
            stored = world.resources.get(("record", name))
            attributes = {**({} if stored is None else stored.attributes), **properties, "id": name}
            attributes.pop("parent", None)
            decision = decide(world, replace(question, resource=name, resource_properties=properties))
            assert matches(node, attributes, within=lies_in(world, name, properties)) == decision.allows


@EFFORT
@given(worlds(), questions)
def test_a_plan_does_not_look_at_the_object_of_the_question(world, question):
    assert plan(world, question) == plan(world, replace(question, resource="another", resource_properties={"region": "EU"}))


@EFFORT
@given(worlds(), questions)
def test_an_explanation_says_what_was_decided(world, question):
    decision = decide(world, question)
    explanation = explain(world, question)
    assert explanation.decision == decision
    short = explain_loss(world, question, decision)
    assert short.decision == decision
    losing = [report for report in explanation.terms if not report.holds]
    if decision.lost is None or decision.lost.term == "guardrail":
        assert not losing
    elif decision.lost.term not in REFUSED:
        assert (losing[0].name, losing[0].who, losing[0].reason) == decision.lost
        assert short.terms == (losing[0],)
        assert losing[0].fields or not any(each.covers for each in losing[0].tried)
    if decision.lost is not None and decision.lost.term == "guardrail":
        assert all(each.applies for each in short.guardrails)
        assert {each.rule for each in short.guardrails} == set(decision.rules)
    assert short.would_allow == explanation.would_allow


@EFFORT
@given(worlds(), questions)
def test_search_lists_exactly_what_is_allowed(world, question):
    listed = dict(search.resources(world, question, RESOURCES))
    for name in RESOURCES:
        decision = decide(world, replace(question, resource=name))
        assert (name in listed) == decision.allows
        assert listed.get(name, decision) == decision
    refs = sorted([*world.principals, "agent/nobody"])
    found = dict(search.subjects(world, question, refs))
    assert [ref for ref in refs if decide(world, replace(question, subject=ref)).allows] == list(found)
    names = [name for name, _ in search.actions(world, question)]
    assert names == [name for name in sorted([*ACTIONS, "delete"]) if decide(world, replace(question, action=name)).allows]


@EFFORT
@given(worlds(), questions)
def test_every_way_to_a_yes_that_is_said_to_be_enough_is(world, question):
    for suggestion in explain(world, question).would_allow:
        event(f"{suggestion.kind} {suggestion.sufficient}")
        if suggestion.kind == "fields":
            fewer = tuple(name for name in question.fields if {"field": name} not in suggestion.changes)
            assert decide(world, replace(question, fields=fewer)).allows
        if suggestion.kind == "condition" and suggestion.sufficient:
            needed = [each["needed"] for each in suggestion.changes]
            references = [each["reference"] for each in suggestion.changes]
            if all(each["op"] == "==" for each in needed) and len(set(references)) == len(references):
                assert decide(world, with_values(question, suggestion.changes)).allows


def with_values(question, changes):
    for change in changes:
        *path, name = change["reference"].split(".")
        member = {
            "resource": "resource_properties",
            "subject": "subject_properties",
            "context": "context",
            "action": "action_properties",
        }[path[0]]
        question = replace(question, **{member: {**getattr(question, member), name: change["needed"]["value"]}})
    return question
