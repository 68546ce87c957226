"""Acme's agent runner, which holds something in every way: a role that includes another, a grant, a blueprint, guardrails."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Permission

from directory.models import Agent, Organization, User
from permissions.models import ResourceType, Role
from permissions.questions import Asked, Entity
from permissions.services.roles import set_blueprint_roles, set_role_inclusions
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_organization, make_person
from tests.permissions.factories import (
    make_application,
    make_assignment,
    make_consent,
    make_grant,
    make_guardrail,
    make_resource,
    make_resource_type,
    make_role,
    spec,
)
from tests.remembered import Remembered

LATER = NOW + timedelta(days=30)


@dataclass
class Scene:
    """Bob owns the agent, alice sees everything and reads the log, carol has no part in it, mallory is elsewhere."""

    acme: Organization
    alice: User
    bob: User
    carol: User
    mallory: User
    runner: Agent
    helper: Agent
    record: ResourceType
    reader: Role
    support: Role
    more: dict[str, Any] = field(default_factory=dict)


def with_permissions(user: User, *names: str) -> User:
    """Give model permissions by their full names."""
    for name in names:
        label, codename = name.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=label, codename=codename))
    return User.objects.get(pk=user.pk)


def make_scene() -> Scene:
    acme, elsewhere = make_organization("acme"), make_organization("elsewhere")
    alice, bob, carol = (make_person(acme, name) for name in ("alice", "bob", "carol"))
    alice = with_permissions(
        alice, "audit.view_event", "directory.view_agent", "permissions.view_grant", "permissions.view_guardrail"
    )
    mallory = with_permissions(make_person(elsewhere, "mallory"), "audit.view_event", "directory.view_agent")
    crm = make_application(acme, "crm")
    record = make_resource_type(acme, "record", application=crm)
    make_resource(record, "record-1", status="active", region="EU")
    make_resource(record, "record-2", status="active", region="US")
    reader = make_role(acme, "reader", spec(where='resource.region == "EU"', fields=["title", "email"]))
    support = make_role(acme, "support")
    set_role_inclusions(role=support, included=[reader], by=SYSTEM, now=NOW)
    inherited = make_role(acme, "inherited", spec(actions=["delete"]))
    ceiling = [{"type": "record", "actions": ["read", "write"]}]
    blueprint = make_blueprint(acme, "clerk", ceiling=ceiling, spawn_depth=2, spawn_children=9)
    set_blueprint_roles(blueprint=blueprint, roles=[inherited], by=SYSTEM, now=NOW)
    runner = make_agent(acme, "runner", owner=bob, sponsor=bob, blueprint=blueprint)
    helper = make_agent(parent=runner, external_id="helper")
    assignment = make_assignment(support, runner.user, ends_at=LATER)
    grant = make_grant(acme, runner.user, spec(actions=["write"], when="context.hour < 18", fields=["title"]))
    make_guardrail(acme, "mask-mail", effect="mask", resource_type=record, actions=["read"], fields=["email"])
    make_guardrail(
        acme, "big", effect="require_approval", resource_type=record, actions=["write"], when="action.properties.amount > 200.0"
    )
    scene = Scene(acme, alice, bob, carol, mallory, runner, helper, record, reader, support)
    scene.more |= {"assignment": assignment, "grant": grant, "blueprint": blueprint, "crm": crm, "elsewhere": elsewhere}
    return scene


def let_act_for_alice(scene: Scene) -> None:
    """Let the agent read on alice's behalf what she may read herself."""
    make_grant(scene.acme, scene.alice, spec(fields=["title"]))
    make_consent(scene.alice, scene.runner, scene.record)


def asked(action: str = "read", resource: str = "record-1", *, subject: str = "runner", **more: Any) -> Asked:
    """Ask about the agent."""
    return Asked(subject=Entity("agent", subject), action=action, resource=Entity("record", resource), **more)


remembered_scene = Remembered(make_scene)
