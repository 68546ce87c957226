"""The company is loaded as any other, by its manifest and the services, in one transaction; one that is there is left alone."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db import transaction

from agentiam.administrators import create_administrator
from agentiam.demo.happenings import SIGHTINGS, happen
from agentiam.demo.manifests import COMPANY, PARTNER, ZONE, company_manifest, partner_manifest
from agentiam.kit.actors import system
from agentiam.kit.errors import Conflict
from agentiam.manifest.applying import Outcome, apply_manifest
from agentiam.manifest.reading import Source
from directory.models import Agent, Organization
from directory.services.dormancy import mark_dormant

DEMO: Final = system("demo")
_REASON: Final = "manage.py demo"


class CompanyLoaded(Conflict):
    """The company, or its partner, is there already."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded, and how to look at it; the password is shown this once."""

    organization: Organization
    created: dict[str, int]
    """How many of each kind."""
    username: str
    password: str = field(repr=False)


def load_company(*, now: datetime) -> Loaded:
    """Load the company with its partner, and an administrator for whoever looks at it; raises CompanyLoaded.

    The keys that ``apply`` makes are told to nobody: applications get others for a day of decisions (agentiam.demo.keys).
    """
    with transaction.atomic():
        there = Organization.objects.filter(slug__in=(COMPANY, PARTNER)).first()
        if there is not None:
            raise CompanyLoaded(f"{there.name} is loaded already and stays as it is.")
        _apply(partner_manifest(), now=now)
        outcome = apply_company(now=now)
        # Now that the trust is proposed, the partner agrees.
        _apply(partner_manifest(), now=now)
        organization = Organization.objects.get(slug=COMPANY)
        happen(organization, by=DEMO, now=now)
        person, password = create_administrator(
            organization=organization,
            external_id="admin",
            username=f"admin@{COMPANY}",
            name="Administrator",
            email=f"admin@{organization.trust_domain}",
            by=DEMO,
            now=now,
        )
    # The clock would, within the day; whoever looks now is to see it already.
    mark_dormant(now=now)
    created = {"agent": len(SIGHTINGS)}
    for change in outcome.changes:
        created[change.kind] = created.get(change.kind, 0) + 1
    return Loaded(organization, created, person.username, password)


def apply_company(*, now: datetime) -> Outcome:
    """Apply the company's manifest as of today; its partner is there."""
    agents = Agent.objects.filter(organization__slug=PARTNER)
    partners = {f"{PARTNER}/{name}": spiffe_id for name, spiffe_id in agents.values_list("external_id", "spiffe_id")}
    return _apply(company_manifest(today=now.astimezone(ZONE).date(), partners=partners), now=now)


def _apply(source: Source, *, now: datetime) -> Outcome:
    return apply_manifest(source, by=DEMO, reason=_REASON, now=now)
