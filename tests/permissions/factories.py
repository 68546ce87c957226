"""What is allowed, for tests, made through the services, so that no test stands on a state that cannot come about."""

from datetime import timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from directory.models import Agent, Organization, User
from permissions.models import (
    AccessToken,
    Application,
    Authorization,
    Consent,
    Delegation,
    Grant,
    Guardrail,
    Replacement,
    Resource,
    ResourceType,
    Role,
    RoleAssignment,
    Signal,
    TokenKey,
    Trust,
    TrustedIssuer,
)
from permissions.services.applications import create_application
from permissions.services.consents import give_consent
from permissions.services.delegations import delegate
from permissions.services.grants import Terms, assign_role, give_grant
from permissions.services.guardrails import Wording, draft_guardrail, publish_guardrail
from permissions.services.holders import Holder
from permissions.services.issuers import IssuerTerms, add_trusted_issuer
from permissions.services.replacement import propose_replacement, review_replacement
from permissions.services.resource_types import declare_resource_type
from permissions.services.resources import register_resource
from permissions.services.roles import create_role, set_role_entitlements
from permissions.services.signals import Sign, note_sign
from permissions.services.terms import EntitlementSpec
from permissions.services.trusts import TrustTerms, agree_trust, propose_trust
from tests.factories import NOW, SYSTEM

RECORD_ACTIONS = ("read", "write", "delete")
RECORD_ATTRIBUTES = {"status": "string", "region": "string", "amount": "double", "tags": "list<string>", "due": "timestamp"}
RECORD_FIELDS = {"title": "internal", "email": "personal", "iban": "sensitive"}

_number = count(1)


def make_application(organization: Organization, slug: str = "", **values: Any) -> Application:
    """Make an application."""
    slug = slug or f"application-{next(_number)}"
    arguments: dict[str, Any] = {"name": slug.capitalize(), "by": SYSTEM, "now": NOW} | values
    return create_application(organization=organization, slug=slug, **arguments)


def make_resource_type(
    organization: Organization, name: str = "record", *, application: Application | None = None, **values: Any
) -> ResourceType:
    """Make a resource type: a record with a status, a region and an amount, a title, an email and an IBAN."""
    values = {"actions": RECORD_ACTIONS, "attributes": RECORD_ATTRIBUTES, "fields": RECORD_FIELDS} | values
    application = application or make_application(organization)
    return declare_resource_type(organization=organization, application=application, name=name, **values, by=SYSTEM, now=NOW)


def make_resource(
    resource_type: ResourceType, external_id: str = "", *, parent: Resource | None = None, **attributes: Any
) -> Resource:
    """Make a registered resource."""
    return register_resource(
        resource_type=resource_type,
        external_id=external_id or f"resource-{next(_number)}",
        attributes=attributes,
        parent=parent,
        by=SYSTEM,
        now=NOW,
    )


def spec(**values: Any) -> EntitlementSpec:
    """Write down an entitlement: to read records, unless said otherwise."""
    return EntitlementSpec(**{"type": "record", "actions": ["read"]} | values)


def make_role(organization: Organization, external_id: str = "", *entitlements: EntitlementSpec) -> Role:
    """Make a role with entitlements."""
    external_id = external_id or f"role-{next(_number)}"
    role = create_role(organization=organization, external_id=external_id, name=external_id.capitalize(), by=SYSTEM, now=NOW)
    return set_role_entitlements(role=role, entitlements=entitlements, by=SYSTEM, now=NOW) if entitlements else role


def make_assignment(role: Role, holder: Holder, **terms: Any) -> RoleAssignment:
    """Assign a role."""
    return assign_role(role=role, holder=holder, terms=Terms(**terms), by=SYSTEM, now=NOW)


def make_grant(organization: Organization, holder: Holder, entitlement: EntitlementSpec | None = None, **terms: Any) -> Grant:
    """Give a grant: to read records, unless said otherwise."""
    return give_grant(
        organization=organization,
        holder=holder,
        entitlement=entitlement or spec(),
        terms=Terms(**terms),
        by=SYSTEM,
        now=NOW,
    )


