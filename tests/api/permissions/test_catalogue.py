"""Applications, their keys, resource types and resources: who keeps them, and what an application keeps itself."""

import pytest
from django.utils import timezone

from audit.models import Event
from directory.models import Organization
from permissions.models import Application, ApplicationKey, Resource, ResourceType
from permissions.services.application_keys import issue_application_key
from tests.api.conftest import Caller
from tests.factories import SYSTEM
from tests.permissions.factories import make_application, make_resource, make_resource_type


@pytest.fixture
def crm(world, client):
    """The CRM with its own key."""
    scopes = ("read", "write", "decide")
    _, token = issue_application_key(application=world.crm, label="t", scopes=scopes, by=SYSTEM, now=timezone.now())
    return Caller(client, Authorization=f"Bearer {token.text}")


def test_an_application_lives_from_its_creation_to_its_suspension(as_, world):
    made = as_("alice").post("applications", {"slug": "erp", "name": "ERP", "reason": "new"})
    assert made.status_code == 201, made.content
    path = f"applications/{made.json()['id']}"
    assert as_("dave").patch(path, {"name": "X"}).status_code == 403
    changed = as_("alice").patch(path, {"believes_subject_properties": True})
    assert (changed.json()["name"], changed.json()["believes_subject_properties"]) == ("ERP", True)
    assert changed.json()["requires_tokens"] is False
    assert as_("alice").patch(path, {"requires_tokens": True}).json()["requires_tokens"] is True
    assert as_("alice").post(f"{path}/suspend").json()["state"] == "suspended"
    assert as_("alice").post(f"{path}/suspend").status_code == 409
    assert as_("alice").post(f"{path}/resume").json()["state"] == "active"
    assert as_("alice").post("applications", {"slug": "erp", "name": "Again"}).status_code == 409


def test_what_tokens_for_an_application_are_is_set(as_, world):
    terms = {"token_format": "reference", "token_algorithm": "EdDSA", "token_seconds": 60}
    caller = as_("alice")
    made = caller.post("applications", {"slug": "erp", "name": "ERP", **terms})
    assert made.status_code == 201, made.content
    path = f"applications/{made.json()['id']}"
    assert caller.get(path).json().items() >= terms.items()
    assert caller.patch(path, {"token_format": "jwt"}).json().items() >= (terms | {"token_format": "jwt"}).items()
    usual = {"token_format": "jwt", "token_algorithm": "ES256", "token_seconds": 300}
    assert caller.get(f"applications/{world.crm.pk}").json().items() >= usual.items()
    for wrong in ({"token_seconds": 29}, {"token_seconds": 3601}, {"token_format": "x"}, {"token_algorithm": "none"}):
        assert caller.patch(path, wrong).status_code == 422, wrong


def test_no_two_live_applications_have_one_audience(as_, world):
    caller, both = as_("alice"), {"audience": "https://crm.example"}
    assert caller.patch(f"applications/{world.crm.pk}", both).status_code == 200
    refused = caller.post("applications", {"slug": "erp", "name": "ERP", **both})
    assert (refused.status_code, "is the audience of crm" in refused.json()["detail"]) == (409, True), refused.content
    other = caller.post("applications", {"slug": "erp", "name": "ERP"}).json()["id"]
    assert caller.patch(f"applications/{other}", both).status_code == 409
    # What is suspended gets no tokens, and may wait with the same one.
    assert caller.post(f"applications/{other}/suspend").status_code == 200
    assert caller.patch(f"applications/{other}", both).status_code == 200
    assert caller.post(f"applications/{other}/resume").status_code == 409
    assert caller.post(f"applications/{world.crm.pk}/suspend").status_code == 200
    assert caller.post(f"applications/{other}/resume").status_code == 200
    # Elsewhere it is another's.
    assert as_("mallory").post("applications", {"slug": "crm", "name": "CRM", **both}).status_code == 201


