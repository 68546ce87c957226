"""Replacements in the admin: proposed, agreed to by somebody else, then completed or abandoned."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from agentiam.kit.administration.acting import Act
from agentiam.kit.administration.editing import ServiceAdmin
from agentiam.kit.administration.forms import OperationForm
from agentiam.kit.administration.operations import Operation, offer
from permissions.models import Replacement
from permissions.services.replacement import (
    abandon_replacement,
    compare_replacement,
    complete_replacement,
    propose_replacement,
    review_replacement,
)


@admin.register(Replacement)
class ReplacementAdmin(ServiceAdmin):
    """Handovers from one agent to another, with the difference in what they may do."""

    list_display = ("predecessor", "successor", "state", "proposed_by", "reviewed_by", "proposed_at", "ended_at")
    listed_with = ("predecessor", "successor", "reviewed_by")
    list_filter = ("state",)
    adding = ("predecessor", "successor")

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Propose that an agent takes another's place."""
        return propose_replacement(**values, **act)


class AgreementForm(OperationForm):
    """The difference that is agreed to: the one that was read."""

    difference_hash = forms.CharField(
        max_length=64, label="Hash of the difference", help_text="Of the difference that you have read on the page before."
    )


def _in(*states: str) -> Any:
    return lambda row: row.state in states


_OPEN = (Replacement.State.PROPOSED, Replacement.State.SIDE_BY_SIDE)
offer(
    Replacement,
    Operation(
        name="compare",
        label="Compare anew",
        effect="The difference is taken again, as it is now.",
        right="change_replacement",
        perform=lambda row, _, act: compare_replacement(replacement=row, **act),
        possible=_in(Replacement.State.PROPOSED),
        many=False,
    ),
    Operation(
        name="agree",
        label="Agree",
        effect="The successor gets what the difference says, and both agents work side by side.",
        right="approve_agent",
        on="successor",
        form=AgreementForm,
        initial=lambda row: {"difference_hash": row.difference_hash},
        perform=lambda row, values, act: review_replacement(replacement=row, **values, **act),
        possible=_in(Replacement.State.PROPOSED),
        many=False,
    ),
    Operation(
        name="complete",
        label="Complete",
        effect="The predecessor is offboarded with everything that it holds, for good; the successor stays.",
        right="change_replacement",
        perform=lambda row, _, act: complete_replacement(replacement=row, **act)[0],
        possible=_in(Replacement.State.SIDE_BY_SIDE),
        many=False,
        drastic=True,
    ),
    Operation(
        name="abandon",
        label="Abandon",
        effect="What the successor got by it ends, and the predecessor goes on.",
        right="change_replacement",
        perform=lambda row, _, act: abandon_replacement(replacement=row, **act),
        possible=_in(*_OPEN),
        many=False,
        drastic=True,
    ),
)
