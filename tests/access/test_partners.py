"""The agent of a partner organization: only through a trust that both sides agreed to, and no longer than either wants."""

from typing import Any

import pytest

from tests.access.asking import Asking
from tests.serving import Served

SETUP = """
other = Organization.objects.get(slug={other!r})
theirs = Agent.objects.get(organization=other, external_id='runner')
terms = TrustTerms(agents=None, types=['record'], data_classes=['internal'])
trust = propose_trust(organization=organization, partner=other, terms=terms, by=by, now=now)
spec = EntitlementSpec(type='record', actions=['read'])
give_grant(organization=organization, holder=theirs.user, entitlement=spec, by=by, now=now)
result = theirs.spiffe_id
"""


@pytest.fixture
def partner(product: Served, fresh: Asking) -> tuple[Asking, str, str]:
    """Let acme trust another organization's runner with records, as far as acme is concerned."""
    other = f"{fresh.slug}-partner"
    product.apply(
        f"""
organization: {{slug: {other}, name: Partner, trust_domain: {other}.example}}
people: [{{id: mallory, name: Mallory}}]
agents: [{{id: runner, name: Their runner, purpose: Theirs, owner: mallory, sponsor: mallory}}]
"""
    )
    return fresh, other, str(fresh.run(SETUP.format(other=other)))


def _agree(ask: Asking) -> None:
    ask.run("agree_trust(trust=Trust.objects.get(organization=organization), by=by, now=now)")


def _ask(partner: tuple[Asking, str, str], **more: Any) -> str:
    ask, _, spiffe_id = partner
    effect, context = ask("read", "record-1", subject=f"agent/{spiffe_id}", **more)
    return "allow" if effect == "allow" else str(context["lost"]["term"])


def test_nothing_is_allowed_before_both_sides_agreed(partner: tuple[Asking, str, str]) -> None:
    ask, other, _ = partner
    # That there is such an agent, and how it fares, is told by its organization's own word only.
    theirs = f"agent = Agent.objects.get(organization__slug={other!r}, external_id='runner')\n"
    ask.run(theirs + "suspend_agent(agent=agent, by=by, reason='stop', now=now)")
    told = [ask("read", "record-1", subject=f"agent/{name}")[1]["lost"] for name in (partner[2], partner[2] + "x")]
    assert [each["term"] for each in told] == ["subject", "subject"]
    assert told[0]["reason"].replace(partner[2], "") == told[1]["reason"].replace(partner[2] + "x", "")
    ask.run(theirs + "resume_agent(agent=agent, by=by, reason='go', now=now)")
    assert _ask(partner) == "subject"
    _agree(ask)
    assert _ask(partner) == "allow"


def test_a_trust_covers_its_classes_of_data_and_no_others(partner: tuple[Asking, str, str]) -> None:
    _agree(partner[0])
    assert _ask(partner, fields=["title"]) == "allow"
    assert _ask(partner, fields=["iban"]) == "trust"


def test_what_happens_to_the_agent_at_home_bites_here_at_once(partner: tuple[Asking, str, str]) -> None:
    ask, other, _ = partner
    _agree(ask)
    assert [_ask(partner) for _ in range(6)] == ["allow"] * 6
    theirs = f"agent = Agent.objects.get(organization__slug={other!r}, external_id='runner')\n"
    ask.run(theirs + "suspend_agent(agent=agent, by=by, reason='stop', now=now)")
    assert [_ask(partner) for _ in range(6)] == ["subject"] * 6
    ask.run(theirs + "resume_agent(agent=agent, by=by, reason='go', now=now)")
    assert _ask(partner) == "allow"


def test_either_side_ends_it(partner: tuple[Asking, str, str]) -> None:
    ask, _, _ = partner
    _agree(ask)
    assert [_ask(partner) for _ in range(4)] == ["allow"] * 4
    ask.run("end_trust(trust=Trust.objects.get(organization=organization), by=by, reason='over', now=now)")
    assert [_ask(partner) for _ in range(4)] == ["trust"] * 4
    theirs = f"agent = Agent.objects.get(organization__slug={partner[1]!r}, external_id='runner')\n"
    ask.run(theirs + "suspend_agent(agent=agent, by=by, reason='stop', now=now)")
    assert [_ask(partner) for _ in range(4)] == ["trust"] * 4


def test_an_agent_of_an_organization_that_is_no_partner_is_unknown(product: Served, ask: Asking) -> None:
    spiffe_id = ask.run("result = Agent.objects.get(organization__slug='other', external_id='runner').spiffe_id")
    assert ask.lost("read", "record-1", subject=f"agent/{spiffe_id}") == "subject"
    assert ask.lost("read", "record-1", subject="agent/spiffe://other.example/agent/none") == "subject"
