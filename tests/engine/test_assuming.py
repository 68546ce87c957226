"""A consent that is assumed takes the place of one that is missing, and of nothing else."""

from dataclasses import replace

from hypothesis import assume, event, given

from permissions.engine.assuming import with_consent
from permissions.engine.authority import terms
from permissions.engine.effective import access
from tests.engine.strategies import EFFORT, questions, worlds

ORDER = ("deny", "escalate", "conditional", "allow")


@EFFORT
@given(worlds(), questions)
def test_every_other_term_is_as_it_was_and_the_consent_is_lost_no_more(world, question):
    assume(question.on_behalf_of is not None and question.type in world.types)
    first = question.delegation[0] if question.delegation else question.subject
    assumed = with_consent(world, question.on_behalf_of, first, [question.type])
    facts = world.types[question.type]
    before, after = (list(terms(each, question, facts)) for each in (world, assumed))
    assert [each for each in after if each.name != "consent"] == [each for each in before if each.name != "consent"]
    assert not [each for each in after if each.name == "consent" and each.fault]
    event(f"{access(world, replace(question, fields=None)).effect} then {access(assumed, question).effect}")


@EFFORT
@given(worlds(), questions)
def test_to_assume_a_consent_never_takes_anything_away(world, question):
    assume(question.on_behalf_of is not None and question.type in world.types)
    first = question.delegation[0] if question.delegation else question.subject
    assumed = with_consent(world, question.on_behalf_of, first, [question.type])
    assert ORDER.index(access(assumed, question).effect) >= ORDER.index(access(world, question).effect)


@EFFORT
@given(worlds(), questions)
def test_the_world_itself_stays_without_it(world, question):
    before = {ref: None if facts is None else dict(facts.consents) for ref, facts in world.principals.items()}
    for ref in world.principals:
        with_consent(world, ref, question.subject, world.types)
    assert before == {ref: None if facts is None else dict(facts.consents) for ref, facts in world.principals.items()}
