"""Why a condition holds or does not, and what would have to be different."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, assume, given, settings

from permissions.engine.conditions import Change, Clause, ConditionError, EvaluationError, Situation, check, load
from permissions.engine.conditions.text import text_of
from tests.engine.conditions import grammar

NOW = datetime(2024, 5, 17, 13, 45, tzinfo=UTC)
SITUATION = Situation(
    subject={"role": "clerk", "teams": ["sales", "support"], "id": "u1"},
    agent={"name": "bot", "depth": 1, "sponsor": None},
    resource={
        "region": "EU",
        "amount": 500,
        "public": False,
        "tags": ["a"],
        "created": NOW - timedelta(days=3),
        "owner": "u1",
        "keeper": "u1",
        "divisor": 500,
        "score": 0.5,
    },
    action={"name": "read", "properties": {"limit": 50}},
    context={"ip": "192.168.0.1", "risk": 0.9, "nested": {"a": {"b": 1}}, "wait": timedelta(minutes=5), "text": "abc"},
    now=NOW,
)


def loaded(source):
    return load(source, check(source))


CLAUSES = [
    ("resource.region == 'EU'", [('resource.region == "EU"', "true", "resource.region", {"op": "==", "value": "EU"}, "EU")]),
    ("200 >= resource.amount", [("200 >= resource.amount", "false", "resource.amount", {"op": "<=", "value": 200}, 500)]),
    ("!(resource.amount > 200)", [("!(resource.amount > 200)", "false", "resource.amount", {"op": "<=", "value": 200}, 500)]),
    ("!resource.public", [("!resource.public", "true", "resource.public", {"op": "==", "value": False}, False)]),
    ("!!resource.public", [("resource.public", "false", "resource.public", {"op": "==", "value": True}, False)]),
    (
        "resource.region in ['US', 'UK']",
        [('resource.region in ["US", "UK"]', "false", "resource.region", {"op": "in", "value": ["US", "UK"]}, "EU")],
    ),
    (
        "!(resource.region in ['EU'])",
        [('!(resource.region in ["EU"])', "false", "resource.region", {"op": "not in", "value": ["EU"]}, "EU")],
    ),
    (
        "'legal' in subject.teams",
        [('"legal" in subject.teams', "false", "subject.teams", {"op": "contains", "value": "legal"}, ["sales", "support"])],
    ),
    (
        "!('sales' in subject.teams)",
        [('!("sales" in subject.teams)', "false", "subject.teams", {"op": "lacks", "value": "sales"}, ["sales", "support"])],
    ),
    (
        "resource.region.startsWith('U')",
        [('resource.region.startsWith("U")', "false", "resource.region", {"op": "startsWith", "value": "U"}, "EU")],
    ),
    (
        "!resource.region.endsWith('U')",
        [('!resource.region.endsWith("U")', "false", "resource.region", {"op": "not endsWith", "value": "U"}, "EU")],
    ),
    ("has(resource.size)", [("has(resource.size)", "false", "resource.size", {"op": "present"}, None)]),
    ("!has(resource.region)", [("!has(resource.region)", "false", "resource.region", {"op": "absent"}, "EU")]),
    (
        "subject.id == resource.owner",
        [("subject.id == resource.owner", "true", "resource.owner", {"op": "==", "value": "u1"}, "u1")],
    ),
    (
        "ipInRange(context.ip, '10.0.0.0/8')",
        [
            (
                'ipInRange(context.ip, "10.0.0.0/8")',
                "false",
                "context.ip",
                {"op": "in network", "value": "10.0.0.0/8"},
                "192.168.0.1",
            )
        ],
    ),
    (
        "now < timestamp('2024-01-01T00:00:00Z')",
        [
            (
                'now < timestamp("2024-01-01T00:00:00Z")',
                "false",
                "now",
                {"op": "<", "value": "2024-01-01T00:00:00Z"},
                "2024-05-17T13:45:00Z",
            )
        ],
    ),
    (
        "context.wait > duration('1h')",
        [('context.wait > duration("3600s")', "false", "context.wait", {"op": ">", "value": "3600s"}, "300s")],
    ),
    (
        "context.nested == null",
        [("context.nested == null", "false", "context.nested", {"op": "==", "value": None}, {"a": {"b": 1}})],
    ),
    ("now.getHours() >= 18", [('now.getHours("UTC") >= 18', "false", "now", {"op": "holds"}, "2024-05-17T13:45:00Z")]),
    (
        "resource.tags.exists(t, t == 'b')",
        [('resource.tags.exists(t, t == "b")', "false", "resource.tags", {"op": "holds"}, ["a"])],
    ),
    ("1 == 2", [("1 == 2", "false", "", {"op": "holds"}, None)]),
    (
        "(resource.public ? resource.amount < 5 : resource.amount < 900) && true",
        [
            ("!resource.public", "true", "resource.public", {"op": "==", "value": False}, False),
            ("resource.amount < 900", "true", "resource.amount", {"op": "<", "value": 900}, 500),
            ("true", "true", "", {"op": "holds"}, None),
        ],
    ),
    (
        "resource.region == context.missing",
        [("resource.region == context.missing", "error", "resource.region", {"op": "holds"}, "EU")],
    ),
    ("context.missing ? true : false", [("context.missing", "error", "context.missing", {"op": "==", "value": True}, None)]),
    (
        "resource.amount || false",
        [
            ("resource.amount", "error", "resource.amount", {"op": "==", "value": True}, 500),
            ("false", "false", "", {"op": "holds"}, None),
        ],
    ),
]


@pytest.mark.parametrize(("source", "expected"), CLAUSES, ids=[each[0] for each in CLAUSES])
def test_every_leaf_says_what_it_needs_and_sees(source, expected):
    clauses = loaded(source).clauses(SITUATION)
    assert [(*clause[:2], clause.reference, clause.needed, clause.seen) for clause in clauses] == expected
    for clause in clauses:
        assert isinstance(clause, Clause)
        assert bool(clause.error) == (clause.outcome == "error")


CHANGES = [
    ("resource.region == 'EU'", []),
    ("resource.amount <= 200", [("resource.amount", {"op": "<=", "value": 200})]),
    ("resource.amount < 200 && resource.region == 'EU'", [("resource.amount", {"op": "<", "value": 200})]),
    (
        "resource.amount < 200 && resource.region == 'US'",
        [("resource.amount", {"op": "<", "value": 200}), ("resource.region", {"op": "==", "value": "US"})],
    ),
    (
        "(resource.amount < 200 && resource.region == 'US') || subject.role == 'boss'",
        [("subject.role", {"op": "==", "value": "boss"})],
    ),
    ("resource.amount > 1000 && resource.amount < 2000", [("resource.amount", {"op": ">", "value": 1000})]),
    ("resource.amount < 200 && resource.amount > 100", [("resource.amount", {"op": "<", "value": 200})]),
    ("resource.amount < 100 && resource.amount > 200", None),
    ("resource.amount == 1 && resource.amount == 2", None),
    ("!(resource.region == 'EU')", [("resource.region", {"op": "!=", "value": "EU"})]),
    (
        "!(resource.region == 'EU' || resource.amount > 5)",
        [("resource.region", {"op": "!=", "value": "EU"}), ("resource.amount", {"op": "<=", "value": 5})],
    ),
    ("has(resource.size)", [("resource.size", {"op": "present"})]),
    ("!has(resource.region)", [("resource.region", {"op": "absent"})]),
    ("resource.public", [("resource.public", {"op": "==", "value": True})]),
    ("resource.public ? true : resource.amount < 5", [("resource.public", {"op": "==", "value": True})]),
    ("resource.region in ['US', 'UK']", [("resource.region", {"op": "in", "value": ["US", "UK"]})]),
    ("!(resource.region in ['EU'])", [("resource.region", {"op": "not in", "value": ["EU"]})]),
    ("'legal' in subject.teams", [("subject.teams", {"op": "contains", "value": "legal"})]),
    ("!('sales' in subject.teams)", [("subject.teams", {"op": "lacks", "value": "sales"})]),
    ("resource.region.startsWith('U')", [("resource.region", {"op": "startsWith", "value": "U"})]),
    ("resource.region.endsWith('K')", [("resource.region", {"op": "endsWith", "value": "K"})]),
    ("resource.region.contains('K')", [("resource.region", {"op": "contains", "value": "K"})]),
    ("!resource.region.contains('U')", [("resource.region", {"op": "not contains", "value": "U"})]),
    ("ipInRange(context.ip, '10.0.0.0/8')", [("context.ip", {"op": "in network", "value": "10.0.0.0/8"})]),
    ("!ipInRange(context.ip, '192.168.0.0/16')", None),
    ("context.risk < 0.5", [("context.risk", {"op": "<", "value": 0.5})]),
    ("context.risk > 1.5", [("context.risk", {"op": ">", "value": 1.5})]),
    ("context.wait > duration('1h')", [("context.wait", {"op": ">", "value": "3600s"})]),
    ("now > timestamp('2025-01-01T00:00:00Z')", [("now", {"op": ">", "value": "2025-01-01T00:00:00Z"})]),
    ("context.text > 'b'", [("context.text", {"op": ">", "value": "b"})]),
    ("context.text < 'abc'", [("context.text", {"op": "<", "value": "abc"})]),
    ("context.nested.a.b == 2", [("context.nested.a.b", {"op": "==", "value": 2})]),
    ("context.fresh.a.b == 2", [("context.fresh.a.b", {"op": "==", "value": 2})]),
    ("context.text.a == 2", None),
    ("user != null", [("user", {"op": "!=", "value": None})]),
    ("agent == null", [("agent", {"op": "==", "value": None})]),
    ("resource.region == context.missing", None),
    ("resource.amount + 1 < 5", None),
    ("resource.tags.exists(t, t == 'b')", None),
    ("now.getHours() >= 18", None),
    ("1 == 2", None),
    ("resource.owner == subject.id && resource.region == 'US'", [("resource.region", {"op": "==", "value": "US"})]),
    ("resource.owner == resource.keeper && resource.keeper == 'x'", None),
    ("resource.amount / resource.divisor == 1 && resource.divisor == 0", None),
    ("resource.amount == resource.divisor && resource.amount / resource.divisor == 1 && resource.divisor == 0", None),
    ("resource.divisor == 0 && resource.amount == 500 / resource.divisor", None),
    ("7 in context.numbers", [("context.numbers", {"op": "contains", "value": 7})]),
    ("resource.missing == 5", [("resource.missing", {"op": "==", "value": 5})]),
    ("resource.region == resource.owner && resource.region == 'EU'", None),
    ("resource.amount < resource.score", [("resource.amount", {"op": "<", "value": 0.5})]),
    ("resource.region == 'US' && context.missing.exists(x, x == 1)", None),
    (" && ".join(["(context.a == 1 || context.b == 1)"] * 8), None),
    (" || ".join(f"context.a == {number}" for number in range(70)), None),
    ("resource.region == 'US' && 1 / (resource.region == 'US' ? 0 : 1) == 1", None),
]


@pytest.mark.parametrize(("source", "expected"), CHANGES, ids=[each[0][:60] for each in CHANGES])
def test_the_smallest_change_is_said(source, expected):
    changes = loaded(source).smallest_change(SITUATION)
    if expected is None:
        assert changes is None
        return
    assert changes is not None
    assert [(change.reference, change.needed) for change in changes] == expected
    assert all(isinstance(change, Change) for change in changes)


def test_a_change_shows_what_is_there_now():
    assert loaded("resource.amount <= 200").smallest_change(SITUATION)[0].seen == 500


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=grammar.conditions, situation=grammar.situations, row=grammar.rows)
def test_clauses_and_changes_agree_with_the_answer(source, situation, row):
    situation = grammar.with_resource(situation, row)
    try:
        condition = loaded(source)
    except ConditionError:
        assume(False)
    try:
        holds = condition.holds(situation)
    except EvaluationError:
        holds = None
    clauses = condition.clauses(situation)
    assert {clause.outcome for clause in clauses} <= {"true", "false", "error"}
    if holds is True:
        assert any(clause.outcome == "true" for clause in clauses)
        assert condition.smallest_change(situation) == ()
    elif holds is None:
        assert any(clause.outcome == "error" for clause in clauses)
    else:
        assert any(clause.outcome == "false" for clause in clauses)


TEXTS = [
    "context.a == 1 && (context.b == 2 || context.c == 3)",
    "context.a == 1 && context.b == 2 || !(context.c == 3)",
    "context.a - (context.b - context.c) == -context.d",
    "(context.a + context.b) * context.c == context.a % -3",
    "(context.a == 1) == (context.b == 2)",
    "(context.a ? context.b : context.c) ? context.d : context.e ? true : false",
    'context.a[0]["x y"][context.b].c == [1, context.c, "d"]',
    'context.a.exists(x, x.startsWith("a") && has(x.b)) || context.a.all(x, x in [1.5, null, true])',
    'ipInRange(context.ip, "10.0.0.0/8") && int(context.a) == size(context.b)',
    'now.getHours("Europe/Berlin") > 5 && now - duration("3600s") < timestamp("2024-01-01T00:00:00Z")',
]


@pytest.mark.parametrize("source", TEXTS)
def test_a_tree_written_as_text_is_the_same_condition(source):
    tree = loaded(source).tree
    again = text_of(tree)
    assert again == source
    assert loaded(again).tree == tree


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=grammar.conditions)
def test_any_tree_written_as_text_is_the_same_condition(source):
    try:
        tree = loaded(source).tree
    except ConditionError:
        assume(False)
    assert loaded(text_of(tree)).tree == tree
