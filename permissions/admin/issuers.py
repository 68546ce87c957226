"""Issuers elsewhere in the admin: whose signed statements count here, for what, and by which keys."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from agentiam.kit.administration.acting import Act
from agentiam.kit.administration.editing import ServiceAdmin
from agentiam.kit.administration.forms import AnyField, LinesField, ServiceForm
from agentiam.kit.administration.operations import Operation, offer
from directory.admin.people import organization_of
from permissions.admin.holdings import is_running
from permissions.models import TrustedIssuer
from permissions.services.issuers import IssuerTerms, add_trusted_issuer, end_trusted_issuer, update_trusted_issuer

_TERMS = (
    "name",
    "uses",
    "jwks_uri",
    "jwks",
    "algorithms",
    "audience",
    "user_claim",
    "asserted_scopes",
    "asserted_resources",
)


class TrustedIssuerForm(ServiceForm):
    """What is believed of an issuer, and where its keys come from."""

    uses = forms.MultipleChoiceField(
        choices=TrustedIssuer.Use.choices, widget=forms.CheckboxSelectMultiple, help_text="What its word counts for."
    )
    algorithms = forms.TypedMultipleChoiceField(
        choices=TrustedIssuer.Algorithm.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        empty_value=None,
        help_text="What its statements may be signed with; none for all that fit its keys.",
    )
    jwks_uri = forms.CharField(
        required=False, max_length=500, label="JWKS URI", help_text="Where its keys are; empty to give or discover them."
    )
    jwks = AnyField(required=False, label="JWKS", help_text="Its public keys (RFC 7517); empty to fetch them.")
    asserted_scopes = LinesField(help_text="Which scopes may be asserted to it, TYPE:ACTION, one a line; none by default.")
    asserted_resources = LinesField(help_text="Which of its resources assertions may name, one a line; none by default.")


@admin.register(TrustedIssuer)
class TrustedIssuerAdmin(ServiceAdmin):
    """Issuers elsewhere; their name in tokens stays."""

    list_display = ("name", "issuer", "uses", "created_at", "ended_at")
    searched = {"pk": "exact", "issuer": "exact", "name": "istartswith"}
    search_help_text = "The id or the issuer, whole; or the beginning of a name."
    form = add_form = TrustedIssuerForm
    adding = ("issuer", *_TERMS)
    changing = _TERMS

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Believe an issuer, from the next token on."""
        issuer = values.pop("issuer")
        return add_trusted_issuer(organization=organization_of(request), issuer=issuer, terms=IssuerTerms(**values), **act)

    def update(self, request: HttpRequest, row: Any, form: ServiceForm, act: Act) -> Any:
        """Change what is believed of an issuer, or where its keys are."""
        return update_trusted_issuer(trusted=row, terms=IssuerTerms(**form.values()), **act)


offer(
    TrustedIssuer,
    Operation(
        name="end",
        label="End",
        effect="The issuer is believed no more, from the next token on.",
        right="change_trustedissuer",
        perform=lambda row, _, act: end_trusted_issuer(trusted=row, **act),
        possible=is_running,
        drastic=True,
    ),
)
