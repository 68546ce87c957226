"""The format: what a manifest can say, each key with its type, its limits, its default and its meaning.

The JSON Schema is made from these classes, files are read into them, and the database is read into them as well; so what is
wanted and what is there are compared as equals, and what is exported can be applied.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

Id = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
Name = Annotated[str, Meta(max_length=200)]
ResourceId = Annotated[str, Meta(min_length=1, max_length=500)]
OptionalId = Annotated[str, Meta(max_length=500)]
Names = Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
Slug = Annotated[str, Meta(pattern=r"^[-a-zA-Z0-9_]+$", max_length=63)]
Instant = Annotated[datetime, Meta(tz=True, description="An instant with a zone: 2028-01-01T00:00:00Z.")]
Principal = Annotated[str, Meta(pattern=r"^(agent|user|team)/.", max_length=2060, description="agent/ID, user/ID or team/ID.")]
AgentRef = Annotated[str, Meta(pattern=r"^agent/.", max_length=206, description="agent/ID.")]
Condition = Annotated[str, Meta(max_length=2000)]
DataClass = Literal["public", "internal", "personal", "sensitive", "secret"]
AttributeType = Literal["string", "int", "double", "bool", "timestamp", "duration", "list<string>", "list<int>", "list<double>"]
Use = Annotated[bool, Meta(description="The holder may do it.")]
HandOn = Annotated[bool, Meta(description="The holder may hand it on.")]
ConsoleRole = Literal["security_administrator", "approver", "owner", "auditor", "developer"]
DataClasses = Annotated[list[DataClass], Meta(min_length=1)]


class Part(Struct, kw_only=True, forbid_unknown_fields=True):
    """What all parts of a manifest share: known keys only."""


class Organization(Part, kw_only=True):
    """The tenant. Slug and trust domain stay for good, since ids outside contain them."""

    slug: Slug
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    trust_domain: Annotated[str, Meta(max_length=255, pattern=r"^[a-z0-9]([a-z0-9._-]{0,253}[a-z0-9])?$")]
    time_zone: Annotated[str, Meta(description="A zone of the IANA database.")] = "UTC"
    subject_types: Annotated[
        dict[str, Literal["user", "agent"]], Meta(description="Other names for user and agent on the wire.")
    ] = {}
    discoverable: Annotated[
        bool, Meta(description="Whether other organizations here find it by its slug, to propose a trust.")
    ] = False


class Team(Part, kw_only=True):
    """A group of people, possibly within another."""

    id: Id
    name: Annotated[Name, Meta(description="The id, unless another is given.")] = ""
    parent: Annotated[str, Meta(description="The id of the team around it.")] = ""
    members: Annotated[list[Id], Meta(description="Ids of people; those of the teams below are not named here.")] = []


class Person(Part, kw_only=True):
    """Somebody with an account; without a password until they are given one."""

    id: Id
    name: Annotated[Name, Meta(description="The id, unless another is given.")] = ""
    username: Annotated[
        str, Meta(max_length=320, description="What they log in with, for good; id@slug of the organization unless given.")
    ] = ""
    email: Annotated[str, Meta(max_length=254)] = ""
    attributes: Annotated[dict[str, Any], Meta(description="What conditions can read as user.NAME.")] = {}
    console_roles: Annotated[
        list[ConsoleRole] | None, Meta(description="What they are here for in the console; null leaves it as it is.")
    ] = None
    active: Annotated[bool, Meta(description="Whether the account is open.")] = True


class Believes(Part, kw_only=True):
    """Which of an application's own words are taken for true."""

    resource_properties: Annotated[bool, Meta(description="The attributes that it sends of its resources.")] = True
    subject_properties: Annotated[bool, Meta(description="The properties that it sends of subjects.")] = False


