"""What the event log, the version history and the policy revision say, for assertions."""

import json
from typing import Any

from audit.models import Event
from directory.models import Organization, PolicyChange


def versions_of(thing: Any) -> Any:
    """Reach the versions of a row, or of a table; their type is made at run time."""
    return thing.history


def events_of(organization):
    return list(Event.objects.filter(organization_id=organization.pk).order_by("sequence"))


def event_types(organization):
    return [event.type for event in events_of(organization)]


def last_event(organization, type_name):
    found = [event for event in events_of(organization) if event.type == type_name]
    assert found, f"no event {type_name}"
    return found[-1]


def data_of(event):
    return json.loads(event.body)["data"]


def revision(organization):
    return Organization.objects.get(pk=organization.pk).revision


def last_touched(organization):
    return PolicyChange.objects.filter(organization=organization).latest("revision").touched
