"""What can happen to what is allowed, as the event log names it."""

from typing import Final

from audit.events import EventType, Severity

APPLICATION_CREATED: Final = EventType("application.created", "An application was added", Severity.LOW)
APPLICATION_UPDATED: Final = EventType("application.updated", "An application was changed", Severity.LOW)
APPLICATION_SUSPENDED: Final = EventType("application.suspended", "An application was suspended", Severity.MEDIUM)
APPLICATION_RESUMED: Final = EventType("application.resumed", "An application was resumed", Severity.MEDIUM)
APPLICATION_KEY_ISSUED: Final = EventType("application_key.issued", "An application's key was issued", Severity.MEDIUM)
APPLICATION_KEY_ROTATED: Final = EventType("application_key.rotated", "An application's key was rotated", Severity.LOW)
APPLICATION_KEY_REVOKED: Final = EventType("application_key.revoked", "An application's key was revoked", Severity.MEDIUM)

RESOURCE_TYPE_DECLARED: Final = EventType("resource_type.declared", "A resource type was declared", Severity.LOW)
RESOURCE_TYPE_UPDATED: Final = EventType("resource_type.updated", "A resource type was changed", Severity.MEDIUM)
RESOURCE_TYPE_REMOVED: Final = EventType("resource_type.removed", "A resource type was removed", Severity.MEDIUM)
RESOURCE_REGISTERED: Final = EventType("resource.registered", "A resource was registered")
RESOURCE_UPDATED: Final = EventType("resource.updated", "A resource was changed or moved")
RESOURCE_REMOVED: Final = EventType("resource.removed", "A resource was removed")

ROLE_CREATED: Final = EventType("role.created", "A role was created", Severity.LOW)
ROLE_UPDATED: Final = EventType("role.updated", "A role was renamed or described anew")
ROLE_REMOVED: Final = EventType("role.removed", "A role was removed", Severity.MEDIUM)
ROLE_ENTITLEMENTS_CHANGED: Final = EventType("role.entitlements_changed", "A role's entitlements were changed", Severity.MEDIUM)
ROLE_INCLUSIONS_CHANGED: Final = EventType("role.inclusions_changed", "What a role includes was changed", Severity.MEDIUM)
BLUEPRINT_ROLES_CHANGED: Final = EventType("blueprint.roles_changed", "A blueprint's roles were changed", Severity.MEDIUM)

APPLICATION_KEY_EXPIRED: Final = EventType("application_key.expired", "The time of an application's key was over", Severity.LOW)
APPLICATION_KEY_EXPIRY_ANNOUNCED: Final = EventType(
    "application_key.expiry_announced", "The end of an application's key was announced", Severity.LOW
)
ASSIGNMENT_EXPIRED: Final = EventType("assignment.expired", "A role assignment's time was over", Severity.LOW)
ASSIGNMENT_EXPIRY_ANNOUNCED: Final = EventType(
    "assignment.expiry_announced", "A role assignment's end was announced", Severity.LOW
)
GRANT_EXPIRED: Final = EventType("grant.expired", "A grant's time was over", Severity.LOW)
GRANT_EXPIRY_ANNOUNCED: Final = EventType("grant.expiry_announced", "A grant's end was announced", Severity.LOW)
CONSENT_EXPIRED: Final = EventType("consent.expired", "A consent's time was over", Severity.LOW)
CONSENT_EXPIRY_ANNOUNCED: Final = EventType("consent.expiry_announced", "A consent's end was announced", Severity.LOW)
DELEGATION_EXPIRED: Final = EventType("delegation.expired", "A delegation's time was over", Severity.LOW)
DELEGATION_EXPIRY_ANNOUNCED: Final = EventType("delegation.expiry_announced", "A delegation's end was announced", Severity.LOW)
TRUST_EXPIRED: Final = EventType("trust.expired", "The time of a trust between organizations was over", Severity.MEDIUM)
TRUST_EXPIRY_ANNOUNCED: Final = EventType(
    "trust.expiry_announced", "The end of a trust between organizations was announced", Severity.LOW
)

