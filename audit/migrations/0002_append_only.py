"""Let the database refuse to change or remove what was recorded, however the statement reaches it."""

from django.db import migrations

APPEND_ONLY = ("audit_event", "audit_checkpoint", "audit_signingkey")

POSTGRESQL = [
    """
    CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    *(
        f"""
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change()
        """
        for table in APPEND_ONLY
    ),
    """
    CREATE TRIGGER audit_chain_stays BEFORE DELETE OR TRUNCATE ON audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change()
    """,
    """
    CREATE TRIGGER audit_chain_moves_forward BEFORE UPDATE ON audit_chain FOR EACH ROW
    WHEN (
        (NEW.id, NEW.organization_id, NEW.writer, NEW.opened_at) IS DISTINCT FROM (OLD.id, OLD.organization_id, OLD.writer, OLD.opened_at)
        OR NEW.last_sequence < OLD.last_sequence OR NEW.sworn_sequence < OLD.sworn_sequence
        OR (NEW.last_sequence = OLD.last_sequence AND NEW.last_hash <> OLD.last_hash)
    )
    EXECUTE FUNCTION audit_refuse_change()
    """,
]


def _sqlite_refusal(table, name, timing, when=""):
    operation = timing.split()[0]
    return f"""
        CREATE TRIGGER {table}_{name} BEFORE {timing} ON {table} {when}
        BEGIN SELECT RAISE(ABORT, '{table} is append-only: {operation} refused'); END
    """


SQLITE = [
    *(_sqlite_refusal(table, f"append_only_{verb.lower()}", verb) for table in APPEND_ONLY for verb in ("UPDATE", "DELETE")),
    # INSERT OR REPLACE removes the row in its way without firing a DELETE trigger.
    _sqlite_refusal(
        "audit_event",
        "append_only_replace",
        "INSERT",
        """WHEN EXISTS (SELECT 1 FROM audit_event WHERE id = NEW.id)
           OR EXISTS (SELECT 1 FROM audit_event WHERE chain_id = NEW.chain_id AND sequence = NEW.sequence)""",
    ),
    _sqlite_refusal(
        "audit_checkpoint",
        "append_only_replace",
        "INSERT",
        """WHEN EXISTS (SELECT 1 FROM audit_checkpoint
                       WHERE id = NEW.id OR (organization_id = NEW.organization_id AND number = NEW.number))""",
    ),
    _sqlite_refusal(
        "audit_signingkey", "append_only_replace", "INSERT", "WHEN EXISTS (SELECT 1 FROM audit_signingkey WHERE key_id = NEW.key_id)"
    ),
    _sqlite_refusal(
        "audit_chain",
        "append_only_replace",
        "INSERT",
        """WHEN EXISTS (SELECT 1 FROM audit_chain
                       WHERE id = NEW.id OR (organization_id = NEW.organization_id AND writer = NEW.writer))""",
    ),
    _sqlite_refusal("audit_chain", "stays", "DELETE"),
    _sqlite_refusal(
        "audit_chain",
        "moves_forward",
        "UPDATE",
        """WHEN NEW.id <> OLD.id OR NEW.organization_id <> OLD.organization_id OR NEW.writer <> OLD.writer
           OR NEW.opened_at <> OLD.opened_at OR NEW.last_sequence < OLD.last_sequence OR NEW.sworn_sequence < OLD.sworn_sequence
           OR (NEW.last_sequence = OLD.last_sequence AND NEW.last_hash <> OLD.last_hash)""",
    ),
]


def add_triggers(apps, schema_editor):
    statements = {"postgresql": POSTGRESQL, "sqlite": SQLITE}[schema_editor.connection.vendor]
    for statement in statements:
        schema_editor.execute(statement, params=None)


def drop_triggers(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION audit_refuse_change() CASCADE", params=None)
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'audit\\_%' ESCAPE '\\'")
        names = [name for (name,) in cursor.fetchall()]
    for name in names:
        schema_editor.execute(f"DROP TRIGGER {name}", params=None)


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [migrations.RunPython(add_triggers, drop_triggers)]
