"""Who answers for an agent is one rule, whichever way round it is asked."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import Permission

from directory.models import Agent, AgentGroupPermission, AgentUserPermission, Credential, User
from directory.services.agents import AgentProfile, update_agent
from directory.services.answering import answers_for, who_answers_for
from directory.services.credentials import issue_api_key, revoke_credential
from directory.services.fingerprints import OwnChange, report_fingerprints, review_agent
from directory.services.handover import transfer_agent
from directory.services.judges import people_behind
from tests.factories import NOW, SYSTEM, make_agent, make_organization, make_person, make_team

pytestmark = pytest.mark.django_db


def right(name: str) -> Permission:
    return Permission.objects.get(content_type__app_label="directory", codename=name)


def test_it_is_the_same_asked_of_an_account_and_of_an_agent() -> None:
    acme = make_organization("acme")
    names = ("owner", "former", "maker", "manager", "member", "grouped", "nobody", "revoked", "sponsor")
    people = {name: make_person(acme, name) for name in names}
    sponsors = make_team(acme, "sponsors", members=(people["member"],))
    managers = make_team(acme, "managers", members=(people["grouped"],))
    first = make_agent(acme, "first", owner=people["former"], sponsor_team=sponsors)
    second = make_agent(acme, "second", owner=people["owner"], sponsor=people["sponsor"])
    transfer_agent(
        agent=first, owner=people["owner"], sponsor_team=sponsors, by=people["former"].as_actor(), reason="moved", now=NOW
    )
    issue_api_key(agent=first, label="k", by=people["maker"].as_actor(), now=NOW)
    issue_api_key(agent=second, label="k", by=first.user.as_actor(), now=NOW)
    gone, _ = issue_api_key(agent=first, label="gone", by=people["revoked"].as_actor(), now=NOW)
    revoke_credential(credential=gone, by=SYSTEM, now=NOW)
    AgentUserPermission.objects.create(user=people["manager"], content_object=first, permission=right("manage_agent"))
    AgentGroupPermission.objects.create(group=managers.group, content_object=second, permission=right("manage_agent"))
    accounts = [*people.values(), first.user, second.user]
    for agent in (first, second):
        asked = {each.pk for each in accounts if Agent.objects.filter(answers_for(each), pk=agent.pk).exists()}
        assert who_answers_for([agent.pk]) == asked
    assert people["nobody"].pk not in who_answers_for([first.pk, second.pk])
    # The first made a key of the second, so whoever answers for the first can have acted as the second.
    assert people["former"].pk in people_behind([second.user_id])


def test_who_made_an_agents_key_does_not_review_what_the_agent_reports() -> None:
    acme = make_organization("acme")
    agent = make_agent(acme, "victim", charter_hash="aaa")
    mallory = make_person(acme, "mallory")
    for name in ("manage_agent", "approve_agent"):
        AgentUserPermission.objects.create(user=mallory, content_object=agent, permission=right(name))
    mallory = User.objects.get(pk=mallory.pk)
    issue_api_key(agent=agent, label="mine", by=mallory.as_actor(), now=NOW)
    report_fingerprints(agent=agent, charter_hash="evil", by=agent.user.as_actor(), now=NOW)
    with pytest.raises(OwnChange):
        review_agent(agent=agent, charter_hash="evil", by=mallory.as_actor(), now=NOW)
    for key in Credential.objects.filter(agent=agent):
        revoke_credential(credential=key, by=mallory.as_actor(), now=NOW)
    with pytest.raises(OwnChange):
        review_agent(agent=agent, charter_hash="evil", by=mallory.as_actor(), now=NOW)


def test_an_owner_who_puts_an_agent_into_another_team_stops_it_for_a_review() -> None:
    acme = make_organization("acme")
    owner = make_person(acme, "owner")
    agent = make_agent(acme, "mine", owner=owner)
    profile = replace(AgentProfile.of(Agent.objects.get(pk=agent.pk)), team=make_team(acme, "finance"))
    changed = update_agent(agent=agent, profile=profile, by=owner.as_actor(), now=NOW)
    assert (changed.review_needed, changed.state) == (True, "suspended")
