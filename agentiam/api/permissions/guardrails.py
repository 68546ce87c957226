"""Guardrails over the API: drafted, put in force by the number of the draft that was read, or to report only; withdrawn."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.filters import Filters
from agentiam.api.part_versions import part_versions
from agentiam.api.permissions.entitlements import LONGEST_CONDITION
from agentiam.api.serializers import Given, Reason, StringList, Told, one_of
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import Given as Values
from agentiam.api.viewsets import operation
from directory.models import Organization
from permissions.models import DataClass, Guardrail, GuardrailVersion, ResourceType
from permissions.services.guardrails import Wording, draft_guardrail, publish_guardrail, withdraw_guardrail


class WordingTold(Told):
    """One wording of a guardrail."""

    number = serializers.IntegerField()
    state = serializers.ChoiceField(choices=GuardrailVersion.State.choices)
    effect = serializers.ChoiceField(choices=GuardrailVersion.Effect.choices)
    type = serializers.CharField(source="resource_type.name", allow_null=True, default=None)
    actions = serializers.ListField(child=serializers.CharField(), allow_null=True)
    when = serializers.CharField()
    fields = serializers.ListField(child=serializers.CharField(), allow_null=True)  # type: ignore[assignment]  # a member of the body
    data_classes = serializers.ListField(child=serializers.CharField(), allow_null=True)
    message = serializers.CharField(source="reason", help_text="What the one who is refused is told.")
    created_at = serializers.DateTimeField()
    published_at = serializers.DateTimeField(allow_null=True)


class GuardrailTold(Told):
    """A guardrail through all its wordings, the latest first."""

    id = serializers.UUIDField(source="pk")
    external_id = serializers.CharField()
    name = serializers.CharField()
    versions = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    @extend_schema_field(WordingTold(many=True))
    def get_versions(self, row: Guardrail) -> Any:
        """Tell the wordings."""
        versions = sorted(row.versions.all(), key=lambda each: -each.number)
        return WordingTold(versions, many=True).data


class WordingGiven(Given):
    """What a guardrail says; without a type it stands over all of them."""

    name = serializers.CharField(max_length=200)
    effect = serializers.ChoiceField(choices=GuardrailVersion.Effect.choices)
    type = serializers.UUIDField(required=False, allow_null=True, help_text="The id of a resource type.")
    actions = StringList(required=False, allow_null=True, min_length=1)
    when = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_CONDITION)
    fields = StringList(required=False, allow_null=True, min_length=1)  # type: ignore[assignment]  # a member of the body
    data_classes = serializers.ListField(
        child=serializers.ChoiceField(choices=DataClass.choices), required=False, allow_null=True, min_length=1
    )
    message = serializers.CharField(required=False, allow_blank=True, max_length=2_000)


class GuardrailDrafted(WordingGiven, Reason):
    """A wording of a new guardrail, or of one that is there under this id."""

    external_id = serializers.CharField(max_length=200)


class WordingDrafted(WordingGiven, Reason):
    """Another wording; it replaces the draft that is there."""


class Published(Reason):
    """Which wording is to be in force, and how."""

    number = serializers.IntegerField(min_value=1, help_text="The number of the wording that was read.")
    report_only = serializers.BooleanField(default=False, help_text="Record what it would do, and do nothing.")


class GuardrailFilters(Filters):
    """How the list of guardrails is narrowed."""

    external_id = django_filters.CharFilter()
    state = django_filters.ChoiceFilter(
        field_name="versions__state", choices=GuardrailVersion.State.choices, label="state", distinct=True
    )


class GuardrailViewSet(VersionedViewSet):
    """Guardrails."""

    model = Guardrail
    told = GuardrailTold
    gathered = ("versions__resource_type",)
    orders = ("id", "-id", "name", "-name")
    searched = ("name", "external_id")
    filterset_class = GuardrailFilters

    wordings_versions = part_versions(
        GuardrailVersion, "guardrail", path="wordings/versions", summary="What the wordings of the guardrail were"
    )

    @extend_schema(request=GuardrailDrafted, responses={201: GuardrailTold})
    def create(self, request: Any) -> Response:
        """Draft a guardrail; it decides nothing yet."""
        self.require("add_guardrail")
        given = self.given(GuardrailDrafted)
        why = self.why(given)
        external_id = given.pop("external_id")
        return self.created(self._draft(external_id, given, why))

    @operation(
        "draft", right="change_guardrail", takes=WordingDrafted, replaces=True, summary="Draft another wording of a guardrail"
    )
    def draft(self, guardrail: Guardrail, given: Values) -> Any:
        """Draft another wording; the one in force stays in force."""
        why = self.why(given)
        return self._draft(guardrail.external_id, given, why)

    @operation("publish", right="change_guardrail", takes=Published, summary="Put a wording in force")
    def publish(self, guardrail: Guardrail, given: Values) -> Any:
        """Put a wording in force, to decide or only to report; the one that was in force is superseded."""
        why = self.why(given)
        state: Any = "report_only" if given["report_only"] else "published"
        publish_guardrail(guardrail=guardrail, number=given["number"], state=state, **why)
        return guardrail

    @operation("withdraw", right="change_guardrail", summary="Take a guardrail out of force")
    def withdraw(self, guardrail: Guardrail, given: Values) -> Any:
        """Take the wording in force out of force; a draft stays."""
        withdraw_guardrail(guardrail=guardrail, **self.why(given))
        return guardrail

    def _draft(self, external_id: str, given: Values, why: Values) -> Guardrail:
        user = self.request.user
        key = given.get("type")
        wording = Wording(
            effect=given["effect"],
            resource_type=None if key is None else one_of(ResourceType.objects.visible_to(user), key, "type"),
            actions=given.get("actions"),
            when=given.get("when", ""),
            fields=given.get("fields"),
            data_classes=given.get("data_classes"),
            reason=given.get("message", ""),
        )
        organization = Organization.objects.get(pk=self.organization_id)
        drafted = draft_guardrail(
            organization=organization, external_id=external_id, name=given["name"], wording=wording, **why
        )
        return drafted.guardrail
