import pytest
from django.db import DatabaseError, connection, transaction

from audit import services
from audit.models import Chain, Checkpoint, Event, SigningKey
from audit.querysets import AppendOnly
from tests.audit.conftest import AGENT_SUSPENDED

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def event(organization_id, alice):
    with transaction.atomic():
        event = services.record(AGENT_SUSPENDED, organization_id=organization_id, by=alice)
    services.sign_checkpoint(organization_id)
    return event


@pytest.mark.parametrize("model", [Event, Checkpoint, SigningKey])
def test_the_model_refuses_to_change_or_delete_a_row(event, model):
    row = model.objects.get()
    for change in (row.save, row.delete, lambda: model.objects.update_or_create(pk=row.pk, defaults={"pk": row.pk})):
        with pytest.raises(AppendOnly):
            change()


@pytest.mark.parametrize("model", [Event, Checkpoint, SigningKey])
def test_the_queryset_refuses_every_way_to_change_rows(event, model):
    row = model.objects.get()
    rows = model.objects.all()
    field = "jwk" if model is SigningKey else "body"
    for change in (
        lambda: rows.update(**{field: "x"}),
        rows.delete,
        lambda: rows._raw_delete("default"),
        lambda: rows._update([]),
        lambda: rows.bulk_update([row], [field]),
        lambda: rows.bulk_create([row], update_conflicts=True, update_fields=[field], unique_fields=["pk"]),
        lambda: rows.bulk_create([row], ignore_conflicts=True),
    ):
        with pytest.raises(AppendOnly):
            change()
    assert model.objects.count() == 1


STATEMENTS = [
    *(
        statement
        for table, column in (("audit_event", "reason"), ("audit_checkpoint", "signature"), ("audit_signingkey", "jwk"))
        for statement in (
            f"UPDATE {table} SET {column} = {column}",
            f"DELETE FROM {table}",
        )
    ),
    "DELETE FROM audit_chain",
    "UPDATE audit_chain SET last_sequence = last_sequence - 1",
    "UPDATE audit_chain SET last_hash = 'x'",
    "UPDATE audit_chain SET writer = 'x'",
    "UPDATE audit_chain SET sworn_sequence = 0",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_database_refuses_raw_statements(event, statement):
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("table", ["audit_event", "audit_checkpoint", "audit_signingkey", "audit_chain"])
def test_the_database_refuses_to_empty_or_replace(event, table):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            statement = f"TRUNCATE {table} CASCADE"
        else:
            statement = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"
        with pytest.raises(DatabaseError):
            cursor.execute(statement)
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone() == (1,)


def test_an_upsert_cannot_change_an_event(event):
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_event SELECT * FROM audit_event WHERE TRUE ON CONFLICT (id) DO UPDATE SET reason = 'forged'"
        )
    assert Event.objects.get().reason == ""


def test_the_head_may_move_forward(event):
    Chain.objects.update(last_sequence=2, last_hash="f" * 64)
    assert Chain.objects.get().last_sequence == 2
