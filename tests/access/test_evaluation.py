"""One question: what is allowed, what is masked, what is refused and why; who may ask, and what they are believed."""

from typing import Any

import pytest

from tests.access.asking import OWED, Asking, question
from tests.serving import Served


def test_a_request_without_fields_is_told_which_it_has(ask: Asking) -> None:
    effect, context = ask("read", "record-1")
    assert effect == "allow"
    assert {name: context[name] for name in OWED} == OWED
    assert {rule["id"] for rule in context["rules"]} == {"reader", "mask-mail"}


def test_a_request_for_a_field_that_is_not_held_is_refused_whole(ask: Asking) -> None:
    effect, context = ask("read", "record-1", fields=["title", "iban"])
    assert effect == "deny"
    assert context["lost"]["term"] == "grants"
    assert "iban" in context["reason_admin"]
    assert context["would_allow"][0]["text"] == "leave out iban"


def test_a_row_condition_that_fails_is_named_with_the_value_it_saw(ask: Asking) -> None:
    effect, context = ask("read", "record-2")
    assert effect == "deny"
    [tried] = context["lost"]["tried"]
    [condition] = tried["conditions"]
    assert condition["clause"] == 'resource.region == "EU"'
    assert condition["seen"] == "US"
    assert condition["needed"] == {"op": "==", "value": "EU"}
    assert '"US"' in context["reason_admin"]
    assert "US" not in context["reason_user"]


def test_what_an_application_sends_of_its_own_resource_is_laid_over_what_is_stored(ask: Asking) -> None:
    assert ask("read", "record-2", properties={"region": "EU"})[0] == "allow"
    assert ask("read", "record-1", properties={"region": "US"})[0] == "deny"
    assert ask("read", "never-registered", properties={"region": "EU"})[0] == "allow"
    assert ask("read", "never-registered")[0] == "deny"
    assert ask("read", "record-1", properties={"region": 7})[0] == "deny"


def test_a_large_amount_is_escalated_and_a_closed_archive_denies_before_that(ask: Asking) -> None:
    effect, context = ask("write", "record-1", amount=250)
    assert effect == "escalate"
    assert context["lost"]["who"] == "big-amounts"
    assert "Large amounts need a person" in context["reason_user"]
    assert ask("write", "record-1", amount=200)[0] == "allow"
    effect, context = ask("write", "record-3", amount=250)
    assert (effect, context["lost"]["who"]) == ("deny", "no-archive")


def test_a_guardrail_whose_condition_cannot_be_computed_applies(ask: Asking) -> None:
    effect, context = ask("write", "record-1")
    assert effect == "escalate"
    assert context["errors"][0]["rule"]["id"] == "big-amounts"


def test_the_ceiling_holds_against_a_role_that_gives_more(ask: Asking) -> None:
    assert ask.lost("delete", "record-1") == "grants"
    assert ask.lost("read", "record-1", subject="agent/planner") == "grants"


@pytest.mark.parametrize(
    ("subject", "term"),
    [("agent/nobody", "subject"), ("user/nobody", "subject"), ("spaceship/x", "subject"), ("agent/alice", "subject")],
)
def test_an_unknown_subject_is_a_recorded_no(ask: Asking, subject: str, term: str) -> None:
    effect, context = ask("read", "record-1", subject=subject)
    assert (effect, context["lost"]["term"]) == ("deny", term)
    found = ask.run(f"from audit.models import Event\nresult = Event.objects.get(pk={context['evaluation_id']!r}).effect")
    assert found == "deny"


def test_an_unknown_type_action_or_field_is_a_no(ask: Asking) -> None:
    assert ask.lost("read", "x", kind="starship") == "resource_type"
    assert ask.lost("fly", "record-1") == "action"
    assert ask.lost("read", "record-1", fields=["colour"]) == "fields"


def test_an_application_does_not_learn_of_the_types_of_another(ask: Asking) -> None:
    effect, theirs = ask("query", "t1", kind="table", subject="user/alice")
    _, unknown = ask("query", "t1", kind="nowhere", subject="user/alice")
    assert effect == "deny"
    assert theirs["reason_admin"].replace("table", "nowhere") == unknown["reason_admin"]


