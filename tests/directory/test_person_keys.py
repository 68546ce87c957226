"""People's keys: made by their holder only, for a year at most, never for decisions, and gone with the person."""

from datetime import timedelta

import pytest

from agentiam.kit.errors import IllegalTransition
from agentiam.kit.tokens import split_token
from directory.models import PersonKey
from directory.selectors import person_key_facts
from directory.services.credentials import NotRotatable
from directory.services.people import NotAPerson, deactivate_person, reactivate_person, set_password
from directory.services.person_keys import (
    KeyOfAnother,
    PersonIsInactive,
    issue_person_key,
    revoke_person_key,
    rotate_person_key,
)
from directory.services.proofs import BadEnd, BadNetwork, BadScope, peppers
from directory.services.revisions import ForeignOrganization
from tests.directory.recorded import data_of, event_types, last_event, last_touched
from tests.factories import NOW, SYSTEM


def issue(person, **values):
    return issue_person_key(**{"user": person, "label": "script", "by": person.as_actor(), "now": NOW} | values)


def test_a_key_proves_its_holder_and_its_secret_is_nowhere(cast):
    key, token = issue(cast.bob, scopes=["read", "write"], allowed_networks=["192.0.2.0/24"])
    assert token.text.startswith("aiu_")
    facts = person_key_facts(split_token(token.text).public_id)
    assert facts is not None
    assert (facts.holder_id, facts.holder, facts.state) == (cast.bob.pk, "bob", "active")
    assert facts.scopes == {"read", "write"}
    assert peppers().matches(token.secret, facts.digest, facts.pepper)
    assert facts.admits("192.0.2.7")
    assert not facts.admits("198.51.100.7")
    event = last_event(cast.acme, "person_key.issued")
    assert data_of(event)["person"] == "bob"
    assert token.secret not in event.body
    assert facts.digest not in event.body
    assert not {"digest", "pepper"} & {field.name for field in key.history.model._meta.fields}
    assert f"key/{key.public_id}" in last_touched(cast.acme)


def test_a_key_reads_unless_more_is_asked_for_and_never_decides(cast):
    assert issue(cast.bob)[0].scopes == ["read"]
    for scopes in (["decide"], ["read", "decide"], [], ["all"]):
        with pytest.raises(BadScope):
            issue(cast.bob, scopes=scopes)


def test_a_key_ends_within_a_year(cast):
    assert issue(cast.bob)[0].expires_at == NOW + timedelta(days=90)
    assert issue(cast.bob, expires_at=NOW + timedelta(days=365))[0].expires_at == NOW + timedelta(days=365)
    for end in (NOW, NOW + timedelta(days=365, seconds=1)):
        with pytest.raises(BadEnd):
            issue(cast.bob, expires_at=end)
    with pytest.raises(BadNetwork):
        issue(cast.bob, allowed_networks=["everywhere"])


def test_nobody_makes_a_key_for_somebody_else(cast):
    for by, refused in ((cast.alice, KeyOfAnother), (cast.agent.user, KeyOfAnother), (cast.mallory, ForeignOrganization)):
        with pytest.raises(refused):
            issue(cast.bob, by=by.as_actor())
    with pytest.raises(NotAPerson):
        issue(cast.agent.user)
    assert not PersonKey.objects.exists()


def test_who_is_out_or_has_a_temporary_password_gets_no_key(cast):
    set_password(person=cast.bob, password="given", temporary=True, by=SYSTEM, now=NOW)
    with pytest.raises(PersonIsInactive):
        issue(cast.bob)
    deactivate_person(person=cast.carol, by=SYSTEM, now=NOW)
    with pytest.raises(PersonIsInactive):
        issue(cast.carol)


def test_rotating_keeps_what_the_key_may_do_and_ends_the_old_one(cast):
    old, _ = issue(cast.bob, scopes=["write"], allowed_networks=["192.0.2.0/24"])
    new, token = rotate_person_key(key=old, overlap=timedelta(hours=1), by=cast.bob.as_actor(), now=NOW)
    old.refresh_from_db()
    assert (old.successor, old.expires_at) == (new, NOW + timedelta(hours=1))
    assert (new.scopes, new.allowed_networks, new.label) == (["write"], ["192.0.2.0/24"], "script")
    assert token.public_id == new.public_id
    with pytest.raises(NotRotatable):
        rotate_person_key(key=old, overlap=timedelta(0), by=cast.bob.as_actor(), now=NOW)
    with pytest.raises(KeyOfAnother):
        rotate_person_key(key=new, overlap=timedelta(0), by=cast.alice.as_actor(), now=NOW)


def test_an_administrator_can_end_a_key_and_it_stays_ended(cast):
    key, token = issue(cast.bob)
    revoke_person_key(key=key, by=cast.alice.as_actor(), reason="Leaked.", now=NOW)
    facts = person_key_facts(token.public_id)
    assert facts is not None
    assert not facts.live(NOW)
    with pytest.raises(IllegalTransition):
        revoke_person_key(key=key, by=cast.alice.as_actor(), now=NOW)
    with pytest.raises(NotRotatable):
        rotate_person_key(key=key, overlap=timedelta(0), by=cast.bob.as_actor(), now=NOW)


def test_the_keys_of_somebody_who_leaves_end_with_them_for_good(cast):
    key, token = issue(cast.bob)
    others, _ = issue(cast.carol)
    deactivate_person(person=cast.bob, by=SYSTEM, now=NOW)
    facts = person_key_facts(token.public_id)
    assert facts is not None
    assert (facts.state, facts.revoked_at) == ("deactivated", NOW)
    assert "person_key.revoked" in event_types(cast.acme)
    assert f"key/{key.public_id}" in last_touched(cast.acme)
    reactivate_person(person=cast.bob, by=SYSTEM, now=NOW)
    facts = person_key_facts(token.public_id)
    assert facts is not None
    assert not facts.live(NOW)
    others.refresh_from_db()
    assert others.revoked_at is None


def test_an_unknown_key_has_no_facts(cast):
    assert person_key_facts("0" * 16) is None
