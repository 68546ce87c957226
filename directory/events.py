"""What can happen in the directory, as the event log names it."""

from typing import Final

from audit.events import EventType, Severity

ORGANIZATION_CREATED: Final = EventType("organization.created", "An organization was created", Severity.MEDIUM)
ORGANIZATION_UPDATED: Final = EventType("organization.updated", "An organization was changed", Severity.LOW)
ORGANIZATION_SUSPENDED: Final = EventType("organization.suspended", "An organization was suspended", Severity.HIGH)
ORGANIZATION_RESUMED: Final = EventType("organization.resumed", "An organization was resumed", Severity.HIGH)

PERSON_CREATED: Final = EventType("person.created", "A person was added", Severity.LOW)
PERSON_UPDATED: Final = EventType("person.updated", "A person's account was changed", Severity.LOW)
PERSON_DEACTIVATED: Final = EventType("person.deactivated", "A person was deactivated", Severity.MEDIUM)
PERSON_REACTIVATED: Final = EventType("person.reactivated", "A person was reactivated", Severity.MEDIUM)

TEAM_CREATED: Final = EventType("team.created", "A team was created")
TEAM_UPDATED: Final = EventType("team.updated", "A team was renamed or moved", Severity.LOW)
TEAM_MEMBERS_CHANGED: Final = EventType("team.members_changed", "A team's members were changed", Severity.LOW)

BLUEPRINT_CREATED: Final = EventType("blueprint.created", "A blueprint was created", Severity.LOW)
BLUEPRINT_UPDATED: Final = EventType("blueprint.updated", "A blueprint was changed", Severity.MEDIUM)

AGENT_DISCOVERED: Final = EventType("agent.discovered", "An agent was seen that nobody had registered", Severity.MEDIUM)
AGENT_REGISTERED: Final = EventType("agent.registered", "An agent was registered", Severity.LOW)
AGENT_UPDATED: Final = EventType("agent.updated", "An agent's profile was changed", Severity.LOW)
AGENT_SIGNED_OFF: Final = EventType("agent.signed_off", "A person agreed to an agent's onboarding", Severity.LOW)
AGENT_ACTIVATED: Final = EventType("agent.activated", "An agent was activated", Severity.MEDIUM)
AGENT_SUSPENDED: Final = EventType("agent.suspended", "An agent was suspended", Severity.MEDIUM)
AGENT_RESUMED: Final = EventType("agent.resumed", "An agent was resumed", Severity.MEDIUM)
AGENT_RETIRED: Final = EventType("agent.retired", "An agent was retired", Severity.MEDIUM)
AGENT_TRANSFERRED: Final = EventType("agent.transferred", "An agent was transferred to somebody else", Severity.MEDIUM)
AGENT_SPAWNED: Final = EventType("agent.spawned", "An agent spawned another", Severity.LOW)
AGENT_OWNER_LEFT: Final = EventType("agent.owner_left", "An agent's owner left; it is ownerless", Severity.HIGH)
AGENT_SPONSOR_LEFT: Final = EventType("agent.sponsor_left", "An agent's sponsor left", Severity.MEDIUM)

RUN_STARTED: Final = EventType("run.started", "A run was started")
RUN_ENDED: Final = EventType("run.ended", "A run was ended")

CREDENTIAL_ISSUED: Final = EventType("credential.issued", "A credential was issued", Severity.MEDIUM)
CREDENTIAL_ROTATED: Final = EventType("credential.rotated", "A credential was rotated", Severity.LOW)
CREDENTIAL_REVOKED: Final = EventType("credential.revoked", "A credential was revoked", Severity.MEDIUM)

ACCESS_GIVEN: Final = EventType("access.given", "A right on one object was given", Severity.MEDIUM)
ACCESS_WITHDRAWN: Final = EventType("access.withdrawn", "A right on one object was withdrawn", Severity.MEDIUM)

EVENT_TYPES: Final = (
    ORGANIZATION_CREATED,
    ORGANIZATION_UPDATED,
    ORGANIZATION_SUSPENDED,
    ORGANIZATION_RESUMED,
    PERSON_CREATED,
    PERSON_UPDATED,
    PERSON_DEACTIVATED,
    PERSON_REACTIVATED,
    TEAM_CREATED,
    TEAM_UPDATED,
    TEAM_MEMBERS_CHANGED,
    BLUEPRINT_CREATED,
    BLUEPRINT_UPDATED,
    AGENT_DISCOVERED,
    AGENT_REGISTERED,
    AGENT_UPDATED,
    AGENT_SIGNED_OFF,
    AGENT_ACTIVATED,
    AGENT_SUSPENDED,
    AGENT_RESUMED,
    AGENT_RETIRED,
    AGENT_TRANSFERRED,
    AGENT_SPAWNED,
    AGENT_OWNER_LEFT,
    AGENT_SPONSOR_LEFT,
    RUN_STARTED,
    RUN_ENDED,
    CREDENTIAL_ISSUED,
    CREDENTIAL_ROTATED,
    CREDENTIAL_REVOKED,
    ACCESS_GIVEN,
    ACCESS_WITHDRAWN,
)
