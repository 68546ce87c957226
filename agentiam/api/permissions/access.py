"""What is allowed, to be read: effective access, explanations, row filters, decisions; each as deep as one may look."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.response import Response

from agentiam.api.agent_tokens import proven_by
from agentiam.api.callers import Proof
from agentiam.api.permissions.access_told import (
    DecisionTold,
    EffectiveAccessTold,
    ExplanationTold,
    PlanTold,
)
from agentiam.api.problems import invalid
from agentiam.api.serializers import Given, one_of
from agentiam.api.viewsets import ApiViewSet
from agentiam.api.viewsets import Given as Values
from agentiam.kit.problems import Problem
from audit.submissions import RecordUnavailable
from directory.models import Agent, Organization, Scope, User
from permissions.access import requests
from permissions.engine.types import TypeFacts
from permissions.models import Resource
from permissions.plans.errors import Unplannable
from permissions.questions import Asked
from permissions.selectors.effective import TooMuch, effective_access
from permissions.selectors.explanations import ExplainedAccess, explain_asked
from permissions.selectors.past import NotYet
from permissions.selectors.records import decision_record
from permissions.selectors.telling import Look, effective_json
from permissions.services.decisions import RulesInMotion, Via, plan_rows


class EntityGiven(Given):
    """A subject or a resource, as the Authorization API has it (AuthZEN 1.0, sections 5.1 and 5.2)."""

    type = serializers.CharField(max_length=1_000)
    id = serializers.CharField(max_length=1_000)
    properties = serializers.DictField(required=False)


class TypeGiven(Given):
    """A resource of which only the type is known."""

    type = serializers.CharField(max_length=1_000)


class ActionGiven(Given):
    """An action with its properties; ``fields`` among them names the fields that are wanted."""

    name = serializers.CharField(max_length=1_000)
    properties = serializers.DictField(required=False)


class ExplanationAsked(Given):
    """A question, as the Authorization API has it; ``at`` is now unless another instant is named."""

    subject = EntityGiven()
    action = ActionGiven()
    resource = EntityGiven()
    context = serializers.DictField(required=False)  # type: ignore[assignment]  # a member of the body
    at = serializers.DateTimeField(required=False)


class SqlGiven(Given):
    """How the rows are stored: which column has which attribute, and in which dialect to write the condition."""

    dialect = serializers.ChoiceField(choices=("sqlite", "postgresql"))
    columns = serializers.DictField(
        child=serializers.RegexField(r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*){0,2}$", max_length=200)
    )


class PlanAsked(Given):
    """A question without its object; ``sql`` asks for the condition as a WHERE clause too."""

    subject = EntityGiven()
    action = ActionGiven()
    resource = TypeGiven()
    context = serializers.DictField(required=False)  # type: ignore[assignment]  # a member of the body
    sql = SqlGiven(required=False)


class EffectiveAsked(Given):
    """For whom, when and about what effective access is asked."""

    at = serializers.DateTimeField(
        required=False, help_text="Now unless another instant is named; one behind sees the rules that stood then."
    )
    type = serializers.ListField(child=serializers.CharField(max_length=200), required=False, max_length=50)
    action = serializers.ListField(child=serializers.CharField(max_length=200), required=False, max_length=50)

    def get_fields(self) -> dict[str, Any]:
        """Add the person, whose name is a keyword of Python."""
        person = serializers.UUIDField(required=False, help_text="The person on whose behalf the agent acts.")
        return {**super().get_fields(), "for": person}


def _require_known(asked: Values, types: Mapping[str, TypeFacts]) -> None:
    """Refuse names that stand for nothing, so that a misspelt one is not taken for no access; raises a 422 problem."""
    actions = {action for each in types.values() for action in each.actions}
    wrong: dict[str, list[str]] = {}
    for parameter, known in (("type", set(types)), ("action", actions)):
        if unknown := sorted(set(asked.get(parameter) or ()) - known):
            there = f"there are: {', '.join(sorted(known))}" if known else "there are none"
            wrong[parameter] = [f"Nothing is called {', '.join(unknown)}; {there}."]
    if wrong:
        raise invalid(wrong)


class EffectiveAccessViewSet(ApiViewSet):
    """Everything that one agent can and cannot do."""

    serializer_class = EffectiveAccessTold
    pagination_class = None

    @extend_schema(
        parameters=[OpenApiParameter("agent", OpenApiTypes.UUID, OpenApiParameter.PATH), EffectiveAsked],
        responses=forced_singular_serializer(EffectiveAccessTold),
        summary="What an agent can do, where it comes from, and what stands in the way",
    )
    def list(self, request: Any, agent: Any) -> Response:
        """Answer with a row for each type and action, also for those that are always refused."""
        found = Agent.objects.visible_to(request.user).filter(pk=agent).first()
        if found is None:
            raise NotFound
        asked = self._asked()
        person = asked.get("for")
        user = None if person is None else one_of(User.objects.visible_to(request.user).people(), person, "for")
        at = asked.get("at", self.now)
        try:
            access = effective_access(
                found,
                acting_for=user,
                types=asked.get("type"),
                actions=asked.get("action"),
                at=at,
                as_of=behind(at, self.now),
            )
        except NotYet:
            raise invalid({"at": ["Your organization did not exist then."]}) from None
        except TooMuch as refused:
            raise Problem(422, "too-much", str(refused), {"remedy": "Name some types, by type=…"}) from None
        _require_known(asked, access.world.types)
        look = Look(holdings_of(request.user), guardrails=request.user.has_perm("permissions.view_guardrail"))
        return Response(effective_json(access, look))

    def _asked(self) -> Values:
        parameters = self.request.query_params
        many = {"type", "action"}
        sent = {name: parameters.getlist(name) if name in many else parameters[name] for name in parameters}
        reading = EffectiveAsked(data=sent)
        reading.is_valid(raise_exception=True)
        asked: Values = dict(reading.validated_data)
        return asked


class ExplainViewSet(ApiViewSet):
    """Why something would be allowed or not; nothing is decided by it, and nothing recorded."""

    serializer_class = ExplanationTold
    scopes = (Scope.READ.value,)

    @extend_schema(request=ExplanationAsked, responses={200: ExplanationTold}, summary="Explain an answer in full")
    def create(self, request: Any) -> Response:
        """Explain what an agent that the caller sees, or the caller, would be answered."""
        given = self.given(ExplanationAsked)
        at = given.pop("at", self.now)
        asked = requests.asked(given)
        require_subject_seen(request.user, asked)
        try:
            found = explain_asked(self.organization_id, asked, at=at, as_of=behind(at, self.now))
        except NotYet:
            raise invalid({"at": ["Your organization did not exist then."]}) from None
        return Response(found.as_json(in_full=self._sees_all(found)))

    def _sees_all(self, found: ExplainedAccess) -> bool:
        """Tell whether the caller may know everything that was looked at for the answer."""
        user: Any = self.request.user
        if not isinstance(user, User) or not user.is_person:
            return False
        sees = holdings_of(user)
        question = found.posed.question
        rows = Resource.objects.visible_to(user).filter(type__name=question.type, external_id=question.resource)
        # A resource that is no more was seen, in what stood once, by those who see every resource.
        seen = not found.registered or user.has_perm("permissions.view_resource") or rows.exists()
        return seen and all(sees(term.who) for term in found.explanation.terms)


class PlanViewSet(ApiViewSet):
    """The rows that somebody may touch, as a condition; it is a decision about all of them, and recorded like one."""

    serializer_class = PlanTold
    scopes = (Scope.DECIDE.value,)
    never_repeated = ("create",)  # the rules may have moved on

    @extend_schema(request=PlanAsked, responses={200: PlanTold}, summary="The rows that are allowed, as a condition")
    def create(self, request: Any) -> Response:
        """Give the condition on the rows; applications get it for their own types, agents for themselves."""
        given = self.given(PlanAsked)
        sql = given.pop("sql", None)
        asked = requests.asked(given, resource_id=False)
        if isinstance(request.user, User) and request.user.is_person:
            require_subject_seen(request.user, asked)
        actor = self.actor
        auth = request.auth if isinstance(request.auth, Proof) else Proof(frozenset(), "")
        via = Via(auth.key, actor.address, actor.request_id, token=auth.token, client=auth.client)
        try:
            plan = plan_rows(
                organization=Organization.objects.get(pk=self.organization_id),
                asked=asked,
                caller=actor,
                via=via,
                proven=partial(proven_by, request),
                now=self.now,
            )
        except (RecordUnavailable, RulesInMotion):
            detail = "The plan could not be recorded, so it is not given."
            raise Problem(503, "decision-unavailable", detail, headers={"Retry-After": "1"}) from None
        told = plan.as_json()
        try:
            told["sql"] = None if sql is None else plan.as_sql(sql["columns"], dialect=sql["dialect"])
        except Unplannable as refused:
            remedy = "Look at each row by its plan, or ask for decisions one by one."
            raise Problem(
                422, "not-plannable", f"No database could be asked that: {refused.reason}.", {"remedy": remedy}
            ) from None
        return Response(told)


class DecisionViewSet(ApiViewSet):
    """Recorded decisions, by the evaluation_id of the answer."""

    serializer_class = DecisionTold
    scopes = (Scope.READ.value, Scope.DECIDE.value)
    lookup_value_converter = "uuid"

    @extend_schema(
        parameters=[OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses=DecisionTold,
        summary="What was decided, on what question, and why",
    )
    def retrieve(self, request: Any, pk: Any) -> Response:
        """Answer in full for who reads the event log or sees the agent, and with what they were told for those who asked."""
        record = decision_record(request.user, pk)
        if record is None:
            raise NotFound
        return Response(DecisionTold(record).data)


def behind(at: datetime, now: datetime) -> datetime | None:
    """Answer an instant that lies behind, at which other rules may have stood."""
    return at if at < now else None


def require_subject_seen(user: Any, asked: Asked) -> None:
    """Refuse questions about anybody but oneself and agents that one sees, on behalf of anybody that one does not see."""
    kind, name = ("agent", asked.actor.partition("/")[2]) if asked.actor is not None else (asked.subject.type, asked.subject.id)
    oneself = isinstance(user, User) and kind == "user" and user.is_person and user.external_id == name
    if not oneself and not (kind == "agent" and Agent.objects.visible_to(user).filter(external_id=name).exists()):
        raise invalid({"subject": ["There is no agent of this id that you can see."]})
    people = [asked.on_behalf_of] if asked.on_behalf_of is not None else []
    people += [asked.subject] if asked.actor is not None else []
    for each in people:
        if not User.objects.visible_to(user).people().filter(external_id=each.id).exists():
            raise invalid({"context": {"on_behalf_of": ["There is no person of this id that you can see."]}})
    delegators = {each.partition("/")[2] for each in asked.delegation}
    if Agent.objects.visible_to(user).filter(external_id__in=delegators).count() != len(delegators):
        raise invalid({"context": {"delegation": ["There is no agent of this id that you can see."]}})


def holdings_of(user: Any) -> Callable[[str], bool]:
    """Make the function that tells, of a principal's reference, whether a caller may see what it holds."""
    everybodys = user.has_perm("permissions.view_grant")
    agents: dict[str, bool] = {}

    def sees(ref: str) -> bool:
        kind, _, name = ref.partition("/")
        if everybodys:
            return True
        if kind == "agent":
            if name not in agents:
                agents[name] = Agent.objects.visible_to(user).filter(external_id=name).exists()
            return agents[name]
        return bool(getattr(user, "is_person", False)) and user.external_id == name

    return sees
