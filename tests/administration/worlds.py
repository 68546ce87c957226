"""An organization with one row of every table, made through the services; every name in it begins with the same word."""

from datetime import timedelta
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from agentiam.api.models import RememberedAnswer
from agentiam.jobs.models import Job
from agentiam.jobs.queue import enqueue
from audit.attestations import attest
from audit.models import Attestation, Chain, Checkpoint, Event, SigningKey
from audit.services import Target, sign_checkpoint
from directory.lifecycle import State
from directory.models import (
    Agent,
    AgentGroupPermission,
    AgentUserPermission,
    Blueprint,
    BlueprintGroupPermission,
    BlueprintUserPermission,
    Credential,
    Invitation,
    OnboardingToken,
    Organization,
    PersonKey,
    PolicyChange,
    Run,
    SignOff,
    Team,
    TeamGroupPermission,
    TeamUserPermission,
    User,
)
from directory.services import access as directory_access
from directory.services.credentials import issue_api_key
from directory.services.invitations import invite_person
from directory.services.onboarding import approve_onboarding
from directory.services.onboarding_tokens import issue_onboarding_token
from directory.services.person_keys import issue_person_key
from directory.services.runs import start_run
from permissions.models import (
    AccessToken,
    Application,
    ApplicationGroupPermission,
    ApplicationKey,
    ApplicationUserPermission,
    Authorization,
    AuthorizationCode,
    BlueprintRole,
    Consent,
    Delegation,
    Entitlement,
    Grant,
    Guardrail,
    GuardrailVersion,
    LastAddress,
    OAuthClient,
    RefreshToken,
    Replacement,
    Resource,
    ResourceType,
    Role,
    RoleAssignment,
    RoleGroupPermission,
    RoleInclusion,
    RoleUserPermission,
    Signal,
    TokenKey,
    Trust,
    TrustedIssuer,
    UsedProof,
)
from permissions.services import access as permissions_access
from permissions.services.application_keys import issue_application_key
from permissions.services.oauth_clients import set_oauth_client
from permissions.services.places import note_place
from permissions.services.replacement import propose_replacement
from permissions.services.roles import set_blueprint_roles, set_role_inclusions
from permissions.services.trusts import TrustTerms, propose_trust
from tests.factories import SYSTEM, make_agent, make_blueprint, make_organization, make_person, make_team
from tests.permissions.factories import (
    make_access_token,
    make_application,
    make_assignment,
    make_authorization,
    make_consent,
    make_delegation,
    make_grant,
    make_guardrail,
    make_resource,
    make_resource_type,
    make_role,
    make_signal,
    make_token_key,
    make_trusted_issuer,
    spec,
)

PASSWORD = "correct horse battery staple"

World = dict[type[models.Model], Any]


def make_world(slug: str, word: str) -> World:
    """Make the organization; ``word`` begins every name and every id of its own choosing."""
    organization = make_organization(slug, name=f"{word} Org")
    now = timezone.now()
    act: dict[str, Any] = {"by": SYSTEM, "reason": f"{word} reason", "now": now}
    world = _directory(organization, word, act)
    world |= _permissions(organization, word, world, act)
    world |= _rights(world, act)
    world |= _record(organization, word, act)
    return world


def _directory(organization: Organization, word: str, act: dict[str, Any]) -> World:
    person = make_person(organization, f"{word}-person", name=f"{word} Person", email=f"{word.lower()}@example.org")
    team = make_team(organization, f"{word}-team", members=(person,))
    blueprint = make_blueprint(organization, f"{word}-blueprint", sign_offs=1, description=f"{word} description")
    agent = make_agent(organization, f"{word}-agent", owner=person, purpose=f"{word} purpose", team=team)
    pending = make_agent(organization, f"{word}-pending", owner=person, blueprint=blueprint, state=State.PENDING)
    approver = make_person(organization, f"{word}-approver", name=f"{word} Approver")
    approve_onboarding(agent=pending, **act | {"by": approver.as_actor()})
    credential, _ = issue_api_key(agent=agent, label=f"{word} credential", **act)
    key, _ = issue_person_key(user=person, label=f"{word} key", **act | {"by": person.as_actor()})
    token, _ = issue_onboarding_token(blueprint=blueprint, label=f"{word} token", owner=person, sponsor=person, **act)
    return {
        Organization: organization,
        User: person,
        Team: team,
        Blueprint: blueprint,
        Agent: agent,
        SignOff: SignOff.objects.get(agent=pending),
        Run: start_run(agent=agent, task_id=f"{word}-task", **act),
        Credential: credential,
        PersonKey: key,
        OnboardingToken: token,
        Invitation: invite_person(organization=organization, email=f"{word.lower()}.new@example.org", **act),
        PolicyChange: PolicyChange.objects.filter(organization=organization).latest("revision"),
    }


