"""Grants and assignments: checked words, a holder who can hold, a window that is not over."""

from datetime import datetime, timedelta

import pytest

from directory.lifecycle import State
from directory.services.revisions import ForeignOrganization
from permissions.models import Grant, RoleAssignment
from permissions.services.grants import ForNothing, Terms, UnknownSource, end_assignment, end_grant, give_grant
from permissions.services.holders import NoTrust, RetiredAgent
from permissions.services.rows import EndedAlready
from permissions.services.terms import (
    BadSelector,
    EntitlementSpec,
    InvalidCondition,
    UnknownAction,
    UnknownField,
    UnknownResourceType,
    checked_terms,
)
from permissions.services.trusts import agree_trust, end_trust
from permissions.services.windows import BadWindow
from tests.directory.recorded import data_of, last_event, last_touched
from tests.factories import NOW, SYSTEM, make_agent, make_person, make_team
from tests.permissions.factories import make_assignment, make_grant, make_resource_type, make_role, make_trust, spec

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("values", "refusal", "words"),
    [
        ({"type": "lead"}, UnknownResourceType, "'lead'"),
        ({"actions": []}, UnknownAction, "At least one action"),
        ({"actions": "read"}, UnknownAction, "At least one action"),
        ({"actions": ["fly"]}, UnknownAction, "record declares no action 'fly'"),
        ({"actions": ["read", "*"]}, UnknownAction, "no action '\\*'"),
        ({"actions": ["read", "read"]}, UnknownAction, "listed twice"),
        ({"fields": []}, UnknownField, "At least one field"),
        ({"fields": ["phone"]}, UnknownField, "record declares no field 'phone'"),
        ({"subtree": ("folder", "f1")}, UnknownResourceType, "'folder'"),
        ({"subtree": ("record", "")}, BadSelector, "the id of its root"),
        ({"resource": "r1", "subtree": ("record", "r2")}, BadSelector, "two of these"),
        ({"resource": "r1", "where": "true"}, BadSelector, "two of these"),
        ({"subtree": ("record", "r2"), "where": "true"}, BadSelector, "two of these"),
    ],
)
def test_an_entitlement_that_says_something_unknown_is_refused(cast, values, refusal, words):
    with pytest.raises(refusal, match=words):
        checked_terms(cast.acme, spec(**values))
    with pytest.raises(refusal, match=words):
        make_grant(cast.acme, cast.alice, spec(**values))
    assert not Grant.objects.exists()


@pytest.mark.parametrize("clause", ["where", "when"])
@pytest.mark.parametrize(
    ("source", "line", "column"),
    [("resource.regoin == 'EU'", 1, 1), ("true &&\n  resource.amount == 'much'", 2, 3), ("resource.region ==", 1, 1)],
)
def test_a_condition_that_is_wrong_is_shown_with_a_caret(cast, clause, source, line, column):
    with pytest.raises(InvalidCondition, match=f"{clause}: line {line}") as refusal:
        make_grant(cast.acme, cast.alice, spec(**{clause: source}))
    error = refusal.value
    assert (error.clause, error.line) == (clause, line)
    assert error.column >= column
    assert error.caret.splitlines() == [source.splitlines()[line - 1], " " * (error.column - 1) + "^"]


def test_checked_terms_are_what_the_row_says(cast):
    make_resource_type(cast.acme, "folder")
    words = EntitlementSpec(
        type="record", actions=("*",), subtree=("folder", "f1"), when='resource.region == "EU"', fields=("title",)
    )
    terms = checked_terms(cast.acme, words)
    assert terms.pop("when_checked")
    assert terms == {
        "resource_type": cast.record,
        "actions": ["*"],
        "resource": "",
        "subtree_type": "folder",
        "subtree_id": "f1",
        "where": "",
        "where_checked": None,
        "when": 'resource.region == "EU"',
        "fields": ["title"],
    }


def test_a_grant_says_who_gave_it_and_why(cast):
    grant = give_grant(organization=cast.acme, holder=cast.agent.user, entitlement=spec(), by=cast.by, reason="pilot", now=NOW)
    stored = Grant.objects.get(pk=grant.pk)
    assert (stored.given_by, stored.reason, stored.source, stored.use, stored.delegate) == (
        "person/alice",
        "pilot",
        "manual",
        True,
        False,
    )
    data = data_of(last_event(cast.acme, "grant.given"))
    assert (data["holder"], data["entitlement"]["actions"], data["ends_at"]) == ("agent/crm-bot", ["read"], None)


