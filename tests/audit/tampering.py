"""What somebody who owns the database can do to the log, except sign."""

import hashlib
import json

import rfc8785
from django.db import connection

from audit.models import Event
from tests.unguarded import unguarded


def event_at(chain, sequence):
    return Event.objects.get(chain=chain, sequence=sequence)


def pk(value):
    return value.hex if connection.vendor == "sqlite" else value


def tamper(*statements):
    with unguarded(connection) as cursor:
        for statement, parameters in statements:
            cursor.execute(statement, parameters)


def rehash(body):
    stored = rfc8785.dumps(body)
    return stored.decode(), hashlib.sha256(stored).hexdigest()


def rewrite_from(chain, sequence, *, head=True):
    """Forge a record and hash everything after it anew, as whoever owns the database could."""
    events = list(Event.objects.filter(chain=chain, sequence__gte=sequence).order_by("sequence"))
    previous = json.loads(events[0].body)["previous"]
    statements = []
    for event in events:
        body = json.loads(event.body) | {"previous": previous}
        if event.sequence == sequence:
            body["reason"] = "nothing to see here"
        stored, previous = rehash(body)
        statements.append(
            (
                "UPDATE audit_event SET body = %s, hash = %s, reason = %s WHERE id = %s",
                [stored, previous, body["reason"], pk(event.id)],
            )
        )
    if head:
        statements.append(("UPDATE audit_chain SET last_hash = %s WHERE id = %s", [previous, pk(chain.id)]))
    tamper(*statements)
