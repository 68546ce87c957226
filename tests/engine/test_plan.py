"""What a plan says when no row can be allowed, and the rows in simple cases. That it always agrees: see test_agreement."""

import pytest

from permissions.engine.conditions import FALSE, TRUE, Op, matches, to_json
from permissions.engine.plan import plan
from tests.engine.scenes import Scene, ceiling, entitlement, holding, rail, role


def planned(scene):
    world, question = scene.made()
    return plan(world, question)


def test_everything_is_true_and_nothing_is_false():
    assert planned(Scene()) == (TRUE, None)
    node, lost = planned(Scene().rails(rail("deny", "no", reason="Never.")))
    assert node == FALSE
    assert lost == ("guardrail", "no", "Never.")


@pytest.mark.parametrize(
    ("change", "term", "words"),
    [
        (lambda s: s.ask(action="fly"), "action", "declares no action"),
        (lambda s: s.of("worker", inactive="is suspended"), "subject", "is suspended"),
        (lambda s: s.holds(), "grants", "nothing of agent/worker covers any row"),
        (lambda s: s.holds(holding(when="context.hour > 3")), "grants", "covers any row"),
        (lambda s: s.of("worker", capabilities=ceiling()), "capabilities", "beyond the ceiling"),
        (
            lambda s: s.of("worker", capabilities=ceiling(read="title")).of("root", grants=(holding(fields="email"),)),
            "parent",
            "covers any row",
        ),
        (lambda s: s.rails(rail("require_approval", "a")), "guardrail", "the guardrail a applies"),
        (
            lambda s: s.rails(rail("deny", "a", fields="title"), rail("deny", "b", fields="email iban")),
            "guardrail",
            "the guardrail b",
        ),
        (lambda s: s.ask(fields=("email",)).rails(rail("deny", "a", data_classes="personal")), "guardrail", "the guardrail a"),
    ],
)
def test_what_lost_is_named_where_no_row_can_be_allowed(change, term, words):
    scene = Scene()
    change(scene)
    node, lost = planned(scene)
    assert node == FALSE
    assert lost.term == term
    assert words in lost.reason


def test_one_resource_and_a_subtree_are_conditions_on_the_row():
    node, _ = planned(Scene().holds(holding(resource="record-2"), holding(subtree=("folder", "f1"))))
    assert matches(node, {"id": "record-2"}, within=lambda *_: False)
    assert not matches(node, {"id": "record-1"}, within=lambda *_: False)
    assert matches(node, {"id": "record-1"}, within=lambda *key: key == ("folder", "f1"))


def test_the_type_of_a_row_is_known():
    assert planned(Scene().holds(holding(where='resource.type == "record"'))) == (TRUE, None)


def test_a_guardrail_leaves_the_rows_on_which_its_condition_is_false():
    node, lost = planned(
        Scene().rails(
            rail("deny", type="record", when='resource.region == "US"'), rail("mask", "m"), rail("deny", "r", report_only=True)
        )
    )
    assert lost is None
    assert matches(node, {"id": "x", "region": "EU"})
    assert not matches(node, {"id": "x", "region": "US"})
    assert not matches(node, {"id": "x"})


def test_fields_that_rules_treat_alike_share_one_condition():
    rights = role(
        entitlement("read", fields="title email", where='resource.region == "EU"'), entitlement("read", fields="iban")
    )
    every, _ = planned(Scene().world(roles={"reader": rights}).ask(fields=("title", "email", "iban")))
    assert isinstance(every, Op)
    assert every.op == "is_true"
    some, _ = planned(Scene().world(roles={"reader": rights}))
    assert some == TRUE
    assert to_json(every)