class ResourceType(Part, kw_only=True):
    """A kind of object that an application holds."""

    name: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\s/*]+$")]
    actions: Annotated[
        list[Annotated[str, Meta(min_length=1)]], Meta(description="What can be done with it; nothing with a mere container.")
    ]
    attributes: Annotated[dict[str, AttributeType], Meta(description="Name to type.")] = {}
    fields: Annotated[dict[str, DataClass], Meta(description="Name to class of data.")] = {}


class Application(Part, kw_only=True):
    """A system that asks for decisions and carries them out."""

    slug: Slug
    name: Annotated[Name, Meta(description="The slug, unless another is given.")] = ""
    audience: Annotated[str, Meta(max_length=500, description="The URI that tokens for it are made out to.")] = ""
    state: Literal["active", "suspended"] = "active"
    believes: Believes = field(default_factory=Believes)
    requires_tokens: Annotated[bool, Meta(description="Answer it about an agent only with a token that the agent gave it.")] = (
        False
    )
    token_format: Annotated[Literal["jwt", "reference"], Meta(description="Whether its tokens are signed, or looked up.")] = (
        "jwt"  # noqa: S105  (a name)
    )
    token_algorithm: Annotated[Literal["ES256", "EdDSA", "RS256"], Meta(description="What its tokens are signed with.")] = (
        "ES256"  # noqa: S105  (a name)
    )
    token_seconds: Annotated[int, Meta(ge=30, le=3600, description="How long a token for it lasts.")] = 300
    resource_types: list[ResourceType] = []


class ResourceRef(Part, kw_only=True):
    """One object: its type and its id."""

    type: Id
    id: ResourceId


class Resource(Part, kw_only=True):
    """One registered object. A parent that is not registered is, without attributes."""

    type: Id
    id: ResourceId
    attributes: Annotated[dict[str, Any], Meta(description="Values of the attributes that the type declares.")] = {}
    parent: Annotated[ResourceRef | None, Meta(description="The object that it lies in.")] = None


class Entitlement(Part, kw_only=True):
    """What may be done: a type, actions, a selector (at most one of resource, subtree and where), fields, and a condition."""

    type: Id
    actions: Annotated[Names, Meta(description='Names of the type\'s actions; ["*"] for all.')]
    resource: Annotated[OptionalId, Meta(description="The id of the one object.")] = ""
    subtree: Annotated[ResourceRef | None, Meta(description="The root of the objects.")] = None
    where: Annotated[Condition, Meta(description="The condition on rows, in CEL.")] = ""
    when: Annotated[Condition, Meta(description="The condition on the situation, in CEL.")] = ""
    fields: Annotated[Names | None, Meta(description="Names of fields; null for all.")] = None


class Role(Part, kw_only=True):
    """A named set of entitlements; roles include roles, never in a circle."""

    id: Id
    name: Annotated[Name, Meta(description="The id, unless another is given.")] = ""
    description: str = ""
    entitlements: list[Entitlement] = []
    includes: Annotated[list[Id], Meta(description="Ids of roles.")] = []


class Limit(Part, kw_only=True):
    """One entry of a ceiling."""

    type: Id
    actions: Annotated[Names, Meta(description='Names of actions; ["*"] for all.')]
    fields: Annotated[Names | None, Meta(description="Names of fields; null for all.")] = None


class Capability(Limit, kw_only=True):
    """One entry of what an agent declares that it can do."""

    risk: Literal["low", "medium", "high", "critical"] | None = None
    reversibility: Literal["reversible", "compensable", "irreversible"] | None = None


class CredentialTerms(Part, kw_only=True):
    """What credentials the agents of a blueprint can have."""

    methods: Annotated[
        list[Literal["api_key", "client_secret", "public_key", "federated"]], Meta(description="None for every kind.")
    ] = []
    days: Annotated[int, Meta(ge=1, le=32767, description="The longest life.")] = 90


class SpawnTerms(Part, kw_only=True):
    """How the agents of a blueprint can spawn others."""

    depth: Annotated[int, Meta(ge=0, le=32767, description="How many generations.")] = 0
    children: Annotated[int, Meta(ge=0, le=32767, description="How many living children an agent may have.")] = 0
    seconds: Annotated[int, Meta(ge=0, le=2147483647)] | None = None


class Blueprint(Part, kw_only=True):
    """The template from which agents are onboarded."""

    id: Id
    name: Annotated[Name, Meta(description="The id, unless another is given.")] = ""
    description: str = ""
    roles: Annotated[list[Id], Meta(description="Ids of the roles that its agents hold by it.")] = []
    ceiling: Annotated[list[Limit] | None, Meta(description="What its agents can never exceed; null for no limit.")] = None
    sign_offs: Annotated[int, Meta(ge=0, le=32767, description="How many people must agree to an onboarding.")] = 0
    credentials: CredentialTerms = field(default_factory=CredentialTerms)
    spawn: SpawnTerms = field(default_factory=SpawnTerms)
    suspend_at_risk: Annotated[
        Annotated[int, Meta(ge=1, le=100)] | None,
        Meta(description="The risk at which an agent of it is suspended at once; null for never."),
    ] = None


class Hashes(Part, kw_only=True):
    """Fingerprints of what an agent is made of."""

    model: Annotated[str, Meta(max_length=128)] = ""
    charter: Annotated[str, Meta(max_length=128)] = ""
    tools: Annotated[str, Meta(max_length=128)] = ""


class Agent(Part, kw_only=True):
    """The digital employee file. With a parent it is spawned: what is left out is then as with the parent."""

    id: Id
    purpose: Annotated[str, Meta(min_length=1, description="The charter: what it is for.")]
    name: Annotated[Name, Meta(description="The id, unless another is given.")] = ""
    owner: Annotated[str, Meta(description="The id of the person who answers for it technically.")] = ""
    sponsor: Annotated[str, Meta(description="The id of the person, or team/ID, that answers for it to the business.")] = ""
    parent: Annotated[str, Meta(description="The id of the agent that spawned it.")] = ""
    blueprint: str = ""
    state: Literal["pending", "active", "suspended", "retired"] = "active"
    environment: Annotated[
        Literal["development", "staging", "production"] | None, Meta(description="production, unless another is given.")
    ] = None
    risk_tier: Annotated[
        Literal["low", "medium", "high", "critical"] | None, Meta(description="medium, unless another is given.")
    ] = None
    framework: Annotated[str, Meta(max_length=100)] | None = None
    model: Annotated[str, Meta(max_length=200)] | None = None
    version: Annotated[str, Meta(max_length=100)] | None = None
    hashes: Hashes = field(default_factory=Hashes)
    team: Annotated[str | None, Meta(description="The id of the team that it works in.")] = None
    capabilities: Annotated[list[Capability] | None, Meta(description="The declared ceiling; null for no declaration.")] = None
    expires: Instant | None = None


class Assignment(Part, kw_only=True):
    """A role that somebody holds."""

    to: Principal
    role: Id
    use: Use = True
    delegate: HandOn = False
    start: Instant | None = field(default=None, name="from")
    until: Instant | None = None
    reason: str = ""


class Grant(Entitlement, kw_only=True):
    """A single entitlement that somebody holds."""

    to: Principal
    use: Use = True
    delegate: HandOn = False
    start: Instant | None = field(default=None, name="from")
    until: Instant | None = None
    reason: str = ""


class Guardrail(Part, kw_only=True):
    """A rule over the whole organization that only ever narrows."""

    id: Id
    effect: Literal["deny", "require_approval", "mask"]
    name: Annotated[Name, Meta(description="The id, unless another is given.")] = ""
    type: Annotated[str | None, Meta(description="The resource type; null for all.")] = None
    actions: Annotated[Names | None, Meta(description="Names of actions; null for all.")] = None
    when: Condition = ""
    fields: Annotated[Names | None, Meta(description="Names of fields; null for the whole request.")] = None
    data_classes: Annotated[DataClasses | None, Meta(description="Null for the whole request.")] = None
    reason: Annotated[str, Meta(description="What the one who is refused is told.")] = ""
    state: Literal["published", "report_only", "draft"] = "published"


class Consent(Part, kw_only=True):
    """A user's yes to an agent."""

    user: Annotated[Id, Meta(description="The id of the person.")]
    agent: Annotated[Id, Meta(description="The id of the agent.")]
    type: Id
    actions: Names
    data_classes: Annotated[DataClasses | None, Meta(description="Null for all.")] = None
    purpose: Annotated[str, Meta(max_length=500)] = ""
    until: Instant | None = None


class Delegation(Entitlement, kw_only=True):
    """An agent lets another act for it."""

    giver: AgentRef = field(name="from")
    to: AgentRef
    depth: Annotated[int, Meta(ge=1, le=32767, description="How many agents in a row may act on it.")] = 1
    until: Instant | None = None
    reason: str = ""


class Trust(Part, kw_only=True):
    """What a partner's agents may touch here: a partner here by its slug, or one elsewhere by its issuer and keys."""

    partner: str = ""
    issuer: Annotated[str, Meta(max_length=500, description="An https URL.")] = ""
    keys: Annotated[dict[str, Any] | None, Meta(description="The issuer's public keys (RFC 7517).")] = None
    agents: Annotated[list[str] | None, Meta(description="SPIFFE ids; null for all.")] = None
    types: Annotated[list[Id] | None, Meta(description="Resource types; null for all.")] = None
    data_classes: Annotated[DataClasses | None, Meta(description="Null for all.")] = None
    until: Instant | None = None


class Document(Part, kw_only=True):
    """An organization as code. A section that is left out is left alone; an empty one says that there is nothing."""

    organization: Organization
    people: list[Person] | UnsetType = UNSET
    teams: list[Team] | UnsetType = UNSET
    applications: list[Application] | UnsetType = UNSET
    resources: list[Resource] | UnsetType = UNSET
    roles: list[Role] | UnsetType = UNSET
    blueprints: list[Blueprint] | UnsetType = UNSET
    agents: list[Agent] | UnsetType = UNSET
    trusts: list[Trust] | UnsetType = UNSET
    agreements: Annotated[
        list[Slug] | UnsetType, Meta(description="Organizations whose trust in this one's agents it agrees to.")
    ] = UNSET
    assignments: list[Assignment] | UnsetType = UNSET
    grants: list[Grant] | UnsetType = UNSET
    guardrails: list[Guardrail] | UnsetType = UNSET
    consents: list[Consent] | UnsetType = UNSET
    delegations: list[Delegation] | UnsetType = UNSET
