"""Guardrails in the admin: drafted in a form; published, made report-only and withdrawn by operations."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Case, IntegerField, Value, When
from django.http import HttpRequest

from agentiam.kit.administration.acting import Act
from agentiam.kit.administration.editing import ServiceAdmin
from agentiam.kit.administration.forms import OperationForm, RowField, ServiceForm, optional_lines
from agentiam.kit.administration.operations import Operation, offer
from agentiam.kit.administration.records import RecordAdmin
from directory.admin.people import organization_of
from permissions.models import DataClass, Grant, Guardrail, GuardrailVersion
from permissions.services.guardrails import Wording, draft_guardrail, publish_guardrail, withdraw_guardrail

_WORDING = ("effect", "resource_type", "actions", "when", "fields", "data_classes", "told")
_STANDING = ("draft", "published", "report_only")


class GuardrailForm(ServiceForm):
    """A guardrail and the wording that is drafted; it begins with the draft, or else with the wording in force."""

    effect = forms.ChoiceField(choices=GuardrailVersion.Effect.choices)
    resource_type = RowField((Grant, "resource_type"), required=False, help_text="Empty for every type.")
    actions = optional_lines(help_text="Names of actions, one a line; empty for all.")
    when = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        help_text="In CEL; empty for always.",
    )
    fields = optional_lines(help_text="Names of fields, one a line; empty for the whole request.")  # type: ignore[assignment]  # a field of that name, as the model has
    data_classes = forms.TypedMultipleChoiceField(
        choices=DataClass.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        empty_value=None,
        help_text="None for the whole request.",
    )
    told = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
        help_text="What the one who is refused is told.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        wording = None if self.instance._state.adding else _latest(self.instance)  # noqa: SLF001  (Django's documented name)
        if wording is not None:
            told = {name: getattr(wording, name) for name in _WORDING if name not in ("told", "resource_type")}
            self.initial.update(told, told=wording.reason, resource_type=wording.resource_type_id)


def _latest(guardrail: Guardrail) -> GuardrailVersion | None:
    """Find the draft, or else the wording in force."""
    draft_first = Case(When(state="draft", then=Value(0)), default=Value(1), output_field=IntegerField())
    standing = GuardrailVersion.objects.filter(guardrail=guardrail, state__in=_STANDING)
    return standing.order_by(draft_first, "-number").first()


@admin.register(Guardrail)
class GuardrailAdmin(ServiceAdmin):
    """Guardrails; saving drafts a wording, which decides nothing until it is published."""

    list_display = ("name", "external_id", "created_at")
    searched = {"pk": "exact", "external_id": "exact", "name": "istartswith"}
    search_help_text = "The id or the external id, whole; or the beginning of a name."
    add_form = GuardrailForm
    form = GuardrailForm
    adding = ("external_id", "name", *_WORDING)
    changing = ("name", *_WORDING)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show a wording where it can be drafted; its versions show it to those who only read."""
        named = super().get_fields(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return named
        return [name for name in named if name not in _WORDING]

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Draft a wording of a new guardrail."""
        return self._draft(request, values.pop("external_id"), values, act)

    def update(self, request: HttpRequest, row: Any, form: ServiceForm, act: Act) -> Any:
        """Draft another wording."""
        return self._draft(request, row.external_id, form.values(), act)

    def _draft(self, request: HttpRequest, external_id: str, values: dict[str, Any], act: Act) -> Guardrail:
        name, told = values.pop("name"), values.pop("told")
        draft = draft_guardrail(
            organization=organization_of(request),
            external_id=external_id,
            name=name,
            wording=Wording(**values, reason=told),
            **act,
        )
        return draft.guardrail


@admin.register(GuardrailVersion)
class GuardrailVersionAdmin(RecordAdmin):
    """Every wording that there was."""

    through = "guardrail"
    list_display = ("guardrail", "number", "state", "effect", "resource_type", "published_at")
    listed_with = ("guardrail", "resource_type")
    list_filter = ("state", "effect")


class PublishForm(OperationForm):
    """Which wording to put in force: the one that was looked at."""

    number = forms.IntegerField(min_value=1, help_text="The number of the wording that you have read.")


def _number(guardrail: Any) -> dict[str, Any]:
    wording = _latest(guardrail)
    return {} if wording is None else {"number": wording.number}


offer(
    Guardrail,
    Operation(
        name="publish",
        label="Publish",
        effect="The wording decides from the next decision on; the one that was in force is superseded.",
        right="change_guardrail",
        form=PublishForm,
        initial=_number,
        perform=lambda row, values, act: publish_guardrail(guardrail=row, number=values["number"], **act).guardrail,
        many=False,
    ),
    Operation(
        name="report-only",
        label="Report only",
        effect="The wording is recorded where it would apply, and decides nothing.",
        right="change_guardrail",
        form=PublishForm,
        initial=_number,
        perform=lambda row, values, act: (
            publish_guardrail(guardrail=row, number=values["number"], state="report_only", **act).guardrail
        ),
        many=False,
    ),
    Operation(
        name="withdraw",
        label="Withdraw",
        effect="The wording in force is out of force from the next decision on; a draft stays.",
        right="change_guardrail",
        perform=lambda row, _, act: withdraw_guardrail(guardrail=row, **act).guardrail,
        drastic=True,
    ),
)
