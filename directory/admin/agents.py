"""Agents, their blueprints, onboarding and runs in the admin."""

from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from agentiam.kit.administration.acting import Act
from agentiam.kit.administration.editing import OperableAdmin, ServiceAdmin
from agentiam.kit.administration.forms import OperationForm, RowField, ServiceForm
from agentiam.kit.administration.operations import Operation, offer
from agentiam.kit.administration.records import RecordAdmin
from directory.admin.people import organization_of
from directory.lifecycle import State
from directory.models import Agent, Blueprint, CredentialRecord, PolicyChange, Run, SignOff
from directory.services.agents import AgentProfile, register_agent, update_agent
from directory.services.blueprints import BlueprintTerms, create_blueprint, update_blueprint
from directory.services.fingerprints import review_agent
from directory.services.handover import transfer_agent
from directory.services.onboarding import activate_agent, approve_onboarding
from directory.services.runs import end_run
from directory.services.suspension import resume_agent, suspend_agent

_WHAT_IT_IS = ("name", "purpose", "environment", "framework", "model", "version")
_LIMITS = ("model_hash", "charter_hash", "tools_hash", "capabilities", "risk_tier", "team", "expires_at")
_ANSWERING = ("owner", "sponsor", "sponsor_team")
_TERMS = ("name", "description", "ceiling", "sign_offs", "credential_methods", "credential_days")
_SPAWNING = ("spawn_depth", "spawn_children", "spawn_seconds")
_STOPPING = ("suspend_at_risk",)


@admin.register(Agent)
class AgentAdmin(ServiceAdmin):
    """Agents; their state changes by operations only."""

    list_display = ("name", "external_id", "state", "environment", "risk_tier", "owner", "expires_at", "last_seen_at")
    listed_with = ("owner",)
    list_filter = ("state", "environment", "risk_tier", "ownerless", "review_needed")
    searched = {"pk": "exact", "external_id": "exact", "spiffe_id": "exact", "name": "istartswith"}
    search_help_text = "The id, the external id or the SPIFFE id, whole; or the beginning of a name."
    adding = ("external_id", *_WHAT_IT_IS, *_ANSWERING, "blueprint", *_LIMITS)
    changing = (*_WHAT_IT_IS, *_LIMITS)

    def changeable(self, row: Any) -> bool:
        """Leave a retired agent as it is."""
        return bool(row.state != State.RETIRED)

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Register an agent; it is pending until it is activated."""
        answering = {name: values.pop(name) for name in (*_ANSWERING, "blueprint", "external_id")}
        return register_agent(organization=organization_of(request), profile=AgentProfile(**values), **answering, **act)

    def update(self, request: HttpRequest, row: Any, form: ServiceForm, act: Act) -> Any:
        """Change an agent's profile."""
        return update_agent(agent=row, profile=replace(AgentProfile.of(row), **form.values()), **act)


@admin.register(SignOff)
class SignOffAdmin(RecordAdmin):
    """Who agreed to which agent's onboarding."""

    through = "agent"
    list_display = ("agent", "person", "signed_at", "reason")
    listed_with = ("agent", "person")


class BlueprintForm(ServiceForm):
    """The terms of a blueprint."""

    credential_methods = forms.MultipleChoiceField(
        choices=CredentialRecord.Kind.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="Kinds of credential; none for every kind.",
    )


@admin.register(Blueprint)
class BlueprintAdmin(ServiceAdmin):
    """Blueprints; the roles that go with one are a table of their own."""

    list_display = ("name", "external_id", "sign_offs", "credential_days", "spawn_depth", "created_at")
    searched = {"pk": "exact", "external_id": "exact", "name": "istartswith"}
    search_help_text = "The id or the external id, whole; or the beginning of a name."
    add_form = BlueprintForm
    form = BlueprintForm
    adding = ("external_id", *_TERMS, *_SPAWNING, *_STOPPING)
    changing = (*_TERMS, *_SPAWNING, *_STOPPING)

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Add a blueprint."""
        external_id = values.pop("external_id")
        terms = BlueprintTerms(**values)
        return create_blueprint(organization=organization_of(request), external_id=external_id, terms=terms, **act)

    def update(self, request: HttpRequest, row: Any, form: ServiceForm, act: Act) -> Any:
        """Replace a blueprint's terms."""
        return update_blueprint(blueprint=row, terms=replace(BlueprintTerms.of(row), **form.values()), **act)


