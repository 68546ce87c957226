"""An agent's line goes from the first that did its work to the last; whom one does not see in it is hidden, and counted."""

from typing import Any

import pytest

from directory.models import Agent
from permissions.services.replacement import complete_replacement
from tests.factories import NOW, SYSTEM, make_agent, make_person
from tests.permissions.factories import make_replacement


@pytest.fixture
def line(acme, people, agent):
    """first → agent → last; olivia has the one in the middle, zoe the others."""
    zoe = make_person(acme, "zoe")
    first, last = make_agent(acme, "first", owner=zoe), make_agent(acme, "last", owner=zoe)
    for predecessor, successor in ((first, agent), (agent, last)):
        running = make_replacement(predecessor, Agent.objects.get(pk=successor.pk), reviewer=people["alice"])
        complete_replacement(replacement=running, by=SYSTEM, reason="newer", now=NOW)
    return {"first": first, "agent": agent, "last": last}


HIDDEN: dict[str, Any] = {"hidden": True, "agent": None, "state": None, "tenures": []}


def names(told):
    return [each["agent"] and each["agent"]["external_id"] for each in told]


def test_it_names_everyone_with_who_answered_for_them(as_, line):
    told = as_("carol").get(f"agents/{line['agent'].pk}/line").json()
    assert told["agent"]["agent"]["external_id"] == "runner"
    assert (names(told["predecessors"]), names(told["successors"])) == (["first"], ["last"])
    assert [each["state"] for each in (*told["predecessors"], told["agent"], *told["successors"])] == [
        "retired",
        "retired",
        "active",
    ]
    tenure = told["predecessors"][0]["tenures"][0]
    assert (tenure["owner"], tenure["sponsor"]) == ("zoe", "zoe")


def test_it_goes_all_the_way_in_either_direction(as_, line):
    told = as_("carol").get(f"agents/{line['first'].pk}/line").json()
    assert (names(told["predecessors"]), names(told["successors"])) == ([], ["runner", "last"])
    told = as_("carol").get(f"agents/{line['last'].pk}/line").json()
    assert (names(told["predecessors"]), names(told["successors"])) == (["runner", "first"], [])


def test_whom_one_does_not_see_is_hidden_and_counted(as_, line):
    answer = as_("olivia").get(f"agents/{line['agent'].pk}/line")
    told = answer.json()
    assert (told["predecessors"], told["successors"], told["agent"]["hidden"]) == ([HIDDEN], [HIDDEN], False)
    for unseen in ("zoe", "first", "last", str(line["first"].pk), str(line["last"].pk)):
        assert f'"{unseen}"' not in answer.content.decode()
    assert as_("olivia").get(f"agents/{line['first'].pk}/line").status_code == 404


def test_an_agent_alone_is_its_own_line(as_, agent):
    assert as_("agent", ("decide",)).get(f"agents/{agent.pk}/line").status_code == 403
    told = as_("agent").get(f"agents/{agent.pk}/line").json()
    assert (told["agent"]["agent"]["external_id"], told["predecessors"], told["successors"]) == ("runner", [], [])


def test_it_is_not_there_for_strangers_and_nobody(as_, line):
    address = f"agents/{line['agent'].pk}/line"
    assert as_("mallory").get(address).status_code == as_("dave").get(address).status_code == 404
    assert as_("anonymous").get(address).status_code == 401
    assert as_("carol").get(f"{address}?depth=1").status_code == 422
    assert as_("carol").post(address).status_code == 405
