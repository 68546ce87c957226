"""What must hold in every organization, whatever it looks like."""

from dataclasses import replace
from random import Random

from hypothesis import assume, event, given
from hypothesis import strategies as st

from permissions.engine.authority import candidates, purpose, standing
from permissions.engine.evaluate import decide
from permissions.engine.types import Effect, Mode, World
from tests.engine.narrowings import narrowed
from tests.engine.scenes import ALL, NOW, RECORD
from tests.engine.strategies import EFFORT, guardrails, questions, worlds

RANK = {Effect.DENY: 0, Effect.ESCALATE: 1, Effect.ALLOW: 2}


def given_fields(decision):
    return decision.allowed | decision.masked


@EFFORT
@given(worlds(), questions)
def test_taking_anything_away_never_opens(world, question):
    before = decide(world, question)
    event(f"{before.effect} {before.lost.term if before.lost else ''}")
    for less in narrowed(world):
        after = decide(less, question)
        assert RANK[after.effect] <= RANK[before.effect]
        if after.allows:
            assert given_fields(after) & ~given_fields(before) == 0
            assert after.allowed & ~before.allowed == 0


@EFFORT
@given(worlds(), questions, guardrails)
def test_another_guardrail_never_opens(world, question, rail):
    before = decide(world, question)
    after = decide(replace(world, guardrails=(*world.guardrails, rail)), question)
    assert RANK[after.effect] <= RANK[before.effect]
    assert given_fields(after) & ~given_fields(before) == 0


@EFFORT
@given(worlds(), questions)
def test_a_list_of_fields_is_allowed_only_if_all_of_them_are(world, question):
    assume(question.fields)
    told = given_fields(decide(world, replace(question, fields=None)))
    decision = decide(world, question)
    assert decision.allows == (listed(question) & ~told == 0)
    assert RANK[decide(world, replace(question, fields=RECORD.fields)).effect] <= RANK[decision.effect]


def listed(question):
    return RECORD.mask(question.fields)


def reordered(world: World, random: Random) -> World:
    def mixed(items):
        return tuple(random.sample(items, len(items)))

    def indexes(index):
        return {key: mixed(items) for key, items in random.sample(list(index.items()), len(index))}

    principals = {
        ref: replace(
            each,
            grants=indexes(each.grants),
            assignments=mixed(each.assignments),
            teams=mixed(each.teams),
            consents=indexes(each.consents),
            delegations=indexes(each.delegations),
        )
        for ref, each in world.principals.items()
        if each is not None
    }
    return replace(
        world,
        roles={name: indexes(role) for name, role in world.roles.items()},
        guardrails=mixed(world.guardrails),
        teams={
            name: replace(team, grants=indexes(team.grants), assignments=mixed(team.assignments))
            for name, team in world.teams.items()
        },
        blueprints={name: replace(each, roles=mixed(each.roles)) for name, each in world.blueprints.items()},
        principals=principals,
    )


@EFFORT
@given(worlds(), questions, st.integers(0, 99))
def test_the_order_of_rules_never_matters(world, question, seed):
    one, other = decide(world, question), decide(reordered(world, Random(seed)), question)  # noqa: S311
    assert one.effect == other.effect
    assert (one.lost and one.lost[:2]) == (other.lost and other.lost[:2])
    assert (one.allowed, one.masked, one.denied) == (other.allowed, other.masked, other.denied)
    assert set(one.reported) == set(other.reported)


@EFFORT
@given(worlds(), questions)
def test_a_child_never_exceeds_its_parent(world, question):
    ref = "agent/d"
    question = replace(question, subject=ref, on_behalf_of=None, delegation=())
    child = replace(world.principals[ref], parent="agent/c", partner=None)
    parent = world.principals["agent/c"]
    world = replace(world, principals={**world.principals, ref: child}, guardrails=())
    decision = decide(world, question)
    # The parent is asked in the child's situation, and may do itself what it may only hand on.
    everything = Mode.ANY
    itself = replace(
        parent,
        view=child.view,
        grants={
            key: tuple(each._replace(mode=everything if each.mode else each.mode) for each in items)
            for key, items in parent.grants.items()
        },
        assignments=tuple(each._replace(mode=everything if each.mode else each.mode) for each in parent.assignments),
    )
    blueprints = {
        name: replace(each, roles=tuple(one._replace(mode=everything if one.mode else one.mode) for one in each.roles))
        for name, each in world.blueprints.items()
    }
    parents_world = replace(world, principals={**world.principals, "agent/c": itself}, blueprints=blueprints, runs={})
    of_parent = decide(parents_world, replace(question, subject="agent/c", task_purpose=purpose(world, question)))
    assert given_fields(decision) & ~given_fields(of_parent) == 0


@EFFORT
@given(worlds(), questions)
def test_a_token_only_ever_narrows(world, question):
    with_token, without = decide(world, question), decide(world, replace(question, within=None))
    assert given_fields(with_token) & ~given_fields(without) == 0
    if without.effect is Effect.DENY:
        assert with_token.effect is Effect.DENY
    if question.within == () and question.subject in world.principals and question.subject.startswith("agent/"):
        assert with_token.effect is Effect.DENY


@EFFORT
@given(worlds(), questions)
def test_nobody_gets_more_than_each_link_of_the_chain_holds(world, question):
    decision = decide(world, question)
    assume(decision.effect is not Effect.DENY)
    key = (question.type, question.action)
    for ref, need in [
        (question.subject, Mode.USE),
        (question.on_behalf_of, Mode.USE),
        *((each, Mode.DELEGATE) for each in question.delegation),
    ]:
        if ref is not None:
            most = 0
            for entitlement, _ in candidates(world, world.principals[ref], key, need, question.now):
                most |= entitlement.fields
            assert given_fields(decision) & ~most & ALL == 0
            assert most & ALL


@EFFORT
@given(worlds(), questions)
def test_the_answer_splits_the_fields(world, question):
    decision = decide(world, question)
    assert decision.allowed & decision.masked == 0
    assert given_fields(decision) & decision.denied == 0
    if decision.allows:
        assert given_fields(decision)
        assert decision.lost is None
        if question.fields:
            assert given_fields(decision) == listed(question)
            assert decision.denied == 0
        else:
            assert given_fields(decision) | decision.denied == ALL
    else:
        assert decision.lost is not None
        assert decision.lost.reason
        assert given_fields(decision) == 0


@EFFORT
@given(worlds(), questions)
def test_a_decision_is_the_same_twice_and_changes_nothing(world, question):
    shown = repr(world)
    assert decide(world, question) == decide(world, question)
    assert repr(world) == shown


@EFFORT
@given(worlds())
def test_what_stands_is_what_has_no_fault(world):
    for principal in world.principals.values():
        for need in (Mode.USE, Mode.DELEGATE, Mode.ANY):
            for key, items in principal.grants.items():
                standing_now = [
                    (each.entitlement, each.rule)
                    for each in items
                    if not standing(each.mode, each.not_before, each.until, need, NOW)
                ]
                alone = replace(principal, assignments=(), blueprint=None, teams=(), grants={key: items})
                asked = ("record", "read") if key[1] == "*" else key
                assert list(candidates(world, alone, asked, need, NOW)) == standing_now
