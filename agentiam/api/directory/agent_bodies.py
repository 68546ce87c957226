"""What the API says of agents, and what it is told of them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentiam.api.directory.capabilities import CapabilityField
from agentiam.api.serializers import Given, Named, Reason, StringList, Told
from directory.lifecycle import State
from directory.models import Agent, Credential, Scope

STATES = [state.value for state in State]
SUBJECT = "Compared exactly; each * stands for characters other than / and :, after two whole parts: repo:acme/*."
AUDIENCE = "What its tokens are made out to; empty for our issuer."
DPOP = "Gets only tokens that are bound to a key of the holder's (RFC 9449); not of an API key, which gets none."


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {
            "oneOf": [
                {"type": ["string", "number", "boolean"]},
                {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1, "maxItems": 20},
            ]
        },
        "description": "What its token must say besides: a claim, by a dotted path within another, and its value or values.",
    }
)
class Conditions(serializers.JSONField):
    """Claims and the values that are allowed of them."""


class AgentTold(Told):
    """An agent: what it is for, who answers for it, where it stands."""

    id = serializers.UUIDField(source="pk")
    external_id = serializers.CharField()
    spiffe_id = serializers.CharField()
    name = serializers.CharField()
    purpose = serializers.CharField()
    purpose_version = serializers.IntegerField()
    environment = serializers.ChoiceField(choices=Agent.Environment.choices)
    framework = serializers.CharField()
    model = serializers.CharField()
    version = serializers.CharField()
    model_hash = serializers.CharField()
    charter_hash = serializers.CharField()
    tools_hash = serializers.CharField()
    capabilities = CapabilityField(allow_null=True)
    risk_tier = serializers.ChoiceField(choices=Agent.RiskTier.choices)
    owner = Named()
    sponsor = Named(allow_null=True)
    sponsor_team = Named(allow_null=True)
    team = Named(allow_null=True)
    blueprint = Named(allow_null=True)
    parent = Named(allow_null=True)
    predecessor = Named(allow_null=True)
    depth = serializers.IntegerField(help_text="Generations below the root.")
    state = serializers.ChoiceField(choices=STATES)
    ownerless = serializers.BooleanField()
    review_needed = serializers.BooleanField()
    expires_at = serializers.DateTimeField(allow_null=True)
    dormant_since = serializers.DateTimeField(allow_null=True)
    last_seen_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class ProfileGiven(Given):
    """Everything of an agent that can change."""

    name = serializers.CharField(max_length=200)
    purpose = serializers.CharField(max_length=10_000)
    environment = serializers.ChoiceField(
        choices=Agent.Environment.choices, required=False, help_text="A new agent's is production unless it is given."
    )
    framework = serializers.CharField(max_length=100, allow_blank=True, required=False)
    model = serializers.CharField(max_length=200, allow_blank=True, required=False)
    version = serializers.CharField(max_length=100, allow_blank=True, required=False)
    model_hash = serializers.CharField(max_length=128, allow_blank=True, required=False)
    charter_hash = serializers.CharField(max_length=128, allow_blank=True, required=False)
    tools_hash = serializers.CharField(max_length=128, allow_blank=True, required=False)
    capabilities = CapabilityField(allow_null=True, required=False)
    risk_tier = serializers.ChoiceField(
        choices=Agent.RiskTier.choices, required=False, help_text="A new agent's is medium unless it is given."
    )
    team = serializers.UUIDField(allow_null=True, required=False)
    expires_at = serializers.DateTimeField(allow_null=True, required=False)


class AgentChanged(ProfileGiven, Reason):
    """A change of an agent's profile; what is not named stays."""


