"""Every combination of terms that hold and are lost, with every kind of guardrail: the answer is exactly the formula."""

from itertools import product

import pytest

from permissions.engine.evaluate import decide
from permissions.engine.explain import explain
from tests.engine.scenes import PAST, Scene, ceiling, delegation, rail, run, trust

# In the order of the formula: the term, whose it is, and what makes it lost.
LOSSES = {
    "organization": ("acme", lambda s: s.world(inactive="is suspended")),
    "subject": ("agent/worker", lambda s: s.of("worker", inactive="is suspended")),
    "grants": ("agent/worker", lambda s: s.of("worker", assignments=())),
    "blueprint": ("agent/worker", lambda s: s.of("worker", blueprint="ghost")),
    "capabilities": ("agent/worker", lambda s: s.of("worker", capabilities=ceiling())),
    "trust": ("agent/worker", lambda s: s.from_partner(trust(agreed=False))),
    "parent": ("agent/root", lambda s: s.of("root", grants=())),
    "consent": ("user/alice", lambda s: s.of("alice", consents={})),
    "user": ("user/alice", lambda s: s.of("alice", grants=())),
    "delegation": ("agent/planner", lambda s: s.of("planner", delegations={"worker": (delegation(until=PAST),)})),
    "delegator": ("agent/planner", lambda s: s.of("planner", grants=())),
    "task": ("agent/worker", lambda s: s.on_task(run(until=PAST))),
}
EFFECTS = {"none": "allow", "deny": "deny", "require_approval": "escalate", "mask": "allow"}


def scene(lost):
    found = Scene().for_alice().delegated().from_partner(trust()).on_task(run())
    for term in lost:
        LOSSES[term][1](found)
    return found


@pytest.mark.parametrize("kind", EFFECTS)
def test_the_answer_is_the_formula_and_names_the_first_term_that_lost(kind):
    for holds in product((True, False), repeat=len(LOSSES)):
        lost = [term for term, held in zip(LOSSES, holds, strict=True) if not held]
        world, question = scene(lost).rails(*([] if kind == "none" else [rail(kind)])).made()
        decision = decide(world, question)
        if lost:
            assert decision.lost is not None
            assert (decision.effect, decision.lost.term, decision.lost.who) == ("deny", lost[0], LOSSES[lost[0]][0])
        else:
            assert decision.effect == EFFECTS[kind]
            assert (decision.lost is None) == decision.allows
            assert bool(decision.masked) == (kind == "mask")


def test_an_explanation_names_every_term_that_lost():
    asked = [term for term in LOSSES if term not in {"organization", "subject"}]
    for holds in product((True, False), repeat=len(asked)):
        lost = [term for term, held in zip(asked, holds, strict=True) if not held]
        explanation = explain(*scene(lost).made())
        assert [report.name for report in explanation.terms if not report.holds] == lost
        assert explanation.decision.allows == (not lost)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("report_only", [True, False])
@pytest.mark.parametrize("condition", [None, "true", "false", "context.missing"])
@pytest.mark.parametrize("kind", ["deny", "require_approval", "mask"])
def test_a_guardrail_takes_exactly_its_fields(kind, condition, report_only, listed, whole):
    about = {} if whole else {"fields": "email"}
    over = rail(kind, when=condition, report_only=report_only, **about)
    world, question = Scene().rails(over).ask(fields=("title", "email") if listed else None).made()
    decision = decide(world, question)
    facts = world.types["record"]
    applies = condition != "false"
    assert decision.reported == ((over.rule,) if applies and report_only else ())
    assert [failure.rule for failure in decision.failures] == ([over.rule] if condition == "context.missing" else [])
    wanted = set(facts.names(facts.mask(question.fields)))
    hit = (wanted if whole else {"email"}) if applies and not report_only else set()
    if hit and kind != "mask" and (listed or hit == wanted):
        assert decision.effect == EFFECTS[kind]
        assert decision.rules == (over.rule,)
        assert set(facts.names(decision.denied)) == wanted
    else:
        assert decision.allows
        assert set(facts.names(decision.allowed)) == wanted - hit
        assert set(facts.names(decision.masked)) == (hit if kind == "mask" else set())
        assert set(facts.names(decision.denied)) == (hit if kind != "mask" else set())
