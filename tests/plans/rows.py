"""The table that plans are tried on."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

from django.db import connection, models

from tests.engine.conditions.grammar import ATTRIBUTES, MOMENTS, SPANS, TEXTS


class Lead(models.Model):  # noqa: DJ008 - nobody looks at one
    id = models.BigAutoField(primary_key=True)
    reference = models.UUIDField(null=True)
    region = models.CharField(max_length=50, null=True)  # noqa: DJ001 - absent is not empty here
    status = models.TextField(null=True)  # noqa: DJ001 - absent is not empty here
    amount = models.BigIntegerField(null=True)
    count = models.BigIntegerField(null=True)
    score = models.FloatField(null=True)
    public = models.BooleanField(null=True)
    open = models.BooleanField(null=True)
    created = models.DateTimeField(null=True)
    closed = models.DateTimeField(null=True)
    span = models.DurationField(null=True)
    tags = models.JSONField(null=True)
    sizes = models.JSONField(null=True)
    price = models.DecimalField(null=True, max_digits=5, decimal_places=2)
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE)

    objects: ClassVar[models.Manager["Lead"]] = models.Manager()

    class Meta:
        app_label = "plan_tests"
        db_table = "plan_tests_lead"
        managed = False


def create_table():
    columns = [field.db_parameters(connection)["type"] for field in Lead._meta.local_fields]
    names = [connection.ops.quote_name(str(field.column)) for field in Lead._meta.local_fields]
    keys = "bigint PRIMARY KEY" if connection.vendor == "postgresql" else "integer PRIMARY KEY"
    written = [f"{name} {keys if name == names[0] else kind}" for name, kind in zip(names, columns, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE plan_tests_lead ({', '.join(written)})")


def pick(values, number):
    return values[number % len(values)]


INTS = [0, 1, -1, 2, 7, 10, 200, -7, 2**53 + 1, 2**63 - 1, -(2**63)]
DOUBLES = [0.0, -0.0, 1.0, -1.5, 2.5, 10.0, 1e300, 0.1, float("inf"), float("-inf"), float("nan")]
TAGS = [None, [], ["EU"], ["eu", "😀"], ["a%b", "EU", ""], ["x'y"], ["EU", "EU", "10"]]
SIZES = [None, [], [1], [7, 10], [0, -1, 200], [2**53 + 1], [2, 1, 2]]


def row_values(number):
    """Make row after row such that values meet in many combinations; every seventh value is absent."""

    def of(values, step):
        return None if (number * step + step) % 7 == 0 else pick(values, number // step + number * step)

    return {
        "id": number,
        "region": of(TEXTS, 1),
        "status": of(TEXTS, 3),
        "amount": of(INTS, 2),
        "count": of(INTS, 5),
        "score": of(DOUBLES, 1),
        "public": of([True, False], 2),
        "open": of([False, True], 3),
        "created": of([*MOMENTS, datetime(2024, 3, 1, tzinfo=UTC)], 1),
        "closed": of(MOMENTS, 2),
        "span": of([*SPANS, timedelta(days=3)], 3),
        "tags": pick(TAGS, number),
        "sizes": pick(SIZES, number + number // 8),
    }


def fill(count=120):
    Lead.objects.bulk_create(Lead(**row_values(number)) for number in range(count))


def stored_rows():
    """Read the rows back as the row-by-row answer sees them."""
    return [
        {"id": str(row["id"]), **{name: row[name] for name in ATTRIBUTES}}
        for row in Lead.objects.order_by("id").values("id", *ATTRIBUTES)
    ]
