"""What exports are made of: events of any type, and the export of an organization as a list of lines."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.ids import uuid7
from audit import events, services
from audit.export import export
from audit.export.reading import SETTLING
from audit.services import Target
from audit.writer import Draft

CAROL = Actor(kind="person", id="carol", label="Carol Clark", address="10.0.0.3", request_id="req-carol")


def later() -> datetime:
    """A moment at which all that was recorded so far has settled, and the export that begins now has not."""
    time.sleep(0.002)  # ids know milliseconds
    return datetime.now(UTC) + SETTLING


@pytest.fixture
def happen(organization_id) -> Callable[..., Any]:
    """Record one event of a type by its name."""

    def record(name: str, *, by: Actor = CAROL, target: Target | None = None, **more: Any) -> Any:
        with transaction.atomic():
            return services.record(
                events.event_type(name), organization_id=organization_id, by=by, target=target, **{"reason": "because", **more}
            )

    return record


@pytest.fixture
def exported(organization_id) -> Callable[..., bytes]:
    """Export everything that has happened so far."""

    def run(format_name: str, **options: Any) -> bytes:
        options = {"organization_id": organization_id, "by": CAROL, "now": later()} | options
        return b"".join(export(format=format_name, **options))

    return run


@pytest.fixture
def lines(exported) -> Callable[..., list[dict[str, Any]]]:
    """Export as JSON lines of some format, parsed."""
    return lambda format_name, **options: [json.loads(line) for line in exported(format_name, **options).splitlines()]


RULE = {"kind": "grant", "id": "g-1", "version": 3}


def decision(organization_id, effect: str = "allow", **changes: Any) -> Draft:
    """Make the record of a decision in the form in which the decision point writes it."""
    question = {
        "subject": "agent/runner",
        "action": "read",
        "type": "record",
        "resource": "record-1",
        "fields": ["title"],
        "on_behalf_of": "user/alice",
        "delegation": ["agent/planner"],
        "task": "task-7",
        "purpose": "",
        "subject_properties": {},
        "action_properties": {},
        "resource_properties": {},
        "context": {},
    }
    data = {
        "decision": effect == "allow",
        "revision": 4,
        "question": question | changes.pop("question", {}),
        "effect": effect,
        "reason_user": "Allowed.",
        "reason_admin": "Allowed by grant/g-1.",
        "fields": {"allowed": ["title"], "masked": [], "denied": []},
        "rules": [RULE] if effect == "allow" else [],
        "report_only": [{"kind": "guardrail", "id": "watch", "version": 1}],
        "obligations": [],
        "caller": {"kind": "application", "id": "crm", "key": "Publ1cIdPubl1cId"},
    }
    values = {
        "organization_id": organization_id,
        "id": uuid7(),
        "type": "access.decided",
        "at": datetime.now(UTC),
        "actor": {"kind": "agent", "id": "runner", "label": "runner", "address": "10.0.0.9"},
        "target": {"type": "record", "id": "record-1", "label": "read record"},
        "reason": "Allowed by grant/g-1.",
        "request_id": "req-9",
        "effect": effect,
        "data": data | changes.pop("data", {}),
    }
    return Draft(**values | changes)
