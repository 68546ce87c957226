"""Those who call the API, and one row of every kind that it shows, of one organization."""

from dataclasses import dataclass
from typing import Final

from django.utils import timezone

from agentiam.jobs.models import Job
from audit.models import Chain, Event, SigningKey
from audit.services import sign_checkpoint
from directory.models import Agent, Organization, User
from directory.services.credentials import issue_api_key
from directory.services.invitations import invite_person
from directory.services.onboarding_tokens import issue_onboarding_token
from directory.services.person_keys import issue_person_key
from directory.services.runs import start_run
from permissions.services.application_keys import issue_application_key
from permissions.services.offboarding import offboard_agent
from permissions.services.roles import set_blueprint_roles
from tests.factories import SYSTEM, make_agent, make_blueprint, make_organization, make_person, make_team
from tests.permissions import factories as make
from tests.remembered import Remembered

_ROLES: Final = {
    "alice": "security_administrator",
    "bob": "approver",
    "carol": "auditor",
    "olivia": "owner",
    "dave": "developer",
    "mallory": "security_administrator",
}


@dataclass
class Cast:
    """alice administers, bob approves, carol audits, olivia owns the agent, dave develops; mallory administers evil."""

    acme: Organization
    evil: Organization
    people: dict[str, User]
    agent: Agent


def _make_cast() -> Cast:
    acme, evil = make_organization("acme"), make_organization("evil")
    people = _make_people(acme, evil)
    return Cast(acme, evil, people, make_agent(acme, "runner", owner=people["olivia"]))


def _make_everything() -> tuple[Cast, dict[str, str]]:
    cast = _make_cast()
    return cast, rows_of_every_kind(cast.acme, cast.people, cast.agent)


make_cast = Remembered(_make_cast)
make_everything = Remembered(_make_everything)


def _make_people(acme: Organization, evil: Organization) -> dict[str, User]:
    made = {}
    for name, role in _ROLES.items():
        person = make_person(evil if name == "mallory" else acme, name)
        person.console_roles = [role]
        person.save(update_fields=["console_roles"])
        made[name] = person
    return made


def rows_of_every_kind(organization: Organization, people: dict[str, User], agent: Agent, *, word: str = "") -> dict[str, str]:
    """Make them; answers the id of one of each by the path of its list. ``agent`` is one of olivia's.

    ``word`` is part of every name, so that it can be looked for.
    """
    now, olivia = timezone.now(), people["olivia"]
    made = {"organizations": organization, "agents": agent, "people": people["dave"]}
    made |= _directory(organization, people, agent, word)
    made |= _permissions(organization, people, agent, word)
    gone = make_agent(organization, f"gone{word}", owner=olivia)
    _, made["attestations"] = offboard_agent(agent=gone, by=SYSTEM, reason=f"over{word}", now=now)
    made["events"] = Event.objects.filter(organization_id=organization.pk).latest("id")
    made["checkpoints"] = sign_checkpoint(organization.pk)
    made["signing-keys"] = SigningKey.objects.get()
    made["chains"] = Chain.objects.filter(organization_id=organization.pk).latest("opened_at")
    made["jobs"] = Job.objects.create(organization_id=organization.pk, task=f"tests.none{word}", state="dead")
    return {path: str(row.pk) for path, row in made.items()}


def _directory(organization: Organization, people: dict[str, User], agent: Agent, word: str) -> dict[str, object]:
    now, olivia, alice = timezone.now(), people["olivia"], people["alice"]
    blueprint = make_blueprint(organization, f"clerk{word}")
    token, _ = issue_onboarding_token(
        blueprint=blueprint, label=f"CI{word}", owner=olivia, sponsor=olivia, most_uses=5, by=alice.as_actor(), now=now
    )
    credential, _ = issue_api_key(agent=agent, label=f"main{word}", by=SYSTEM, now=now)
    key, _ = issue_person_key(user=people["dave"], label=f"laptop{word}", by=people["dave"].as_actor(), now=now)
    return {
        "teams": make_team(organization, f"operations{word}", members=(people["dave"],)),
        "blueprints": blueprint,
        "onboarding-tokens": token,
        "credentials": credential,
        "person-keys": key,
        "runs": start_run(agent=agent, task_id=f"T-1{word}", by=SYSTEM, now=now),
        "invitations": invite_person(organization=organization, email=f"new{word}@acme.example", by=alice.as_actor(), now=now),
    }


def _permissions(organization: Organization, people: dict[str, User], agent: Agent, word: str) -> dict[str, object]:
    now, olivia = timezone.now(), people["olivia"]
    application = make.make_application(organization, f"crm{word}")
    key, _ = issue_application_key(application=application, label=f"main{word}", by=SYSTEM, now=now)
    lead = make.make_resource_type(organization, f"crm.lead{word}", application=application)
    entitlement = make.spec(type=f"crm.lead{word}", actions=["read"])
    role = make.make_role(organization, f"reader{word}", entitlement)
    blueprint = make_blueprint(organization, f"with-role{word}")
    set_blueprint_roles(blueprint=blueprint, roles=[role], by=SYSTEM, now=now)
    successor = make_agent(organization, f"successor{word}", owner=olivia)
    return {
        "applications": application,
        "application-keys": key,
        "resource-types": lead,
        "resources": make.make_resource(lead, f"lead-1{word}"),
        "roles": role,
        "blueprint-roles": blueprint,
        "role-assignments": make.make_assignment(role, agent.user),
        "grants": make.make_grant(organization, agent.user, entitlement),
        "guardrails": make.make_guardrail(organization, f"nights{word}"),
        "consents": make.make_consent(people["dave"], agent, lead),
        "delegations": make.make_delegation(agent, successor, entitlement),
        "trusted-issuers": make.make_trusted_issuer(organization, f"https://ci{word}.example"),
        "signals": make.make_signal(agent, data={"kid": f"key{word}"}),
        "authorizations": make.make_authorization(people["dave"], agent, audience=f"https://crm{word}.example"),
        "access-tokens": make.make_access_token(agent, user=people["dave"], audience=f"https://crm{word}.example"),
        "token-keys": make.make_token_key(organization, f"kid{word}{organization.slug}"),
        "trusts": make.make_trust(organization, make_organization(f"partner{word}")),
        "replacements": make.make_replacement(agent, successor),
    }
