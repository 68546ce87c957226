"""Entitlements as forms: the same fields wherever one is written down."""

from typing import Any, Final

from agentiam.kit.administration.forms import LinesField, ServiceForm, optional_lines
from permissions.models import EntitlementTerms
from permissions.services.terms import EntitlementSpec

SELECTED: Final = ("resource_type", "actions", "resource", "subtree_type", "subtree_id", "where", "when", "fields")


class EntitlementForm(ServiceForm):
    """One entitlement."""

    actions = LinesField(required=True, help_text="Names of actions, one a line; * alone for all.")
    fields = optional_lines(help_text="Names of fields, one a line; empty for all.")  # type: ignore[assignment]  # a field of that name, as the model has


def taken_spec(values: dict[str, Any]) -> EntitlementSpec:
    """Take an entitlement out of what a form holds."""
    told = {name: values.pop(name) for name in SELECTED}
    return _spec(told)


def spec_of(row: EntitlementTerms) -> EntitlementSpec:
    """Write down the entitlement of a row."""
    return _spec({name: getattr(row, name) for name in SELECTED})


def _spec(told: dict[str, Any]) -> EntitlementSpec:
    # A subtree of which only half was named is the service's to refuse.
    subtree = (told["subtree_type"], told["subtree_id"]) if told["subtree_type"] or told["subtree_id"] else None
    return EntitlementSpec(
        type=told["resource_type"].name,
        actions=told["actions"],
        resource=told["resource"],
        subtree=subtree,
        where=told["where"],
        when=told["when"],
        fields=told["fields"],
    )
