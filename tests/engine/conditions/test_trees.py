"""Trees: their logic, their JSON, what is left of a condition, and which rows match."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from permissions.engine.conditions import (
    FALSE,
    TRUE,
    EvaluationError,
    Field,
    Node,
    Op,
    Quantifier,
    Reference,
    Situation,
    Value,
    Variable,
    all_of,
    any_of,
    check,
    equals,
    error,
    from_json,
    is_false,
    is_true,
    load,
    matches,
    negation,
    to_json,
    two_valued,
    within,
)
from permissions.engine.conditions.compile import compiled
from permissions.engine.conditions.exact import Scope, evaluate
from permissions.engine.conditions.text import text_of

A, B = Field("a", "bool"), Field("b", "bool")
OUTCOMES = (True, False, None)
CONSTANTS: dict[bool | None, Node] = {True: TRUE, False: FALSE, None: error("x")}


def outcome(node, **row):
    try:
        return evaluate(node, Scope(Situation(resource=row)))
    except EvaluationError:
        return None


def both(left, right):
    return False if False in (left, right) else None if None in (left, right) else True


def either(left, right):
    return True if True in (left, right) else None if None in (left, right) else False


def test_the_connectives_are_three_valued_and_simplification_keeps_their_meaning():
    for left, right in product(OUTCOMES, repeat=2):
        row = {name: value for name, value in (("a", left), ("b", right)) if value is not None}
        consts = [CONSTANTS[each] for each in (left, right)]
        for first, second in ((A, B), consts, (A, consts[1]), (consts[0], B)):
            assert outcome(all_of([first, second]), **row) == both(left, right)
            assert outcome(any_of([first, second]), **row) == either(left, right)
            choice = Op("if", (first, second, negation(second)))
            expected = None if left is None else right if left else None if right is None else not right
            assert outcome(choice, **row) == expected
            for node, wanted in (
                (all_of([first, second]), both(left, right)),
                (any_of([first, second]), either(left, right)),
                (choice, expected),
            ):
                assert matches(is_true(node), row) == (wanted is True)
                assert matches(is_false(node), row) == (wanted is False)
                assert matches(negation(is_true(node)), row) == (wanted is not True)
                assert matches(is_true(negation(node)), row) == (wanted is False)
                assert outcome(negation(node), **row) == (None if wanted is None else not wanted)
                assert two_valued(is_true(node))
                assert is_true(is_true(node)) == is_true(node)
                assert matches(is_false(is_true(node)), row) == (wanted is not True)


def test_trees_are_simplified():
    truth = is_true(A)
    assert all_of([]) == TRUE
    assert any_of([]) == FALSE
    assert all_of([TRUE, truth, truth]) == truth
    assert all_of([truth, FALSE]) == FALSE
    assert any_of([truth, TRUE]) == TRUE
    assert all_of([all_of([truth, is_true(B)]), truth]) == Op("and", (truth, is_true(B)))
    assert negation(negation(truth)) == truth
    assert negation(TRUE) == FALSE
    assert negation(error("x")) == error("x")
    assert negation(Op("eq", (A, B))) == Op("ne", (A, B))
    assert negation(Op("ne", (A, B))) == Op("eq", (A, B))
    assert is_true(error("x")) == FALSE
    assert is_false(error("x")) == FALSE
    assert is_true(Value(1)) == FALSE
    assert is_false(Value("x")) == FALSE
    assert all_of([Value(1)]) == error("not a truth value")
    assert negation(Value(1)) == Op("not", (error("not a truth value"),))
    assert negation(negation(A)) == Op("not", (Op("not", (A,)),))
    assert is_true(Op("lt", (A, B))) == Op("is_true", (Op("lt", (A, B)),))
    assert is_false(Op("lt", (A, B))) == Op("is_false", (Op("lt", (A, B)),))
    assert not two_valued(A)
    assert not two_valued(Value(1))


def test_values_are_equal_to_values_of_their_type_only():
    assert Value(1) != Value(True)
    assert Value(1) != Value(1.0)
    assert Value((1,)) != Value((True,))
    assert Value(float("nan")) == Value(float("nan"))
    assert Value(1) != 1
    assert len({Value(1), Value(True), Value(1.0)}) == 3


def test_equals_and_within_select_rows():
    node = any_of([equals("id", "7"), within("crm.account", "3")])
    assert matches(node, {"id": "7"}, within=lambda *_: False)
    assert matches(node, {"id": "8"}, within=lambda kind, key: (kind, key) == ("crm.account", "3"))
    assert not matches(node, {"id": 7}, within=lambda *_: False)
    with pytest.raises(EvaluationError, match="nothing says which rows"):
        matches(node, {"id": "8"})


def test_a_tree_that_could_be_an_error_selects_no_rows_by_itself():
    assert matches(TRUE, {})
    assert not matches(FALSE, {})
    with pytest.raises(ValueError, match="two-valued"):
        matches(A, {"a": True})


EVERY_NODE = [
    Value(None),
    Value(True),
    Value(1),
    Value(1.0),
    Value(1.5),
    Value(float("inf")),
    Value(float("nan")),
    Value("text"),
    Value((1, 1.0, (None, "x"))),
    Value(datetime(2024, 1, 1, 12, 0, 0, 5, tzinfo=UTC)),
    Value(timedelta(seconds=-1.5)),
    Value({"timestamp": "x", "a": (1.0,)}),
    A,
    Field("a"),
    Variable("x"),
    error("why"),
    within("crm.lead", "1"),
    is_true(A),
    is_false(Op("lt", (A, Value(1)))),
    Op("has", (A,)),
    Op("if", (A, B, error("x"))),
    Op("and", (A, B, negation(A))),
    Op("list", ()),
    Op("getHours", (A, Value("UTC"))),
    Quantifier("exists", "x", A, Op("in", (Variable("x"), Value((1,))))),
]


@pytest.mark.parametrize("node", EVERY_NODE, ids=range(len(EVERY_NODE)))
def test_a_tree_survives_json(node):
    import json

    assert from_json(json.loads(json.dumps(to_json(node)))) == node


NO_TREES: list[Any] = [
    None,
    [],
    "x",
    {},
    {"op": "and"},
    {"op": "and", "args": []},
    {"op": "and", "args": ["x"]},
    {"op": "eq", "args": [{"value": 1}]},
    {"op": "drop", "args": [{"value": 1}]},
    {"op": "eq", "args": [{"value": 1}, {"value": 1}], "more": 1},
    {"op": "map", "variable": "x", "over": {"value": []}, "body": {"value": 1}},
    {"field": 1},
    {"field": "a", "type": 1},
    {"field": "a", "column": "b"},
    {"value": 1, "field": "a"},
    {"value": {"a": 1}},
    {"value": {"timestamp": "yesterday"}},
    {"value": {"timestamp": 1}},
    {"value": {"duration": "1 day"}},
    {"value": {"double": "one"}},
    {"value": {"map": []}},
    {"value": object()},
    {"variable": 1},
]


@pytest.mark.parametrize("data", NO_TREES, ids=range(len(NO_TREES)))
def test_what_is_no_tree_is_refused(data):
    with pytest.raises(ValueError, match=r".+"):
        from_json(data)


def test_depth_has_a_limit():
    data: dict[str, Any] = {"value": True}
    for _ in range(300):
        data = {"op": "not", "args": [data]}
    with pytest.raises(ValueError, match="not a plan"):
        from_json(data)


def test_a_tree_that_names_more_than_the_row_does_not_travel():
    with pytest.raises(ValueError, match="names the row only, not context"):
        to_json(Reference("context", ("ip",)))


NOW = datetime(2024, 5, 17, tzinfo=UTC)
SITUATION = Situation(
    subject={"id": "u1", "teams": ["a", "b"]},
    context={"one": 1, "list": [1, "x"], "map": {"k": 1}},
    now=NOW,
    resource={"type": "crm.lead"},
)
DECLARED = {
    "owner": "string",
    "team": "string",
    "amount": "int",
    "tags": "list<string>",
    "public": "bool",
    "created": "timestamp",
}
LEFT = [
    ("resource.owner == subject.id", 'resource.owner == "u1"'),
    ("resource.type == 'crm.lead'", "true"),
    ("has(resource.type) && has(resource.owner)", "has(resource.owner)"),
    ("resource.type == 'crm.lead' && resource.amount > context.one + 1", "resource.amount > 2"),
    ("context.one == 2 && resource.public", "false"),
    ("context.one == 1 || resource.public", "true"),
    ("context.missing == 1 && resource.public", "error(\"context.missing: there is no 'missing'\") && resource.public"),
    ("context.missing == resource.owner", "error(\"context.missing: there is no 'missing'\")"),
    ("context.one && resource.public", 'error("not a truth value") && resource.public'),
    ("subject.teams.exists(t, t == resource.team)", '"a" == resource.team || "b" == resource.team'),
    ("subject.teams.all(t, t != resource.team)", '"a" != resource.team && "b" != resource.team'),
    ("subject.teams.exists_one(t, t == resource.team)", '["a", "b"].exists_one(t, t == resource.team)'),
    ("subject.teams.exists_one(t, t == 'a')", "true"),
    (
        "subject.teams.exists(t, subject.teams.exists_one(t, t == resource.team))",
        '["a", "b"].exists_one(t, t == resource.team)',
    ),
    ("subject.teams.exists(t, subject.teams.exists_one(u, u == t))", "true"),
    (
        "resource.tags.exists(v, subject.teams.exists_one(u, u == v))",
        'resource.tags.exists(v, ["a", "b"].exists_one(u, u == v))',
    ),
    ("resource.tags.exists(v, v in subject.teams)", 'resource.tags.exists(v, v in ["a", "b"])'),
    (
        "context.list.exists_one(e, [1].exists_one(u, u == resource.amount && e == 1))",
        '[1, "x"].exists_one(e, [1].exists_one(u, u == resource.amount && e == 1))',
    ),
    ("context.list.exists_one(e, [1, 2].exists_one(u, dyn(u) == e))", "true"),
    ("resource.tags.exists(v, subject.teams.exists_one(u, context.one == 1))", "resource.tags.exists(v, false)"),
    ("context.one.exists(t, t == resource.team)", 'error("a quantifier cannot be applied to int")'),
    ("context.missing.exists(t, t == resource.team)", "error(\"context.missing: there is no 'missing'\")"),
    ("context.map.exists(t, t == resource.team)", '"k" == resource.team'),
    ("context.one == 1 ? resource.public : resource.amount > 1", "resource.public"),
    ("context.one == 2 ? resource.public : resource.amount > 1", "resource.amount > 1"),
    ("context.one ? resource.public : true", "error(\"expected true or false before '?'\")"),
    ("context.missing ? resource.public : true", "error(\"context.missing: there is no 'missing'\")"),
    ("resource.public ? context.one == 1 : context.one == 2", "resource.public ? true : false"),
    ("!(resource.owner == subject.id)", 'resource.owner != "u1"'),
    ("!(resource.amount > context.one)", "!(resource.amount > 1)"),
    ("now - resource.created > duration('1h')", 'timestamp("2024-05-17T00:00:00Z") - resource.created > duration("3600s")'),
    ("has(context.map.k) && has([context.map][0].k) && resource.public", "resource.public"),
    ("has([context.one][0].k) && resource.public", 'error("has(1.k): int has no attributes") && resource.public'),
    ("has([context.missing][0].k) || resource.public", "error(\"context.missing: there is no 'missing'\") || resource.public"),
    ("has([context.map, context.map][resource.amount].k)", 'has([{"k": 1}, {"k": 1}][resource.amount].k)'),
    ("context.map.k in [resource.amount, context.one]", "1 in [resource.amount, 1]"),
    ("context.list == [1, 'x'] && resource.public", "resource.public"),
]


@pytest.mark.parametrize(("source", "left"), LEFT, ids=[each[0] for each in LEFT])
def test_what_is_left_names_the_row_only(source, left):
    tree = load(source, check(source, resource=DECLARED)).residual(SITUATION)
    assert text_of(tree) == left
    to_json(tree)


def test_a_plan_does_not_unroll_without_end():
    source = "context.list.exists(e, e == resource.amount)"
    tree = load(source, check(source, resource=DECLARED)).residual(Situation(context={"list": list(range(1001))}))
    assert text_of(tree) == 'error("more than 1000 elements to look at in a plan")'


def test_trees_made_by_hand_have_functions_too():
    assert compiled(Op("and", (A,)))(Situation(resource={"a": True}))
    assert not compiled(Op("or", (A,)))(Situation(resource={"a": False}))
    assert compiled(TRUE)(Situation())
    with pytest.raises(EvaluationError):
        compiled(Op("or", (A,)))(Situation(resource={"a": 1}))


def test_presence_is_a_question_about_attributes():
    with pytest.raises(EvaluationError, match="only an attribute"):
        evaluate(Op("has", (Value(1),)), Scope(Situation()))
    assert text_of(Value({"a": (1,)})) == '{"a": [1]}'