def _permissions(organization: Organization, word: str, world: World, act: dict[str, Any]) -> World:
    application = make_application(organization, f"{word.lower()}-application", name=f"{word} Application")
    kind = make_resource_type(organization, f"{word}.record", application=application)
    entitlement = spec(type=kind.name)
    role = make_role(organization, f"{word}-role", entitlement)
    included = make_role(organization, f"{word}-included")
    set_role_inclusions(role=role, included=[included], **act)
    set_blueprint_roles(blueprint=world[Blueprint], roles=[role], **act)
    agent, person = world[Agent], world[User]
    successor = make_agent(organization, f"{word}-successor", owner=person)
    guardrail = make_guardrail(organization, f"{word}-guardrail", reason=f"{word} told")
    elsewhere = f"https://{word.lower()}.partner.example"
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "1"}
    key, _ = issue_application_key(application=application, label=f"{word} application key", **act)
    return {
        Application: application,
        ApplicationKey: key,
        ResourceType: kind,
        Resource: make_resource(kind, f"{word}-resource"),
        Role: role,
        Entitlement: role.entitlements.get(),
        RoleInclusion: RoleInclusion.objects.get(role=role),
        BlueprintRole: BlueprintRole.objects.get(role=role),
        RoleAssignment: make_assignment(role, agent.user),
        Grant: make_grant(organization, agent.user, entitlement),
        Guardrail: guardrail,
        GuardrailVersion: guardrail.versions.get(),
        Consent: make_consent(person, agent, kind),
        Delegation: make_delegation(agent, successor, entitlement),
        Trust: propose_trust(organization=organization, issuer=elsewhere, keys={"keys": [jwk]}, terms=TrustTerms(), **act),
        TrustedIssuer: make_trusted_issuer(organization, elsewhere, name=f"{word} Issuer"),
        LastAddress: _last_address(world[Credential], act),
        TokenKey: make_token_key(organization, f"{word}-kid", sealed=f"1:{word.lower()}-sealed-private-half"),
        OAuthClient: set_oauth_client(agent=successor, redirect_uris=[f"https://{word.lower()}.example/callback"], **act),
        **_issued(organization, word, world),
        Signal: make_signal(agent, credential=world[Credential]),
        Replacement: propose_replacement(predecessor=agent, successor=successor, **act),
    }


def _issued(organization: Organization, word: str, world: World) -> World:
    now, letter = timezone.now(), word[0].lower()
    lasts = {"expires_at": now + timedelta(minutes=5)}
    audience = f"https://{word.lower()}.example"
    agreed = make_authorization(world[User], world[Agent], audience=audience)
    code = AuthorizationCode.objects.create(
        authorization=agreed, public_id=f"{word}-code", digest=letter * 63 + "1", redirect_uri=f"{audience}/callback", **lasts
    )
    refresh = RefreshToken.objects.create(authorization=agreed, public_id=f"{word}-again", digest=letter * 63 + "2", **lasts)
    secret = {"kid": "", "public_id": f"{word}-token", "digest": letter * 63 + "3"}
    return {
        Authorization: agreed,
        AuthorizationCode: code,
        RefreshToken: refresh,
        AccessToken: make_access_token(world[Agent], user=world[User], audience=audience, **secret),
        UsedProof: UsedProof.objects.create(organization=organization, kind="dpop", digest=letter * 63 + "4", **lasts),
    }


def _last_address(credential: Credential, act: dict[str, Any]) -> LastAddress:
    note_place(credential=credential, address="192.0.2.7", by=act["by"], now=act["now"])
    return LastAddress.objects.get(credential=credential)


def _rights(world: World, act: dict[str, Any]) -> World:
    rights = (
        (directory_access, Agent, "operate_agent", AgentUserPermission, AgentGroupPermission),
        (directory_access, Blueprint, "use_blueprint", BlueprintUserPermission, BlueprintGroupPermission),
        (directory_access, Team, "manage_team", TeamUserPermission, TeamGroupPermission),
        (permissions_access, Application, "manage_application", ApplicationUserPermission, ApplicationGroupPermission),
        (permissions_access, Role, "assign_role", RoleUserPermission, RoleGroupPermission),
    )
    made: World = {}
    for services, model, right, of_accounts, of_teams in rights:
        for to in (world[User], world[Team]):
            services.give_access(thing=world[model], right=right, to=to, **act)
        made[of_accounts] = of_accounts.objects.get(content_object=world[model])
        made[of_teams] = of_teams.objects.get(content_object=world[model])
    return made


def _record(organization: Organization, word: str, act: dict[str, Any]) -> World:
    target = Target(type="agent", id=f"{word}-agent", label=f"{word} Agent")
    with transaction.atomic():
        job = enqueue(
            f"{word}.task", arguments={"id": word}, organization_id=organization.pk, now=act["now"] + timedelta(days=9)
        )
        attestation = attest(
            organization_id=organization.pk, kind="offboarding", target=target, content={"word": word}, at=act["now"]
        )
    checkpoint = sign_checkpoint(organization.pk)
    answer = RememberedAnswer.objects.create(
        digest=word[0].lower() * 64, fingerprint="f" * 64, status=201, sealed=word.encode(), created_at=act["now"]
    )
    return {
        Job: job,
        Attestation: attestation,
        Checkpoint: checkpoint,
        SigningKey: SigningKey.objects.get(key_id=checkpoint.key_id),
        Chain: Chain.objects.filter(organization_id=organization.pk).get(),
        Event: Event.objects.filter(organization_id=organization.pk, reason=f"{word} reason").latest("id"),
        RememberedAnswer: answer,
    }
