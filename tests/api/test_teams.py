"""Teams over the API: a way to the rights of those around them for nobody who cannot give these."""

import pytest

from directory.models import Team
from directory.services.access import give_access
from directory.services.teams import set_team_members
from tests.factories import NOW, SYSTEM, make_team


def in_group(team):
    return set(Team.objects.get(pk=team.pk).group.user_set.values_list("external_id", flat=True))


@pytest.fixture
def strong(acme, people):
    """Dave sees the strong team, and manages his own."""
    strong, own = make_team(acme, "strong"), make_team(acme, "own")
    give_access(thing=strong, right="view_team", to=people["dave"], by=SYSTEM, now=NOW)
    give_access(thing=own, right="manage_team", to=people["dave"], by=SYSTEM, now=NOW)
    return strong, own


def test_an_own_team_is_not_moved_under_a_strong_one(as_, strong, people):
    strong, own = strong
    set_team_members(team=own, members=[people["dave"]], by=SYSTEM, now=NOW)
    answer = as_("dave").patch(f"teams/{own.pk}", {"name": "Own", "parent": str(strong.pk)})
    assert (answer.status_code, answer.json()["fact"]) == (403, "TeamNotYours")
    assert in_group(strong) == set()
    assert as_("dave").patch(f"teams/{own.pk}", {"name": "Mine"}).status_code == 200


def test_an_administrator_does_not_reach_a_grant_by_joining_the_team_that_has_it(as_, acme, people):
    alice, other = as_("alice"), make_team(acme, "other", members=(people["alice"],))
    empty = alice.post("teams", {"external_id": "empty", "name": "Empty"}).json()
    path = f"teams/{empty['id']}"
    joined = alice.replace(f"{path}/members", {"members": [str(people["alice"].pk)]})
    assert (joined.status_code, joined.json()["fact"]) == (403, "WidensOneself")
    moved = alice.patch(f"teams/{other.pk}", {"name": "Other", "parent": empty["id"]})
    assert (moved.status_code, moved.json()["fact"]) == (403, "WidensOneself")
    assert in_group(Team.objects.get(pk=empty["id"])) == set()
    assert alice.replace(f"{path}/members", {"members": [str(people["bob"].pk)]}).status_code == 200