def make_guardrail(organization: Organization, external_id: str = "", *, state: Any = "published", **wording: Any) -> Guardrail:
    """Make a guardrail that denies everything, unless said otherwise; ``state`` may be ``draft``."""
    external_id = external_id or f"guardrail-{next(_number)}"
    draft = draft_guardrail(
        organization=organization,
        external_id=external_id,
        name=external_id.capitalize(),
        wording=Wording(**{"effect": "deny"} | wording),
        by=SYSTEM,
        now=NOW,
    )
    if state != "draft":
        publish_guardrail(guardrail=draft.guardrail, number=draft.number, state=state, by=SYSTEM, now=NOW)
    return draft.guardrail


def make_consent(user: User, agent: Agent, resource_type: ResourceType, **values: Any) -> Consent:
    """Let an agent read objects of a type on a user's behalf."""
    arguments: dict[str, Any] = {"actions": ["read"], "by": SYSTEM, "now": NOW} | values
    return give_consent(user=user, agent=agent, resource_type=resource_type, **arguments)


def make_delegation(delegator: Agent, to: Agent, entitlement: EntitlementSpec | None = None, **values: Any) -> Delegation:
    """Let an agent read records for another."""
    arguments: dict[str, Any] = {"by": SYSTEM, "now": NOW} | values
    return delegate(delegator=delegator, delegate=to, entitlement=entitlement or spec(), **arguments)


def make_trust(organization: Organization, partner: Organization, *, agreed: bool = True, **terms: Any) -> Trust:
    """Let a partner's agents touch everything here."""
    trust = propose_trust(organization=organization, partner=partner, terms=TrustTerms(**terms), by=SYSTEM, now=NOW)
    return agree_trust(trust=trust, by=SYSTEM, now=NOW) if agreed else trust


def make_trusted_issuer(organization: Organization, issuer: str = "https://ci.example", **terms: Any) -> TrustedIssuer:
    """Believe an issuer elsewhere about workloads."""
    given: dict[str, Any] = {"name": issuer.rpartition("/")[2], "uses": ["workloads"]} | terms
    return add_trusted_issuer(organization=organization, issuer=issuer, terms=IssuerTerms(**given), by=SYSTEM, now=NOW)


def make_replacement(predecessor: Agent, successor: Agent, *, reviewer: User | None = None, **values: Any) -> Replacement:
    """Propose that an agent takes another's place; with a reviewer, they agree to it."""
    arguments: dict[str, Any] = {"by": SYSTEM, "now": NOW} | values
    replacement = propose_replacement(predecessor=predecessor, successor=successor, **arguments)
    if reviewer is None:
        return replacement
    shown = replacement.difference_hash
    return review_replacement(replacement=replacement, difference_hash=shown, by=reviewer.as_actor(), now=NOW)


def make_authorization(user: User, agent: Agent, **values: Any) -> Authorization:
    """Say that a user agreed on the consent page; it lasts a day."""
    now = timezone.now()
    given: dict[str, Any] = {"audience": "https://crm.example", "scopes": ["record:read"]} | values
    given = {"created_at": now, "ends_at": now + timedelta(days=1)} | given
    return Authorization.objects.create(organization=agent.organization, user=user, agent=agent, **given)


def make_access_token(agent: Agent, **values: Any) -> AccessToken:
    """Say that an agent has a signed token, whose text nobody has; it lasts a day, longer than any run of the tests."""
    now = timezone.now()
    actor = f"agent/{agent.external_id}"
    given: dict[str, Any] = {"subject": actor, "actors": [actor], "kid": "k", "audience": "https://crm.example"} | values
    given = {"issued_at": now, "expires_at": now + timedelta(days=1)} | given
    return AccessToken.objects.create(organization=agent.organization, agent=agent, **given)


def make_token_key(organization: Organization, kid: str, **values: Any) -> TokenKey:
    """Say that an organization has a key that signs from tomorrow on; nobody can open it."""
    jwk = {"kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256"}
    given: dict[str, Any] = {"algorithm": "ES256", "jwk": jwk, "sealed": f"1:sealed-{kid}"} | values
    given = {"signs_from": timezone.now() + timedelta(days=1)} | given
    return TokenKey.objects.create(organization=organization, kid=kid, **given)


def make_signal(agent: Agent, *, sign: Sign = Sign.NETWORK_REFUSED, proven: bool = True, **values: Any) -> Signal:
    """Note a sign that somebody else has an agent's proofs."""
    arguments: dict[str, Any] = {"data": {}, "by": SYSTEM, "now": NOW} | values
    signal = note_sign(sign=sign, agent=agent, proven=proven, **arguments)
    assert signal is not None, "there were too many like it this minute"
    return signal
