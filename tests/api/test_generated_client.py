"""Somebody with nothing but the document sets a company's rules up, sees them decide, and ends an agent: over real HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.api.generated import Made, generate
from tests.serving import Served, served

COMPANY = """
organization: {slug: acme, name: Acme, trust_domain: acme.example}
people:
  - {id: alice, name: Alice, email: alice@acme.example, console_roles: [security_administrator]}
  - {id: olivia, name: Olivia, email: olivia@acme.example, console_roles: [owner]}
"""
SCRIPTS_KEY = """
person = User.objects.get(external_id="alice")
_, token = issue_person_key(user=person, label="script", scopes=["read", "write", "credentials"], by=person.as_actor(), now=now)
result = token.text
"""


@dataclass
class Script:
    """A program with a made client: calls an operation by its tag and name, and takes no refusal."""

    made: Made
    client: Any
    copy: Served

    @property
    def models(self) -> ModuleType:
        return self.made(".models")

    def answer(self, tag: str, name: str, *args: Any, **values: Any) -> Any:
        """Call, and give the whole answer."""
        return self.made(f".api.{tag}.{tag}_{name}").sync_detailed(*args, client=self.client, **values)

    def __call__(self, tag: str, name: str, *args: Any, **values: Any) -> Any:
        answer = self.answer(tag, name, *args, **values)
        assert answer.status_code < 300, answer.content
        return answer.parsed

    def anew(self, tag: str, name: str, key: Any, **values: Any) -> Any:
        """Call what replaces something, with the version that is there now."""
        version = self.answer(tag, "retrieve", key).headers["ETag"]
        return self(tag, name, key, if_match=version, **values)

    def may(self, key: str, action: str, region: str = "EU") -> dict[str, Any]:
        """Ask the decision API as the application."""
        question = {
            "subject": {"type": "agent", "id": "clerk"},
            "action": {"name": action},
            "resource": {"type": "ticket", "id": "t-1", "properties": {"region": region}},
        }
        answer = self.copy.post("/access/v1/evaluation", question, key)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    document = tmp_path / "openapi.json"
    monkeypatch.syspath_prepend(str(tmp_path / "made"))
    with served(tmp_path) as copy:
        copy.apply(COMPANY)
        document.write_bytes(httpx.get(f"{copy.url}/api/v1/openapi.json", timeout=60).content)
        made = generate(document, tmp_path)
        client = made("").AuthenticatedClient(base_url=copy.url, token=copy.run(SCRIPTS_KEY), timeout=httpx.Timeout(30))
        with client:
            yield Script(made, client, copy)


@dataclass
class Rules:
    """What the script has set up."""

    agent: Any
    role: Any
    key: str


def set_up(script: Script) -> Rules:
    """Make an application with a type and a key, a role on it, and an agent that holds the role."""
    models = script.models
    crm = script("applications", "create", body=models.ApplicationCreatedRequest(slug="crm", name="CRM"))
    declared = models.ResourceTypeDeclaredRequest(
        application=crm.id,
        name="ticket",
        actions=["read", "close", "delete"],
        attributes=models.ResourceTypeDeclaredRequestAttributes.from_dict({"region": "string"}),
    )
    script("resource_types", "create", body=declared)
    role = script("roles", "create", body=models.RoleCreatedRequest(external_id="clerk", name="Clerk"))
    entitlement = models.EntitlementGivenRequest(type_="ticket", actions=["read"], where='resource.region == "EU"')
    body = models.EntitlementsSetRequest(entitlements=[entitlement], reason="they answer customers")
    role = script.anew("roles", "entitlements_create", role.id, body=body)
    olivia = next(each for each in script("people", "list").items if each.external_id == "olivia")
    new = models.AgentOnboardedRequest(
        external_id="clerk", name="Clerk", purpose="Answers customers.", owner=olivia.id, sponsor=olivia.id
    )
    agent = script("agents", "onboard_create", body=new)
    assert (agent.state, agent.secret) == ("active", None)
    holder = models.HolderGivenRequest(agent=agent.id)
    script("role_assignments", "create", body=models.AssignmentCreatedRequest(role=role.id, holder=holder))
    issued = script(
        "application_keys", "create", body=models.ApplicationKeyIssuedRequest(application=crm.id, label="production")
    )
    assert issued.secret.startswith("aip_")
    return Rules(agent, role, issued.secret)


def read_why(script: Script, rules: Rules, told: dict[str, Any]) -> None:
    """Read the record of an answer, an explanation of the same question, and all that the agent can do."""
    models = script.models
    record = script("decisions", "retrieve", told["context"]["evaluation_id"])
    assert (record.decision, record.subject, record.depth) == (True, "agent/clerk", "full")
    question = models.ExplanationAskedRequest(
        subject=models.EntityGivenRequest(type_="agent", id="clerk"),
        action=models.ActionGivenRequest(name="read"),
        resource=models.EntityGivenRequest(
            type_="ticket", id="t-1", properties=models.EntityGivenRequestProperties.from_dict({"region": "US"})
        ),
    )
    explained = script("explain", "create", body=question)
    assert (explained.decision, explained.effect) == (False, "deny")
    assert "region" in explained.reason_admin
    access = script("agents", "effective_access_list", rules.agent.id)
    rows = {(row.type_, row.action): row for row in access.rows}
    assert {key: row.effect for key, row in rows.items()} == {
        ("ticket", "read"): "conditional",
        ("ticket", "close"): "deny",
        ("ticket", "delete"): "deny",
    }
    [source] = rows["ticket", "read"].terms[0].sources
    assert (source.through, source.where) == (["clerk"], 'resource.region == "EU"')


def give_in_bulk(script: Script, rules: Rules) -> None:
    """Give three grants at once, of which one names an action that is not there; then read the list page by page."""
    models = script.models
    holder = models.HolderGivenRequest(agent=rules.agent.id)
    items = [
        models.GrantGivenRequest(type_="ticket", actions=[action], holder=holder) for action in ("close", "burn", "delete")
    ]
    done = script("grants", "bulk_create", body=models.GrantsGivenRequest(items=items, reason="the busy season"))
    assert ([each.status for each in done.results], done.done, done.refused) == ([201, 422, 201], 2, 1)
    refused = done.results[1].problem
    assert isinstance(refused, models.Problem)
    assert (refused.status, "burn" in refused.detail, refused.errors[0].pointer) == (422, True, "/actions")
    pages: list[Any] = []
    after: dict[str, str] = {}
    while not pages or pages[-1].next_ is not None:
        pages.append(script("grants", "list", limit=1, **after))
        after = {"after": pages[-1].next_}
    assert [len(page.items) for page in pages] == [1, 1]
    assert [page.items[0].id for page in pages] == [done.results[0].id, done.results[2].id]


def forbid(script: Script, rules: Rules) -> None:
    """Draft a guardrail, which decides nothing, put it in force, and take it out again."""
    models = script.models
    drafted = models.GuardrailDraftedRequest(
        external_id="no-deletion", name="No deletion", effect=models.GuardrailEffect.DENY, actions=["delete"]
    )
    guardrail = script("guardrails", "create", body=drafted)
    assert script.may(rules.key, "delete")["decision"] is True
    number = guardrail.versions[0].number
    published = script.anew("guardrails", "publish_create", guardrail.id, body=models.PublishedRequest(number=number))
    assert published.versions[0].state == "published"
    assert script.may(rules.key, "delete")["decision"] is False
    script("guardrails", "withdraw_create", guardrail.id, body=models.ReasonRequest())
    assert script.may(rules.key, "delete")["decision"] is True


def retire(script: Script, rules: Rules) -> None:
    """Stop the agent, let it go on, and end it; then check the proof here, and offline as a file."""
    models = script.models
    script("agents", "suspend_create", rules.agent.id, body=models.ReasonRequest(reason="drill"))
    assert script.may(rules.key, "read")["decision"] is False
    script("agents", "resume_create", rules.agent.id, body=models.ReasonRequest(reason="over"))
    assert script.may(rules.key, "read")["decision"] is True
    ended = script("agents", "retire_create", rules.agent.id, body=models.RequiredReasonRequest(reason="replaced"))
    assert ended.state == "retired"
    assert script.may(rules.key, "read")["decision"] is False
    [proof] = script("attestations", "list", target_id="clerk").items
    verdict = script("attestations", "verify_retrieve", proof.id)
    assert (verdict.genuine, verdict.problems) == (True, [])
    key = script("signing_keys", "retrieve", proof.key_id)
    file = script.copy.directory / "proof.json"
    file.write_bytes(script.answer("attestations", "proof_retrieve", proof.id).content)
    checked = script.copy.manage("verify_proof", str(file), "--key", key.jwk.x, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    file.write_text(file.read_text().replace("replaced", "regretted"))
    assert script.copy.manage("verify_proof", str(file), "--key", key.jwk.x, check=False).returncode != 0


def test_a_script_with_a_made_client_goes_from_an_application_to_a_proof(script: Script) -> None:
    rules = set_up(script)
    told = script.may(rules.key, "read")
    assert told["decision"] is True
    assert script.may(rules.key, "read", region="US")["decision"] is False
    read_why(script, rules, told)
    give_in_bulk(script, rules)
    forbid(script, rules)
    retire(script, rules)
    refused = script.answer("agents", "resume_create", rules.agent.id, body=script.models.ReasonRequest())
    assert isinstance(refused.parsed, script.models.Problem)
    assert (refused.status_code, refused.parsed.fact) == (409, "IllegalTransition")
