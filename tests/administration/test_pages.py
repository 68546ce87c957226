import re
from collections.abc import Callable

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client

from agentiam.kit.administration.records import RecordAdmin
from audit.models import Event
from directory.models import Agent, Organization, Team, User
from permissions.models import ApplicationKey
from tests.administration.conftest import person, registered, submit, to
from tests.administration.worlds import World

OURS = ("audit", "directory", "permissions", "jobs", "api")


def test_every_model_of_ours_is_in_the_admin() -> None:
    missing = [
        model._meta.label
        for label in OURS
        for model in apps.get_app_config(label).get_models()
        # A version is read on the page of the history of its row.
        if not admin.site.is_registered(model) and not hasattr(model, "instance_type")
    ]
    assert missing == []


def test_every_model_with_versions_has_a_page_for_them() -> None:
    for model in registered():
        names = {str(pattern.name) for pattern in admin.site.get_model_admin(model).get_urls()}
        assert any(name.endswith("_history") for name in names) == hasattr(model, "history")


def test_nothing_is_in_the_admin_that_does_not_scope_what_it_shows() -> None:
    assert {model._meta.app_label for model in registered()} == set(OURS)
    assert all(isinstance(admin.site.get_model_admin(model), RecordAdmin) for model in registered())


def test_the_world_of_these_tests_has_a_row_of_every_model(acme: World) -> None:
    assert set(acme) == set(registered())


def test_staff_see_by_console_role_what_is_theirs_to_see(as_: Callable[[str], Client]) -> None:
    listed = {
        who: {
            model["object_name"]: model["perms"]
            for app in as_(who).get("/admin/").context["app_list"]
            for model in app["models"]
        }
        for who in ("alice", "carol")
    }
    assert (
        listed["alice"].keys() == listed["carol"].keys() == {m._meta.object_name for m in registered()} - {"RememberedAnswer"}
    )
    assert not any(perms["add"] or perms["change"] or perms["delete"] for perms in listed["carol"].values())
    assert {name for name, perms in listed["alice"].items() if perms["change"]} == {
        "Agent", "Application", "Blueprint", "Guardrail", "Organization", "Resource", "ResourceType", "Role", "Team", "User",
        "TrustedIssuer",
    }  # fmt: skip
    assert not any(perms["delete"] for perms in listed["alice"].values())


def test_a_right_to_view_shows_and_a_right_to_change_changes(acme: World) -> None:
    staff = person(acme[Organization], "dora", is_staff=True)
    client = Client()
    client.force_login(staff)
    address = to("change", acme[Agent])
    assert client.get(address).status_code == 403
    assert client.get(to("changelist", Agent)).status_code == 403
    staff.user_permissions.add(Permission.objects.get(content_type__app_label="directory", codename="view_agent"))
    shown = client.get(address)
    assert shown.status_code == 200
    assert "Acme purpose" in shown.content.decode()
    assert 'name="purpose"' not in shown.content.decode()
    assert client.post(address, {"name": "Other", "reason": "Because."}).status_code == 403
    staff.user_permissions.add(Permission.objects.get(content_type__app_label="directory", codename="change_agent"))
    assert 'name="purpose"' in client.get(address).content.decode()
    # It names a team that this person does not see; that it does stays as it is.
    assert submit(client, address, name="Other").status_code == 302
    assert Agent.objects.get(pk=acme[Agent].pk).team == acme[Team]
    assert Agent.objects.get(pk=acme[Agent].pk).name == "Other"
    # To change an agent is not to stop it, nor to read its history.
    assert client.get(to("do", acme[Agent], "suspend")).status_code == 403
    assert client.get(to("history", acme[Agent])).status_code == 403