def test_a_change_needs_the_version_that_was_read(as_, world):
    path = f"applications/{world.crm.pk}"
    etag = as_("dave").get(path)["ETag"]
    assert as_("dave")("PATCH", path, {"name": "One"}).status_code == 428
    assert as_("dave").patch(path, {"name": "One"}, **{"If-Match": etag}).status_code == 200
    assert as_("dave").patch(path, {"name": "Two"}, **{"If-Match": etag}).status_code == 412


def test_a_key_is_shown_once_and_rotated_and_revoked(as_, world):
    dave = as_("dave")
    body = {"application": str(world.crm.pk), "label": "main", "scopes": ["decide", "read"]}
    made = dave.post("application-keys", body)
    assert made.status_code == 201, made.content
    secret, path = made.json()["secret"], f"application-keys/{made.json()['id']}"
    assert secret.startswith("aip_")
    told = [dave.get(path), dave.get("application-keys"), dave.get(f"{path}/versions")]
    assert all(secret not in each.content.decode() for each in told)
    assert "secret" not in dave.get(path).json()
    rotated = dave.post(f"{path}/rotate", {"overlap_seconds": 3600})
    assert rotated.status_code == 201
    assert rotated.json()["secret"] != secret
    assert rotated.json()["scopes"] == ["decide", "read"]
    assert dave.post(f"{path}/revoke").json()["revoked_at"] is not None
    assert dave.post(f"{path}/revoke").status_code == 409
    assert secret.rpartition("_")[2] not in "".join(event.body for event in Event.objects.all())


def test_keys_are_for_those_who_manage_the_application(as_, world):
    other = make_application(world.acme, "lake")
    body = {"application": str(other.pk), "label": "mine"}
    assert as_("dave").post("application-keys", body).status_code == 403
    assert as_("olivia").post("application-keys", body).status_code == 422
    assert as_("alice").post("application-keys", body).status_code == 201
    assert as_("dave").get("application-keys").json()["items"] == []
    assert ApplicationKey.objects.count() == 1


def test_a_type_is_declared_changed_and_removed_by_those_who_manage_its_application(as_, world):
    dave = as_("dave")
    body = {"application": str(world.crm.pk), "name": "lead", "actions": ["read"], "fields": {"mail": "personal"}}
    made = dave.post("resource-types", body)
    assert made.status_code == 201, made.content
    path = f"resource-types/{made.json()['id']}"
    assert dave.patch(path, {"actions": ["read", "call"]}).json()["fields"] == {"mail": "personal"}
    assert dave.patch(path, {"fields": {"mail": "odd"}}).status_code == 422
    assert as_("carol").post(f"{path}/remove").status_code == 403
    assert dave.post(f"{path}/remove").status_code == 204
    other = make_resource_type(world.acme, "table", application=make_application(world.acme, "lake"))
    assert dave.patch(f"resource-types/{other.pk}", {"actions": ["query"]}).status_code == 403
    assert dave.post("resource-types", body | {"application": str(other.application.pk)}).status_code == 403


def test_resources_are_registered_moved_and_forgotten(as_, world):
    dave = as_("dave")
    made = dave.post("resources", {"type": "record", "external_id": "r9", "attributes": {"region": "EU"}})
    assert made.status_code == 201, made.content
    path = f"resources/{made.json()['id']}"
    moved = dave.patch(path, {"parent": {"type": "record", "id": "r1"}})
    assert (moved.json()["parent"], moved.json()["attributes"]) == ({"type": "record", "id": "r1"}, {"region": "EU"})
    assert dave.patch(path, {"attributes": {"colour": 1}}).status_code == 422
    assert dave.patch(path, {"parent": {"type": "record", "id": "nowhere"}}).status_code == 422
    assert dave.post(f"{path}/remove").status_code == 204
    assert as_("carol").post("resources", {"type": "record", "external_id": "x"}).status_code == 403
    assert as_("olivia").post("resources", {"type": "record", "external_id": "x"}).status_code == 422


