"""Teams within teams, and the groups that mirror them."""

import pytest

from directory.models import Team
from directory.services.people import NotAPerson
from directory.services.revisions import ForeignOrganization
from directory.services.teams import TeamCycle, create_team, set_team_members, update_team
from directory.services.versions import InvalidRecord
from tests.directory.recorded import data_of, last_event, last_touched
from tests.factories import NOW, SYSTEM, make_team


def in_group(team):
    return set(Team.objects.get(pk=team.pk).group.user_set.values_list("external_id", flat=True))


@pytest.fixture
def tree(cast):
    """Company ⊃ sales ⊃ emea, and support beside sales."""
    company = make_team(cast.acme, "company")
    sales = update_team(team=cast.sales, name="Sales", parent=company, by=SYSTEM, now=NOW)
    emea = make_team(cast.acme, "emea", parent=sales, members=(cast.bob,))
    support = make_team(cast.acme, "support", parent=company, members=(cast.carol,))
    return company, sales, emea, support


def test_who_is_in_a_team_is_also_in_the_teams_around_it(tree):
    company, sales, emea, support = tree
    assert in_group(emea) == {"bob"}
    assert in_group(sales) == {"bob"}
    assert in_group(support) == {"carol"}
    assert in_group(company) == {"bob", "carol"}


def test_leaving_a_team_leaves_those_around_it_unless_one_is_in_them_otherwise(tree, cast):
    company, sales, emea, _ = tree
    set_team_members(team=company, members=[cast.bob], by=SYSTEM, now=NOW)
    set_team_members(team=emea, members=[cast.alice], by=SYSTEM, now=NOW)
    assert in_group(sales) == {"alice"}
    assert in_group(company) == {"alice", "bob", "carol"}
    assert data_of(last_event(cast.acme, "team.members_changed")) == {"added": ["alice"], "removed": ["bob"]}
    assert last_touched(cast.acme) == ["team/emea", "user/alice", "user/bob"]


def test_moving_a_team_takes_its_people_along(tree, cast):
    company, sales, emea, support = tree
    update_team(team=emea, name="EMEA", parent=support, by=SYSTEM, now=NOW)
    assert in_group(sales) == set()
    assert in_group(support) == {"bob", "carol"}
    assert in_group(company) == {"bob", "carol"}
    update_team(team=support, name="Support", parent=None, by=SYSTEM, now=NOW)
    assert in_group(company) == set()
    assert data_of(last_event(cast.acme, "team.updated"))["changed"]["parent"] == ["Company", None]
    assert last_touched(cast.acme) == ["*"]


def test_renaming_a_team_leaves_its_people_alone(tree):
    company, sales, _, _ = tree
    assert update_team(team=sales, name="Verkauf", parent=company, by=SYSTEM, now=NOW).name == "Verkauf"
    assert in_group(sales) == {"bob"}


def test_a_team_cannot_lie_within_itself(tree):
    company, _, emea, _ = tree
    for parent in (company, emea):
        with pytest.raises(TeamCycle):
            update_team(team=company, name="Company", parent=parent, by=SYSTEM, now=NOW)


def test_agents_and_strangers_do_not_enter_a_team(cast):
    with pytest.raises(NotAPerson):
        set_team_members(team=cast.sales, members=[cast.agent.user], by=SYSTEM, now=NOW)
    with pytest.raises(ForeignOrganization):
        set_team_members(team=cast.sales, members=[cast.mallory], by=SYSTEM, now=NOW)
    with pytest.raises(ForeignOrganization):
        make_team(cast.elsewhere, parent=cast.sales)
    with pytest.raises(ForeignOrganization):
        update_team(team=cast.sales, name="Sales", parent=make_team(cast.elsewhere), by=SYSTEM, now=NOW)


def test_an_external_id_is_taken_once(cast):
    with pytest.raises(InvalidRecord):
        create_team(organization=cast.acme, external_id="sales", name="x", by=SYSTEM, now=NOW)
    make_team(cast.elsewhere, "sales")


def test_a_change_of_members_is_one_version_with_the_members(cast):
    set_team_members(team=cast.sales, members=[cast.bob], by=SYSTEM, now=NOW)
    before = cast.sales.history.count()
    set_team_members(team=cast.sales, members=[cast.carol, cast.alice], by=cast.alice.as_actor(), reason="Shift.", now=NOW)
    assert cast.sales.history.count() == before + 1
    version = cast.sales.history.latest()
    assert {row.user.external_id for row in version.members.all()} == {"carol", "alice"}
    assert (version.history_user, version.history_change_reason) == (cast.alice, "Shift.")
