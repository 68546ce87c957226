"""Lists stay as fast with many rows as with few: the same queries, nothing counted as a whole."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agentiam.api.models import RememberedAnswer
from agentiam.kit.administration.paging import MOST_LISTED
from audit.models import Event
from directory.models import Agent, AgentUserPermission, Credential, Organization, Run, SignOff, Team, User
from directory.services.access import give_access
from directory.services.credentials import issue_api_key
from directory.services.runs import start_run
from permissions.models import Application, Consent, Delegation, Grant, Resource, ResourceType, Role, RoleAssignment
from tests.administration.conftest import registered, to
from tests.administration.worlds import World
from tests.factories import NOW, SYSTEM, make_agent, make_person, make_team
from tests.permissions.factories import make_assignment, make_consent, make_delegation, make_grant, make_role, spec


def queries(client: Any, address: str) -> list[str]:
    client.get(address)  # what is read once in a process is read now
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address)
    assert answer.status_code == 200
    return [each["sql"] for each in captured.captured_queries]


def more(world: World, number: int) -> None:
    """Add a row of most tables, each with relations of its own."""
    organization = world[Organization]
    person = make_person(organization, f"more-{number}", name=f"More {number}")
    team = make_team(organization, f"more-{number}", parent=world[Team])
    agent = make_agent(organization, f"more-{number}", owner=person, team=team)
    entitlement = spec(type=world[ResourceType].name)
    role = make_role(organization, f"more-{number}", entitlement)
    make_assignment(role, team)
    make_grant(organization, agent.user, entitlement)
    make_consent(person, agent, world[ResourceType])
    make_delegation(agent, world[Agent], entitlement)
    issue_api_key(agent=agent, label=f"more-{number}", by=SYSTEM, now=NOW)
    start_run(agent=agent, task_id=f"more-{number}", on_behalf_of=person, by=SYSTEM, now=NOW)
    give_access(thing=agent, right="view_agent", to=person, by=SYSTEM, now=NOW)
    SignOff.objects.create(agent=agent, person=person)


def test_every_list_takes_as_many_queries_with_twenty_rows_more(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    lists = [to("changelist", model) for model in registered() if model is not RememberedAnswer]
    before = {address: len(queries(client, address)) for address in lists}
    rows = {model: model._default_manager.count() for model in registered()}
    for number in range(20):
        more(acme, number)
    grown = {model for model in registered() if model._default_manager.count() >= rows[model] + 20}
    assert grown >= {
        *(Agent, AgentUserPermission, Consent, Credential, Delegation, Event, Grant),
        *(Role, RoleAssignment, Run, SignOff, Team, User),
    }
    assert {address: len(queries(client, address)) for address in lists} == before
    assert max(before.values()) <= 20


def test_pages_of_a_row_and_choices_take_as_many_queries_with_many_rows(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    addresses = [
        *(to("change", acme[model]) for model in (Agent, Team, Role, Application)),
        *(to("history", acme[model]) for model in (Agent, Team, Role)),
        to("add", Agent),
        to("do", acme[Agent], "transfer"),
        "/admin/autocomplete/?app_label=directory&model_name=agent&field_name=owner&term=",
    ]
    before = [len(queries(client, address)) for address in addresses]
    for number in range(20):
        more(acme, number)
    assert [len(queries(client, address)) for address in addresses] == before


def test_no_list_counts_a_table_or_offers_it_as_a_select(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    for model in registered():
        if model is RememberedAnswer:
            continue
        for sql in queries(client, to("changelist", model)):
            if "COUNT(" in sql:
                assert f"LIMIT {MOST_LISTED + 1}" in sql, sql
    page = client.get(to("add", Agent)).content.decode()
    assert "Acme Approver" not in page


def test_thousands_of_rows_are_listed_in_pages(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    few = len(queries(client, to("changelist", User)))
    organization = acme[Organization]
    people = [
        User(organization=organization, username=f"many-{n}", external_id=f"many-{n}", name=f"Many {n}") for n in range(3_000)
    ]
    User.objects.bulk_create(people, batch_size=500)
    assert len(queries(client, to("changelist", User))) == few
    listed = client.get(to("changelist", User)).context["cl"]
    assert len(listed.result_list) == 50
    assert listed.result_count == User.objects.filter(organization=organization).count()
    assert listed.full_result_count is None
    last = client.get(to("changelist", User), {"p": str(listed.paginator.num_pages)})
    assert last.status_code == 200
    assert len(client.get(to("changelist", User), {"all": ""}).context["cl"].result_list) == 50
    found = client.get(to("changelist", User), {"q": "many-2999"}).context["cl"].result_list
    assert [each.external_id for each in found] == ["many-2999"]


def test_no_list_goes_on_for_ever(as_: Callable[[str], Any], acme: World, monkeypatch: Any) -> None:
    monkeypatch.setattr("agentiam.kit.administration.paging.MOST_LISTED", 2)
    answer = as_("alice").get(to("changelist", User))
    assert answer.context["cl"].result_count == 2
    assert "The first 2; search or filter for others." in answer.content.decode()


# --- what the database does -------------------------------------------------------------------------------------------------

MANY = 800
LONG = (User, Agent, Credential, Run, SignOff, AgentUserPermission, Grant, RoleAssignment, Consent, Delegation, Resource)
"""Models of which ``make_long`` adds MANY rows."""


def make_long(world: World) -> None:
    """Add MANY rows to the long tables, past the services: what they hold is not looked at."""
    organization, person, kind = world[Organization], world[User], world[ResourceType]
    own: dict[str, Any] = {"organization": organization}
    terms: dict[str, Any] = {**own, "resource_type": kind, "actions": ["read"]}
    names = [f"long-{number}" for number in range(MANY)]
    accounts = [User(kind="agent", username=name, external_id=name, name=name, **own) for name in names]
    agents = [
        Agent(
            user=each,
            external_id=each.name,
            spiffe_id=each.name,
            name=each.name,
            purpose="p",
            owner=person,
            sponsor=person,
            state="active",
            **own,
        )
        for each in accounts
    ]
    right = world[AgentUserPermission].permission
    later = NOW + timedelta(days=90)
    proof: dict[str, Any] = {"kind": "federated", "issuer": "i", "subject": "s", "created_at": NOW, "expires_at": later}
    for model, rows in (
        (User, accounts),
        (Agent, agents),
        (Credential, [Credential(agent=each, **proof, **own) for each in agents]),
        (Run, [Run(agent=each, task_id="t", **own) for each in agents]),
        (SignOff, [SignOff(agent=each, person=person) for each in agents]),
        (AgentUserPermission, [AgentUserPermission(content_object=each, user=person, permission=right) for each in agents]),
        (Grant, [Grant(user=each, **terms) for each in accounts]),
        (RoleAssignment, [RoleAssignment(user=each, role=world[Role], **own) for each in accounts]),
        (Consent, [Consent(user=person, agent=each, **terms) for each in agents]),
        (Delegation, [Delegation(delegator=world[Agent], delegate=each, **terms) for each in agents]),
        (Resource, [Resource(type=kind, external_id=name, **own) for name in names]),
    ):
        model._default_manager.bulk_create(rows, batch_size=500)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # As autovacuum would have done by then: without it the planner takes the tables for short ones.
            cursor.execute("ANALYZE")


def work(client: Any, address: str) -> int:
    """Measure what the database does for a page: steps of the embedded one, in fifties; or else rows that are touched."""
    if connection.vendor != "sqlite":
        before = _touched()
        assert client.get(address).status_code == 200
        return _touched() - before
    taken: list[None] = []
    connection.connection.set_progress_handler(lambda: taken.append(None), 50)
    try:
        assert client.get(address).status_code == 200
    finally:
        connection.connection.set_progress_handler(None, 0)
    return len(taken)


def _touched() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables")
        return int(cursor.fetchone()[0])


def test_pages_are_read_along_an_index_however_long_the_tables(
    as_: Callable[[str], Any], acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentiam.kit.administration.paging.MOST_LISTED", 100)
    client = as_("alice")
    for _ in range(2):  # what is read once in a process is read now
        client.get(to("changelist", Agent))
    pages = [
        *(to("changelist", model) for model in LONG),
        *(f"{to('changelist', Agent)}?state__exact={state}" for state in ("active", "retired")),
        f"{to('changelist', Agent)}?p=2",
        *(to("change", acme[model]) for model in (Agent, User, Credential, Grant)),
        to("do", acme[Agent], "transfer"),
        "/admin/autocomplete/?app_label=directory&model_name=credential&field_name=agent&term=",
    ]
    before = {address: work(client, address) for address in pages if "p=2" not in address}
    make_long(acme)
    after = {address: work(client, address) for address in pages}
    # A page of fifty rows and the count of a hundred, with what each row names; all MANY of them would be many times as much.
    most = 400
    assert {address: cost for address in pages if (cost := after[address] - before.get(address, 0)) > most} == {}
