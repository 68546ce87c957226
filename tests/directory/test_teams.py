"""Teams within teams, and the groups that mirror them."""

import pytest
from django.contrib.auth.models import Permission

from directory.models import Agent, Team, User
from directory.services.access import give_access
from directory.services.people import NotAPerson
from directory.services.revisions import ForeignOrganization
from directory.services.rights import NotAnActivePerson, TeamNotYours, WidensOneself
from directory.services.teams import TeamCycle, create_team, set_team_members, update_team
from directory.services.versions import InvalidRecord
from tests.directory.recorded import data_of, last_event, last_touched
from tests.factories import NOW, SYSTEM, make_person, make_team


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
    set_team_members(team=cast.sales, members=[cast.carol, cast.alice], by=cast.bob.as_actor(), reason="Shift.", now=NOW)
    assert cast.sales.history.count() == before + 1
    version = cast.sales.history.latest()
    assert {row.user.external_id for row in version.members.all()} == {"carol", "alice"}
    assert (version.history_user, version.history_change_reason) == (cast.bob, "Shift.")


@pytest.fixture
def manager(cast):
    """Mona manages one empty team, and nothing else."""
    own = make_team(cast.acme, "own")
    mona = make_person(cast.acme, "mona")
    give_access(thing=own, right="manage_team", to=mona, by=SYSTEM, now=NOW)
    return mona, own


def let(mona, *teams):
    for team in teams:
        give_access(thing=team, right="manage_team", to=mona, by=SYSTEM, now=NOW)


def test_whoever_manages_one_team_does_not_get_the_rights_of_another_by_moving_it_there(tree, cast, manager):
    company, sales, emea, _ = tree
    mona, own = manager
    give_access(thing=company, right="view_team", to=mona, by=SYSTEM, now=NOW)
    give_access(thing=cast.agent, right="operate_agent", to=company, by=SYSTEM, now=NOW)
    # Somebody else has put her there.
    set_team_members(team=own, members=[mona], by=SYSTEM, now=NOW)
    for parent in (company, sales, emea):
        with pytest.raises(TeamNotYours):
            update_team(team=own, name="Own", parent=parent, by=mona.as_actor(), now=NOW)
    assert Team.objects.get(pk=own.pk).parent is None
    assert not Agent.objects.permitting(User.objects.get(pk=mona.pk), "operate_agent").exists()


def test_moving_a_team_asks_for_it_for_all_around_it_and_for_all_around_where_it_goes(tree, cast, manager):
    company, sales, emea, support = tree
    mona, _ = manager
    by = mona.as_actor()
    for more in (emea, sales, support):
        with pytest.raises(TeamNotYours):
            update_team(team=emea, name="EMEA", parent=support, by=by, now=NOW)
        let(mona, more)
    # Both are within the company.
    with pytest.raises(TeamNotYours) as refusal:
        update_team(team=emea, name="EMEA", parent=support, by=by, now=NOW)
    assert "Company" not in refusal.value.message
    with pytest.raises(TeamNotYours):
        update_team(team=emea, name="EMEA", parent=None, by=by, now=NOW)
    assert in_group(sales) == {"bob"}
    let(mona, company)
    update_team(team=emea, name="EMEA", parent=support, by=by, now=NOW)
    assert in_group(sales) == set()
    assert in_group(support) == {"bob", "carol"}
    update_team(team=emea, name="EMEA", parent=None, by=by, now=NOW)
    assert in_group(company) == {"carol"}


def test_a_new_team_lies_only_within_what_its_maker_manages(tree, cast, manager):
    company, sales, _, _ = tree
    mona, _ = manager
    new = {"organization": cast.acme, "external_id": "new", "name": "New", "by": mona.as_actor(), "now": NOW}
    for more in (sales, company):
        with pytest.raises(TeamNotYours):
            create_team(parent=sales, **new)
        assert not Team.objects.filter(external_id="new").exists()
        let(mona, more)
    assert create_team(parent=sales, **new).parent == sales


def test_nobody_puts_themselves_into_a_team_however_empty_it_is(cast, manager):
    mona, own = manager
    by = make_person(cast.acme, "admin", console_roles=["security_administrator"])
    for who in (mona, by):
        with pytest.raises(WidensOneself):
            set_team_members(team=own, members=[cast.bob, who], by=who.as_actor(), now=NOW)
    assert in_group(own) == set()
    set_team_members(team=own, members=[mona], by=by.as_actor(), now=NOW)
    # Whoever is in it stays when they change the others, and may leave.
    set_team_members(team=own, members=[mona, cast.bob], by=mona.as_actor(), now=NOW)
    assert in_group(own) == {"mona", "bob"}
    set_team_members(team=own, members=[cast.bob], by=mona.as_actor(), now=NOW)
    with pytest.raises(WidensOneself):
        set_team_members(team=own, members=[cast.bob, mona], by=mona.as_actor(), now=NOW)


def test_nobody_moves_a_team_that_they_are_in_into_another(tree, cast):
    company, sales, emea, support = tree
    admin = make_person(cast.acme, "admin", console_roles=["security_administrator"])
    other = make_person(cast.acme, "other", console_roles=["security_administrator"])
    set_team_members(team=emea, members=[admin], by=other.as_actor(), now=NOW)
    strong = make_team(cast.acme, "strong")
    # Also with the team above the one that they are in.
    for team, parent in ((emea, strong), (emea, support), (sales, strong), (company, strong)):
        with pytest.raises(WidensOneself):
            update_team(team=team, name=team.name, parent=parent, by=admin.as_actor(), now=NOW)
    assert in_group(strong) == set()
    # Outwards they come into nothing.
    update_team(team=emea, name="EMEA", parent=company, by=admin.as_actor(), now=NOW)
    update_team(team=emea, name="Emea", parent=company, by=admin.as_actor(), now=NOW)
    update_team(team=emea, name="EMEA", parent=None, by=admin.as_actor(), now=NOW)
    with pytest.raises(WidensOneself):
        update_team(team=emea, name="EMEA", parent=company, by=admin.as_actor(), now=NOW)
    update_team(team=emea, name="EMEA", parent=strong, by=other.as_actor(), now=NOW)
    assert in_group(strong) == {"admin"}


def test_agents_bring_nobody_into_a_team(tree, cast):
    company, sales, _, support = tree
    account = cast.agent.user
    account.user_permissions.add(Permission.objects.get(content_type__app_label="directory", codename="manage_team"))
    by = account.as_actor()
    with pytest.raises(NotAnActivePerson):
        set_team_members(team=sales, members=[cast.agent.owner], by=by, now=NOW)
    with pytest.raises(NotAnActivePerson):
        update_team(team=support, name="Support", parent=sales, by=by, now=NOW)
    with pytest.raises(NotAnActivePerson):
        create_team(organization=cast.acme, external_id="new", name="New", parent=company, by=by, now=NOW)
    assert in_group(sales) == {"bob"}
