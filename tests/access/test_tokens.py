"""An agent asks with its token: the chain in the token is the chain that is decided about, and none other can be named."""

from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from tests.access.asking import Asking, question
from tests.access.holding import CRM, hold, passing_on

ALICE = {"type": "user", "id": "alice"}
WRITE = {"type": "entitlement", "resource_type": "record", "actions": ["write"]}


def _challenge(answer: httpx.Response) -> str:
    assert answer.status_code == 401, answer.text
    return answer.headers["WWW-Authenticate"]


# --- how a token is shown ---


def test_an_agent_asks_about_itself_with_its_token(ask: Asking) -> None:
    held = hold(ask)
    assert held("read", "record-1")[0] == "allow"
    assert held("read", "record-2")[0] == "deny"


def test_a_token_without_the_scope_is_not_for_decisions(ask: Asking) -> None:
    answer = hold(ask, scopes=("read", "write")).send(question())
    assert answer.status_code == 403
    assert 'error="insufficient_scope", scope="decide"' in answer.headers["WWW-Authenticate"]


def test_a_token_for_an_application_is_none_for_agentiam(ask: Asking) -> None:
    assert 'error="invalid_token"' in _challenge(hold(ask, audience=CRM, scopes=("record:read", "decide")).send(question()))


@pytest.mark.parametrize("spoil", ["signature", "claims", "cut", "none"])
def test_a_forged_token_is_refused(ask: Asking, spoil: str) -> None:
    held = hold(ask)
    header, claims, signature = held.text.split(".")
    other = hold(ask, "agent/helper").text.split(".")
    held.text = {
        "signature": f"{header}.{claims}.{other[2]}",
        "claims": f"{header}.{other[1]}.{signature}",
        "cut": f"{header}.{claims}.{signature[:-4]}",
        "none": f"eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{claims}.AA",
    }[spoil]
    assert _challenge(held.send(question())) == 'Bearer realm="agentiam", error="invalid_token"'


def test_a_bound_token_needs_its_key(ask: Asking) -> None:
    held = hold(ask, bound=True)
    first = held.send(question(), proof=held.proof(nonce=None))
    assert 'DPoP realm="agentiam", error="use_dpop_nonce", algs="ES256 EdDSA RS256"' in _challenge(first)
    held.nonce = first.headers["DPoP-Nonce"]
    answer = held.send(question())
    assert (answer.status_code, answer.json()["decision"]) == (200, True)
    assert answer.headers["DPoP-Nonce"]
    assert held.send(question(), "search/resource").status_code == 200


def test_a_bound_token_is_worth_nothing_without_a_proof(ask: Asking) -> None:
    held = hold(ask, bound=True)
    assert 'DPoP realm="agentiam", error="invalid_token"' in _challenge(held.send(question(), scheme="Bearer", proof=""))
    held.send(question())
    assert 'error="invalid_token"' in _challenge(held.send(question(), scheme="Bearer", proof=held.proof()))
    assert 'error="invalid_dpop_proof"' in _challenge(held.send(question(), proof=""))


def test_an_unbound_token_is_not_shown_as_bound(ask: Asking) -> None:
    held = hold(ask)
    assert 'error="invalid_token"' in _challenge(held.send(question(), scheme="DPoP", proof=""))


@pytest.mark.parametrize(
    "wrong",
    [
        {"htm": "GET"},
        {"htu": "http://127.0.0.1:1/access/v1/evaluation"},
        {"htu": None},
        {"ath": None},
        {"ath": "A" * 43},
        {"iat": 1},
        {"jti": None},
    ],
    ids=str,
)
def test_a_proof_for_another_request_is_refused(ask: Asking, wrong: dict[str, Any]) -> None:
    held = hold(ask, bound=True)
    assert held.send(question()).status_code == 200
    assert 'error="invalid_dpop_proof"' in _challenge(held.send(question(), proof=held.proof(**wrong)))


