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
PERSON_ROLES_CHANGED: Final = EventType("person.roles_changed", "A person's console roles were changed", Severity.HIGH)
PERSON_PASSWORD_CHANGED: Final = EventType("person.password_changed", "A person's password was changed", Severity.MEDIUM)
PERSON_PASSWORD_USED_UP: Final = EventType(
    "person.password_used_up", "A person signed in with their one-time password, which is void since", Severity.LOW
)
PERSON_PASSWORD_REMOVED: Final = EventType("person.password_removed", "A person's password was removed", Severity.MEDIUM)
SECOND_FACTOR_RESET: Final = EventType(
    "second_factor.reset", "Somebody else removed a person's second factors and ended their sessions", Severity.HIGH
)
SECOND_FACTOR_REMOVED: Final = EventType("second_factor.removed", "A person's second factor was removed", Severity.HIGH)
PASSKEY_REMOVED: Final = EventType("passkey.removed", "A person's passkey was removed", Severity.HIGH)
RECOVERY_CODES_REMOVED: Final = EventType("recovery_codes.removed", "A person's recovery codes were removed", Severity.MEDIUM)
IDENTITY_UNLINKED: Final = EventType(
    "identity.unlinked", "A person's link to an identity provider was removed", Severity.MEDIUM
)
SESSIONS_ENDED: Final = EventType("sessions.ended", "Sessions of a person were ended", Severity.LOW)
PERSON_KEY_ISSUED: Final = EventType("person_key.issued", "A person's key was issued", Severity.MEDIUM)
PERSON_KEY_ROTATED: Final = EventType("person_key.rotated", "A person's key was rotated", Severity.LOW)
PERSON_KEY_REVOKED: Final = EventType("person_key.revoked", "A person's key was revoked", Severity.MEDIUM)
PERSON_INVITED: Final = EventType("person.invited", "A person was invited", Severity.MEDIUM)
INVITATION_RESENT: Final = EventType("invitation.resent", "An invitation was sent again", Severity.LOW)
INVITATION_WITHDRAWN: Final = EventType("invitation.withdrawn", "An invitation was withdrawn", Severity.LOW)
INVITATION_ACCEPTED: Final = EventType("invitation.accepted", "An invitation was accepted", Severity.MEDIUM)

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
AGENT_FINGERPRINTED: Final = EventType("agent.fingerprinted", "An agent's first fingerprints were noted")
AGENT_CHANGED_UNREVIEWED: Final = EventType(
    "agent.changed_unreviewed", "An agent's model, charter or tools changed; it waits for a review", Severity.HIGH
)
AGENT_REVIEWED: Final = EventType("agent.reviewed", "A person reviewed an agent that had changed", Severity.MEDIUM)
AGENT_CARD_CHANGED: Final = EventType("agent_card.changed", "What an agent's card says was changed", Severity.LOW)
AGENT_CARD_PUBLISHED: Final = EventType("agent_card.published", "An agent's card was published", Severity.MEDIUM)
AGENT_CARD_WITHDRAWN: Final = EventType("agent_card.withdrawn", "An agent's card was withdrawn", Severity.LOW)
AGENT_OWNER_LEFT: Final = EventType("agent.owner_left", "An agent's owner left; it is ownerless", Severity.HIGH)
AGENT_BECAME_DORMANT: Final = EventType("agent.became_dormant", "An agent was not seen for long", Severity.LOW)
AGENT_EXPIRY_ANNOUNCED: Final = EventType("agent.expiry_announced", "An agent's end was announced", Severity.LOW)
AGENT_SPONSOR_LEFT: Final = EventType("agent.sponsor_left", "An agent's sponsor left", Severity.MEDIUM)

RUN_STARTED: Final = EventType("run.started", "A run was started")
RUN_ENDED: Final = EventType("run.ended", "A run was ended")

