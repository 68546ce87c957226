"""Agents over the API: the directory of who works here, and what happens in an agent's life."""

from dataclasses import replace
from typing import Any, Final

import django_filters
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from agentiam.api.bulk import BulkTold, each_by_itself
from agentiam.api.callers import Proof, credential_of
from agentiam.api.directory.agent_bodies import (
    STATES,
    AgentChanged,
    AgentOnboarded,
    AgentRegistered,
    AgentSpawned,
    AgentTold,
    AgentTransferred,
    BulkGiven,
    BulkRegistered,
    CardGiven,
    CardTold,
    ChildCredentialGiven,
    FingerprintsGiven,
    OnboardedTold,
    OnboardingTold,
    TokensRevokedTold,
)
from agentiam.api.directory.credentials import CredentialWithSecret
from agentiam.api.directory.discovery import Discovery
from agentiam.api.filters import Filters
from agentiam.api.rights import WAYS_IN
from agentiam.api.serializers import RequiredReason, one_of
from agentiam.api.shared_rights import SharedRights
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import operation
from directory.lifecycle import State
from directory.models import Agent, Blueprint, Team, User
from directory.services.agents import AgentProfile, register_agent, update_agent
from directory.services.cards import publish_agent_card, set_agent_card, withdraw_agent_card
from directory.services.children import give_child_credential
from directory.services.fingerprints import report_fingerprints, review_agent
from directory.services.handover import transfer_agent
from directory.services.onboarding import (
    FirstCredential,
    activate_agent,
    approve_onboarding,
    missing_sign_offs,
    onboard_agent,
    who_may_sign,
)
from directory.services.spawning import spawn_agent
from directory.services.suspension import resume_agent, suspend_agent
from permissions.oauth.authorizations import revoke_tokens_of
from permissions.services.offboarding import offboard_agent


class AgentFilters(Filters):
    """How the list of agents is narrowed."""

    state = django_filters.MultipleChoiceFilter(choices=[(state, state) for state in STATES])
    environment = django_filters.MultipleChoiceFilter(choices=Agent.Environment.choices)
    risk_tier = django_filters.MultipleChoiceFilter(choices=Agent.RiskTier.choices)
    external_id = django_filters.CharFilter()
    owner = django_filters.UUIDFilter(field_name="owner_id")
    blueprint = django_filters.UUIDFilter(field_name="blueprint_id")
    team = django_filters.UUIDFilter(field_name="team_id")
    parent = django_filters.UUIDFilter(field_name="parent_id")
    ownerless = django_filters.BooleanFilter()
    review_needed = django_filters.BooleanFilter()
    dormant = django_filters.BooleanFilter(field_name="dormant_since", lookup_expr="isnull", exclude=True)


_IN_BULK: Final[dict[str, tuple[str, Any]]] = {
    "suspend": ("operate_agent", suspend_agent),
    "resume": ("operate_agent", resume_agent),
    "activate": ("manage_agent", activate_agent),
    "sign-off": ("approve_agent", approve_onboarding),
    "retire": ("manage_agent", offboard_agent),
}


