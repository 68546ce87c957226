"""Registered resources: attributes of the declared types, and no resource within itself."""

from datetime import UTC, datetime

import pytest

from directory.services.revisions import EVERYTHING, ForeignOrganization
from directory.services.versions import InvalidRecord
from permissions.models import Resource
from permissions.services import resources
from permissions.services.resources import (
    BadAttribute,
    ResourceCycle,
    ResourceHasParts,
    remove_resource,
    update_resource,
)
from permissions.services.rows import Gone
from tests.directory.recorded import data_of, last_event, last_touched
from tests.factories import NOW, SYSTEM
from tests.permissions.factories import make_resource, make_resource_type


def move(resource, parent):
    return update_resource(resource=resource, attributes=resource.attributes, parent=parent, by=SYSTEM, now=NOW)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("status", 7, "string"),
        ("status", None, "string"),
        ("status", "a\x00b", "string"),
        ("amount", "7", "double"),
        ("amount", True, "double"),
        ("amount", float("nan"), "double"),
        ("amount", float("inf"), "double"),
        ("tags", "one", "list<string>"),
        ("tags", ["one", 2], "list<string>"),
        ("due", "tomorrow", "timestamp"),
        ("due", "2026-01-01T00:00:00", "timestamp"),
    ],
)
def test_a_value_of_another_type_is_named_with_the_type(cast, name, value, kind):
    with pytest.raises(BadAttribute, match=f"{name} must be of the type {kind}"):
        make_resource(cast.record, "r1", **{name: value})
    assert not Resource.objects.exists()


def test_an_attribute_that_is_not_declared_is_named(cast):
    with pytest.raises(BadAttribute, match="no attribute 'regoin'"):
        make_resource(cast.record, "r1", regoin="EU")


def test_values_are_stored_as_they_were_sent(cast):
    sent = {"status": "open", "amount": 3, "tags": ["a"], "due": "2026-01-01T01:00:00+01:00"}
    assert Resource.objects.get(pk=make_resource(cast.record, **sent).pk).attributes == sent
    parsed = make_resource(cast.record, due=datetime(2026, 1, 1, tzinfo=UTC))
    assert Resource.objects.get(pk=parsed.pk).attributes == {"due": "2026-01-01T00:00:00+00:00"}


def test_an_id_is_given_once_in_a_type(cast):
    make_resource(cast.record, "r1")
    with pytest.raises(InvalidRecord, match="already exists"):
        make_resource(cast.record, "r1")
    assert make_resource(make_resource_type(cast.acme, "lead"), "r1").pk


def test_a_parent_is_of_any_type_and_of_the_same_organization(cast):
    folder = make_resource(make_resource_type(cast.acme, "folder"), "f1")
    assert make_resource(cast.record, "r1", parent=folder).parent == folder
    foreign = make_resource(make_resource_type(cast.elsewhere, "folder"), "f1")
    with pytest.raises(ForeignOrganization):
        make_resource(cast.record, "r2", parent=foreign)
    with pytest.raises(ForeignOrganization):
        move(Resource.objects.get(external_id="r1"), foreign)


def test_a_resource_never_lies_within_itself(cast):
    top = make_resource(cast.record, "top")
    middle = make_resource(cast.record, "middle", parent=top)
    bottom = make_resource(cast.record, "bottom", parent=middle)
    for parent in (top, middle, bottom):
        with pytest.raises(ResourceCycle):
            move(top, parent)
    assert move(bottom, top).parent == top
    assert move(middle, bottom).parent == bottom


def test_a_move_touches_all_that_lies_in_it_and_another_change_only_itself(cast):
    top, other = make_resource(cast.record, "top"), make_resource(cast.record, "other")
    middle = make_resource(cast.record, "middle", parent=top)
    make_resource(cast.record, "bottom", parent=middle)
    update_resource(resource=middle, attributes={"status": "new"}, parent=top, by=SYSTEM, now=NOW)
    assert last_touched(cast.acme) == ["resource/record/middle"]
    assert data_of(last_event(cast.acme, "resource.updated")) == {"changed": ["attributes"], "parent": "record/top"}
    move(middle, other)
    assert last_touched(cast.acme) == ["resource/record/bottom", "resource/record/middle"]


def test_a_move_of_very_much_touches_everything(cast, monkeypatch):
    monkeypatch.setattr(resources, "_MOST_TOUCHED", 2)
    top = make_resource(cast.record, "top")
    for number in range(2):
        make_resource(cast.record, f"part-{number}", parent=top)
    move(top, make_resource(cast.record, "above"))
    assert last_touched(cast.acme) == [EVERYTHING]


def test_a_resource_with_parts_is_not_removed(cast):
    top = make_resource(cast.record, "top")
    bottom = make_resource(cast.record, "bottom", parent=top)
    copy = Resource.objects.get(pk=bottom.pk)
    with pytest.raises(ResourceHasParts, match="1 resources lie in top"):
        remove_resource(resource=top, by=SYSTEM, now=NOW)
    remove_resource(resource=bottom, by=SYSTEM, now=NOW)
    remove_resource(resource=top, by=SYSTEM, now=NOW)
    with pytest.raises(Gone):
        remove_resource(resource=copy, by=SYSTEM, now=NOW)