CREDENTIAL_ISSUED: Final = EventType("credential.issued", "A credential was issued", Severity.MEDIUM)
CREDENTIAL_ROTATED: Final = EventType("credential.rotated", "A credential was rotated", Severity.LOW)
CREDENTIAL_SHORTENED: Final = EventType("credential.shortened", "A credential's end was brought forward", Severity.LOW)
CREDENTIAL_REVOKED: Final = EventType("credential.revoked", "A credential was revoked", Severity.MEDIUM)
CREDENTIAL_EXPIRED: Final = EventType("credential.expired", "A credential's time was over", Severity.LOW)
CREDENTIAL_EXPIRY_ANNOUNCED: Final = EventType("credential.expiry_announced", "A credential's end was announced", Severity.LOW)
PERSON_KEY_EXPIRED: Final = EventType("person_key.expired", "The time of a person's key was over", Severity.LOW)
PERSON_KEY_EXPIRY_ANNOUNCED: Final = EventType(
    "person_key.expiry_announced", "The end of a person's key was announced", Severity.LOW
)
ONBOARDING_TOKEN_EXPIRED: Final = EventType("onboarding_token.expired", "An onboarding token's time was over", Severity.LOW)
ONBOARDING_TOKEN_EXPIRY_ANNOUNCED: Final = EventType(
    "onboarding_token.expiry_announced", "An onboarding token's end was announced", Severity.LOW
)
INVITATION_EXPIRED: Final = EventType("invitation.expired", "An invitation's time was over", Severity.LOW)

ONBOARDING_TOKEN_ISSUED: Final = EventType("onboarding_token.issued", "An onboarding token was issued", Severity.MEDIUM)
ONBOARDING_TOKEN_USED: Final = EventType("onboarding_token.used", "An agent was onboarded with a token", Severity.LOW)
ONBOARDING_TOKEN_REVOKED: Final = EventType("onboarding_token.revoked", "An onboarding token was revoked", Severity.MEDIUM)

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
    PERSON_ROLES_CHANGED,
    PERSON_PASSWORD_CHANGED,
    PERSON_PASSWORD_USED_UP,
    PERSON_PASSWORD_REMOVED,
    SECOND_FACTOR_RESET,
    SECOND_FACTOR_REMOVED,
    PASSKEY_REMOVED,
    RECOVERY_CODES_REMOVED,
    IDENTITY_UNLINKED,
    SESSIONS_ENDED,
    PERSON_KEY_ISSUED,
    PERSON_KEY_ROTATED,
    PERSON_KEY_REVOKED,
    PERSON_INVITED,
    INVITATION_RESENT,
    INVITATION_WITHDRAWN,
    INVITATION_ACCEPTED,
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
    AGENT_FINGERPRINTED,
    AGENT_CHANGED_UNREVIEWED,
    AGENT_REVIEWED,
    AGENT_CARD_CHANGED,
    AGENT_CARD_PUBLISHED,
    AGENT_CARD_WITHDRAWN,
    AGENT_OWNER_LEFT,
    AGENT_BECAME_DORMANT,
    AGENT_EXPIRY_ANNOUNCED,
    AGENT_SPONSOR_LEFT,
    RUN_STARTED,
    RUN_ENDED,
    CREDENTIAL_ISSUED,
    CREDENTIAL_ROTATED,
    CREDENTIAL_SHORTENED,
    CREDENTIAL_REVOKED,
    CREDENTIAL_EXPIRED,
    CREDENTIAL_EXPIRY_ANNOUNCED,
    PERSON_KEY_EXPIRED,
    PERSON_KEY_EXPIRY_ANNOUNCED,
    ONBOARDING_TOKEN_EXPIRED,
    ONBOARDING_TOKEN_EXPIRY_ANNOUNCED,
    INVITATION_EXPIRED,
    ONBOARDING_TOKEN_ISSUED,
    ONBOARDING_TOKEN_USED,
    ONBOARDING_TOKEN_REVOKED,
    ACCESS_GIVEN,
    ACCESS_WITHDRAWN,
)