# --- what an application keeps itself ----------------------------------------------------------------------------------------


def sync(*items, gone=()):
    return {"items": [{"type": "record", **each} for each in items], "gone": [{"type": "record", "id": each} for each in gone]}


def test_an_application_keeps_its_own_resources_in_step(crm, world):
    body = sync({"external_id": "r1", "attributes": {"region": "EU"}}, {"external_id": "r2", "attributes": {"region": "EU"}})
    body["items"].append({"type": "record", "external_id": "r3", "parent": {"type": "record", "id": "r1"}})
    before = Organization.objects.get(pk=world.acme.pk).revision
    answer = crm.post("resources/sync", body)
    assert answer.status_code == 200, answer.content
    assert answer.json() == {"registered": 1, "updated": 1, "unchanged": 1, "removed": 0}
    assert Organization.objects.get(pk=world.acme.pk).revision == before + 1
    assert crm.post("resources/sync", body).json() == {"registered": 0, "updated": 0, "unchanged": 3, "removed": 0}
    assert Organization.objects.get(pk=world.acme.pk).revision == before + 1
    assert crm.post("resources/sync", sync(gone=["r3", "never"])).json()["removed"] == 1
    event = Event.objects.filter(type="resource.registered").latest("id")
    assert (event.actor_kind, event.actor_id) == ("application", "crm")


def test_it_is_in_step_as_a_whole_or_not_at_all(crm, world):
    body = sync({"external_id": "r8"}, {"external_id": "r9", "attributes": {"colour": "red"}})
    assert crm.post("resources/sync", body).status_code == 422
    assert not Resource.objects.filter(external_id="r8").exists()
    assert crm.post("resources/sync", sync(gone=["r1"] * 501)).status_code == 422


def test_an_application_neither_sees_nor_changes_what_another_holds(crm, world):
    table = make_resource_type(world.acme, "table", application=make_application(world.acme, "lake"))
    theirs = make_resource(table, "t1")
    assert crm.get(f"resources/{theirs.pk}").status_code == 404
    assert crm.post(f"resources/{theirs.pk}/remove").status_code == 404
    for body in ({"type": "table", "external_id": "t2"}, {"type": "starship", "external_id": "t2"}):
        assert crm.post("resources", body).status_code == 422
    within = {"type": "record", "external_id": "r9", "parent": {"type": "table", "id": "t1"}}
    assert crm.post("resources", within).status_code == 422
    items = {"items": [], "gone": [{"type": "table", "id": "t1"}]}
    assert crm.post("resources/sync", items).json()["removed"] == 0
    assert [row["name"] for row in crm.get("resource-types").json()["items"]] == ["record"]
    assert Resource.objects.filter(type=table).count() == 1


def test_an_application_changes_nothing_else_of_itself(crm, world):
    assert [row["slug"] for row in crm.get("applications").json()["items"]] == ["crm"]
    assert crm.patch(f"applications/{world.crm.pk}", {"believes_subject_properties": True}).status_code == 403
    assert crm.patch(f"resource-types/{world.record.pk}", {"actions": ["read"]}).status_code == 403
    assert crm.post("application-keys", {"application": str(world.crm.pk), "label": "more"}).status_code == 403
    declared = {"application": str(world.crm.pk), "name": "more", "actions": ["read"]}
    assert crm.post("resource-types", declared).status_code == 403
    assert ResourceType.objects.count() == 1
    assert not Application.objects.get(slug="crm").believes_subject_properties


def test_a_key_for_decisions_or_reading_keeps_nothing(world, client):
    for scopes in (("decide",), ("read",)):
        _, token = issue_application_key(application=world.crm, label="t", scopes=scopes, by=SYSTEM, now=timezone.now())
        caller = Caller(client, Authorization=f"Bearer {token.text}")
        assert caller.post("resources/sync", sync({"external_id": "x"})).status_code == 403
    assert not Resource.objects.filter(external_id="x").exists()