@admin.register(Run)
class RunAdmin(OperableAdmin):
    """Runs; agents start them."""

    list_display = ("id", "agent", "task_id", "on_behalf_of", "started_at", "expires_at", "ended_at")
    listed_with = ("agent", "on_behalf_of")
    searched = {"pk": "exact", "task_id": "exact"}
    search_help_text = "The id of the run or of its task, whole."


@admin.register(PolicyChange)
class PolicyChangeAdmin(RecordAdmin):
    """The latest revisions of the organization's policy, and what each touched."""

    through = "organization"
    list_display = ("revision", "changed_at", "touched")
    searched = {}


class TransferForm(OperationForm):
    """Who answers for the agent from now on."""

    owner = RowField((Agent, "owner"))
    sponsor = RowField((Agent, "sponsor"), required=False, help_text="A person, or else a team.")
    sponsor_team = RowField((Agent, "sponsor_team"), required=False)


class ReviewForm(OperationForm):
    """The fingerprints that are accepted; empty ones stay as they are recorded."""

    model_hash = forms.CharField(max_length=128, required=False)
    charter_hash = forms.CharField(max_length=128, required=False)
    tools_hash = forms.CharField(max_length=128, required=False)


def _fingerprints(row: Any) -> dict[str, str]:
    return {name: getattr(row, name) for name in ReviewForm.base_fields if name != "reason"}


def _in(*states: State) -> Any:
    return lambda row: row.state in states


offer(
    Agent,
    Operation(
        name="activate",
        label="Activate",
        effect="The agent may work, if nobody has to agree any more.",
        right="manage_agent",
        perform=lambda row, _, act: activate_agent(agent=row, **act),
        possible=_in(State.PENDING),
    ),
    Operation(
        name="sign-off",
        label="Sign off",
        effect="You agree to the onboarding; the last agreement that the blueprint asks for activates the agent.",
        right="approve_agent",
        perform=lambda row, _, act: approve_onboarding(agent=row, **act),
        possible=_in(State.PENDING),
    ),
    Operation(
        name="suspend",
        label="Suspend",
        effect="The agent, and every agent that descends from it, is denied everything from the next request on.",
        right="operate_agent",
        perform=lambda row, _, act: suspend_agent(agent=row, **act),
        possible=_in(State.ACTIVE),
    ),
    Operation(
        name="resume",
        label="Resume",
        effect="The agent may work again, and so may those that descend from it and were active.",
        right="operate_agent",
        perform=lambda row, _, act: resume_agent(agent=row, **act),
        possible=_in(State.SUSPENDED),
    ),
    Operation(
        name="review",
        label="Review",
        effect="You have looked at what the agent is made of now, and accept it; it can be resumed then.",
        right="approve_agent",
        form=ReviewForm,
        initial=_fingerprints,
        perform=lambda row, values, act: review_agent(
            agent=row, **{name: value or None for name, value in values.items()}, **act
        ),
        possible=lambda row: row.review_needed,
        many=False,
    ),
    Operation(
        name="transfer",
        label="Transfer",
        effect="Somebody else answers for the agent, and for every agent that descends from it.",
        right="manage_agent",
        form=TransferForm,
        initial=lambda row: {name: getattr(row, f"{name}_id") for name in _ANSWERING},
        perform=lambda row, values, act: transfer_agent(agent=row, **values, **act),
        possible=lambda row: row.state != State.RETIRED and row.parent_id is None,
        many=False,
    ),
)
offer(
    Run,
    Operation(
        name="end",
        label="End",
        effect="The run's task allows nothing any more.",
        right="change_run",
        perform=lambda row, _, act: end_run(run=row, **act),
        possible=lambda row: row.ended_at is None,
        drastic=True,
    ),
)