def test_nobody_comes_in_who_is_not_staff_or_not_active_any_more(
    acme: World, as_: Callable[[str], Client], people: dict
) -> None:
    client = as_("alice")
    assert client.get("/admin/").status_code == 200
    people["alice"].is_staff = False
    people["alice"].save()
    assert client.get("/admin/").status_code == 403
    people["alice"].is_staff, people["alice"].is_active = True, False
    people["alice"].save()
    assert client.get("/admin/").headers["Location"].startswith("/login/")
    agent = Client()
    agent.force_login(acme[Agent].user, backend="django.contrib.auth.backends.ModelBackend")
    assert agent.get("/admin/").status_code in (302, 403)


def test_every_page_has_the_strict_policy_and_is_kept_nowhere(as_: Callable[[str], Client], acme: World) -> None:
    client = as_("alice")
    for address in ("/admin/", to("changelist", Agent), to("change", acme[Agent]), to("history", acme[Agent])):
        answer = client.get(address)
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert "no-store" in answer.headers["Cache-Control"]
        page = answer.content.decode()
        assert " style=" not in page
        assert "<style" not in page
        assert all("src=" in tag.split(">")[0] for tag in page.split("<script")[1:])


def test_times_are_in_utc_with_the_zone_beside_them_and_of_events_to_the_second(
    as_: Callable[[str], Client], acme: World
) -> None:
    client, event, agent = as_("alice"), acme[Event], acme[Agent]
    moment = f"{event.at:%Y-%m-%d %H:%M:%S} UTC"
    assert moment in client.get(to("change", event)).content.decode()
    assert moment in client.get(to("changelist", Event), {"q": str(event.pk)}).content.decode()
    assert f"{agent.created_at:%Y-%m-%d %H:%M} UTC" in client.get(to("change", agent)).content.decode()
    for address in (to("changelist", Event), to("changelist", ApplicationKey), to("change", agent), to("history", agent)):
        assert not re.search(r"\d [ap]\.m\.", client.get(address).content.decode()), address


def test_abbreviations_are_in_capitals(as_: Callable[[str], Client], acme: World) -> None:
    for who in ("alice", "carol"):
        shown = as_(who).get(to("change", acme[Agent])).content.decode()
        for label in ("ID", "External ID", "SPIFFE ID"):
            assert f">{label}:</label>" in shown, (who, label)
        assert "Spiffe" not in shown


def test_the_index_shows_what_the_person_did_last(as_: Callable[[str], Client], acme: World) -> None:
    client = as_("alice")
    assert "agent.suspended" not in client.get("/admin/").content.decode()
    submit(client, to("do", acme[Agent], "suspend"))
    assert "agent.suspended" in client.get("/admin/").content.decode()
    assert "agent.suspended" not in as_("carol").get("/admin/").content.decode()


def test_the_dashboard_leads_staff_to_the_admin_and_nobody_else(as_: Callable[[str], Client]) -> None:
    assert 'href="/admin/"' in as_("alice").get("/").content.decode()
    assert 'href="/admin/"' in as_("carol").get("/").content.decode()
    assert 'href="/admin/"' not in as_("bob").get("/").content.decode()


def test_how_somebody_signs_in_is_counted_for_those_who_may_end_it(
    as_: Callable[[str], Client], acme: World, people: dict[str, User]
) -> None:
    bob = people["bob"]
    Authenticator.objects.create(user=bob, type="webauthn", data={"name": "Laptop", "credential": {"id": "sealed"}})
    Client().force_login(bob)
    shown = as_("alice").get(to("change", bob)).content.decode()
    for name in ("second_factors", "sessions"):
        assert re.search(rf'field-{name}".*?<div class="readonly">1</div>', shown, re.DOTALL)
    assert "sealed" not in shown
    # Carol audits: she sees bob, and not whom to attack.
    assert "field-second_factors" not in as_("carol").get(to("change", bob)).content.decode()
    assert "field-second_factors" not in as_("alice").get(to("change", acme[Agent].user)).content.decode()
    assert "field-second_factors" not in as_("alice").get(to("add", User)).content.decode()
