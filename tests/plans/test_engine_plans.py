"""What a database selects by a plan is what the engine would allow row by row, in organizations made at random."""

from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from django.db import connection, models
from django.db.models import Q
from hypothesis import HealthCheck, given, settings

from permissions.engine.conditions import matches
from permissions.engine.evaluate import decide
from permissions.engine.plan import plan
from permissions.plans.django import to_q
from permissions.plans.errors import Unplannable
from permissions.plans.sql import to_sql
from tests.engine.scenes import RECORD
from tests.engine.strategies import EFFORT, questions, worlds

COLUMNS = {name: name for name in ("id", *RECORD.attributes)}
DIALECT: Any = connection.vendor
MARK = "?" if DIALECT == "sqlite" else "%s"
FOLDERS = {"f1": ["f1", "f2"], "f2": ["f2"]}


class Row(models.Model):  # noqa: DJ008 - nobody looks at one
    id = models.TextField(primary_key=True)
    region = models.TextField(null=True)  # noqa: DJ001 - absent is not empty here
    status = models.TextField(null=True)  # noqa: DJ001 - absent is not empty here
    amount = models.FloatField(null=True)
    count = models.BigIntegerField(null=True)
    tags = models.JSONField(null=True)
    folder = models.TextField(default="")

    objects: ClassVar[models.Manager["Row"]] = models.Manager()

    class Meta:
        app_label = "plan_tests"
        db_table = "plan_tests_row"
        managed = False


def row_values(number):
    """Make row after row such that values meet in many combinations, absent ones among them."""

    def of(values, step):
        return values[(number * step + number // len(values)) % len(values)]

    return {
        "id": f"r{number}",
        "region": of(["EU", "US", None, ""], 1),
        "status": of(["open", None, "new", "closed"], 3),
        "amount": of([0.0, 50.0, 100.5, None, 250.0], 2),
        "count": of([0, 1, 5, None], 5),
        "tags": of([None, [], ["vip"], ["old", "vip"], ["old"]], 3),
        "folder": of(["", "f1", "f2"], 1),
    }


ROWS = [row_values(number) for number in range(1, 61)]


@pytest.fixture
def table(db):
    kinds = {field.column: field.db_parameters(connection)["type"] for field in Row._meta.local_fields}
    written = ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE plan_tests_row ({written})")
    Row.objects.bulk_create(Row(**values) for values in ROWS)


def within_q(type_name, name):
    return Q(id=name) if type_name == "record" else Q(folder__in=FOLDERS[name])


def within_sql(type_name, name):
    if type_name == "record":
        return f"plan_tests_row.id = {MARK}", [name]
    return f"plan_tests_row.folder IN ({', '.join([MARK] * len(FOLDERS[name]))})", list(FOLDERS[name])


def selected_by_sql(node):
    columns = {name: f"plan_tests_row.{name}" for name in COLUMNS}
    text, params = to_sql(node, columns, dialect=DIALECT, types=RECORD.attributes, within=within_sql)
    statement = f"SELECT id FROM plan_tests_row WHERE {text}"
    with connection.cursor() as cursor:
        if DIALECT == "sqlite":
            return {row[0] for row in connection.connection.execute(statement, params)}
        cursor.execute(statement, params)
        return {row[0] for row in cursor.fetchall()}


def allowed_rows(world, question):
    for row in ROWS:
        sent = {name: row[name] for name in RECORD.attributes if row[name] is not None}
        if row["folder"]:
            sent["parent"] = {"type": "folder", "id": row["folder"]}
        if decide(world, replace(question, resource=row["id"], resource_properties=sent)).allows:
            yield row["id"]


def test_a_database_selects_exactly_the_rows_that_are_allowed(table):
    outcomes: Counter[str] = Counter()

    @settings(EFFORT, suppress_health_check=list(HealthCheck))
    @given(worlds(), questions)
    def compare(world, question):
        outcomes[selected_as_allowed(world, question)] += 1

    compare()
    assert outcomes["unplannable"] <= sum(outcomes.values()) / 4
    assert outcomes["some"] or outcomes["all"]


def selected_as_allowed(world, question):
    """Compare, and say whether none, some or all rows are allowed, or the plan could not be written."""
    world = replace(world, resources={key: facts for key, facts in world.resources.items() if key[0] == "folder"})
    node, _ = plan(world, question)
    expected = set(allowed_rows(world, question))
    assert {row["id"] for row in ROWS if matches(node, row, within=inside(row))} == expected
    try:
        by_sql = selected_by_sql(node)
        by_q = set(
            Row.objects.filter(to_q(node, COLUMNS, types=RECORD.attributes, within=within_q)).values_list("id", flat=True)
        )
    except Unplannable:
        return "unplannable"
    assert by_sql == expected
    assert by_q == expected
    return "none" if not expected else "all" if len(expected) == len(ROWS) else "some"


def inside(row):
    return lambda type_name, name: row["id"] == name if type_name == "record" else row["folder"] in FOLDERS[name]
