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

TRUST_PROPOSED: Final = EventType("trust.proposed", "A trust between organizations was proposed", Severity.MEDIUM)
TRUST_AGREED: Final = EventType("trust.agreed", "A trust between organizations was agreed to", Severity.HIGH)
TRUST_ENDED: Final = EventType("trust.ended", "A trust between organizations was ended", Severity.HIGH)

ACCESS_DECIDED: Final = EventType("access.decided", "Access was decided")
ACCESS_SEARCHED: Final = EventType("access.searched", "What is allowed was searched")

EVENT_TYPES: Final = (
    ACCESS_DECIDED,
    ACCESS_SEARCHED,
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
    TRUST_PROPOSED,
    TRUST_AGREED,
    TRUST_ENDED,
)
