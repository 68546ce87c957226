"""Every row of the matrix: the effect, the term that lost, whose it was, and what the reason says."""

import pytest

from permissions.engine.evaluate import decide
from permissions.engine.explain import explain, explain_loss
from permissions.engine.search import actions, resources, subjects
from tests.engine.cases import CASES
from tests.engine.scenes import RECORD, Scene


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sentence.replace(" ", "-"))
def test_the_answer_is_what_the_matrix_says(case):
    scene = Scene()
    case.change(scene)
    world, question = scene.made()
    decision = decide(world, question)
    assert decision.effect == case.effect, decision
    assert decision.allows == (case.effect == "allow")
    if not case.term:
        assert decision.lost is None
    else:
        assert decision.lost is not None
        assert decision.lost.term == case.term
        assert case.who in {"", decision.lost.who}
        assert case.words in decision.lost.reason
        assert decision.allowed == decision.masked == 0
    facts = world.types.get(question.type, RECORD)
    if case.allowed is not None:
        assert facts.names(decision.allowed) == case.allowed
        assert facts.names(decision.masked) == case.masked
    if case.denied is not None:
        assert facts.names(decision.denied) == case.denied


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sentence.replace(" ", "-"))
def test_the_other_views_agree_with_the_matrix(case):
    scene = Scene()
    case.change(scene)
    world, question = scene.made()
    decision = decide(world, question)
    explanation = explain(world, question)
    assert explanation.decision == decision
    losing = [report for report in explanation.terms if not report.holds]
    if decision.lost is not None and explanation.terms and decision.lost.term != "guardrail":
        assert (losing[0].name, losing[0].who, losing[0].reason) == decision.lost
        assert explain_loss(world, question, decision).terms == (losing[0],)
    else:
        assert not losing
    for suggestion in explanation.would_allow:
        assert suggestion.sufficient or "a step" in suggestion.text
    assert [name for name, _ in resources(world, question, [question.resource])] == [question.resource] * decision.allows
    assert [name for name, _ in subjects(world, question, [question.subject])] == [question.subject] * decision.allows
    assert (question.action in dict(actions(world, question))) == decision.allows