class Answering(Given):
    """Who answers for an agent: an owner, and one sponsor, a person or a team."""

    owner = serializers.UUIDField()
    sponsor = serializers.UUIDField(required=False, allow_null=True, help_text="One of sponsor and sponsor_team is needed.")
    sponsor_team = serializers.UUIDField(required=False, allow_null=True, help_text="Instead of sponsor.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Demand one sponsor, and not two."""
        named = [name for name in ("sponsor", "sponsor_team") if attrs.get(name) is not None]
        if len(named) != 1:
            words = "Name one of sponsor and sponsor_team" + (", not both." if named else ".")
            raise serializers.ValidationError({"sponsor": [words]})
        return attrs


class AgentRegistered(ProfileGiven, Answering, Reason):
    """A new agent."""

    external_id = serializers.CharField(max_length=200)
    blueprint = serializers.UUIDField(required=False, allow_null=True)


class AgentTransferred(Answering, Reason):
    """Another owner and sponsor."""


class AgentSpawned(Reason):
    """A child that an agent makes."""

    external_id = serializers.CharField(max_length=200)
    name = serializers.CharField(max_length=200)
    purpose = serializers.CharField(max_length=10_000)
    capabilities = CapabilityField(allow_null=True, required=False)
    expires_at = serializers.DateTimeField(allow_null=True, required=False)


class ChildCredentialGiven(Reason):
    """The one credential that an agent gives a child of its own: a client secret, or the public key that is named."""

    child = serializers.UUIDField()
    label = serializers.CharField(max_length=200)  # type: ignore[assignment]  # a member of the body
    jwk = serializers.DictField(required=False, help_text="A public key (RFC 7517); without one a client secret is made.")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.of_machines()),
        required=False,
        allow_empty=False,
        help_text="What it is for at agentiam itself: decide, and of the scopes that the parent calls with.",
    )


class FirstCredentialGiven(Given):
    """How the agent is to prove itself from the start."""

    kind = serializers.ChoiceField(choices=Credential.Kind.choices, default=Credential.Kind.API_KEY.value)
    label = serializers.CharField(required=False, max_length=200)  # type: ignore[assignment]  # a member of the body
    jwk = serializers.DictField(required=False)
    issuer = serializers.CharField(required=False, max_length=500)
    subject = serializers.CharField(required=False, max_length=500, help_text=SUBJECT)
    audience = serializers.CharField(required=False, allow_blank=True, max_length=500, help_text=AUDIENCE)
    conditions = Conditions(required=False)
    allowed_networks = StringList(required=False, max_length=100)
    requires_dpop = serializers.BooleanField(required=False, help_text=DPOP)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Demand what the kind is made of."""
        needed = {Credential.Kind.PUBLIC_KEY: ("jwk",), Credential.Kind.FEDERATED: ("issuer", "subject")}
        if missing := [name for name in needed.get(attrs["kind"], ()) if not attrs.get(name)]:
            raise serializers.ValidationError({name: ["This kind of credential needs it."] for name in missing})
        return attrs


class AgentOnboarded(AgentRegistered):
    """A new agent with its first credential; it works at once if nobody has to agree."""

    credential = FirstCredentialGiven(required=False, allow_null=True)


class OnboardedTold(AgentTold):
    """The agent, its secret if it got one, and how many people must still agree."""

    secret = serializers.CharField(allow_null=True, read_only=True)
    missing_sign_offs = serializers.IntegerField(read_only=True)


class SignOffTold(Told):
    """One person's yes to an onboarding."""

    person = Named()
    reason = serializers.CharField()
    signed_at = serializers.DateTimeField()


class OnboardingTold(Told):
    """Who agreed to an agent's onboarding, and who still may."""

    sign_offs = SignOffTold(many=True)
    missing = serializers.IntegerField()
    may_sign = Named(many=True)


class FingerprintsGiven(Reason):
    """What an agent is made of; a hash that is not named says nothing."""

    model_hash = serializers.CharField(max_length=128, required=False)
    charter_hash = serializers.CharField(max_length=128, required=False)
    tools_hash = serializers.CharField(max_length=128, required=False)


class CardGiven(Reason):
    """What an agent's A2A card says besides its name and version."""

    card = serializers.DictField()


class CardTold(Told):
    """An agent's A2A card as it was written, and whether everybody sees it."""

    published = serializers.BooleanField(source="publishes_card")
    card = serializers.DictField()


class TokensRevokedTold(Told):
    """How many tokens were revoked."""

    revoked = serializers.IntegerField()


class BulkItem(Reason):
    """One thing to do with one agent."""

    agent = serializers.UUIDField()
    operation = serializers.ChoiceField(choices=["suspend", "resume", "activate", "sign-off", "retire"])


class BulkGiven(Given):
    """Things to do with agents; each is done or refused by itself."""

    items = serializers.ListField(child=BulkItem(), min_length=1, max_length=100)


class BulkRegistered(Given):
    """Agents to register; each is registered or refused by itself."""

    items = serializers.ListField(child=AgentRegistered(), min_length=1, max_length=100)
