"""Consents, delegations and trusts: who lets whom, and who may say so."""

from datetime import timedelta

import pytest

from agentiam.kit.actors import Actor
from directory.lifecycle import State
from directory.services.organizations import suspend_organization, update_organization
from directory.services.people import NotAPerson
from directory.services.proofs import BadPublicKey, PrivateKeyShown
from directory.services.revisions import ForeignOrganization
from directory.services.versions import InvalidRecord
from permissions.models import Consent, Delegation, Trust
from permissions.services.consents import NotYourConsent, end_consent, give_consent
from permissions.services.delegations import BadDelegation, end_delegation
from permissions.services.holders import RetiredAgent
from permissions.services.rows import EndedAlready
from permissions.services.terms import InvalidCondition, UnknownAction, UnknownDataClass, UnknownResourceType
from permissions.services.trusts import (
    AgreedAlready,
    BadAgentId,
    BadPartner,
    NoSuchPartner,
    TrustExists,
    TrustTerms,
    agree_trust,
    end_trust,
    find_partner,
    propose_trust,
)
from permissions.services.windows import BadWindow
from tests.directory.recorded import data_of, events_of, last_event, last_touched, revision
from tests.factories import NOW, SYSTEM, make_agent, make_organization
from tests.permissions.factories import make_consent, make_delegation, make_resource_type, make_trust, spec

HOUR = timedelta(hours=1)
KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
ISSUER = "https://partner.example"


def test_only_the_user_and_the_system_say_yes(cast):
    assert make_consent(cast.bob, cast.agent, cast.record, by=cast.bob.as_actor()).user == cast.bob
    assert make_consent(cast.bob, cast.agent, cast.record).user == cast.bob
    for other in (cast.alice.as_actor(), cast.agent.user.as_actor()):
        with pytest.raises(NotYourConsent, match="Only Bob can"):
            make_consent(cast.bob, cast.agent, cast.record, by=other)


def test_a_consent_is_a_persons_to_an_agent_of_the_organization(cast):
    with pytest.raises(NotAPerson):
        make_consent(cast.planner.user, cast.agent, cast.record)
    with pytest.raises(ForeignOrganization):
        make_consent(cast.bob, cast.foreign_agent, cast.record)
    with pytest.raises(ForeignOrganization):
        make_consent(cast.bob, cast.agent, make_resource_type(cast.elsewhere))
    with pytest.raises(RetiredAgent):
        make_consent(cast.bob, make_agent(cast.acme, state=State.RETIRED), cast.record)


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"actions": ["fly"]}, UnknownAction),
        ({"data_classes": ["private"]}, UnknownDataClass),
        ({"ends_at": NOW}, BadWindow),
        ({"purpose": "x" * 501}, InvalidRecord),
    ],
)
def test_a_consent_says_what_is_known(cast, values, refusal):
    with pytest.raises(refusal):
        make_consent(cast.bob, cast.agent, cast.record, **values)
    assert not Consent.objects.exists()


def test_a_consent_is_ended_by_the_user_or_with_a_reason(cast):
    consent = make_consent(cast.bob, cast.agent, cast.record)
    for by, reason in (
        (cast.agent.user.as_actor(), "tired"),
        (Actor(kind="application", id="crm", label="CRM", organization_id=cast.acme.pk), "tired"),
        (cast.by, " "),
        (SYSTEM, ""),
    ):
        with pytest.raises(NotYourConsent):
            end_consent(consent=consent, by=by, reason=reason, now=NOW)
    assert end_consent(consent=consent, by=cast.bob.as_actor(), now=NOW).ended_at == NOW
    with pytest.raises(EndedAlready):
        end_consent(consent=consent, by=cast.bob.as_actor(), now=NOW)
    for by in (cast.by, SYSTEM):
        other = make_consent(cast.bob, cast.agent, cast.record)
        assert end_consent(consent=other, by=by, reason="he asked on the phone", now=NOW).ended_at == NOW


def test_a_consent_is_live_until_its_end(cast):
    consent = make_consent(cast.bob, cast.agent, cast.record, ends_at=NOW + HOUR)
    assert list(Consent.objects.live(NOW)) == [consent]
    assert not Consent.objects.live(NOW + HOUR).exists()
    assert not Consent.objects.live(NOW - HOUR).exists()


