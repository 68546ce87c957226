"""What is allowed in acme, beside the cast of tests/api: an application with a type, roles, and rights on single objects."""

from dataclasses import dataclass
from typing import Any

import pytest

from directory.models import Agent, Organization, User
from directory.services.access import give_access as give_access_in_directory
from permissions.models import Application, ResourceType, Role
from permissions.services.access import give_access
from tests.factories import NOW, SYSTEM, make_agent
from tests.permissions.factories import make_application, make_resource, make_resource_type, make_role, spec


@dataclass
class World:
    """Olivia owns runner; helper is alice's. dave manages the CRM."""

    acme: Organization
    people: dict[str, User]
    runner: Agent
    helper: Agent
    crm: Application
    record: ResourceType
    reader: Role

    def let(self, name: str, right: str, thing: Any) -> None:
        """Give somebody of the cast a right on a single object."""
        give: Any = give_access if isinstance(thing, (Application, Role)) else give_access_in_directory
        give(thing=thing, right=right, to=self.people[name], by=SYSTEM, now=NOW)


@pytest.fixture
def world(acme: Organization, people: dict[str, User], agent: Agent) -> World:
    crm = make_application(acme, "crm")
    record = make_resource_type(acme, "record", application=crm)
    make_resource(record, "r1", region="EU")
    make_resource(record, "r2", region="US")
    reader = make_role(acme, "reader", spec(where='resource.region == "EU"', fields=["title"]))
    helper = make_agent(acme, "helper", owner=people["alice"])
    made = World(acme, people, agent, helper, crm, record, reader)
    made.let("dave", "manage_application", crm)
    return made


def held(world: World, agent: Agent | None = None) -> dict[str, str]:
    """Name the holder of a grant or role."""
    return {"agent": str((agent or world.runner).pk)}


def grant(world: World, agent: Agent | None = None, **more: Any) -> dict[str, Any]:
    """Write down a grant: to read records."""
    return {"holder": held(world, agent), "type": "record", "actions": ["read"], **more}
