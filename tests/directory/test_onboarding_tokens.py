"""A pipeline's token: what it is for, from where, how often; and that nobody gets more out of it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from agentiam.kit.errors import IllegalTransition
from directory.lifecycle import State
from directory.models import Agent, OnboardingToken
from directory.services.agents import AgentKnown, AgentProfile
from directory.services.credentials import MethodNotAllowed
from directory.services.onboarding import FirstCredential, OwnRegistration, approve_onboarding
from directory.services.onboarding_tokens import (
    BadTokenTerms,
    EnvironmentNotAllowed,
    TokenRefused,
    issue_onboarding_token,
    onboard_with_token,
    proven_token,
    revoke_onboarding_token,
)
from directory.services.organizations import suspend_organization
from directory.services.people import deactivate_person
from directory.services.proofs import BadEnd, BadNetwork
from directory.services.revisions import ForeignOrganization
from directory.services.transitions import NobodyAccountable
from tests.directory.conftest import make_cast
from tests.directory.recorded import data_of, event_types, events_of, last_event, versions_of
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_person

PROFILE = AgentProfile(name="Built", purpose="Was built by a pipeline.")
DAY = timedelta(days=1)


def issued(cast, **values):
    given = {"blueprint": make_blueprint(cast.acme), "label": "ci", "owner": cast.bob, "sponsor": cast.carol, "by": SYSTEM}
    return issue_onboarding_token(**given | values, now=NOW)


def proven(token, *, address="192.0.2.7", now=NOW):
    return proven_token(text=token if isinstance(token, str) else token.text, address=address, now=now)


def onboarded(record, external_id="built", **values):
    return onboard_with_token(token=record, external_id=external_id, **{"profile": PROFILE, "now": NOW} | values)


def test_a_pipeline_onboards_in_the_name_of_its_token(cast):
    record, token = issued(cast)
    done = onboarded(proven(token), credential=FirstCredential(), address="192.0.2.7", request_id="r-1")
    agent = Agent.objects.get(pk=done.agent.pk)
    assert (agent.state, agent.owner, agent.sponsor, agent.blueprint) == (State.ACTIVE, cast.bob, cast.carol, record.blueprint)
    assert done.token.text.startswith("aia_")
    happened = [event for event in events_of(cast.acme) if event.actor_id == f"onboarding-token/{record.pk}"]
    assert [event.type for event in happened] == [
        "agent.registered",
        "agent.activated",
        "credential.issued",
        "onboarding_token.used",
    ]
    assert {(event.actor_kind, event.actor_label, event.request_id) for event in happened} == {("application", "ci", "r-1")}
    record.refresh_from_db()
    assert (record.uses, record.last_used_at) == (1, NOW)
    assert versions_of(record).latest().uses == 1


def test_the_secret_is_nowhere(cast):
    record, token = issued(cast)
    done = onboarded(proven(token), credential=FirstCredential())
    told = [event.body for event in events_of(cast.acme)] + [repr(each) for each in (record, token, done)]
    told += [str(list(version.items())) for version in versions_of(record).values()]
    for secret in (token.secret, record.digest, done.token.secret, done.credential.digest):
        assert not [text for text in told if secret in text]


def test_it_is_used_as_often_as_it_says_and_a_refusal_is_no_use(cast):
    record, token = issued(cast, most_uses=2)
    onboarded(proven(token), "one")
    for refusal, values in (
        (AgentKnown, {"external_id": "one"}),
        (MethodNotAllowed, {"credential": FirstCredential(kind="api_key")}),
    ):
        record.blueprint.credential_methods = ["federated"]
        record.blueprint.save()
        with pytest.raises(refusal):
            onboarded(record, **{"external_id": "two"} | values)
    assert OnboardingToken.objects.get().uses == 1
    onboarded(proven(token), "two")
    with pytest.raises(TokenRefused):
        onboarded(proven(token), "three")
    assert set(Agent.objects.filter(organization=cast.acme).values_list("external_id", flat=True)) == {"crm-bot", "one", "two"}


def test_a_wrong_secret_a_revoked_an_old_and_a_far_token_look_the_same(cast):
    record, token = issued(cast, allowed_networks=["192.0.2.0/24"], expires_at=NOW + DAY, most_uses=9)
    _, other = issued(cast)
    said = set()
    swapped = type(token)(prefix=token.prefix, public_id=token.public_id, secret=other.secret)
    agents = type(token)(prefix="aia", public_id=token.public_id, secret=token.secret)
    unknown = type(token)(prefix="aio", public_id="0" * 16, secret=token.secret)
    attempts = [
        lambda: proven(swapped),
        lambda: proven(agents),
        lambda: proven(unknown),
        lambda: proven("nonsense"),
        lambda: proven(token, address="198.51.100.1"),
        lambda: proven(token, address=""),
        lambda: proven(token, now=NOW + DAY),
        lambda: onboarded(record, now=NOW + DAY),
    ]
    assert proven(token) == record
    for attempt in attempts:
        with pytest.raises(TokenRefused) as refused:
            attempt()
        said.add((refused.value.message, refused.value.remedy))
    revoke_onboarding_token(token=record, by=SYSTEM, now=NOW)
    for attempt in (lambda: proven(token), lambda: onboarded(record)):
        with pytest.raises(TokenRefused) as refused:
            attempt()
        said.add((refused.value.message, refused.value.remedy))
    assert len(said) == 1
    with pytest.raises(IllegalTransition):
        revoke_onboarding_token(token=record, by=SYSTEM, now=NOW)


def test_it_is_for_its_environments_only(cast):
    record, _ = issued(cast, environments=["staging"], most_uses=5)
    with pytest.raises(EnvironmentNotAllowed):
        onboarded(record)
    done = onboarded(record, profile=AgentProfile(name="Built", purpose="Was built.", environment="staging"))
    assert done.agent.environment == "staging"
    assert OnboardingToken.objects.get().uses == 1


def test_sign_offs_are_still_asked_for_and_its_owner_gives_none(cast):
    _, token = issued(cast, blueprint=make_blueprint(cast.acme, sign_offs=1))
    done = onboarded(proven(token))
    assert (done.agent.state, done.missing) == (State.PENDING, 1)
    assert cast.carol in done.may_sign
    assert cast.bob not in done.may_sign
    with pytest.raises(OwnRegistration):
        approve_onboarding(agent=done.agent, by=cast.bob.as_actor(), now=NOW)
    assert approve_onboarding(agent=done.agent, by=cast.carol.as_actor(), now=NOW).state == State.ACTIVE


def test_a_federated_identity_can_be_bound_at_once(cast):
    _, token = issued(cast, blueprint=make_blueprint(cast.acme, credential_methods=["federated"]))
    wanted = FirstCredential(kind="federated", issuer="https://ci.example", subject="repo:acme/bot")
    done = onboarded(proven(token), credential=wanted)
    assert (done.credential.issuer, done.credential.subject, done.token) == ("https://ci.example", "repo:acme/bot", None)


def test_a_suspended_organization_lets_nobody_in(cast):
    _, token = issued(cast)
    suspend_organization(organization=cast.acme, by=SYSTEM, now=NOW)
    with pytest.raises(TokenRefused):
        proven(token)


def test_nobody_gets_in_after_the_owner_left(cast):
    _, token = issued(cast)
    record = proven(token)
    deactivate_person(person=cast.bob, by=SYSTEM, now=NOW)
    with pytest.raises(NobodyAccountable):
        onboarded(record)
    assert OnboardingToken.objects.get().uses == 0


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"most_uses": 0}, BadTokenTerms),
        ({"most_uses": 1_001}, BadTokenTerms),
        ({"environments": ["mars"]}, BadTokenTerms),
        ({"expires_at": NOW + 31 * DAY}, BadEnd),
        ({"expires_at": NOW}, BadEnd),
        ({"allowed_networks": ["here"]}, BadNetwork),
        ({"sponsor": None}, NobodyAccountable),
    ],
)
def test_a_token_says_what_can_be(cast, values, refusal):
    with pytest.raises(refusal):
        issued(cast, **values)
    assert not OnboardingToken.objects.exists()


def test_nobody_of_elsewhere_issues_owns_or_revokes_one(cast):
    with pytest.raises(ForeignOrganization):
        issued(cast, by=cast.mallory.as_actor())
    with pytest.raises(ForeignOrganization):
        issued(cast, owner=cast.mallory)
    record, token = issued(cast)
    with pytest.raises(ForeignOrganization):
        revoke_onboarding_token(token=record, by=cast.mallory.as_actor(), now=NOW)
    assert token.prefix == "aio"
    assert data_of(last_event(cast.acme, "onboarding_token.issued"))["most_uses"] == 1
    assert "onboarding_token.revoked" not in event_types(cast.acme)


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_no_more_get_in_than_it_is_for():
    cast = make_cast()
    record, _ = issued(cast, most_uses=3)

    def attempt(number):
        try:
            return onboarded(record, f"built-{number}").agent.external_id
        except TokenRefused:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        got_in = [name for name in pool.map(attempt, range(8)) if name]
    assert len(got_in) == 3
    assert Agent.objects.filter(external_id__startswith="built-").count() == 3
    assert OnboardingToken.objects.get().uses == 3


def test_whoever_issued_a_token_does_not_agree_to_what_was_onboarded_with_it(cast):
    dave = make_person(cast.acme, "dave")
    blueprint = make_blueprint(cast.acme, sign_offs=1)
    record, token = issued(cast, blueprint=blueprint, sponsor=dave, by=dave.as_actor())
    assert record.issued_by == dave
    agent = onboarded(proven(token)).agent
    for person in (cast.bob, dave):
        with pytest.raises(OwnRegistration):
            approve_onboarding(agent=agent, by=person.as_actor(), now=NOW)
    assert approve_onboarding(agent=agent, by=cast.carol.as_actor(), now=NOW).state == State.ACTIVE


def test_what_an_agent_issued_a_token_for_nobody_agrees_to_who_answers_for_that_agent(cast):
    issuer = make_agent(cast.acme, "issuer", owner=cast.alice, sponsor=cast.carol)
    blueprint = make_blueprint(cast.acme, sign_offs=1)
    _, token = issued(cast, blueprint=blueprint, by=issuer.user.as_actor())
    agent = onboarded(proven(token)).agent
    for person in (cast.alice, cast.bob, cast.carol):
        with pytest.raises(OwnRegistration):
            approve_onboarding(agent=agent, by=person.as_actor(), now=NOW)


@pytest.mark.parametrize("gone", ["bob", "dave"])
def test_a_token_is_no_good_once_its_owner_or_whoever_issued_it_was_deactivated(cast, gone):
    dave = make_person(cast.acme, "dave")
    record, token = issued(cast, by=dave.as_actor(), most_uses=2)
    assert proven(token) == record
    deactivate_person(person={"bob": cast.bob, "dave": dave}[gone], by=SYSTEM, now=NOW)
    with pytest.raises(TokenRefused):
        proven(token)
