"""Who gets what under each address of a table; what each is, the table of the house says."""

from collections.abc import Callable

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from agentiam.api.models import RememberedAnswer
from agentiam.kit.administration.operations import operations_on
from tests.administration.worlds import World
from tests.house.tables.administration import PAGES

KINDS = ("changelist", "change", "history", "add", "do")


def addresses(world: World) -> list[tuple[str, str]]:
    """Name every page of every table of an organization, and answer its address."""
    found = []
    for table, pages in PAGES.items():
        model = apps.get_model(table.replace("_", ".", 1))
        if model is RememberedAnswer:
            continue
        for page in pages.split():
            args = [] if page in ("changelist", "add") else [world[model].pk]
            if page == "do":
                args.append(operations_on(model)[0].name)
            found.append((page, reverse(f"admin:{table}_{page}", args=args)))
    return found


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("alice", {"changelist": {200}, "change": {200}, "history": {200}, "add": {200}, "do": {200}}),
        # An auditor reads, and neither adds nor does anything.
        ("carol", {"changelist": {200}, "change": {200}, "history": {200}, "add": {403}, "do": {403}}),
        ("bob", {page: {403} for page in KINDS}),
        ("anonymous", {page: {302} for page in KINDS}),
        # Signing keys belong to the installation; everything else is of another organization.
        ("mallory", {"changelist": {200}, "change": {404}, "history": {404}, "add": {200}, "do": {404}}),
    ],
)
def test_everybody_gets_what_they_may(
    as_: Callable[[str], Client], acme: World, who: str, expected: dict[str, set[int]]
) -> None:
    client = as_(who)
    for page, address in addresses(acme):
        answer = client.get(address)
        if who == "mallory" and "signingkey" in address:
            assert answer.status_code == 200
            continue
        assert answer.status_code in expected[page], address
        if answer.status_code == 302:
            assert answer.headers["Location"].startswith("/login/?next=/admin/")


@pytest.mark.parametrize(("who", "status"), [("carol", 403), ("bob", 403), ("anonymous", 302), ("mallory", 404)])
def test_nobody_else_changes_anything(as_: Callable[[str], Client], acme: World, who: str, status: int) -> None:
    from audit.models import Event

    client = as_(who)
    before = Event.objects.count()
    for page, address in addresses(acme):
        if page == "changelist":
            continue
        answer = client.post(address, {"reason": "Because."})
        if page == "history":
            assert answer.status_code in (405, status), address
        elif who == "mallory" and page == "add":
            assert answer.status_code == 200  # her own organization's, with nothing filled in
        elif who == "mallory" and "signingkey" in address:
            assert answer.status_code == 403
        elif who == "mallory" and page == "change":
            assert answer.status_code in (403, 404), address
        else:
            assert answer.status_code == status, address
    assert Event.objects.count() == before


def test_the_admin_has_no_sign_in_of_its_own(as_: Callable[[str], Client]) -> None:
    assert as_("anonymous").get("/admin/login/?next=/admin/directory/").headers["Location"].startswith("/login/?next=")
    assert as_("anonymous").post("/admin/login/", {"username": "alice", "password": "x"}).status_code == 302
    assert as_("alice").get("/admin/login/").headers["Location"] == "/admin/"
    assert as_("bob").get("/admin/login/").status_code == 403


@pytest.mark.parametrize(
    "path", ["password_change/", "logout/", "r/1/1/", "auth/group/", "auth/user/", "admin/logentry/", "sessions/session/"]
)
def test_what_djangos_admin_has_besides_is_not_there(as_: Callable[[str], Client], path: str) -> None:
    assert as_("alice").get(f"/admin/{path}").status_code == 404


def test_nothing_is_deleted(as_: Callable[[str], Client], acme: World) -> None:
    client = as_("alice")
    for model, row in acme.items():
        options = model._meta
        for method in (client.get, client.post):
            address = f"/admin/{options.app_label}/{options.model_name}/{row.pk}/delete/"
            assert method(address, {"post": "yes"}).status_code == 404
        listed = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
        client.post(listed, {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes", "index": "0"})
        assert model._default_manager.filter(pk=row.pk).exists()


def test_a_form_of_another_site_is_refused(as_: Callable[[str], Client], acme: World, people: dict) -> None:
    from directory.models import Agent

    client = Client(enforce_csrf_checks=True)
    client.force_login(people["alice"])
    address = reverse("admin:directory_agent_do", args=[acme[Agent].pk, "suspend"])
    assert client.post(address, {"reason": "Because."}).status_code == 403
    assert Agent.objects.get(pk=acme[Agent].pk).state == "active"