ROLE_ASSIGNED: Final = EventType("role.assigned", "A role was assigned", Severity.MEDIUM)
ASSIGNMENT_ENDED: Final = EventType("assignment.ended", "A role assignment was ended", Severity.LOW)
GRANT_GIVEN: Final = EventType("grant.given", "A grant was given", Severity.MEDIUM)
GRANT_ENDED: Final = EventType("grant.ended", "A grant was ended", Severity.LOW)

GUARDRAIL_DRAFTED: Final = EventType("guardrail.drafted", "A guardrail was drafted", Severity.LOW)
GUARDRAIL_PUBLISHED: Final = EventType("guardrail.published", "A guardrail was put in force", Severity.HIGH)
GUARDRAIL_WITHDRAWN: Final = EventType("guardrail.withdrawn", "A guardrail was withdrawn", Severity.HIGH)

CONSENT_GIVEN: Final = EventType("consent.given", "A user consented to an agent", Severity.LOW)
CONSENT_ENDED: Final = EventType("consent.ended", "A user's consent was ended", Severity.LOW)
DELEGATION_GIVEN: Final = EventType("delegation.given", "An agent let another act for it", Severity.MEDIUM)
DELEGATION_ENDED: Final = EventType("delegation.ended", "A delegation was ended", Severity.LOW)

REPLACEMENT_PROPOSED: Final = EventType("replacement.proposed", "A replacement was proposed", Severity.LOW)
REPLACEMENT_COMPARED: Final = EventType("replacement.compared", "The difference of a replacement was taken anew")
REPLACEMENT_REVIEWED: Final = EventType("replacement.reviewed", "A replacement was agreed to", Severity.MEDIUM)
REPLACEMENT_COMPLETED: Final = EventType("replacement.completed", "A successor took over", Severity.MEDIUM)
REPLACEMENT_ABANDONED: Final = EventType("replacement.abandoned", "A replacement was abandoned", Severity.LOW)
AGENT_OFFBOARDED: Final = EventType("agent.offboarded", "An agent was offboarded, with a signed proof", Severity.MEDIUM)
AGENT_OFFBOARDED_BY_PARTNER: Final = EventType(
    "agent.offboarded_by_partner", "A partner offboarded its agent; what it held here ended", Severity.MEDIUM
)
PERSON_OFFBOARDED: Final = EventType("person.offboarded", "A person was offboarded, with a signed proof", Severity.MEDIUM)

TRUST_PROPOSED: Final = EventType("trust.proposed", "A trust between organizations was proposed", Severity.MEDIUM)
TRUST_AGREED: Final = EventType("trust.agreed", "A trust between organizations was agreed to", Severity.HIGH)
TRUST_ENDED: Final = EventType("trust.ended", "A trust between organizations was ended", Severity.HIGH)
TRUSTED_ISSUER_ADDED: Final = EventType("trusted_issuer.added", "An issuer elsewhere is believed", Severity.HIGH)
TRUSTED_ISSUER_UPDATED: Final = EventType(
    "trusted_issuer.updated", "What is believed of an issuer elsewhere was changed", Severity.HIGH
)
TRUSTED_ISSUER_ENDED: Final = EventType("trusted_issuer.ended", "An issuer elsewhere is believed no more", Severity.HIGH)

SIGN_NOTED: Final = EventType("sign.noted", "There is a sign that somebody else has an agent's proofs", Severity.HIGH)
SIGNS_LAPSED: Final = EventType("sign.lapsed", "Signs about an agent are a day old and count no more", Severity.LOW)
AGENT_SUSPENSION_ANNOUNCED: Final = EventType(
    "agent.suspension_announced", "The suspension of an agent for its risk was announced", Severity.HIGH
)
TOKEN_KEY_MADE: Final = EventType("token_key.made", "A key that tokens are signed with was made", Severity.LOW)
TOKEN_KEY_WITHDRAWN: Final = EventType("token_key.withdrawn", "A key that tokens are signed with was withdrawn", Severity.HIGH)
TOKEN_ISSUED: Final = EventType("token.issued", "An agent got an access token")
TOKEN_REFUSED: Final = EventType("token.refused", "An agent was refused a token", Severity.LOW)
TOKEN_REVOKED: Final = EventType("token.revoked", "Tokens were revoked", Severity.LOW)
AUTHORIZATION_GIVEN: Final = EventType("authorization.given", "A user let a client act for them", Severity.LOW)
AUTHORIZATION_DECLINED: Final = EventType("authorization.declined", "A user did not let a client act for them")
AUTHORIZATION_ENDED: Final = EventType("authorization.ended", "A client's authorization was ended", Severity.LOW)
OAUTH_CLIENT_REGISTERED: Final = EventType("oauth_client.registered", "An agent was made an OAuth client", Severity.LOW)
OAUTH_CLIENT_UPDATED: Final = EventType("oauth_client.updated", "An OAuth client was changed", Severity.LOW)