def test_a_proof_of_another_key_or_with_an_old_nonce_is_refused(ask: Asking) -> None:
    held = hold(ask, bound=True)
    assert held.send(question()).status_code == 200
    assert 'error="use_dpop_nonce"' in _challenge(held.send(question(), proof=held.proof(nonce="old")))
    held.key = ECKey.generate_key("P-256")
    assert 'error="invalid_token"' in _challenge(held.send(question()))


def test_two_proofs_in_one_request_are_refused(ask: Asking) -> None:
    held = hold(ask, bound=True)
    assert held.send(question()).status_code == 200
    headers = [("Authorization", f"DPoP {held.text}"), ("DPoP", held.proof()), ("DPoP", held.proof())]
    answer = httpx.post(f"{ask.product.url}/access/v1/evaluation", json=question(), headers=headers)
    assert 'error="invalid_dpop_proof"' in _challenge(answer)


def test_a_proof_is_good_once_and_a_second_use_is_a_sign(fresh: Asking) -> None:
    held = hold(fresh, bound=True)
    assert held.send(question()).status_code == 200
    proof = held.proof()
    assert held.send(question(), proof=proof).status_code == 200
    for _ in range(3):
        assert 'error="invalid_dpop_proof"' in _challenge(held.send(question(), proof=proof))
    signs = fresh.run("result = list(Signal.objects.filter(organization=organization).values_list('sign', 'proven'))")
    assert ["proof_replayed", True] in signs


def test_a_token_from_elsewhere_than_its_credential_may_be_used_is_refused(ask: Asking) -> None:
    assert 'error="invalid_token"' in _challenge(hold(ask, networks=("203.0.113.0/24",)).send(question()))
    assert hold(ask, networks=("127.0.0.0/8",)).send(question()).status_code == 200


def test_a_client_secret_is_no_key(ask: Asking) -> None:
    code = "agent = Agent.objects.get(organization=organization, external_id='runner')\n"
    secret = ask.run(code + "result = issue_client_secret(agent=agent, label='s', by=by, now=now)[1].text")
    assert ask.product.post("/access/v1/evaluation", question(), secret).status_code == 401


# --- whose question it is ---


def test_the_chain_is_the_tokens_whatever_the_body_leaves_out(ask: Asking) -> None:
    held = hold(ask, "user/alice", "agent/runner")
    for body in (
        question(),
        question(on_behalf_of=ALICE),
        question(subject="user/alice"),
        {**question(), "subject": {**ALICE, "properties": {"act": {"sub": "runner"}}}},
        {**question(), "subject": {"type": "identity", "id": "alice", "properties": {"act": {"sub": "agent/runner"}}}},
    ):
        answer = held.send(body)
        assert answer.json()["decision"] is True, answer.text
        asked = _record(ask, answer)["question"]
        assert (asked["subject"], asked["on_behalf_of"]) == ("agent/runner", "user/alice")


def test_a_delegated_chain_is_the_tokens(ask: Asking) -> None:
    held = hold(ask, "agent/planner", "agent/runner")
    for more in ({}, {"delegation": ["agent/planner"]}, {"delegation": [{"type": "agent", "id": "planner"}]}):
        answer = held.send(question(**more))
        assert answer.json()["decision"] is True, answer.text
        assert _record(ask, answer)["question"]["delegation"] == ["agent/planner"]


@pytest.mark.parametrize(
    "body",
    [
        question(subject="agent/helper"),
        question(subject="user/bob"),
        question(on_behalf_of={"type": "user", "id": "bob"}),
        question(delegation=["agent/planner"]),
        question(task={"id": "t-1"}),
        {**question(), "subject": {"type": "user", "id": "bob", "properties": {"act": {"sub": "runner"}}}},
        {**question(), "subject": {**ALICE, "properties": {"act": {"sub": "helper"}}}},
        {**question(), "subject": {**ALICE, "properties": {"act": {"sub": "runner", "act": {"sub": "planner"}}}}},
        question(subject="user/alice", on_behalf_of={"type": "user", "id": "bob"}),
    ],
    ids=lambda body: str(body.get("context") or body["subject"]),
)
def test_no_other_chain_can_be_named(ask: Asking, body: dict[str, Any]) -> None:
    held = hold(ask, "user/alice", "agent/runner")
    passed = hold(ask, "user/alice", "agent/runner", audience=CRM, scopes=("record:read",))
    for answer in (held.send(body), passing_on(ask, passed.text, body)):
        assert answer.status_code == 403, answer.text
        assert answer.json()["type"] == "urn:agentiam:problem:another-chain"