def test_subject_properties_are_believed_only_of_an_application_that_is_trusted_with_them(product: Served, ask: Asking) -> None:
    lake = Asking(product, product.keys["acme:application/lake"])
    asked = question("query", "t1", kind="table", subject="user/alice")
    assert lake.raw(asked).json()["decision"] is True
    asked["subject"]["properties"] = {"department": "sales"}
    assert lake.raw(asked).json()["decision"] is False
    asked = question("read", "record-1", subject="user/bob")
    asked["subject"]["properties"] = {"email": "alice@acme.example", "type": "agent"}
    assert ask.raw(asked).json()["decision"] is True


def test_another_name_for_a_subject_type_means_the_same(ask: Asking) -> None:
    assert ask("read", "record-2", subject="identity/alice")[0] == "allow"


def test_a_team_gives_its_people_what_it_holds(ask: Asking) -> None:
    assert ask("delete", "record-1", subject="user/bob")[0] == "allow"


def test_a_child_has_no_more_than_its_parent_and_what_it_was_given(ask: Asking) -> None:
    assert ask("read", "record-1", subject="agent/helper")[0] == "allow"
    assert ask.lost("write", "record-1", subject="agent/helper") == "grants"


class TestOnBehalf:
    """An agent that acts for a user, and for another agent."""

    alice = {"type": "user", "id": "alice"}

    def test_consent_and_the_users_own_authority_are_needed(self, ask: Asking) -> None:
        assert ask("read", "record-1", on_behalf_of=self.alice)[0] == "allow"
        assert ask.lost("read", "record-1", on_behalf_of={"type": "user", "id": "bob"}) == "consent"
        assert ask.lost("read", "record-1", on_behalf_of={"type": "user", "id": "nobody"}) == "user"
        assert ask.lost("read", "record-1", on_behalf_of={"type": "agent", "id": "planner"}) == "user"

    def test_a_task_for_another_purpose_than_the_consent_is_refused(self, ask: Asking) -> None:
        bob = {"type": "user", "id": "bob"}
        assert ask("read", "record-1", on_behalf_of=bob, task={"id": "t", "purpose": "refunds"})[0] == "allow"
        for task in ({"id": "t", "purpose": "ads"}, {"id": "t"}):
            assert ask.lost("read", "record-1", on_behalf_of=bob, task=task) == "consent"

    def test_the_other_form_of_the_profile_means_the_same(self, ask: Asking) -> None:
        asked = question("read", "record-1", subject="user/alice")
        asked["subject"]["properties"] = {"act": {"sub": "runner"}}
        body = ask.raw(asked).json()
        assert body["decision"] is True
        assert body["context"]["fields"]["masked"] == ["email"]
        asked["subject"]["properties"] = {"act": {"sub": "agent/planner"}}
        assert ask.raw(asked).json()["context"]["lost"]["term"] == "grants"

    def test_a_delegation_carries_what_the_delegator_may_hand_on(self, ask: Asking) -> None:
        chain: dict[str, Any] = {"delegation": ["agent/planner"]}
        assert ask("read", "record-1", **chain)[0] == "allow"
        assert ask("read", "record-1", on_behalf_of=self.alice, **chain)[0] == "allow"
        assert ask.lost("write", "record-1", amount=1, **chain) == "delegation"
        assert ask.lost("read", "record-1", subject="agent/helper", **chain) == "delegation"
        assert (
            ask.lost("read", "record-1", subject="agent/helper", delegation=["agent/planner", "agent/runner"]) == "delegation"
        )
        assert ask.lost("read", "record-1", delegation=["agent/nobody"]) == "delegator"

    def test_consent_is_asked_of_the_agent_that_the_user_dealt_with(self, ask: Asking) -> None:
        user, chain = self.alice, ["agent/planner"]
        assert ask("read", "record-1", on_behalf_of=user, delegation=chain)[0] == "allow"
        assert ask.lost("write", "record-1", amount=1, on_behalf_of=user, delegation=chain) == "consent"

    def test_a_person_acts_in_their_own_name_only(self, ask: Asking) -> None:
        assert ask.lost("read", "record-1", subject="user/bob", on_behalf_of=self.alice) == "subject"