def test_an_agent_lets_another_of_its_organization_act_for_it(cast):
    delegation = make_delegation(cast.planner, cast.agent, spec(fields=["title"]), depth=2, ends_at=NOW + HOUR)
    assert (delegation.depth, delegation.fields) == (2, ["title"])
    assert list(Delegation.objects.live(NOW)) == [delegation]
    assert not Delegation.objects.live(NOW + HOUR).exists()
    end_delegation(delegation=delegation, by=SYSTEM, now=NOW)
    assert not Delegation.objects.live(NOW).exists()
    with pytest.raises(EndedAlready):
        end_delegation(delegation=delegation, by=SYSTEM, now=NOW)


def test_a_delegation_that_cannot_be_is_refused(cast):
    with pytest.raises(BadDelegation, match="itself"):
        make_delegation(cast.agent, cast.agent)
    with pytest.raises(BadDelegation, match="depth"):
        make_delegation(cast.planner, cast.agent, depth=0)
    with pytest.raises(BadWindow):
        make_delegation(cast.planner, cast.agent, ends_at=NOW)
    with pytest.raises(ForeignOrganization):
        make_delegation(cast.planner, cast.foreign_agent)
    with pytest.raises(InvalidCondition):
        make_delegation(cast.planner, cast.agent, spec(when="1 +"))
    retired = make_agent(cast.acme, state=State.RETIRED)
    for pair in ((retired, cast.agent), (cast.agent, retired)):
        with pytest.raises(RetiredAgent):
            make_delegation(*pair)
    assert not Delegation.objects.exists()


def propose(cast, **values):
    terms = TrustTerms(**values.pop("terms", {}))
    values = {"partner": cast.elsewhere, "by": cast.by} | values
    return propose_trust(organization=cast.acme, terms=terms, **values, now=NOW)


def test_a_trust_stands_once_both_sides_agreed_and_until_either_ends_it(cast):
    trust = propose(cast)
    assert (trust.agreed_here_at, trust.agreed_there_at) == (NOW, None)
    assert list(Trust.objects.not_over(NOW)) == [trust]
    assert not Trust.objects.agreed().exists()
    agreed = agree_trust(trust=trust, by=cast.mallory.as_actor(), now=NOW)
    assert agreed.agreed_there_at == NOW
    assert list(Trust.objects.live(NOW)) == [trust]
    with pytest.raises(AgreedAlready):
        agree_trust(trust=trust, by=cast.mallory.as_actor(), now=NOW)
    end_trust(trust=trust, by=cast.mallory.as_actor(), now=NOW)
    assert not Trust.objects.live(NOW).exists()
    with pytest.raises(EndedAlready):
        end_trust(trust=trust, by=cast.by, now=NOW)
    with pytest.raises(EndedAlready):
        agree_trust(trust=propose_ended(cast), by=cast.mallory.as_actor(), now=NOW)


def propose_ended(cast):
    return end_trust(trust=propose(cast), by=cast.by, now=NOW)


def test_nobody_agrees_for_the_other_side(cast):
    with pytest.raises(ForeignOrganization):
        propose(cast, by=cast.mallory.as_actor())
    trust = propose(cast)
    for by in (cast.by, Actor(kind="person", id="x", label="X", organization_id=make_organization().pk)):
        with pytest.raises(ForeignOrganization):
            agree_trust(trust=trust, by=by, now=NOW)
    assert agree_trust(trust=trust, by=SYSTEM, now=NOW).agreed_there_at


def test_both_sides_are_told_and_both_revisions_advance(cast):
    before = revision(cast.acme), revision(cast.elsewhere)
    trust = make_trust(cast.acme, cast.elsewhere)
    end_trust(trust=trust, by=cast.mallory.as_actor(), now=NOW)
    assert (revision(cast.acme), revision(cast.elsewhere)) == (before[0] + 3, before[1] + 2)
    assert last_touched(cast.elsewhere) == last_touched(cast.acme) == ["shared"]
    assert [event.type for event in events_of(cast.acme)][-3:] == ["trust.proposed", "trust.agreed", "trust.ended"]
    assert [event.type for event in events_of(cast.elsewhere)][-2:] == ["trust.agreed", "trust.ended"]
    assert data_of(last_event(cast.elsewhere, "trust.agreed"))["types"] is None


def test_a_stranger_that_proposes_and_takes_back_leaves_nothing_at_the_partner(cast):
    before = revision(cast.elsewhere), len(events_of(cast.elsewhere))
    trust = propose(cast, reason="Read this!")
    assert list(Trust.objects.visible_to(cast.mallory)) == [trust]
    end_trust(trust=trust, by=cast.by, now=NOW)
    assert (revision(cast.elsewhere), len(events_of(cast.elsewhere))) == before
    assert not Trust.objects.visible_to(cast.mallory).exists()
    assert list(Trust.objects.visible_to(cast.alice)) == [trust]


