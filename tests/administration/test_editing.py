"""What the admin adds and changes, a service adds and changes: with one event, one version, and a reason."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin

from audit.models import Event
from directory.lifecycle import State
from directory.models import (
    Agent,
    AgentGroupPermission,
    AgentUserPermission,
    Blueprint,
    Credential,
    Invitation,
    OnboardingToken,
    Organization,
    PersonKey,
    Team,
    User,
)
from directory.services.teams import update_team
from permissions.models import (
    Application,
    ApplicationGroupPermission,
    ApplicationKey,
    BlueprintRole,
    Delegation,
    Entitlement,
    Grant,
    Guardrail,
    GuardrailVersion,
    Replacement,
    Resource,
    ResourceType,
    Role,
    RoleAssignment,
    RoleInclusion,
    RoleUserPermission,
    Trust,
    TrustedIssuer,
)
from tests.administration.conftest import problems, registered, submit, to
from tests.administration.worlds import World
from tests.factories import NOW, SYSTEM, make_agent
from tests.permissions.factories import make_role

CHANGES: dict[Any, tuple[str, dict[str, Any]]] = {
    Organization: ("organization.updated", {"name": "Other"}),
    User: ("person.updated", {"name": "Other"}),
    Team: ("team.updated", {"name": "Other"}),
    Blueprint: ("blueprint.updated", {"name": "Other"}),
    Agent: ("agent.updated", {"name": "Other"}),
    Application: ("application.updated", {"name": "Other"}),
    ResourceType: ("resource_type.updated", {"actions": "read\nwrite\ndelete\nshare"}),
    Resource: ("resource.updated", {"attributes": '{"status": "open"}'}),
    Role: ("role.updated", {"name": "Other"}),
    Guardrail: ("guardrail.drafted", {"told": "Other"}),
    TrustedIssuer: ("trusted_issuer.updated", {"audience": "api://acme"}),
}


def adding(world: World) -> dict[Any, tuple[str, dict[str, Any]]]:
    """Say what to fill in to add a row of each kind, and which event that makes."""
    person, agent, kind, role, team = world[User], world[Agent], world[ResourceType], world[Role], world[Team]
    entitlement = {"resource_type": kind.pk, "actions": "write", "where": 'resource.status == "open"', "fields": "title"}
    other = make_agent(world[Organization], "Acme-other", owner=person, state=State.PENDING)
    third = make_agent(world[Organization], "Acme-third", owner=person)
    new_role = make_role(world[Organization], "Acme-new")
    jwk = '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'
    answering = {"owner": person.pk, "sponsor": person.pk}
    agent_given = {"external_id": "new", "name": "New", "purpose": "To be new.", "blueprint": world[Blueprint].pk}
    return {
        User: ("person.created", {"external_id": "new", "username": "new@acme.example", "name": "New"}),
        PersonKey: ("person_key.issued", {"label": "new", "scopes": ["read"]}),
        Team: ("team.created", {"external_id": "new", "name": "New", "parent": team.pk}),
        Invitation: ("person.invited", {"email": "new@acme.example", "teams": [team.pk]}),
        Blueprint: ("blueprint.created", {"external_id": "new", "name": "New", "ceiling": ""}),
        Agent: ("agent.registered", agent_given | answering),
        Credential: ("credential.issued", {"agent": agent.pk, "label": "new", "allowed_networks": "10.0.0.0/8"}),
        OnboardingToken: ("onboarding_token.issued", {"blueprint": world[Blueprint].pk, "label": "new", **answering}),
        AgentUserPermission: ("access.given", {"content_object": agent.pk, "right": "grant_agent", "to": person.pk}),
        AgentGroupPermission: ("access.given", {"content_object": agent.pk, "right": "grant_agent", "to": team.pk}),
        ApplicationGroupPermission: (
            "access.given",
            {"content_object": world[Application].pk, "right": "view_application", "to": team.pk},
        ),
        RoleUserPermission: ("access.given", {"content_object": role.pk, "right": "manage_role", "to": person.pk}),
        Application: ("application.created", {"slug": "new", "name": "New"}),
        ApplicationKey: ("application_key.issued", {"application": world[Application].pk, "label": "new"}),
        ResourceType: ("resource_type.declared", {"application": world[Application].pk, "name": "new", "actions": "read"}),
        Resource: ("resource.registered", {"type": kind.pk, "external_id": "new", "parent": world[Resource].pk}),
        Role: ("role.created", {"external_id": "new", "name": "New"}),
        Entitlement: ("role.entitlements_changed", {"role": role.pk} | entitlement),
        RoleInclusion: ("role.inclusions_changed", {"role": role.pk, "included": new_role.pk}),
        BlueprintRole: ("blueprint.roles_changed", {"blueprint": world[Blueprint].pk, "role": new_role.pk}),
        RoleAssignment: ("role.assigned", {"role": role.pk, "team": team.pk, "ends_at": "2099-01-01T00:00:00"}),
        Grant: ("grant.given", {"user": person.pk} | entitlement),
        Guardrail: ("guardrail.drafted", {"external_id": "new", "name": "New", "effect": "mask", "data_classes": ["personal"]}),
        Delegation: ("delegation.given", {"delegator": agent.pk, "delegate": other.pk} | entitlement),
        Trust: ("trust.proposed", {"issuer": "https://new.example", "keys": jwk, "data_classes": ["public"]}),
        TrustedIssuer: (
            "trusted_issuer.added",
            {"name": "New", "issuer": "https://new.example", "uses": ["people"], "user_claim": "email", "jwks": jwk},
        ),
        Replacement: ("replacement.proposed", {"predecessor": third.pk, "successor": other.pk}),
    }


def test_each_change_is_one_event_and_one_version_with_its_reason(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    for model, (name, values) in CHANGES.items():
        row = acme[model]
        history = (GuardrailVersion if model is Guardrail else model).history
        events, versions = Event.objects.count(), history.count()
        answer = submit(client, to("change", row), **values)
        assert answer.status_code == 302, (model, problems(answer))
        event = Event.objects.latest("id")
        assert Event.objects.count() == events + 1, model
        assert (event.type, event.actor_id, event.reason) == (name, "alice", "Because of it.")
        assert event.request_id == answer.headers["X-Request-Id"]
        assert '"address":"127.0.0.1"' in event.body
        version = history.order_by("-history_id").first()
        assert history.count() == versions + 1, model
        assert (version.history_user.external_id, version.history_change_reason) == ("alice", "Because of it.")


def test_whatever_can_be_changed_is_tried_here() -> None:
    changing = {model for model in registered() if getattr(admin.site.get_model_admin(model), "changing", ())}
    assert changing == set(CHANGES)


def test_each_row_is_added_by_its_service(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    given = adding(acme)
    for model, (name, values) in given.items():
        events, rows = Event.objects.count(), model._default_manager.count()
        answer = submit(client, to("add", model), **values)
        secret = "secret_page" in str(answer.template_name) if hasattr(answer, "template_name") else False
        assert answer.status_code == 302 or secret, (model, problems(answer))
        assert model._default_manager.count() == rows + 1, model
        assert Event.objects.count() == events + 1, model
        event = Event.objects.latest("id")
        assert (event.type, event.actor_id, event.reason) == (name, "alice", "Because of it."), model


def test_whatever_can_be_added_is_tried_here(acme: World) -> None:
    tried = set(adding(acme))
    addable = {model for model in registered() if getattr(admin.site.get_model_admin(model), "adding", ())}
    # The tables of rights are alike: the same class with another table.
    assert {model for model in addable - tried if not model.__name__.endswith("Permission")} == set()


def test_a_reason_is_asked_for(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    before = Event.objects.count()
    for address in (to("change", acme[Agent]), to("add", Team), to("do", acme[Agent], "suspend")):
        answer = submit(client, address, name="Other", external_id="new", reason=" ")
        assert answer.status_code == 200
        assert "reason" in problems(answer)
    assert Event.objects.count() == before


def test_what_says_the_same_changes_nothing(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    for model in CHANGES:
        before = Event.objects.count()
        answer = submit(client, to("change", acme[model]))
        assert answer.status_code == 302, (model, problems(answer))
        assert Event.objects.count() == before, model
    assert "Nothing was changed" in client.get("/admin/").content.decode()


def test_a_refusal_is_said_with_its_remedy_and_nothing_is_lost(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    before = Event.objects.count()
    answer = submit(
        client,
        to("add", Grant),
        user=acme[User].pk,
        resource_type=acme[ResourceType].pk,
        actions="fly",
        where="resource.status ==",
    )
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "declares no action &#x27;fly&#x27;. Known: read, write, delete." in page
    assert "resource.status ==" in page
    assert "Because of it." in page
    assert "Acme Person" in page
    assert Event.objects.count() == before
    answer = submit(client, to("change", acme[ResourceType]), actions="other")
    assert "Rules name actions that would be removed" in answer.content.decode()
    answer = submit(client, to("add", Grant), resource_type=acme[ResourceType].pk, actions="read")
    assert "Name the account or the team" in problems(answer)
    answer = submit(client, to("add", Trust), partner_slug="nobody")
    assert "can be found here" in problems(answer)


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Agent, {"capabilities": "no json"}),
        (Agent, {"capabilities": '{"a": 1}'}),
        (Agent, {"capabilities": '[{"type": "x", "actions": ["a\\u0000"]}]'}),
        (Agent, {"name": "a\0b"}),
        (Agent, {"name": "a" * 201}),
        (Agent, {"team": "nonsense"}),
        (Agent, {"expires_at": "yesterday"}),
        (Agent, {"expires_at": "2001-01-01T00:00:00"}),
        (Blueprint, {"spawn_depth": "-1"}),
        (Blueprint, {"credential_days": "0"}),
        (Blueprint, {"credential_methods": ["telepathy"]}),
        (Organization, {"time_zone": "Mars/Olympus"}),
        (Organization, {"subject_types": "[1]"}),
        (User, {"attributes": '"x"'}),
        (User, {"email": "no address"}),
        (Guardrail, {"when": "1 +"}),
        (Guardrail, {"resource_type": "nonsense"}),
        (Resource, {"attributes": '{"nothing": 1}'}),
        (ResourceType, {"attributes": "[1]"}),
        (ResourceType, {"attributes": '{"a": ["b"]}'}),
        (ResourceType, {"fields": '{"a": {"b": 1}}'}),
    ],
)
def test_bad_values_come_back_as_errors(as_: Callable[[str], Any], acme: World, model: Any, values: dict[str, Any]) -> None:
    client = as_("alice")
    before = Event.objects.count()
    answer = submit(client, to("change", acme[model]), **values)
    assert answer.status_code == 200
    assert answer.context["errors"]
    assert Event.objects.count() == before


def test_nobody_overwrites_what_they_have_not_seen(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    from tests.administration.conftest import filled_in

    page = client.get(to("change", acme[Team]))
    sent = filled_in(page.context["adminform"].form, name="Mine", reason="Because.")
    update_team(team=acme[Team], name="Theirs", parent=None, by=SYSTEM, reason="Sooner.", now=NOW)
    answer = client.post(to("change", acme[Team]), sent)
    assert "Somebody has changed it meanwhile" in answer.content.decode()
    assert "Mine" in answer.content.decode()
    assert Team.objects.get(pk=acme[Team].pk).name == "Theirs"
    sent.pop("seen")
    assert client.post(to("change", acme[Team]), sent).status_code == 200
    assert Team.objects.get(pk=acme[Team].pk).name == "Theirs"


def test_fields_that_are_only_shown_cannot_be_sent(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    sent = {
        "state": "retired",
        "spiffe_id": "spiffe://evil/agent",
        "ownerless": "on",
        "organization": acme[Organization].pk,
        "owner": "",
        "is_superuser": "on",
        "is_staff": "on",
        "password": "known",
        "console_roles": '["security_administrator"]',
        "digest": "0" * 64,
        "revision": "99",
        "slug": "other",
    }
    for model in (Agent, User, Organization, Application):
        before: dict[str, Any] = model._default_manager.filter(pk=acme[model].pk).values().get()
        assert submit(client, to("change", acme[model]), name="Other", **sent).status_code == 302
        after: dict[str, Any] = model._default_manager.filter(pk=acme[model].pk).values().get()
        changed = {name for name in before if before[name] != after[name]} - {"revision"}
        assert changed == {"name"}, model


def test_an_agents_account_and_a_retired_agent_are_only_shown(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    address = to("change", acme[Agent].user)
    assert 'name="name"' not in client.get(address).content.decode()
    assert client.post(address, {"name": "Other", "reason": "Because."}).status_code == 403
    submit(client, to("do", acme[Agent], "retire"))
    address = to("change", acme[Agent])
    assert 'name="purpose"' not in client.get(address).content.decode()
    assert client.post(address, {"name": "Other", "reason": "Because."}).status_code == 403


def test_a_team_is_moved_and_its_people_are_set_each_by_its_own_service(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    before = Event.objects.count()
    other = User.objects.get(external_id="Acme-approver")
    submit(client, to("change", acme[Team]), members=[str(other.pk)])
    assert Event.objects.count() == before + 1
    assert Event.objects.latest("id").type == "team.members_changed"
    assert list(acme[Team].members.all()) == [other]
    submit(client, to("change", acme[Team]), members=[str(acme[User].pk)], name="Both")
    assert Event.objects.count() == before + 3


def test_nobody_joins_a_team_in_the_admin(as_: Callable[[str], Any], acme: World) -> None:
    client, alice = as_("alice"), User.objects.get(external_id="alice")
    before = Event.objects.count()
    answer = submit(client, to("change", acme[Team]), members=[str(alice.pk)], name="Mine")
    assert "Nobody brings themselves into a team." in problems(answer)
    # Nor is the other half of the form done.
    team = Team.objects.get(pk=acme[Team].pk)
    assert team.name != "Mine"
    assert not team.members.filter(pk=alice.pk).exists()
    assert Event.objects.count() == before


def test_nobody_gives_a_right_that_they_do_not_have(acme: World, as_: Callable[[str], Any]) -> None:
    from django.contrib.auth.models import Permission

    from tests.administration.conftest import person

    staff = person(acme[Organization], "dora", is_staff=True)
    names = ("add_agentuserpermission", "view_agentuserpermission", "view_agent", "view_user")
    staff.user_permissions.set(Permission.objects.filter(codename__in=names))
    from django.test import Client

    client = Client()
    client.force_login(staff)
    values = {"content_object": acme[Agent].pk, "right": "grant_agent", "to": acme[User].pk}
    answer = submit(client, to("add", AgentUserPermission), **values)
    assert "does not have grant_agent" in problems(answer)
    assert AgentUserPermission.objects.filter(permission__codename="grant_agent").count() == 0


def test_what_a_service_refuses_of_one_value_is_said_at_its_field(as_: Callable[[str], Any]) -> None:
    client = as_("alice")
    wrong = submit(client, to("add", PersonKey), label="new", scopes=["read"], allowed_networks="nowhere")
    assert list(wrong.context["adminform"].form.errors) == ["allowed_networks"]
    nameless = submit(client, to("add", PersonKey), label="", scopes=["read"])
    assert list(nameless.context["adminform"].form.errors) == ["label"]
    assert nameless.context["adminform"].form.fields["label"].required
