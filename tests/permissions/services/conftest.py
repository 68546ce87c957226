"""The cast: alice, bob and carol of Acme, mallory of elsewhere, agents of both, and records to be read."""

from dataclasses import dataclass

import pytest
from django.contrib.auth.models import Permission

from directory.models import Agent, Organization, Team, User
from permissions.models import Application, ResourceType
from tests.factories import make_agent, make_organization, make_person, make_team
from tests.permissions.factories import make_application, make_resource_type
from tests.remembered import Remembered

VIEWS = (
    "application",
    "applicationkey",
    "resourcetype",
    "resource",
    "role",
    "roleassignment",
    "grant",
    "guardrail",
    "consent",
    "delegation",
    "trust",
)


@dataclass
class Cast:
    """Alice sees everything of Acme, bob owns the agent and is in sales, carol has no part in it, mallory is elsewhere."""

    acme: Organization
    elsewhere: Organization
    alice: User
    bob: User
    carol: User
    mallory: User
    sales: Team
    agent: Agent
    planner: Agent
    foreign_agent: Agent
    crm: Application
    record: ResourceType

    @property
    def by(self):
        """Alice, as the one who acts."""
        return self.alice.as_actor()


def let_view(user):
    codenames = [f"view_{name}" for name in VIEWS]
    user.user_permissions.add(*Permission.objects.filter(content_type__app_label="permissions", codename__in=codenames))
    return User.objects.get(pk=user.pk)


def make_cast():
    acme, elsewhere = make_organization("acme"), make_organization("elsewhere")
    bob = make_person(acme, "bob")
    sales = make_team(acme, "sales", members=(bob,))
    alice = let_view(make_person(acme, "alice"))
    mallory = let_view(make_person(elsewhere, "mallory"))
    crm = make_application(acme, "crm")
    return Cast(
        acme=acme,
        elsewhere=elsewhere,
        alice=alice,
        bob=bob,
        carol=make_person(acme, "carol"),
        mallory=mallory,
        sales=sales,
        agent=make_agent(acme, "crm-bot", owner=bob, sponsor=alice),
        planner=make_agent(acme, "planner", owner=alice, sponsor=alice),
        foreign_agent=make_agent(elsewhere, "foreign", owner=mallory, sponsor=mallory),
        crm=crm,
        record=make_resource_type(acme, "record", application=crm),
    )


_cast = Remembered(make_cast)


@pytest.fixture
def cast(db):
    return _cast()