def test_a_user_is_not_added_to_a_token_of_the_agents_own(ask: Asking) -> None:
    answer = hold(ask).send(question(on_behalf_of=ALICE))
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:agentiam:problem:another-chain")


def test_another_chain_in_a_batch_is_that_items_error(ask: Asking) -> None:
    body = question()
    body["evaluations"] = [{}, {"subject": {"type": "agent", "id": "helper"}}, {}]
    items = hold(ask).send(body, "evaluations").json()["evaluations"]
    assert [item["decision"] for item in items] == [True, False, True]
    assert items[1]["context"]["error"]["status"] == 403


def test_the_task_is_that_of_the_tokens_run(fresh: Asking) -> None:
    run = "agent = Agent.objects.get(organization=organization, external_id='runner')\n"
    allows = "[{'type': 'record', 'actions': ['read']}]"
    fresh.run(run + f"start_run(agent=agent, task_id='t-1', purpose='refunds', allows={allows}, by=by, now=now)")
    held = hold(fresh, task="t-1")
    answer = held.send(question())
    asked = _record(fresh, answer)["question"]
    assert (answer.json()["decision"], asked["task"], asked["purpose"]) == (True, "t-1", "refunds")
    assert held("write", amount=1)[1]["lost"]["term"] == "task"
    assert held("read", task={"id": "t-1", "purpose": "refunds"})[0] == "allow"
    for other in ({"id": "t-2"}, {"id": "t-1", "purpose": "ads"}):
        assert held.send(question(task=other)).status_code == 403


def test_a_token_that_names_types_is_for_nothing_else(ask: Asking) -> None:
    assert hold(ask)("write", amount=1)[0] == "allow"
    held = hold(ask, scopes=("decide", "record:read"))
    assert held("read")[0] == "allow"
    effect, context = held("write", amount=1)
    assert (effect, context["lost"]["term"]) == ("deny", "token")
    detailed = hold(ask, details=(WRITE,))
    assert detailed("write", amount=1)[0] == "allow"
    assert detailed("read")[1]["lost"]["term"] == "token"


def test_searches_are_about_the_chain_and_within_the_token(ask: Asking) -> None:
    held = hold(ask, scopes=("decide", "record:read"))
    found = held.send({**question(), "resource": {"type": "record"}}, "search/resource").json()
    assert [each["id"] for each in found["results"]] == ["record-1", "record-3"]
    found = held.send(question(), "search/action").json()
    assert [each["name"] for each in found["results"]] == ["read"]
    found = held.send({**question(), "subject": {"type": "agent"}}, "search/subject").json()
    assert [each["id"] for each in found["results"]] == ["runner"]
    passed = hold(ask, audience=CRM, scopes=("record:read",))
    found = passing_on(ask, passed.text, {**question(), "subject": {"type": "agent"}}, "search/subject").json()
    assert [each["id"] for each in found["results"]] == ["runner"]
    found = passing_on(ask, passed.text, question("write"), "search/action").json()
    assert [each["name"] for each in found["results"]] == ["read"]


# --- a token that is passed on ---


def test_an_application_asks_with_the_token_that_it_was_given(ask: Asking) -> None:
    held = hold(ask, "user/alice", "agent/runner", audience=CRM, scopes=("record:read",))
    answer = passing_on(ask, held.text, question())
    assert (answer.status_code, answer.json()["decision"]) == (200, True)
    data = _record(ask, answer)
    assert (data["question"]["subject"], data["question"]["on_behalf_of"]) == ("agent/runner", "user/alice")
    assert (data["caller"]["kind"], data["caller"]["id"]) == ("application", "crm")
    assert (data["caller"]["token"], data["caller"]["client"]) == (held.jti, "runner")
    answer = passing_on(ask, held.text, question("write", amount=1))
    assert answer.json()["context"]["lost"]["term"] == "token"


