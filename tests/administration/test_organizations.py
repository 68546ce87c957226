"""Nothing of another organization is seen, also by the one who administers this one."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.test import Client

from agentiam.api.models import RememberedAnswer
from agentiam.kit.administration.operations import operations_on
from agentiam.kit.ids import uuid7
from audit.models import Event, SigningKey
from directory.models import Agent, Credential, Organization, Team, User
from permissions.models import Grant, Role
from permissions.services.roles import remove_role
from tests.administration.conftest import problems, registered, submit, to
from tests.administration.worlds import World
from tests.factories import NOW, SYSTEM
from tests.permissions.factories import make_role

SCOPED = [model for model in registered() if model not in (RememberedAnswer, SigningKey)]


def hidden(answer: Any, zebra: World) -> bool:
    """Tell whether nothing of the other organization is in an answer: neither a word nor an id of it."""
    text = answer.content.decode()
    ids = (str(row.pk) for model, row in zebra.items() if model not in (SigningKey, RememberedAnswer) and len(str(row.pk)) > 8)
    return "zebra" not in text.lower() and not any(key in text for key in ids)


def every_page(model: Any, row: Any) -> Iterator[str]:
    yield to("changelist", model)
    yield to("change", row)
    if hasattr(model, "history"):
        yield to("history", row)
    for operation in operations_on(model):
        yield to("do", row, operation.name)
    if getattr(admin.site.get_model_admin(model), "adding", ()):
        yield to("add", model)


def test_no_page_of_a_table_shows_anything_of_another_organization(
    as_: Callable[[str], Client], acme: World, zebra: World
) -> None:
    client = as_("alice")
    assert hidden(client.get("/admin/"), zebra)
    for model, row in acme.items():
        if model is RememberedAnswer:
            continue
        for address in every_page(model, row):
            answer = client.get(address)
            assert answer.status_code == 200, address
            assert hidden(answer, zebra), address


def test_lists_show_neither_more_nor_less_than_the_organization(
    as_: Callable[[str], Client], acme: World, zebra: World
) -> None:
    client = as_("alice")
    for model in SCOPED:
        shown = set(client.get(to("changelist", model)).context["cl"].result_list)
        assert acme[model] in shown, model
        assert zebra[model] not in shown, model


def test_rows_of_another_organization_are_not_there(as_: Callable[[str], Client], zebra: World) -> None:
    client = as_("alice")
    for model in SCOPED:
        for address in every_page(model, zebra[model]):
            if str(zebra[model].pk) not in address and f"/{zebra[model].pk}/" not in address:
                continue
            for answer in (client.get(address), client.post(address, {"reason": "Because."})):
                assert answer.status_code in (403, 404, 405), address
                assert "zebra" not in answer.content.decode().lower()
            assert client.get(address).status_code == 404, address


@pytest.mark.parametrize("key", ["1", "nonsense", "0", "00000000-0000-0000-0000-000000000000", "%00", "..", "a" * 300])
def test_a_bad_id_is_not_there(as_: Callable[[str], Client], key: str) -> None:
    client = as_("alice")
    for model in (Agent, User, Event, Grant, Role):
        base = to("changelist", model)
        pages = ["change"] + (["history"] if hasattr(model, "history") else [])
        for page in pages:
            assert client.get(f"{base}{key}/{page}/").status_code == 404


def test_no_search_finds_rows_of_another_organization(as_: Callable[[str], Client], zebra: World) -> None:
    client = as_("alice")
    terms = ["Zebra", "Zebra Person", "Zebra-agent", "Zebra-person@zebra.example", "actor:Zebra-person", "target:Zebra-agent"]
    for model in SCOPED:
        for term in (*terms, str(zebra[model].pk)):
            answer = client.get(to("changelist", model), {"q": term})
            assert answer.status_code == 200
            assert [row for row in answer.context["cl"].result_list if row.pk == zebra[model].pk] == []


def test_a_search_finds_what_is_there(as_: Callable[[str], Client], acme: World) -> None:
    client = as_("alice")

    def found(model: Any, term: str) -> set[Any]:
        return set(client.get(to("changelist", model), {"q": term}).context["cl"].result_list)

    assert acme[Agent] in found(Agent, "Acme-agent")
    assert found(Agent, str(acme[Agent].pk)) == {acme[Agent]}
    assert found(User, "acme pers") == {acme[User]}
    assert found(User, "nobody") == set()
    assert found(Event, str(acme[Event].pk)) == {acme[Event]}
    assert {event.type for event in found(Event, "type:agent.activated")} == {"agent.activated"}
    assert {event.target_id for event in found(Event, "target:Acme-agent")} == {"Acme-agent"}
    assert {event.actor_id for event in found(Event, "actor:tests")} == {"tests"}
    assert found(Event, "Acme") == set()
    assert found(Credential, acme[Credential].public_id) == {acme[Credential]}


def test_a_search_for_decisions_finds_them_and_none_of_another_organization(
    as_: Callable[[str], Client], acme: World, zebra: World
) -> None:
    made = []
    for world in (acme, zebra):
        event = Event.objects.get(pk=world[Event].pk)
        event.pk, event.sequence, event.type, event.effect = uuid7(), 1_000_000, "access.decided", "deny"
        event._state.adding = True
        event.save(force_insert=True)
        made.append(event)
    answer = as_("alice").get(to("changelist", Event), {"q": "type:access.decided"})
    assert list(answer.context["cl"].result_list) == made[:1]


@pytest.mark.parametrize(
    ("model", "lookup"),
    [
        (User, {"password__startswith": "a"}),
        (User, {"organization__slug": "zebra"}),
        (User, {"organization__id__exact": "x"}),
        (User, {"is_superuser__exact": "1"}),
        (User, {"kind__startswith": "a"}),
        (User, {"_to_field": "password"}),
        (User, {"_to_field": "username", "_popup": "1"}),
        (Credential, {"digest__startswith": "0"}),
        (Credential, {"digest": "0"}),
        (Credential, {"pepper": "1"}),
        (Credential, {"agent__owner__password__startswith": "a"}),
        (Agent, {"owner__password__startswith": "a"}),
        (Agent, {"owner__exact": "x"}),
        (Agent, {"parent__name": "x"}),
        (Agent, {"name__regex": "(a+)+$"}),
        (Event, {"body__contains": "x"}),
        (Event, {"organization_id": "x"}),
        (Event, {"chain__writer": "x"}),
    ],
)
def test_no_lookup_is_taken_that_is_not_offered(as_: Callable[[str], Client], model: Any, lookup: dict[str, str]) -> None:
    assert as_("alice").get(f"{to('changelist', model)}?{urlencode(lookup)}").status_code == 400


def test_filters_offer_fixed_choices_and_narrow(as_: Callable[[str], Client], acme: World) -> None:
    client = as_("alice")
    listed = client.get(to("changelist", Agent), {"state__exact": "active"}).context["cl"].result_list
    assert acme[Agent] in listed
    assert not client.get(to("changelist", Agent), {"state__exact": "retired"}).context["cl"].result_list
    listed = client.get(to("changelist", Event), {"kind": "deny"}).context["cl"].result_list
    assert list(listed) == []
    for model in registered():
        model_admin = admin.site.get_model_admin(model)
        for each in model_admin.list_filter:
            if isinstance(each, str):
                field = model._meta.get_field(each)
                assert not field.is_relation
                assert field.choices or field.get_internal_type() == "BooleanField", f"{model} {each}"
        assert model_admin.date_hierarchy is None


@pytest.mark.parametrize("order", ["1", "-1", "99", "password", "1.2.3.-4"])
def test_no_order_shows_more(as_: Callable[[str], Client], zebra: World, order: str) -> None:
    answer = as_("alice").get(to("changelist", User), {"o": order})
    assert answer.status_code == 200
    assert hidden(answer, zebra)


def test_choices_are_looked_up_in_the_organization_only(as_: Callable[[str], Client], acme: World, zebra: World) -> None:
    client, seen = as_("alice"), set()
    for model in registered():
        for field in (*model._meta.fields, *model._meta.many_to_many):
            if not field.is_relation:
                continue
            where = {"app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": field.name}
            for term in ("", "Zebra", "Zebra-agent", "Zebra-person", "zebra"):
                answer = client.get("/admin/autocomplete/", where | {"term": term})
                if answer.status_code == 200:
                    seen.add(field.related_model)
                    assert hidden(answer, zebra), (model, field.name, term)
                else:
                    assert answer.status_code in (403, 404)
    assert {Agent, User, Team, Role} <= seen
    answer = client.get(
        "/admin/autocomplete/", {"app_label": "directory", "model_name": "agent", "field_name": "owner", "term": "Acme"}
    )
    assert {each["text"] for each in answer.json()["results"]} == {"Acme Person", "Acme Approver"}


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"app_label": "auth", "model_name": "permission", "field_name": "content_type"},
        {"app_label": "sessions", "model_name": "session", "field_name": "session_key"},
        {"app_label": "directory", "model_name": "user", "field_name": "user_permissions"},
        {"app_label": "directory", "model_name": "agent", "field_name": "nothing"},
        {"app_label": "directory", "model_name": "agent", "field_name": "name"},
    ],
)
def test_nothing_else_is_looked_up(as_: Callable[[str], Client], where: dict[str, str]) -> None:
    assert as_("alice").get("/admin/autocomplete/", where).status_code == 403


def test_choices_are_answered_to_those_who_may_see_them(acme: World, as_: Callable[[str], Client], people: dict) -> None:
    people["bob"].is_staff = True
    people["bob"].save()
    where = {"app_label": "permissions", "model_name": "grant", "field_name": "team"}
    client = as_("bob")
    assert client.get("/admin/autocomplete/", where).status_code == 200
    where = {"app_label": "audit", "model_name": "event", "field_name": "chain"}
    assert client.get("/admin/autocomplete/", where).status_code == 403


def test_what_belongs_to_another_organization_cannot_be_chosen(as_: Callable[[str], Client], acme: World, zebra: World) -> None:
    client = as_("alice")
    before = Event.objects.count()
    tries: list[tuple[str, dict[str, Any]]] = [
        (to("do", acme[Agent], "transfer"), {"owner": zebra[User].pk}),
        (to("do", acme[Agent], "transfer"), {"owner": acme[User].pk, "sponsor": "", "sponsor_team": zebra[Team].pk}),
        (to("change", acme[Agent]), {"team": zebra[Team].pk}),
        (to("change", acme[Team]), {"members": [zebra[User].pk]}),
        (to("change", acme[Team]), {"parent": zebra[Team].pk}),
        (to("add", Credential), {"agent": zebra[Agent].pk, "label": "x"}),
        (to("add", Grant), {"user": zebra[User].pk, "resource_type": "x", "actions": "read"}),
    ]
    for address, values in tries:
        answer = submit(client, address, **values)
        assert answer.status_code == 200, address
        assert "Select a valid choice" in problems(answer), address
        assert "zebra" not in answer.content.decode().lower(), address
    assert Event.objects.count() == before


def test_a_popup_and_its_parameters_show_no_more(as_: Callable[[str], Client], zebra: World) -> None:
    client = as_("alice")
    answer = client.get(to("changelist", User), {"_popup": "1", "_to_field": "id"})
    assert answer.status_code == 200
    assert hidden(answer, zebra)
    address = to("change", zebra[User])
    assert client.get(address, {"_popup": "1", "_to_field": "id"}).status_code == 404
    assert client.get(address, {"_to_field": "username"}).status_code == 400


def test_what_an_address_says_is_not_put_into_a_form(as_: Callable[[str], Client], zebra: World) -> None:
    answer = as_("alice").get(to("add", Team), {"name": "Words of a link", "parent": zebra[Team].pk})
    assert "Words of a link" not in answer.content.decode()
    assert hidden(answer, zebra)


def test_the_history_of_what_was_removed_stays_in_its_organization(
    as_: Callable[[str], Client], acme: World, zebra: World
) -> None:
    for world, who, stranger in ((acme, "alice", "mallory"), (zebra, "mallory", "alice")):
        role = make_role(world[Organization], "passing")
        address = to("history", role)
        remove_role(role=Role.objects.get(pk=role.pk), by=SYSTEM, reason="No longer needed.", now=NOW)
        answer = as_(who).get(address)
        assert answer.status_code == 200
        assert "No longer needed." in answer.content.decode()
        assert as_(stranger).get(address).status_code == 404


def test_an_event_is_read_by_those_who_may_read_the_log(acme: World, as_: Callable[[str], Client], people: dict) -> None:
    people["bob"].is_staff = True
    people["bob"].save()
    for model in (Event, SigningKey):
        assert as_("bob").get(to("changelist", model)).status_code == 403
        assert as_("bob").get(to("change", acme[model])).status_code == 403
        assert as_("carol").get(to("change", acme[model])).status_code == 200


def test_what_the_api_remembers_is_shown_to_nobody(as_: Callable[[str], Client], acme: World, people: dict) -> None:
    row = acme[RememberedAnswer]
    for who in ("alice", "carol"):
        assert as_(who).get(to("changelist", RememberedAnswer)).status_code == 403
    people["alice"].is_superuser = True
    people["alice"].save()
    assert list(as_("alice").get(to("changelist", RememberedAnswer)).context["cl"].result_list) == []
    assert as_("alice").get(to("change", row)).status_code == 404