ACCESS_DECIDED: Final = EventType("access.decided", "Access was decided")
ACCESS_SEARCHED: Final = EventType("access.searched", "What is allowed was searched")
ACCESS_PLANNED: Final = EventType("access.planned", "The rows that are allowed were given as a condition")

EVENT_TYPES: Final = (
    SIGN_NOTED,
    SIGNS_LAPSED,
    AGENT_SUSPENSION_ANNOUNCED,
    TOKEN_KEY_MADE,
    TOKEN_KEY_WITHDRAWN,
    TOKEN_ISSUED,
    TOKEN_REFUSED,
    TOKEN_REVOKED,
    AUTHORIZATION_GIVEN,
    AUTHORIZATION_DECLINED,
    AUTHORIZATION_ENDED,
    OAUTH_CLIENT_REGISTERED,
    OAUTH_CLIENT_UPDATED,
    ACCESS_DECIDED,
    ACCESS_SEARCHED,
    ACCESS_PLANNED,
    APPLICATION_CREATED,
    APPLICATION_UPDATED,
    APPLICATION_SUSPENDED,
    APPLICATION_RESUMED,
    APPLICATION_KEY_ISSUED,
    APPLICATION_KEY_ROTATED,
    APPLICATION_KEY_REVOKED,
    RESOURCE_TYPE_DECLARED,
    RESOURCE_TYPE_UPDATED,
    RESOURCE_TYPE_REMOVED,
    RESOURCE_REGISTERED,
    RESOURCE_UPDATED,
    RESOURCE_REMOVED,
    ROLE_CREATED,
    ROLE_UPDATED,
    ROLE_REMOVED,
    ROLE_ENTITLEMENTS_CHANGED,
    ROLE_INCLUSIONS_CHANGED,
    BLUEPRINT_ROLES_CHANGED,
    ROLE_ASSIGNED,
    ASSIGNMENT_ENDED,
    GRANT_GIVEN,
    GRANT_ENDED,
    GUARDRAIL_DRAFTED,
    GUARDRAIL_PUBLISHED,
    GUARDRAIL_WITHDRAWN,
    CONSENT_GIVEN,
    CONSENT_ENDED,
    DELEGATION_GIVEN,
    DELEGATION_ENDED,
    REPLACEMENT_PROPOSED,
    REPLACEMENT_COMPARED,
    REPLACEMENT_REVIEWED,
    REPLACEMENT_COMPLETED,
    REPLACEMENT_ABANDONED,
    AGENT_OFFBOARDED,
    AGENT_OFFBOARDED_BY_PARTNER,
    PERSON_OFFBOARDED,
    TRUST_PROPOSED,
    TRUST_AGREED,
    TRUST_ENDED,
    TRUSTED_ISSUER_ADDED,
    TRUSTED_ISSUER_UPDATED,
    TRUSTED_ISSUER_ENDED,
    APPLICATION_KEY_EXPIRED,
    APPLICATION_KEY_EXPIRY_ANNOUNCED,
    ASSIGNMENT_EXPIRED,
    ASSIGNMENT_EXPIRY_ANNOUNCED,
    GRANT_EXPIRED,
    GRANT_EXPIRY_ANNOUNCED,
    CONSENT_EXPIRED,
    CONSENT_EXPIRY_ANNOUNCED,
    DELEGATION_EXPIRED,
    DELEGATION_EXPIRY_ANNOUNCED,
    TRUST_EXPIRED,
    TRUST_EXPIRY_ANNOUNCED,
)