def test_a_reference_token_is_passed_on_like_a_signed_one(fresh: Asking) -> None:
    fresh.run("Application.objects.filter(organization=organization, slug='crm').update(token_format='reference')")
    held = hold(fresh, audience=CRM, scopes=("record:read",))
    assert held.text.startswith("aat_")
    assert passing_on(fresh, held.text, question()).json()["decision"] is True
    for wrong in (held.text[:-1] + ("A" if held.text[-1] != "A" else "B"), "aat_0_0", hold(fresh).text):
        assert passing_on(fresh, wrong, question()).status_code == 403


def test_a_token_for_somebody_else_is_refused(ask: Asking, fresh: Asking) -> None:
    own = hold(ask)
    theirs = hold(fresh, audience=CRM, scopes=("record:read",))
    mine = hold(ask, audience=CRM, scopes=("record:read",))
    for text in (own.text, theirs.text, mine.text[:-3], "nonsense", "a.b.c", "x" * 9_000):
        answer = passing_on(ask, text, question())
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:agentiam:problem:subject-token-refused")
    assert ask.as_agent("runner").raw(question(), **{"Subject-Token": mine.text}).status_code == 403
    lake = Asking(ask.product, ask.product.keys["acme:application/lake"])
    assert passing_on(lake, mine.text, question()).status_code == 403


def test_nothing_of_a_token_is_kept(ask: Asking) -> None:
    held = hold(ask, audience=CRM, scopes=("record:read",))
    own = hold(ask)
    answers = [passing_on(ask, held.text, question()), own.send(question())]
    for text in (held.text, own.text):
        found = f"result = Event.objects.filter(body__contains={text.split('.')[2][:40]!r}).count()"
        assert ask.run(f"from audit.models import Event\n{found}") == 0
        assert text.split(".")[2] not in ask.product.log()
    assert _record(ask, answers[1])["caller"] == {
        "kind": "agent",
        "id": "runner",
        "key": "",
        "token": own.jti,
        "client": "runner",
    }


def _record(ask: Asking, answer: httpx.Response) -> dict[str, Any]:
    pk = answer.json()["context"]["evaluation_id"]
    code = f"from audit.models import Event\nimport json\nresult = json.loads(Event.objects.get(pk={pk!r}).body)"
    body = ask.run(code)
    found: dict[str, Any] = body["data"]
    return found


def test_an_application_that_requires_tokens_is_told_nothing_about_agents_without_one(fresh: Asking) -> None:
    held = hold(fresh, audience=CRM, scopes=("record:read",))
    assert fresh("read")[0] == "allow"
    fresh.run(
        """
crm = Application.objects.get(organization=organization, slug="crm")
values = dict(name=crm.name, audience=crm.audience, believes_resource_properties=True, believes_subject_properties=False)
update_application(application=crm, requires_tokens=True, **values, by=by, now=now)
"""
    )
    for _ in range(6):
        effect, context = fresh("read")
        assert (effect, context["lost"]["term"]) == ("deny", "token")
        assert "with their tokens only" in context["lost"]["reason"]
        assert passing_on(fresh, held.text, question()).json()["decision"] is True
    for about_user in ({"subject": {**ALICE, "properties": {"act": {"sub": "runner"}}}},):
        assert fresh.raw({**question(), **about_user}).json()["context"]["lost"]["term"] == "token"
    assert fresh("read", subject="user/alice")[0] == "allow"
    assert fresh.raw({**question(), "resource": {"type": "record"}}, "search/resource").json()["results"] == []
    found = fresh.raw({**question(), "subject": {"type": "agent"}}, "search/subject").json()
    assert found["results"] == []
    # The agent itself needs nobody's word.
    assert fresh.as_agent("runner")("read")[0] == "allow"
