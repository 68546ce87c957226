"""Who lets whom act for them, in the admin: consents, delegations, trusts."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest

from agentiam.kit.administration.acting import Act
from agentiam.kit.administration.editing import OperableAdmin, ServiceAdmin
from agentiam.kit.administration.forms import ServiceForm, optional_lines
from agentiam.kit.administration.operations import Operation, offer
from directory.admin.people import organization_of
from permissions.admin.holdings import is_running
from permissions.admin.terms import SELECTED, EntitlementForm, taken_spec
from permissions.models import Consent, DataClass, Delegation, Trust
from permissions.services.consents import end_consent
from permissions.services.delegations import delegate, end_delegation
from permissions.services.trusts import TrustTerms, agree_trust, end_trust, find_partner, propose_trust


@admin.register(Consent)
class ConsentAdmin(OperableAdmin):
    """Consents; only the user gives one, on their own page."""

    list_display = ("user", "agent", "resource_type", "actions", "given_at", "ends_at", "ended_at")
    listed_with = ("user", "agent", "resource_type")


@admin.register(Delegation)
class DelegationAdmin(ServiceAdmin):
    """Delegations from agent to agent."""

    list_display = ("delegator", "delegate", "resource_type", "actions", "depth", "created_at", "ends_at", "ended_at")
    listed_with = ("delegator", "delegate", "resource_type")
    add_form = EntitlementForm
    adding = ("delegator", "delegate", *SELECTED, "depth", "ends_at")

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Let an agent act for another."""
        spec = taken_spec(values)
        return delegate(entitlement=spec, **values, **act)


class TrustForm(ServiceForm):
    """A partner here, by slug, or elsewhere, by issuer and keys; and what its agents may touch."""

    partner_slug = forms.SlugField(
        required=False, label="Partner here", help_text="The slug of an organization of this server."
    )
    agents = optional_lines(help_text="SPIFFE ids of its agents, one a line; empty for all.")
    types = optional_lines(help_text="Names of resource types, one a line; empty for all.")
    data_classes = forms.TypedMultipleChoiceField(
        choices=DataClass.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        empty_value=None,
        help_text="Classes of data; none for all.",
    )


@admin.register(Trust)
class TrustAdmin(ServiceAdmin):
    """Trusts between organizations, as both of their sides see them."""

    list_display = ("organization", "partner", "issuer", "agreed_here_at", "agreed_there_at", "ends_at", "ended_at")
    listed_with = ("organization", "partner")
    add_form = TrustForm
    adding = ("partner_slug", "issuer", "keys", "agents", "types", "data_classes", "ends_at")

    def removed_of(self, request: HttpRequest) -> Q:
        """Show both sides what there was between them."""
        own = organization_of(request).pk
        return Q(organization_id=own) | Q(partner_id=own, agreed_there_at__isnull=False)

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Propose a trust."""
        slug, issuer, keys = values.pop("partner_slug"), values.pop("issuer"), values.pop("keys")
        partner = find_partner(slug) if slug else None
        return propose_trust(
            organization=organization_of(request), partner=partner, issuer=issuer, keys=keys, terms=TrustTerms(**values), **act
        )


offer(
    Consent,
    Operation(
        name="end",
        label="End",
        effect="The agent does not act on the user's behalf by it any more. Who ends another's consent says why.",
        right="change_consent",
        perform=lambda row, _, act: end_consent(consent=row, **act),
        possible=is_running,
        drastic=True,
    ),
)
offer(
    Delegation,
    Operation(
        name="end",
        label="End",
        effect="The delegate does not act for the delegator by it any more, from the next decision on.",
        right="change_delegation",
        perform=lambda row, _, act: end_delegation(delegation=row, **act),
        possible=is_running,
        drastic=True,
    ),
)
offer(
    Trust,
    Operation(
        name="agree",
        label="Agree",
        effect="Your organization agrees to what the other one proposed; the trust stands from now on.",
        right="change_trust",
        perform=lambda row, _, act: agree_trust(trust=row, **act),
        possible=lambda row: is_running(row) and row.agreed_there_at is None,
        many=False,
    ),
    Operation(
        name="end",
        label="End",
        effect="The trust is over for both sides, from the next decision on.",
        right="change_trust",
        perform=lambda row, _, act: end_trust(trust=row, **act),
        possible=is_running,
        drastic=True,
    ),
)
