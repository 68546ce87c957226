"""Agents and people leave, in the admin: all that they hold ends with them, and a signed proof says so."""

from agentiam.kit.administration.operations import Operation, offer
from directory.lifecycle import State
from directory.models import Agent, User
from permissions.services.offboarding import offboard_agent, offboard_person

offer(
    Agent,
    Operation(
        name="retire",
        label="Retire",
        effect="The agent, every agent that descends from it, and everything that they hold end now, for good.",
        right="manage_agent",
        perform=lambda row, _, act: offboard_agent(agent=row, **act)[0],
        possible=lambda row: row.state != State.RETIRED,
        drastic=True,
    ),
)
offer(
    User,
    Operation(
        name="offboard",
        label="Offboard",
        effect="The account is closed, and everything that the person holds and gave ends now.",
        right="change_user",
        perform=lambda row, _, act: offboard_person(person=row, **act)[0],
        possible=lambda row: row.is_person,
        drastic=True,
    ),
)
