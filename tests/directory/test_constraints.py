"""Every rule that has a sentence is kept by the database, whoever writes."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from directory.lifecycle import State
from directory.models import Agent, Blueprint, Credential, Organization, PolicyChange, Run, SignOff, Team, User
from directory.services.credentials import issue_api_key, register_public_key
from directory.services.runs import start_run
from tests.directory.test_credentials import OKP_KEY
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint


def refused(call):
    with pytest.raises(IntegrityError), transaction.atomic():
        call()


@pytest.mark.parametrize(
    "values",
    [
        {"state": "running"},
        {"sponsor_team": None},
        {"ownerless": True},
        {"depth": 1},
        {"purpose": ""},
        {"owner": None},
    ],
)
def test_an_agent_keeps_its_rules(cast, values):
    refused(lambda: Agent.objects.filter(pk=cast.agent.pk).update(**values))


def test_an_agent_has_one_sponsor_and_is_not_its_own_parent(cast):
    refused(lambda: Agent.objects.filter(pk=cast.agent.pk).update(sponsor=cast.bob))
    refused(lambda: Agent.objects.filter(pk=cast.agent.pk).update(parent=cast.agent, depth=1))
    child = make_agent(parent=cast.agent)
    refused(lambda: Agent.objects.filter(pk=child.pk).update(depth=0))


def test_external_ids_are_taken_once(cast):
    other = make_agent(cast.acme, "other")
    refused(lambda: Agent.objects.filter(pk=other.pk).update(external_id="crm-bot"))
    refused(lambda: User.objects.filter(pk=cast.carol.pk).update(external_id="bob"))
    refused(lambda: Team.objects.create(organization=cast.acme, external_id="sales", name="x", group=cast.sales.group))


@pytest.mark.parametrize("values", [{"is_staff": True}, {"is_superuser": True}])
def test_an_agents_account_has_no_staff_rights(cast, values):
    refused(lambda: User.objects.filter(pk=cast.agent.user_id).update(**values))


@pytest.mark.parametrize("values", [{"kind": "robot"}])
def test_an_account_is_a_persons_or_an_agents(cast, values):
    refused(lambda: User.objects.filter(pk=cast.bob.pk).update(**values))


@pytest.mark.parametrize(
    "values", [{"state": "closed"}, {"revision": 0}, {"slug": "elsewhere"}, {"trust_domain": "elsewhere.example"}]
)
def test_an_organization_keeps_its_rules(cast, values):
    refused(lambda: Organization.objects.filter(pk=cast.acme.pk).update(**values))


def test_a_revision_is_given_once(cast):
    refused(lambda: PolicyChange.objects.create(organization=cast.acme, revision=2, touched=[]))


def test_a_team_is_not_its_own_parent(cast):
    refused(lambda: Team.objects.filter(pk=cast.sales.pk).update(parent=cast.sales))


def test_a_persons_yes_counts_once(cast):
    SignOff.objects.create(agent=cast.agent, person=cast.carol)
    refused(lambda: SignOff.objects.create(agent=cast.agent, person=cast.carol))


def test_a_blueprints_credentials_end(cast):
    blueprint = make_blueprint(cast.acme)
    refused(lambda: Blueprint.objects.filter(pk=blueprint.pk).update(credential_days=0))


@pytest.mark.parametrize(
    "values",
    [
        {"digest": ""},
        {"pepper": None},
        {"public_id": None},
        {"kind": "password"},
        {"kind": "public_key"},
        {"kind": "federated"},
    ],
)
def test_a_secrets_proof_matches_its_kind(cast, values):
    credential, _ = issue_api_key(agent=cast.agent, label="key", by=SYSTEM, now=NOW)
    refused(lambda: Credential.objects.filter(pk=credential.pk).update(**values))


def test_a_public_key_has_a_key_and_no_digest(cast):
    credential = register_public_key(agent=cast.agent, label="key", jwk=OKP_KEY, by=SYSTEM, now=NOW)
    refused(lambda: Credential.objects.filter(pk=credential.pk).update(digest="00"))
    refused(lambda: Credential.objects.filter(pk=credential.pk).update(jwk=None))


def test_only_a_federated_identity_has_an_audience(cast):
    credential, _ = issue_api_key(agent=cast.agent, label="key", by=SYSTEM, now=NOW)
    refused(lambda: Credential.objects.filter(pk=credential.pk).update(audience="api://acme"))


def test_a_credential_ends_after_its_start(cast):
    credential, _ = issue_api_key(agent=cast.agent, label="key", by=SYSTEM, now=NOW)
    refused(lambda: Credential.objects.filter(pk=credential.pk).update(expires_at=NOW))


def test_a_run_keeps_its_rules(cast):
    run = start_run(agent=cast.agent, task_id="T-1", by=SYSTEM, now=NOW)
    refused(lambda: Run.objects.filter(pk=run.pk).update(task_id=""))
    refused(lambda: Run.objects.filter(pk=run.pk).update(ended_at=NOW - timedelta(seconds=1)))
    refused(lambda: Run.objects.create(organization=cast.acme, agent=cast.agent, task_id="T-1"))


def test_what_others_refer_to_cannot_be_deleted(cast):
    from django.db.models import ProtectedError

    for row in (cast.acme, cast.bob, cast.sales, cast.agent.user):
        with pytest.raises(ProtectedError):
            row.delete()


@pytest.mark.parametrize("state", [state for state in State if state is not State.ACTIVE])
def test_an_ownerless_agent_is_in_any_state_but_active(cast, state):
    agent = make_agent(cast.acme, state=state)
    Agent.objects.filter(pk=agent.pk).update(ownerless=True)
