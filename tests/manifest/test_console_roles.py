"""Console roles in a manifest: said they hold, left out they stay, and nobody gets by them what a service refuses."""

import pytest

from agentiam.manifest.mistakes import Refused, Unusable
from audit.models import Event
from directory.models import User
from tests.manifest.worlds import HEAD, apply, changed, export

pytestmark = pytest.mark.django_db

PEOPLE = """\
people:
  - {id: alice, console_roles: [security_administrator, approver]}
  - {id: bob, console_roles: [auditor]}
  - {id: carol}
"""


def roles(name: str) -> list[str]:
    return sorted(User.objects.get(external_id=name).console_roles)


def test_they_are_given_and_change_nothing_the_second_time():
    apply(HEAD + PEOPLE)
    assert (roles("alice"), roles("bob"), roles("carol")) == (["approver", "security_administrator"], ["auditor"], [])
    assert Event.objects.filter(type="person.roles_changed").count() == 2
    turned = PEOPLE.replace("[security_administrator, approver]", "[approver, security_administrator]")
    assert apply(HEAD + turned).changes == []


def test_left_out_they_stay_and_an_empty_list_takes_them():
    apply(HEAD + PEOPLE)
    assert apply(HEAD + "people: [{id: alice}, {id: bob}, {id: carol}]\n").changes == []
    assert roles("bob") == ["auditor"]
    outcome = apply(HEAD + PEOPLE.replace("[auditor]", "[]"))
    assert changed(outcome) == ["update person bob"]
    assert outcome.changes[0].fields == {"console_roles": (["auditor"], [])}
    assert roles("bob") == []


def test_the_last_security_administrator_can_hand_over_but_not_vanish():
    apply(HEAD + PEOPLE)
    gone = PEOPLE.replace("[security_administrator, approver]", "[]")
    with pytest.raises(Refused):
        apply(HEAD + gone)
    assert "security_administrator" in roles("alice")
    apply(HEAD + gone.replace("{id: carol}", "{id: carol, console_roles: [security_administrator]}"))
    assert (roles("alice"), roles("carol")) == ([], ["security_administrator"])


def test_whoever_applies_cannot_give_what_they_lack():
    apply(HEAD + PEOPLE)
    carol = User.objects.get(external_id="carol").as_actor()
    with pytest.raises(Refused):
        apply(HEAD + PEOPLE.replace("[auditor]", "[security_administrator]"), by=carol)
    alice = User.objects.get(external_id="alice").as_actor()
    with pytest.raises(Refused):
        apply(HEAD + PEOPLE.replace("[security_administrator, approver]", "[security_administrator, auditor]"), by=alice)
    assert (roles("alice"), roles("bob")) == (["approver", "security_administrator"], ["auditor"])


def test_an_export_has_them_and_a_role_that_does_not_exist_is_named():
    apply(HEAD + PEOPLE)
    text = export()
    assert "console_roles: [auditor]" in text
    assert text.count("console_roles") == 2
    assert apply(text, prune=True).changes == []
    with pytest.raises(Unusable) as caught:
        apply(HEAD + PEOPLE.replace("[auditor]", "[emperor]"))
    assert "emperor" in caught.value.mistakes[0].message