class AgentViewSet(Discovery, SharedRights, VersionedViewSet):
    """Agents."""

    model = Agent
    told = AgentTold
    related = ("owner", "sponsor", "sponsor_team", "team", "blueprint", "parent", "predecessor", "organization")
    orders = ("id", "-id", "name", "-name", "last_seen_at", "-last_seen_at")
    searched = ("name", "external_id", "purpose")
    filterset_class = AgentFilters
    scopes_for = {"onboard": WAYS_IN}

    @extend_schema(request=AgentRegistered, responses={201: AgentTold})
    def create(self, request: Any) -> Response:
        """Register an agent; it is pending until it is activated. Whoever may use a blueprint may register agents from it."""
        return self.created(self._register(self.given(AgentRegistered)))

    @extend_schema(request=AgentOnboarded, responses={201: OnboardedTold})
    @action(detail=False, methods=["post"])
    def onboard(self, request: Any) -> Response:
        """Register an agent, give it its first credential, and activate it if nobody has to agree: in one call."""
        given = self.given(AgentOnboarded)
        first = given.pop("credential", None)
        why, new = self._new(given)
        done = onboard_agent(credential=None if first is None else FirstCredential(**first), **new, **why)
        secret = done.token.text if done.token else None
        return self.created(done.agent, more={"secret": secret, "missing_sign_offs": done.missing})

    @extend_schema(request=AgentChanged, responses=AgentTold)
    def partial_update(self, request: Any, **_: Any) -> Response:
        """Change an agent's profile."""

        def change(agent: Agent, given: dict[str, Any]) -> Agent:
            why = self.why(given)
            return update_agent(agent=agent, profile=replace(AgentProfile.of(agent), **self._profile(given)), **why)

        return self.changed("manage_agent", AgentChanged, change)

    @operation("suspend", right="operate_agent", summary="Stop an agent, and all that descend from it, at once")
    def suspend(self, agent: Agent, given: dict[str, Any]) -> Any:
        """Stop an agent: its next decision, and that of every descendant, is a deny."""
        return suspend_agent(agent=agent, **self.why(given))

    @operation(
        "revoke-tokens", right="operate_agent", gives=TokensRevokedTold, summary="Revoke all that an agent has of access tokens"
    )
    def revoke_tokens(self, agent: Agent, given: dict[str, Any]) -> Any:
        """Revoke every live access token of an agent, and all that were exchanged for one; it may get others at once."""
        revoked = revoke_tokens_of(agent=agent, **self.why(given))
        return Response(TokensRevokedTold({"revoked": revoked}).data)

    @operation("resume", right="operate_agent", summary="Let a suspended agent work again")
    def resume(self, agent: Agent, given: dict[str, Any]) -> Any:
        """Let a suspended agent work again."""
        return resume_agent(agent=agent, **self.why(given))

    @operation("retire", right="manage_agent", takes=RequiredReason, summary="End an agent and everything it holds")
    def retire(self, agent: Agent, given: dict[str, Any]) -> Any:
        """End an agent for good, with everything that it and its descendants hold; leaves a signed offboarding proof."""
        retired, _proof = offboard_agent(agent=agent, **self.why(given))
        return retired

    @operation("activate", right="manage_agent", summary="Let a pending agent work")
    def activate(self, agent: Agent, given: dict[str, Any]) -> Any:
        """Let a pending agent work, when nobody has to agree, or all have."""
        return activate_agent(agent=agent, **self.why(given))

    @operation("sign-off", right="approve_agent", summary="Agree to an agent's onboarding")
    def sign_off(self, agent: Agent, given: dict[str, Any]) -> Any:
        """Agree to an agent's onboarding; the last agreement that the blueprint asks for activates it."""
        return approve_onboarding(agent=agent, **self.why(given))

    @operation("transfer", right="manage_agent", takes=AgentTransferred, summary="Give an agent another owner and sponsor")
    def transfer(self, agent: Agent, given: dict[str, Any]) -> Any:
        """Give an agent, and all that descend from it, another owner and sponsor."""
        why = self.why(given)
        return transfer_agent(agent=agent, **self._answering(given), **why)

    @operation("spawn", right="run_agent", takes=AgentSpawned, gives=AgentTold, status=201, summary="Make a child of an agent")
    def spawn(self, agent: Agent, given: dict[str, Any]) -> Any:
        """Make a child of an agent, within the limits of its blueprint."""
        why = self.why(given)
        return self.created(spawn_agent(parent=agent, **given, **why))

    @operation(
        "child-credential",
        right="run_agent",
        takes=ChildCredentialGiven,
        gives=CredentialWithSecret,
        status=201,
        summary="Give a child its one credential",
    )
    def child_credential(self, agent: Agent, given: dict[str, Any]) -> Any:
        """Give a child of the agent that calls its one credential, which ends with the child; the secret is shown once."""
        why = self.why(given)
        child = one_of(Agent.objects.visible_to(self.request.user).filter(parent=agent), given.pop("child"), "child")
        proof = self.request.auth
        shown, held = (credential_of(proof), proof.scopes) if isinstance(proof, Proof) else (None, frozenset())
        credential, token = give_child_credential(child=child, shown=shown, held=held, **given, **why)
        told = CredentialWithSecret(credential, context=self.get_serializer_context()).data
        return Response({**told, "secret": token.text if token else None}, status=201)

    @extend_schema(responses=OnboardingTold, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def onboarding(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Tell who agreed to the agent's onboarding, and while it is pending, who still may."""
        agent = self.get_object()
        pending = agent.state == State.PENDING
        told = {
            "sign_offs": agent.sign_offs.select_related("person").order_by("signed_at"),
            "missing": missing_sign_offs(agent) if pending else 0,
            "may_sign": who_may_sign(agent) if pending else (),
        }
        return Response(OnboardingTold(told).data)

    @operation("fingerprints", right="run_agent", takes=FingerprintsGiven, summary="Say what an agent is made of now")
    def fingerprints(self, agent: Agent, given: dict[str, Any]) -> Any:
        """Say what an agent is made of now; what differs from what was reviewed stops it until it is reviewed again."""
        why = self.why(given)
        return report_fingerprints(agent=agent, **given, **why)

    @operation("review", right="approve_agent", takes=FingerprintsGiven, summary="Accept what an agent is made of now")
    def review(self, agent: Agent, given: dict[str, Any]) -> Any:
        """Accept what an agent is made of now, as somebody else than who changed it; then it can be resumed."""
        why = self.why(given)
        return review_agent(agent=agent, **given, **why)

    @extend_schema(responses=CardTold, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def card(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Tell what the agent's A2A card says besides its profile."""
        return Response(CardTold(self.get_object()).data)

    @operation("card/set", right="manage_agent", takes=CardGiven, replaces=True, summary="Write an agent's A2A card")
    def set_card(self, agent: Agent, given: dict[str, Any]) -> Any:
        """Write what an agent's A2A card says besides its profile."""
        why = self.why(given)
        return set_agent_card(agent=agent, card=given["card"], **why)

    @operation("card/publish", right="manage_agent", summary="Show an agent's A2A card to everybody")
    def publish_card(self, agent: Agent, given: dict[str, Any]) -> Any:
        """Show an agent's signed A2A card to everybody, while the agent is active."""
        return publish_agent_card(agent=agent, **self.why(given))

    @operation("card/withdraw", right="manage_agent", summary="Show an agent's A2A card no more")
    def withdraw_card(self, agent: Agent, given: dict[str, Any]) -> Any:
        """Show an agent's A2A card no more."""
        return withdraw_agent_card(agent=agent, **self.why(given))

    @extend_schema(request=BulkGiven, responses=BulkTold)
    @action(detail=False, methods=["post"])
    def bulk(self, request: Any) -> Response:
        """Suspend, resume, activate, sign off or retire up to 100 agents; each is done or refused by itself."""
        return Response(BulkTold(each_by_itself(self.given(BulkGiven)["items"], self._do)).data)

    @extend_schema(request=BulkRegistered, responses=BulkTold)
    @action(detail=False, methods=["post"], url_path="bulk-register")
    def bulk_register(self, request: Any) -> Response:
        """Register up to 100 agents; each is registered or refused by itself."""
        return Response(BulkTold(each_by_itself(self.given(BulkRegistered)["items"], self._register, status=201)).data)

    def _do(self, item: dict[str, Any]) -> Any:
        right, service = _IN_BULK[item["operation"]]
        agent = self.get_queryset().filter(pk=item["agent"]).first()
        if agent is None:
            raise Http404
        self.require(right, agent)
        done = service(agent=agent, by=self.actor, reason=item["reason"], now=self.now)
        return done[0] if isinstance(done, tuple) else done

    def _register(self, given: dict[str, Any]) -> Agent:
        why, new = self._new(given)
        return register_agent(**new, **why)

    def _new(self, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Sort a body into why, and what a new agent is; raises a 403 problem for whoever may not register it."""
        blueprint = self._one(Blueprint, given.pop("blueprint", None), "blueprint")
        if blueprint is None or not self.request.user.has_perm("directory.add_agent"):
            self.require("add_agent" if blueprint is None else "use_blueprint", blueprint)
        why = self.why(given)
        new = {
            "organization": self.organization,
            "external_id": given.pop("external_id"),
            "blueprint": blueprint,
            **self._answering(given),
        }
        return why, {**new, "profile": AgentProfile(**self._profile(given))}

    def _profile(self, given: dict[str, Any]) -> dict[str, Any]:
        if "team" in given:
            given["team"] = self._one(Team, given["team"], "team")
        return given

    def _answering(self, given: dict[str, Any]) -> dict[str, Any]:
        return {
            "owner": self._one(User, given.pop("owner"), "owner"),
            "sponsor": self._one(User, given.pop("sponsor", None), "sponsor"),
            "sponsor_team": self._one(Team, given.pop("sponsor_team", None), "sponsor_team"),
        }

    def _one(self, model: Any, key: Any, name: str) -> Any:
        return None if key is None else one_of(model.objects.visible_to(self.request.user), key, name)
