"""The cast: alice, bob and carol of Acme, mallory of another organization, and an agent."""

from dataclasses import dataclass

import pytest

from directory.models import Agent, Organization, Team, User
from tests.factories import make_agent, make_organization, make_person, make_team
from tests.remembered import Remembered

EVERYTHING = (
    "view_user",
    "view_team",
    "view_agent",
    "view_blueprint",
    "view_run",
    "view_credential",
)


@dataclass
class Cast:
    """Alice sees everything of Acme, bob owns the agent, carol has no part in it, mallory sees everything of elsewhere."""

    acme: Organization
    elsewhere: Organization
    alice: User
    bob: User
    carol: User
    mallory: User
    sales: Team
    agent: Agent


def make_cast():
    acme, elsewhere = make_organization("acme"), make_organization("elsewhere")
    bob = make_person(acme, "bob")
    sales = make_team(acme, "sales")
    return Cast(
        acme=acme,
        elsewhere=elsewhere,
        alice=make_person(acme, "alice", permissions=EVERYTHING),
        bob=bob,
        carol=make_person(acme, "carol"),
        mallory=make_person(elsewhere, "mallory", permissions=EVERYTHING),
        sales=sales,
        agent=make_agent(acme, "crm-bot", owner=bob, sponsor_team=sales),
    )


_cast = Remembered(make_cast)


@pytest.fixture
def cast(db):
    return _cast()
