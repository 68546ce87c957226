"""What a database selects is what row-by-row evaluation would."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from django.db import connection
from hypothesis import HealthCheck, assume, given, settings

from permissions.engine.conditions import (
    FALSE,
    TRUE,
    ConditionError,
    EvaluationError,
    Field,
    Op,
    Situation,
    Value,
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
    within,
)
from permissions.plans.django import to_q
from permissions.plans.errors import Unplannable
from permissions.plans.sql import to_sql
from tests.engine.conditions import grammar
from tests.plans.rows import Lead

COLUMNS = {name: name for name in ("id", *grammar.ATTRIBUTES)}
OF_SQL = {name: f"plan_tests_lead.{name}" for name in grammar.ATTRIBUTES}
DIALECT: Any = connection.vendor
NOW = datetime(2024, 3, 1, 9, tzinfo=UTC)
SITUATION = Situation(
    subject={"role": "EU", "level": 7}, context={"any": None, "text": "E", "number": 1, "list": ["EU", 1]}, now=NOW
)


def selected_by_sql(node):
    text, params = to_sql(node, OF_SQL, dialect=DIALECT)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            found = connection.connection.execute(f"SELECT id FROM plan_tests_lead WHERE {text} ORDER BY id", params)
            return [str(row[0]) for row in found.fetchall()]
        cursor.execute(f"SELECT id FROM plan_tests_lead WHERE {text} ORDER BY id", params)
        return [str(row[0]) for row in cursor.fetchall()]


def selected_by_q(q):
    return [str(key) for key in Lead.objects.filter(q).order_by("id").values_list("id", flat=True)]


def agree(node, rows):
    expected = [row["id"] for row in rows if matches(node, row)]
    others = [row["id"] for row in rows if not matches(negation(node), row)]
    assert expected == others
    q = to_q(node, COLUMNS)
    assert selected_by_q(q) == expected
    assert selected_by_q(~q) == [row["id"] for row in rows if row["id"] not in set(expected)]
    assert selected_by_sql(node) == expected
    assert to_q(from_json(to_json(node)), COLUMNS) == q


PLANNED: Counter[str] = Counter()


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=grammar.conditions, situation=grammar.situations)
def test_plans_of_random_conditions_select_what_matching_selects(leads, source, situation):
    try:
        condition = load(source, check(source, resource=grammar.ATTRIBUTES))
    except ConditionError:
        assume(False)
    left = condition.residual(situation)
    for outcome in (is_true, is_false):
        node = outcome(left)
        try:
            agree(node, leads)
            PLANNED["planned"] += 1
        except Unplannable as refused:
            PLANNED[refused.reason] += 1


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=grammar.conditions, situation=grammar.situations, row=grammar.rows)
def test_what_is_left_of_a_condition_matches_where_the_condition_holds(source, situation, row):
    try:
        condition = load(source, check(source, resource=grammar.ATTRIBUTES))
    except ConditionError:
        assume(False)
    try:
        expected = condition.holds(grammar.with_resource(situation, row))
    except EvaluationError:
        expected = None
    left = condition.residual(situation)
    travelled = from_json(to_json(left))
    assert travelled == left
    for tree in (left, travelled):
        assert matches(is_true(tree), row) == (expected is True)
        assert matches(is_false(tree), row) == (expected is False)
    half = {name: value for name, value in row.items() if name < "m" and value is not None}
    given_half = condition.residual(grammar.with_resource(situation, half))
    assert matches(is_true(given_half), row) == (expected is True)
    assert matches(is_false(given_half), row) == (expected is False)


SELECTING = [
    'resource.region == "EU"',
    'resource.region != "EU"',
    '!(resource.region == "EU")',
    'resource.region == "eu" || resource.amount > 5',
    'resource.region < "a"',
    "resource.region >= resource.status",
    'resource.region.startsWith("E")',
    'resource.region.startsWith("a_")',
    'resource.region.contains("%")',
    'resource.region.endsWith("")',
    'resource.region.endsWith("y")',
    "resource.region.contains(resource.status)",
    "resource.region.startsWith(resource.status)",
    "resource.region.endsWith(resource.status)",
    'resource.region + resource.status == "EUeu"',
    "size(resource.region) == 2",
    "size(resource.tags) == 2",
    'resource.region in ["EU", "Ünï", "x\'y"]',
    '!(resource.region in ["EU", ""])',
    "resource.region in []",
    '"EU" in resource.tags',
    '!("EU" in resource.tags)',
    "1 in resource.sizes",
    "dyn(1.0) in resource.sizes",
    "dyn(1.5) in resource.sizes",
    'dyn("1") in resource.sizes',
    "resource.amount + resource.count > 0",
    "resource.amount - resource.count > 0",
    "resource.amount * resource.count > 0",
    "resource.amount / resource.count == 0",
    "resource.amount % resource.count == 1",
    "!(resource.amount % resource.count == 1)",
    "-resource.amount < 0",
    "resource.amount == -9223372036854775808",
    "resource.amount in [-9223372036854775808, 9223372036854775807]",
    "-resource.count in [-9223372036854775808, -200]",
    "resource.amount + 1 > resource.amount",
    "(resource.amount + resource.count) * 2 - 1 >= -1",
    "resource.score > 1.0",
    "!(resource.score > 1.0)",
    "resource.score <= 1.0",
    "resource.score == 0.0",
    "resource.score != resource.score",
    "resource.score == resource.score",
    "!(resource.score == resource.score)",
    "resource.score < resource.score",
    "resource.score in [0.0, 2.5]",
    "resource.score > dyn(2)",
    "resource.amount > dyn(1.5)",
    "resource.amount <= dyn(-1.5)",
    "resource.amount == dyn(1.5)",
    "resource.amount != dyn(1.5)",
    "resource.amount < dyn(1e300)",
    "resource.amount < dyn(-1e300)",
    "resource.amount in [1, 7]",
    "resource.public",
    "!resource.public",
    "resource.public == false",
    "resource.public < resource.open",
    "resource.public ? resource.open : !has(resource.region)",
    "has(resource.tags)",
    "!has(resource.tags) || !has(resource.region)",
    "resource.created < now",
    'resource.created == timestamp("2024-02-29T12:30:00.5Z")',
    'resource.created + duration("24h") > now',
    'resource.created - duration("24h") <= now',
    'duration("24h") + resource.created > now',
    'now - resource.created > duration("24h")',
    'resource.created - now < duration("-24h")',
    '!(now - resource.created > duration("24h"))',
    'duration("24h") >= now - resource.created',
    'resource.created + duration("1h") < timestamp("9999-12-31T23:59:59Z")',
    "resource.created <= resource.closed",
    'resource.span > duration("0s")',
    'resource.span == duration("-9600h")',
    'context.text == "E" && resource.region.startsWith(context.text)',
    "context.missing == 1 || resource.public",
    "context.missing == 1 && resource.public",
    "resource.region == context.any",
    "resource.region != context.any",
    "resource.region == context.number",
    "resource.amount in context.list",
    "resource.region in context.list",
    "context.list.exists(e, e == resource.region)",
    "context.list.all(e, e != resource.region)",
    "resource.region < context.number",
    "resource.region in context.any",
]


@pytest.mark.parametrize("source", SELECTING)
def test_a_plan_selects_what_matching_selects(leads, source):
    left = load(source, check(source, resource=grammar.ATTRIBUTES)).residual(SITUATION)
    agree(is_true(left), leads)
    agree(is_false(left), leads)


UNPLANNABLE = [
    "resource.score + 1.0 > 2.0",
    "resource.tags == resource.tags",
    "resource.tags.exists(t, t == resource.region)",
    "resource.region in resource.tags",
    "resource.created.getHours() == 9",
    "resource.created - resource.closed > resource.span",
    "resource.amount == dyn(resource.score)",
    "resource.score > dyn(9007199254740993)",
    "dyn(9007199254740993) in resource.sizes",
    "resource.score in [dyn(9007199254740993)]",
    "(resource.amount == 1) == (resource.count == 1)",
    'resource.region == "\\u0000"',
    'string(resource.amount) == "1"',
    "resource.region in [resource.status]",
    "-resource.score < 0.0",
    "[resource.region] == resource.tags",
]


@pytest.mark.parametrize("source", UNPLANNABLE)
def test_what_a_database_would_answer_differently_is_refused(leads, source):
    node = is_true(load(source, check(source, resource=grammar.ATTRIBUTES)).residual(SITUATION))
    with pytest.raises(Unplannable) as refused:
        list(Lead.objects.filter(to_q(node, COLUMNS)))
    assert refused.value.reason
    assert refused.value.node is not None
    with pytest.raises(Unplannable):
        to_sql(node, OF_SQL, dialect=DIALECT)


def test_a_field_without_a_column_or_a_type_is_refused(leads):
    with pytest.raises(Unplannable, match="no column for region"):
        to_q(equals("region", "EU"), {})
    with pytest.raises(Unplannable, match="no column for region"):
        to_sql(equals("region", "EU"), {}, dialect="sqlite")
    untyped = is_true(Op("eq", (Field("region"), Value("EU"))))
    with pytest.raises(Unplannable, match="type of region"):
        list(Lead.objects.filter(to_q(untyped, COLUMNS)))
    with pytest.raises(Unplannable, match="type of region"):
        to_sql(untyped, COLUMNS, dialect="sqlite")
    assert to_sql(untyped, COLUMNS, dialect="sqlite", types={"region": "string"})[1] == ["EU"]


def test_a_tree_that_could_be_an_error_is_refused():
    tree = Op("eq", (Field("region", "string"), Value("EU")))
    with pytest.raises(ValueError, match="two-valued"):
        to_q(tree, COLUMNS)
    with pytest.raises(ValueError, match="two-valued"):
        to_sql(tree, COLUMNS, dialect="sqlite")
    with pytest.raises(ValueError, match="two-valued"):
        matches(tree, {})


def test_everything_and_nothing_combine_with_other_conditions(leads):
    everything, nothing = to_q(TRUE, {}), to_q(FALSE, {})
    some = to_q(equals("region", "EU"), COLUMNS)
    assert len(selected_by_q(everything)) == len(leads)
    assert selected_by_q(nothing) == []
    assert len(selected_by_q(everything | some)) == len(leads)
    assert selected_by_q(nothing | some) == selected_by_q(some)
    assert selected_by_q(everything & some) == selected_by_q(some)
    assert selected_by_q(~everything) == []


def test_a_subtree_is_asked_of_the_caller(leads):
    Lead.objects.filter(id__gt=100).update(parent=3)

    def below(resource_type, resource_id):
        return Lead.objects.filter(parent_id=int(resource_id)).values("id") if resource_type == "crm.lead" else None

    from django.db.models import Q

    def as_q(resource_type, resource_id):
        return Q(id__in=below(resource_type, resource_id))

    def as_sql(_resource_type, resource_id):
        return f'"plan_tests_lead"."parent_id" = {"?" if connection.vendor == "sqlite" else "%s"}', [int(resource_id)]

    inside = {str(number) for number in range(101, 120)}
    by_row = {row["id"]: row for row in leads}
    node = any_of(
        [
            all_of([within("crm.lead", "3"), equals("region", "EU")]),
            negation(any_of([within("crm.lead", "3"), is_true(Field("public", "bool"))])),
        ]
    )
    expected = [key for key, row in by_row.items() if matches(node, row, within=lambda *_, key=key: key in inside)]
    assert selected_by_q(to_q(node, COLUMNS, within=as_q)) == expected
    text, params = to_sql(node, OF_SQL, dialect=DIALECT, within=as_sql)
    assert 0 < len(expected) < len(leads)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            found = connection.connection.execute(f"SELECT id FROM plan_tests_lead WHERE {text} ORDER BY id", params).fetchall()
        else:
            cursor.execute(f"SELECT id FROM plan_tests_lead WHERE {text} ORDER BY id", params)
            found = cursor.fetchall()
    assert [str(row[0]) for row in found] == expected
    with pytest.raises(Unplannable, match="within a resource"):
        to_q(node, COLUMNS)
    with pytest.raises(Unplannable, match="within a resource"):
        to_sql(node, OF_SQL, dialect=DIALECT)


def test_paths_over_relations_keep_rows_that_have_none(leads):
    Lead.objects.filter(id__lt=50).update(parent=3)
    region = str(Lead.objects.get(id=3).region)
    node = equals("region", region)
    through_parent = to_q(node, {"region": "parent__region"})
    assert set(selected_by_q(through_parent)) == {str(number) for number in range(50)}
    assert len(selected_by_q(~through_parent)) == len(leads) - 50
    assert len(selected_by_q(through_parent | to_q(TRUE, {}))) == len(leads)


def test_an_id_that_is_a_number_or_a_uuid_is_compared_as_text(leads):
    import uuid

    reference = uuid.uuid4()
    Lead.objects.filter(id=5).update(reference=reference)
    assert selected_by_q(to_q(equals("id", "5"), {"id": "id"})) == ["5"]
    assert selected_by_q(to_q(equals("id", "05"), {"id": "id"})) == []
    assert selected_by_q(to_q(equals("id", str(reference)), {"id": "reference"})) == ["5"]
    assert selected_by_q(to_q(equals("id", reference.hex), {"id": "reference"})) == []


def test_a_column_that_holds_something_else_is_refused(leads):
    with pytest.raises(Unplannable, match="not stored in a DecimalField"):
        selected_by_q(to_q(equals("id", "5"), {"id": "price"}))


def test_no_value_is_in_the_text():
    source = 'resource.region == "needle" && resource.amount == 4711 && resource.score > 47.11 && resource.tags.size() > 4711'
    source += ' && resource.created < timestamp("2047-11-01T00:00:00Z") && "needle" in resource.tags'
    source += ' && resource.region.contains("needle")'
    node = is_true(load(source, check(source, resource=grammar.ATTRIBUTES)).residual(SITUATION))
    for dialect in ("sqlite", "postgresql"):
        text, params = to_sql(node, COLUMNS, dialect=dialect)
        assert "needle" not in text
        assert "47" not in text
        assert text.count("?" if dialect == "sqlite" else "%s") == len(params)


def test_names_of_columns_are_quoted():
    text, _ = to_sql(equals("region", "EU"), {"region": 'a"b.c d'}, dialect="postgresql")
    assert '"a""b"."c d"' in text
    with pytest.raises(ValueError, match="cannot be the name"):
        to_sql(equals("region", "EU"), {"region": "a%s"}, dialect="postgresql")
    with pytest.raises(ValueError, match="no dialect"):
        to_sql(equals("region", "EU"), COLUMNS, dialect=cast("Any", "oracle"))


def test_a_plan_for_another_database_is_refused():
    from permissions.plans.django import Rows

    class Elsewhere:
        vendor = "oracle"

    with pytest.raises(Unplannable, match="oracle"):
        Rows(TRUE, ()).as_sql(None, Elsewhere())


ODD_TREES = [
    is_true(Op("eq", (Value(1), Value(1)))),
    is_true(Op("add", (Value(1), Value(1)))),
    is_true(Op("lt", (Op("size", (Field("amount", "int"),)), Value(1)))),
    is_true(Op("lt", (Op("add", (Field("amount", "int"), Value(2**70))), Value(1)))),
    is_true(Op("lt", (Field("tags", "list<string>"), Value(1)))),
    Op("is_true", (within("a", "b"),)),
]


@pytest.mark.parametrize("node", ODD_TREES, ids=range(len(ODD_TREES)))
def test_trees_that_no_condition_gives_are_refused_where_they_cannot_be_said(leads, node):
    from django.db.models import Q

    with pytest.raises(Unplannable):
        list(Lead.objects.filter(to_q(node, COLUMNS, within=lambda *_: Q())))


PLAIN_TREES = [
    is_true(Field("region", "string")),
    is_true(Op("and", (Field("public", "bool"),))),
    is_false(Op("or", (error("x"), Field("public", "bool")))),
    is_true(Op("in", (Value(1), Field("region", "string")))),
    is_true(Op("eq", (Field("amount", "int"), Value(2**70)))),
    is_true(Op("lt", (Field("amount", "int"), Value(2**70)))),
    is_true(Op("in", (Field("amount", "int"), Value((2**70, 1.5, float("nan"), "x", True, 7.0))))),
    is_true(Op("in", (Field("score", "double"), Value((1, float("nan"), "x"))))),
    is_true(Op("ge", (Field("score", "double"), Value(float("nan"))))),
    is_false(Op("eq", (Field("score", "double"), Value(float("nan"))))),
    is_true(Op("gt", (Op("sub", (Field("created", "timestamp"), Value(NOW))), Value(timedelta(days=-100_000))))),
    is_true(Op("lt", (Op("sub", (Field("created", "timestamp"), Value(timedelta(days=3_000_000)))), Value(NOW)))),
    is_true(Op("lt", (Op("sub", (Field("created", "timestamp"), Value(timedelta(days=-3_000_000)))), Value(NOW)))),
    is_false(Op("lt", (Op("add", (Field("created", "timestamp"), Value(timedelta(days=800_000)))), Value(NOW)))),
    Op("not", (is_true(Op("lt", (Field("amount", "int"), Value(5)))),)),
    Op("not", (Op("is_false", (Op("lt", (Field("amount", "int"), Value(5))),)),)),
]


@pytest.mark.parametrize("node", PLAIN_TREES, ids=range(len(PLAIN_TREES)))
def test_trees_made_by_hand_select_what_matching_selects(leads, node):
    agree(node, leads)