@pytest.mark.parametrize(
    ("terms", "refusal"),
    [
        ({"use": False}, ForNothing),
        ({"source": "heaven"}, UnknownSource),
        ({"ends_at": NOW}, BadWindow),
        ({"starts_at": NOW + 2 * HOUR, "ends_at": NOW + HOUR}, BadWindow),
        ({"ends_at": datetime(2030, 1, 1)}, BadWindow),  # noqa: DTZ001  (that is what is refused)
        ({"starts_at": datetime(2030, 1, 1)}, BadWindow),  # noqa: DTZ001
    ],
)
def test_terms_that_hold_nothing_are_refused(cast, terms, refusal):
    role = make_role(cast.acme)
    with pytest.raises(refusal):
        make_grant(cast.acme, cast.alice, **terms)
    with pytest.raises(refusal):
        make_assignment(role, cast.alice, **terms)


def test_what_is_live_is_in_its_window_and_was_not_ended(cast):
    role = make_role(cast.acme)
    for make, rows in (
        (lambda **terms: make_grant(cast.acme, cast.alice, **terms), Grant.objects),
        (lambda **terms: make_assignment(role, cast.alice, **terms), RoleAssignment.objects),
    ):
        always, later = make(), make(starts_at=NOW + HOUR)
        until, never = make(starts_at=NOW - HOUR, ends_at=NOW + HOUR), make()
        end = end_grant if isinstance(never, Grant) else end_assignment
        end(**{"grant" if isinstance(never, Grant) else "assignment": never}, by=SYSTEM, now=NOW)
        assert set(rows.live(NOW)) == {always, until}
        assert set(rows.live(NOW + HOUR)) == {always, later}
        assert set(rows.not_over(NOW)) == {always, until, later}


def test_an_end_is_final(cast):
    grant, assignment = make_grant(cast.acme, cast.alice), make_assignment(make_role(cast.acme), cast.alice)
    assert end_grant(grant=grant, by=SYSTEM, now=NOW).ended_at == NOW
    assert end_assignment(assignment=assignment, by=SYSTEM, now=NOW).ended_at == NOW
    with pytest.raises(EndedAlready, match="2026-01-05 09:00 UTC"):
        end_grant(grant=grant, by=SYSTEM, now=NOW + HOUR)
    with pytest.raises(EndedAlready):
        end_assignment(assignment=assignment, by=SYSTEM, now=NOW + HOUR)
    assert Grant.objects.get(pk=grant.pk).ended_at == NOW


def test_a_retired_agent_is_given_nothing(cast):
    retired = make_agent(cast.acme, state=State.RETIRED).user
    with pytest.raises(RetiredAgent):
        make_grant(cast.acme, retired)
    with pytest.raises(RetiredAgent):
        make_assignment(make_role(cast.acme), retired)


def test_people_and_teams_of_another_organization_are_given_nothing(cast):
    make_trust(cast.acme, cast.elsewhere)
    for holder in (make_person(cast.elsewhere), make_team(cast.elsewhere)):
        with pytest.raises(ForeignOrganization):
            make_grant(cast.acme, holder)
        with pytest.raises(ForeignOrganization):
            make_assignment(make_role(cast.acme), holder)


def test_a_partners_agent_holds_something_only_with_a_trust_in_its_organization(cast):
    foreign = cast.foreign_agent.user
    make_trust(cast.elsewhere, cast.acme)
    with pytest.raises(NoTrust, match="which Acme does not trust"):
        make_grant(cast.acme, foreign)
    trust = make_trust(cast.acme, cast.elsewhere, agreed=False)
    with pytest.raises(NoTrust) as refused:
        give_grant(organization=cast.acme, holder=foreign, entitlement=spec(), by=cast.by, now=NOW)
    assert cast.foreign_agent.name not in refused.value.message
    # The operator's manifest may prepare for what is proposed.
    make_grant(cast.acme, foreign)
    agree_trust(trust=trust, by=SYSTEM, now=NOW)
    grant = give_grant(organization=cast.acme, holder=foreign, entitlement=spec(), by=cast.by, now=NOW)
    given = last_event(cast.acme, "grant.given")
    assert data_of(given)["holder"] == f"agent/{cast.foreign_agent.spiffe_id}"
    assert given.target_label.endswith(f"to {cast.foreign_agent.spiffe_id}")
    assert last_touched(cast.acme) == ["agent/foreign", f"agent/{cast.foreign_agent.spiffe_id}"]
    end_trust(trust=trust, by=SYSTEM, now=NOW)
    with pytest.raises(NoTrust):
        make_assignment(make_role(cast.acme), foreign)
    assert end_grant(grant=grant, by=SYSTEM, now=NOW).ended_at == NOW


def test_terms_are_kept(cast):
    terms = {"use": False, "delegate": True, "starts_at": NOW + HOUR, "ends_at": NOW + 2 * HOUR, "source": "approval"}
    grant = Grant.objects.get(pk=make_grant(cast.acme, cast.sales, **terms).pk)
    assert {name: getattr(grant, name) for name in terms} == terms
    assert (grant.team, grant.user) == (cast.sales, None)
    assert Terms().checked(now=NOW)["use"] is True
