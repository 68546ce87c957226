"""Make an organization as its manifest says: all of it in one transaction, or nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Refusal
from agentiam.manifest.containers import with_containers
from agentiam.manifest.documents import Document
from agentiam.manifest.mistakes import Path, Refused
from agentiam.manifest.planning.changes import Change, Hand, Plan
from agentiam.manifest.planning.plan import make_plan
from agentiam.manifest.present import read_present
from agentiam.manifest.reading import Source
from agentiam.manifest.references import check_references
from agentiam.manifest.shape import shaped
from directory.lifecycle import State
from directory.models import Agent, Organization
from directory.services.credentials import issue_api_key
from directory.services.reports import together
from directory.services.revisions import lock_organization
from permissions.services.application_keys import issue_application_key

KEY_LABEL = "apply"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was changed, or would be; each key in ``credentials`` is shown this once."""

    organization: str
    changes: list[Change]
    notes: list[str]
    credentials: dict[str, str] = field(default_factory=dict, repr=False)

    def as_json(self) -> dict[str, Any]:
        """The outcome for a program."""
        return {
            "organization": self.organization,
            "changes": [change.as_json() for change in self.changes],
            "credentials": self.credentials,
            "notes": self.notes,
        }


def apply_manifest(
    source: Source,
    *,
    by: Actor,
    reason: str,
    now: datetime,
    prune: bool = False,
    dry_run: bool = False,
    show: Callable[[Plan], None] | None = None,
) -> Outcome:
    """Compare a manifest with the database, show the plan, and carry it out through the services.

    A dry run does everything and takes it back, so that it finds what a service would refuse. With ``prune``, what a section
    does not list is ended. Raises Unusable for mistakes in the manifest and Refused when a service refuses; then nothing is
    changed.
    """
    document = shaped(source)
    with transaction.atomic():
        plan = _planned(source, document, by=by, prune=prune, now=now)
        if show is not None:
            show(plan)
        hand = Hand(rows=plan.present.rows, by=by, reason=reason, now=now, made=plan.present.organization)
        with together():
            for step in plan.ordered():
                _guarded(source, step.path, step.run, hand)
            credentials = {} if dry_run else _issue_keys(source, plan, hand)
        if dry_run:
            transaction.set_rollback(True)
    return Outcome(document.organization.slug, plan.changes, plan.notes, credentials)


def _planned(source: Source, document: Document, *, by: Actor, prune: bool, now: datetime) -> Plan:
    organization = Organization.objects.filter(slug=document.organization.slug).first()
    if organization is not None:
        # Nobody else changes anything between the comparison and the last step.
        _guarded(source, ("organization",), lambda _: lock_organization(organization.pk, by=by), None)
    present = read_present(document.organization.slug, now=now)
    document = with_containers(document, present)
    check_references(source, document, present)
    return make_plan(source, document, present, prune=prune, now=now)


def _guarded(source: Source, path: Path, run: Callable[[Any], object], hand: Hand | None) -> None:
    try:
        run(hand)
    except Refusal as refusal:
        message = f"{refusal.message} {refusal.remedy}".strip()
        # A step for what a section does not list has the section alone for its path.
        listed = len(path) > 1 or path == ("organization",)
        raise Refused(source.mistake(path, message) if listed else source.absent(path, message)) from refusal


def _issue_keys(source: Source, plan: Plan, hand: Hand) -> dict[str, str]:
    """Give a first key to each application and each active agent that was created."""
    keys: dict[str, str] = {}
    for section, name in plan.keys_for:
        issue = _issue_application_key if section == "applications" else _issue_agent_key
        _guarded(source, (section,), partial(issue, keys, name), hand)
    return keys


def _issue_application_key(keys: dict[str, str], name: str, hand: Hand) -> None:
    _, token = issue_application_key(application=hand.rows["applications"][name], label=KEY_LABEL, **hand.acting)
    keys[f"application/{name}"] = token.text


def _issue_agent_key(keys: dict[str, str], name: str, hand: Hand) -> None:
    agent = Agent.objects.get(pk=hand.rows["agents"][name].pk)
    # Its owner may have been deactivated by the same manifest, and it stopped with that.
    if agent.state == State.ACTIVE:
        _, token = issue_api_key(agent=agent, label=KEY_LABEL, **hand.acting)
        keys[f"agent/{name}"] = token.text