class TestAgentsKey:
    """An agent asks about itself and is believed nothing about the resource."""

    def test_it_asks_about_itself(self, ask: Asking) -> None:
        assert ask.as_agent("runner")("read", "record-1")[0] == "allow"

    def test_what_it_says_about_a_resource_does_not_count(self, ask: Asking) -> None:
        assert ask.as_agent("runner")("read", "record-2", properties={"region": "EU"})[0] == "deny"
        assert ask.as_agent("runner")("read", "unregistered", properties={"region": "EU"})[0] == "deny"

    def test_it_is_not_told_what_conditions_saw_or_what_others_hold(self, ask: Asking) -> None:
        effect, context = ask.as_agent("runner")("read", "record-2")
        assert (effect, context["lost"]["term"]) == ("deny", "grants")
        assert "US" not in str(context)
        assert "would_allow" not in context
        bob = {"type": "user", "id": "bob"}
        _, context = ask.as_agent("runner")("read", "record-1", on_behalf_of=bob)
        assert "would_allow" not in context
        code = f"import json\nfrom audit.models import Event\nresult = Event.objects.get(pk={context['evaluation_id']!r}).body"
        assert '"lost"' in ask.run(code)

    def test_it_does_not_ask_about_anybody_else(self, ask: Asking) -> None:
        runner = ask.as_agent("runner")
        for subject in ("agent/planner", "user/alice"):
            answer = runner.raw(question(subject=subject))
            assert answer.status_code == 403
            assert answer.headers["content-type"] == "application/problem+json"
        asked = question(subject="user/alice")
        asked["subject"]["properties"] = {"act": {"sub": "planner"}}
        assert runner.raw(asked).status_code == 403
        asked["subject"]["properties"] = {"act": {"sub": "runner"}}
        assert runner.raw(asked).json()["decision"] is True


def test_the_same_id_in_another_organization_is_somebody_else(product: Served) -> None:
    theirs = Asking(product, product.keys["other:application/crm"], slug="other")
    assert theirs.lost("read", "record-1") == "grants"
    assert theirs.lost("read", "record-1", subject="user/alice") == "subject"


def test_short_answers_are_given_to_whoever_asks_for_them(ask: Asking) -> None:
    for short in (ask.raw(question(explain=False)), ask.raw(question(), Prefer="return=minimal")):
        assert short.json() == {"decision": True, "context": OWED}
    assert ask.raw(question(resource="record-2"), Prefer="return=minimal").json() == {"decision": False}
    assert "context" in ask.raw(question(explain=True), Prefer="return=minimal").json()


def test_the_request_id_comes_back_and_is_recorded(ask: Asking) -> None:
    answer = ask.raw(question(), **{"X-Request-ID": "req-4711"})
    assert answer.headers["x-request-id"] == "req-4711"
    evaluation = answer.json()["context"]["evaluation_id"]
    code = f"from audit.models import Event\nresult = Event.objects.get(pk={evaluation!r}).request_id"
    assert ask.run(code) == "req-4711"


def test_the_record_says_who_what_why_and_on_which_revision(ask: Asking) -> None:
    _, context = ask("read", "record-2", on_behalf_of={"type": "user", "id": "alice"}, task={"id": "t-9", "purpose": "refunds"})
    code = f"""
import json
from audit.models import Event
event = Event.objects.get(pk={context["evaluation_id"]!r})
result = json.loads(event.body)
"""
    body = ask.run(code)
    assert body["type"] == "access.decided"
    assert body["actor"]["id"] == "runner"
    assert body["data"]["question"]["on_behalf_of"] == "user/alice"
    assert body["data"]["question"]["task"] == "t-9"
    assert body["data"]["revision"] == context["revision"]
    assert body["data"]["lost"] == context["lost"]
    assert body["data"]["caller"]["id"] == "crm"
    assert ask.key.rpartition("_")[2] not in str(body)
