"""The answers about what is allowed, described: effective access, explanations, plans and recorded decisions."""

from typing import Any

from rest_framework import serializers

from agentiam.api.serializers import Told

_OUTCOMES = ("always", "depends", "never")


class RuleTold(Told):
    """Names a rule: what it is, its id, its version, and through what it came."""

    kind = serializers.CharField()
    id = serializers.CharField()
    version = serializers.IntegerField()
    via = serializers.ListField(child=serializers.CharField(), required=False)


class ConditionTold(Told):
    """A condition on the row and the request, where there is one: as text, and as a tree if it names the row only."""

    holds = serializers.ChoiceField(choices=_OUTCOMES)
    text = serializers.CharField(allow_null=True)
    plan = serializers.DictField(allow_null=True)


class FieldsTold(Told):
    """Fields that the rules treat alike; no names stand for a type without fields."""

    names = serializers.ListField(child=serializers.CharField())
    best = serializers.ChoiceField(choices=("allowed", "escalated", "denied"))
    allowed = ConditionTold()
    escalated = ConditionTold()
    masked = ConditionTold()


class GivenTold(Told):
    """How something came into somebody's hands."""

    source = serializers.CharField()  # type: ignore[assignment]  # a member of the body
    reason = serializers.CharField()
    by = serializers.CharField()


class SubtreeOfSource(Told):
    """The root of a subtree."""

    type = serializers.CharField()
    id = serializers.CharField()


class SourceTold(Told):
    """One rule that offers something: a grant, or an entitlement of a role with the way through which it comes."""

    rule = RuleTold()
    through = serializers.ListField(child=serializers.CharField())
    outcome = serializers.ChoiceField(choices=_OUTCOMES)
    reason = serializers.CharField()
    actions = serializers.ListField(child=serializers.CharField(), allow_null=True)
    resource = serializers.CharField(allow_null=True)
    subtree = SubtreeOfSource(allow_null=True)
    where = serializers.CharField(allow_null=True)
    when = serializers.CharField(allow_null=True)
    fields = serializers.ListField(child=serializers.CharField(), allow_null=True)  # type: ignore[assignment]  # as above
    use = serializers.BooleanField()
    delegate = serializers.BooleanField()
    until = serializers.DateTimeField(allow_null=True)
    given = GivenTold(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        """Add the member whose name Python keeps for itself."""
        return {**super().get_fields(), "from": serializers.DateTimeField(allow_null=True, source="not_before")}


class TermTold(Told):
    """One term of the authority formula; sources are told to those who see what its principal holds."""

    term = serializers.CharField()
    who = serializers.CharField()
    outcome = serializers.ChoiceField(choices=_OUTCOMES)
    fields = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]  # as above
    reason = serializers.CharField()
    until = serializers.DateTimeField(allow_null=True, required=False)
    rule = RuleTold(allow_null=True, required=False)
    sources = SourceTold(many=True, required=False)


class GuardrailOfAccess(Told):
    """One guardrail over the action; what it says is told to those who may read guardrails."""

    rule = RuleTold()
    effect = serializers.CharField()
    outcome = serializers.ChoiceField(choices=_OUTCOMES)
    fields = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]  # as above
    whole_request = serializers.BooleanField()
    reason = serializers.CharField()
    report_only = serializers.BooleanField()
    when = serializers.CharField(allow_null=True, required=False)


class BlockedTold(Told):
    """Something that alone is enough for a no."""

    term = serializers.CharField()
    who = serializers.CharField()
    reason = serializers.CharField()


class AccessTold(Told):
    """One action on one type."""

    type = serializers.CharField()
    action = serializers.CharField()
    effect = serializers.ChoiceField(choices=("allow", "conditional", "escalate", "deny"))
    data_classes = serializers.ListField(child=serializers.CharField())
    fields = FieldsTold(many=True)  # type: ignore[assignment]  # as above
    depends_on = serializers.ListField(child=serializers.CharField())
    until = serializers.DateTimeField(allow_null=True)
    terms = TermTold(many=True)
    guardrails = GuardrailOfAccess(many=True)
    blocked = BlockedTold(many=True)


class EffectiveAccessTold(Told):
    """Everything that an agent can and cannot do at an instant."""

    agent = serializers.CharField()
    acting_for = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()
    revision = serializers.IntegerField(allow_null=True, help_text="Null for rules that stood once.")
    inactive = serializers.CharField(help_text="Why it may not act at all; empty when it may.")
    rows = AccessTold(many=True)


class ExplanationTold(Told):
    """An answer with everything that was looked at for it (docs/decision-api.md), every term and every guardrail."""

    decision = serializers.BooleanField()
    at = serializers.DateTimeField()
    revision = serializers.IntegerField(allow_null=True, help_text="Null for rules that stood once.")
    effect = serializers.ChoiceField(choices=("allow", "deny", "escalate"))
    reason_user = serializers.CharField()
    reason_admin = serializers.CharField()
    fields = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))  # type: ignore[assignment]  # as above
    rules = RuleTold(many=True)
    obligations = serializers.ListField(child=serializers.DictField())
    lost = serializers.DictField(required=False)
    would_allow = serializers.ListField(child=serializers.DictField(), required=False)
    errors = serializers.ListField(child=serializers.DictField(), required=False)  # type: ignore[assignment]  # as above
    report_only = RuleTold(many=True, required=False)
    terms = serializers.ListField(child=serializers.DictField())
    guardrails = serializers.ListField(child=serializers.DictField())


class RowsOfFields(Told):
    """The rows on which fields may be read, and those of them on which they are masked."""

    fields = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]  # as above
    rows = serializers.DictField()
    masked = serializers.DictField()


class SqlTold(Told):
    """A condition for a WHERE clause; every value is a parameter."""

    dialect = serializers.ChoiceField(choices=("sqlite", "postgresql"))
    text = serializers.CharField()
    params = serializers.ListField(child=serializers.JSONField())


class PlanTold(Told):
    """The rows that are allowed: ``none`` if there can be none, and then ``lost`` says why."""

    plan_id = serializers.UUIDField()
    planned_at = serializers.DateTimeField()
    revision = serializers.IntegerField()
    type = serializers.CharField()
    none = serializers.BooleanField()
    rows = serializers.DictField()
    fields = RowsOfFields(many=True)  # type: ignore[assignment]  # as above
    lost = serializers.DictField(allow_null=True)
    sql = SqlTold(allow_null=True)


class DecisionTold(Told):
    """A recorded decision; ``depth`` says whether this is all of it, or what the caller was told."""

    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    subject = serializers.CharField()
    decision = serializers.BooleanField()
    depth = serializers.ChoiceField(choices=("full", "told"))
    revision = serializers.IntegerField()
    request_id = serializers.CharField()
    context = serializers.DictField(source="said")  # type: ignore[assignment]  # as above
    question = serializers.DictField(allow_null=True)
    caller = serializers.DictField(allow_null=True)
    hash = serializers.CharField()