def test_a_partner_that_refuses_leaves_that_in_both_logs(cast):
    end_trust(trust=propose(cast), by=cast.mallory.as_actor(), reason="No.", now=NOW)
    for organization in (cast.acme, cast.elsewhere):
        assert last_event(organization, "trust.ended").reason == "No."


def test_only_an_active_organization_that_wants_to_be_found_is_found(cast):
    for slug in ("elsewhere", "nowhere"):
        with pytest.raises(NoSuchPartner, match=f"{slug}.* can be found here"):
            find_partner(slug)
    values = {"name": "Elsewhere", "time_zone": "UTC", "subject_types": {}, "discoverable": True}
    update_organization(organization=cast.elsewhere, **values, by=SYSTEM, now=NOW)
    assert find_partner("elsewhere") == cast.elsewhere
    suspend_organization(organization=cast.elsewhere, by=SYSTEM, now=NOW)
    with pytest.raises(NoSuchPartner):
        find_partner("elsewhere")


def test_there_is_one_trust_in_a_partner_at_a_time(cast):
    trust = propose(cast)
    with pytest.raises(TrustExists):
        propose(cast)
    make_trust(cast.elsewhere, cast.acme)
    end_trust(trust=trust, by=cast.by, now=NOW)
    assert propose(cast).pk != trust.pk


@pytest.mark.parametrize(
    ("terms", "refusal"),
    [
        ({"agents": ["foreign"]}, BadAgentId),
        ({"agents": ["spiffe://acme.example/agent/a"]}, BadAgentId),
        ({"agents": ["spiffe://elsewhere.example.evil/agent/a"]}, BadAgentId),
        ({"types": ["lead"]}, UnknownResourceType),
        ({"data_classes": ["private"]}, UnknownDataClass),
        ({"ends_at": NOW}, BadWindow),
    ],
)
def test_a_trust_says_what_is_known(cast, terms, refusal):
    with pytest.raises(refusal):
        propose(cast, terms=terms)
    assert not Trust.objects.exists()


def test_a_trust_keeps_its_terms(cast):
    terms = {
        "agents": [cast.foreign_agent.spiffe_id],
        "types": ["record"],
        "data_classes": ["internal"],
        "ends_at": NOW + HOUR,
    }
    trust = Trust.objects.get(pk=propose(cast, terms=terms).pk)
    assert {name: getattr(trust, name) for name in terms} == terms
    with pytest.raises(BadWindow):
        agree_trust(trust=trust, by=SYSTEM, now=NOW + HOUR)


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"partner": None}, BadPartner),
        ({"issuer": ISSUER, "keys": {"keys": [KEY]}}, BadPartner),
        ({"keys": {"keys": [KEY]}}, BadPartner),
        ({"partner": None, "issuer": ISSUER}, BadPartner),
        ({"partner": None, "issuer": ISSUER, "keys": {"keys": []}}, BadPartner),
        ({"partner": None, "issuer": "http://partner.example", "keys": {"keys": [KEY]}}, BadPartner),
        ({"partner": None, "issuer": ISSUER, "keys": {"keys": [{"kty": "oct"}]}}, BadPublicKey),
        ({"partner": None, "issuer": ISSUER, "keys": {"keys": [{**KEY, "d": "x"}]}}, PrivateKeyShown),
    ],
)
def test_a_partner_is_here_or_elsewhere_with_public_keys(cast, values, refusal):
    with pytest.raises(refusal):
        propose(cast, **values)
    with pytest.raises(BadPartner):
        propose(cast, partner=cast.acme)
    assert not Trust.objects.exists()


def test_a_partner_elsewhere_agrees_through_the_system(cast):
    trust = propose(cast, partner=None, issuer=ISSUER, keys={"keys": [KEY]})
    with pytest.raises(TrustExists):
        propose(cast, partner=None, issuer=ISSUER, keys={"keys": [KEY]})
    with pytest.raises(ForeignOrganization):
        agree_trust(trust=trust, by=cast.by, now=NOW)
    assert agree_trust(trust=trust, by=SYSTEM, now=NOW).agreed_there_at == NOW
    assert end_trust(trust=trust, by=cast.by, now=NOW).ended_at == NOW


def test_giving_consent_needs_the_users_organization(cast):
    with pytest.raises(ForeignOrganization):
        give_consent(
            user=cast.bob, agent=cast.agent, resource_type=cast.record, actions=["read"], by=cast.mallory.as_actor(), now=NOW
        )
