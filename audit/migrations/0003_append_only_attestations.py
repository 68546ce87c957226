"""Let the database refuse to change or remove an attestation."""

from django.db import migrations

POSTGRESQL = """
    CREATE TRIGGER audit_attestation_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_attestation
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change()
"""


def _sqlite(name, timing, when=""):
    return f"""
        CREATE TRIGGER audit_attestation_{name} BEFORE {timing} ON audit_attestation {when}
        BEGIN SELECT RAISE(ABORT, 'audit_attestation is append-only: {timing} refused'); END
    """


SQLITE = {
    "append_only_update": _sqlite("append_only_update", "UPDATE"),
    "append_only_delete": _sqlite("append_only_delete", "DELETE"),
    # INSERT OR REPLACE removes the row in its way without firing a DELETE trigger.
    "append_only_replace": _sqlite(
        "append_only_replace", "INSERT", "WHEN EXISTS (SELECT 1 FROM audit_attestation WHERE id = NEW.id)"
    ),
}


def add_triggers(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL, params=None)
        return
    for statement in SQLITE.values():
        schema_editor.execute(statement, params=None)


def drop_triggers(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TRIGGER audit_attestation_append_only ON audit_attestation", params=None)
        return
    for name in SQLITE:
        schema_editor.execute(f"DROP TRIGGER audit_attestation_{name}", params=None)


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only")]

    operations = [migrations.RunPython(add_triggers, drop_triggers)]
