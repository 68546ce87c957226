"""What resources lie in need not be declared; what looks like a typing error is one."""

import pytest

from agentiam.manifest.mistakes import Unusable
from permissions.models import Resource, ResourceType
from tests.manifest.worlds import apply, export

pytestmark = pytest.mark.django_db

WORLD = """
organization: {slug: acme, name: Acme, trust_domain: acme.example}
applications:
  - slug: crm
    resource_types: [{name: record, actions: [read]}]
resources: [{type: record, id: record-1, parent: {type: folder, id: f1}}]
roles: [{id: reader, entitlements: [{type: record, actions: [read], subtree: {type: folder, id: f1}}]}]
"""


def test_a_parent_of_an_undeclared_type_becomes_a_container():
    apply(WORLD)
    assert Resource.objects.get(external_id="record-1").parent == Resource.objects.get(external_id="f1")
    assert ResourceType.objects.get(name="folder").actions == []
    assert apply(WORLD).changes == []
    assert apply(WORLD, prune=True).changes == []


def test_an_export_with_a_container_changes_nothing():
    apply(WORLD)
    assert apply(export("acme"), prune=True).changes == []


def test_a_container_that_nothing_lies_in_any_more_is_pruned():
    apply(WORLD)
    flat = WORLD.replace(", parent: {type: folder, id: f1}", "").replace(", subtree: {type: folder, id: f1}", "")
    apply(flat, prune=True)
    assert list(ResourceType.objects.values_list("name", flat=True)) == ["record"]


def test_a_name_that_is_close_to_a_declared_one_is_a_typing_error():
    with pytest.raises(Unusable) as refused:
        apply(WORLD.replace("parent: {type: folder", "parent: {type: recrod"))
    assert 'Did you mean "record"?' in str(refused.value)
