"""Ending anything that a token rests on denies the very next request with it, though another process ended it."""

import time

import httpx
import pytest

from tests.access.asking import Asking, question
from tests.access.holding import CRM, Held, hold, passing_on

AGENT = "agent = Agent.objects.get(organization=organization, external_id={!r})\n"
TOKEN = "from permissions.models import AccessToken\ntoken = AccessToken.objects.get(pk={!r})\n"
REVOKE = "from permissions.oauth.authorizations import revoke_token\nrevoke_token(token=token, by=by, now=now)"
READ = ("record:read",)


def _ends(
    fresh: Asking,
    own: Held,
    passed: Held,
    code: str,
    term: str,
    *,
    own_status: int = 401,
    words: str = "",
    subject: str = "agent/runner",
) -> None:
    """Show that both processes take the tokens, and neither does at once after the change."""
    body = question(subject=subject)
    for _ in range(6):
        assert own.send(body).json()["decision"] is True
        assert passing_on(fresh, passed.text, body).json()["decision"] is True
    assert _active(fresh, passed) is True
    fresh.run(code)
    # Introspection tells the same, where there still is an issuer to ask.
    assert _active(fresh, passed) is (None if term == "organization" else False)
    for _ in range(6):
        answer = passing_on(fresh, passed.text, body)
        assert (answer.status_code, answer.json()["decision"]) == (200, False)
        lost = answer.json()["context"]["lost"]
        assert lost["term"] == term
        assert words in lost["reason"]
        answer = own.send(body)
        assert answer.status_code == own_status, answer.text
        if own_status == 200:
            assert answer.json()["context"]["lost"]["term"] == term


def _active(fresh: Asking, passed: Held) -> bool | None:
    """Ask the issuer about a token, as the application that it is for."""
    answer = httpx.post(
        f"{fresh.product.url}/o/{fresh.slug}/oauth/introspect",
        data={"token": passed.text},
        headers={"Authorization": f"Bearer {fresh.key}"},
    )
    return bool(answer.json()["active"]) if answer.status_code == 200 else None


def _pair(fresh: Asking, *chain: str, **more: object) -> tuple[Held, Held]:
    return hold(fresh, *chain, **more), hold(fresh, *chain, audience=CRM, scopes=READ, **more)


def test_revoking_the_token(fresh: Asking) -> None:
    own, passed = _pair(fresh)
    code = TOKEN.format(own.jti) + REVOKE + "\n" + TOKEN.format(passed.jti) + REVOKE
    _ends(fresh, own, passed, code, "token", words="the token was revoked")


def test_revoking_every_token_of_the_agent(fresh: Asking) -> None:
    code = AGENT.format("runner") + "from permissions.oauth.authorizations import revoke_tokens_of\n"
    _ends(fresh, *_pair(fresh), code + "revoke_tokens_of(agent=agent, by=by, now=now)", "token", words="was revoked")


def test_revoking_the_token_that_it_was_exchanged_for(fresh: Asking) -> None:
    first = hold(fresh)
    code = TOKEN.format(first.jti) + REVOKE
    _ends(fresh, *_pair(fresh, parent=first.jti), code, "token", words="revoked")


def test_revoking_the_credential(fresh: Asking) -> None:
    own, passed = _pair(fresh)
    revoke = "revoke_credential(credential=Credential.objects.get(pk={!r}), by=by, now=now)\n"
    code = revoke.format(own.credential) + revoke.format(passed.credential)
    _ends(fresh, own, passed, code, "token", words="credential")


def test_revoking_the_credential_of_the_token_that_it_was_exchanged_for(fresh: Asking) -> None:
    first = hold(fresh)
    code = f"revoke_credential(credential=Credential.objects.get(pk={first.credential!r}), by=by, now=now)"
    _ends(fresh, *_pair(fresh, parent=first.jti), code, "token", words="credential")


def test_ending_the_authorization(fresh: Asking) -> None:
    code = """
from permissions.services.authorizations import end_authorization
for each in Authorization.objects.filter(organization=organization):
    end_authorization(authorization=each, because="no more", by=by, now=now)
"""
    code = "from permissions.models import Authorization" + code
    _ends(fresh, *_pair(fresh, "user/alice", "agent/runner"), code, "token")


def test_taking_back_the_consent(fresh: Asking) -> None:
    code = """
consent = Consent.objects.get(organization=organization, user__external_id='alice', agent__external_id='runner')
end_consent(consent=consent, by=by, reason='no more', now=now)
"""
    _ends(fresh, *_pair(fresh, "user/alice", "agent/runner"), code, "consent", own_status=200)


def test_deactivating_the_user(fresh: Asking) -> None:
    fresh.run(
        """
bob = User.objects.get(organization=organization, external_id='bob')
found = Consent.objects.filter(organization=organization, user__external_id='alice', agent__external_id='runner')
found.update(user=bob)
advance_revision(organization_id=organization.pk, touched=['*'])
"""
    )
    code = "bob = User.objects.get(organization=organization, external_id='bob')\n"
    code += "deactivate_person(person=bob, by=by, reason='left', now=now)"
    _ends(fresh, *_pair(fresh, "user/bob", "agent/runner"), code, "user", own_status=200)


def test_ending_the_delegation(fresh: Asking) -> None:
    code = "delegation = Delegation.objects.get(organization=organization)\n"
    code += "end_delegation(delegation=delegation, by=by, reason='end', now=now)"
    _ends(fresh, *_pair(fresh, "agent/planner", "agent/runner"), code, "delegation", own_status=200)


def test_suspending_the_delegator(fresh: Asking) -> None:
    code = AGENT.format("planner") + "suspend_agent(agent=agent, by=by, reason='stop', now=now)"
    _ends(fresh, *_pair(fresh, "agent/planner", "agent/runner"), code, "delegator", own_status=200)


def test_suspending_the_agent(fresh: Asking) -> None:
    code = AGENT.format("runner") + "suspend_agent(agent=agent, by=by, reason='stop', now=now)"
    own, passed = _pair(fresh)
    _ends(fresh, own, passed, code, "subject", own_status=200)
    fresh.run(AGENT.format("runner") + "resume_agent(agent=agent, by=by, reason='go', now=now)")
    assert own.send(question()).json()["decision"] is True


def test_suspending_the_parent_stops_the_child(fresh: Asking) -> None:
    code = AGENT.format("runner") + "suspend_agent(agent=agent, by=by, reason='stop', now=now)"
    _ends(fresh, *_pair(fresh, "agent/helper"), code, "parent", own_status=200, subject="agent/helper")


def test_retiring_the_parent_ends_the_child(fresh: Asking) -> None:
    code = AGENT.format("runner") + "retire_agent(agent=agent, by=by, reason='end', now=now)"
    _ends(fresh, *_pair(fresh, "agent/helper"), code, "token", subject="agent/helper", words="credential")


def test_ending_the_run(fresh: Asking) -> None:
    fresh.run(AGENT.format("runner") + "start_run(agent=agent, task_id='t-1', purpose='refunds', by=by, now=now)")
    own, passed = _pair(fresh, task="t-1")
    # Another run on the same task is of no help to a token of this one.
    end = AGENT.format("runner") + "run = Run.objects.get(agent=agent, task_id='t-1')\n"
    end += "end_run(run=run, by=by, now=now)\nstart_run(agent=agent, task_id='t-1', purpose='refunds', by=by, now=now)"
    _ends(fresh, own, passed, end, "token", words="run")


def test_suspending_the_organization(fresh: Asking) -> None:
    code = "suspend_organization(organization=organization, by=by, reason='stop', now=now)"
    _ends(fresh, *_pair(fresh), code, "organization", own_status=200)


def test_withdrawing_the_key_that_signed(fresh: Asking) -> None:
    own, passed = _pair(fresh)
    for _ in range(6):
        assert own.send(question()).json()["decision"] is True
        assert passing_on(fresh, passed.text, question()).json()["decision"] is True
    fresh.run(
        """
from permissions.models import TokenKey
from permissions.oauth.keys import withdraw_key
for key in TokenKey.objects.filter(organization=organization, algorithm="ES256"):
    withdraw_key(key=key, by=by, now=now)
"""
    )
    for _ in range(6):
        assert own.send(question()).status_code == 401
        assert passing_on(fresh, passed.text, question()).status_code == 403


@pytest.mark.parametrize("what", ["token", "credential"])
def test_what_ends_by_the_clock_has_ended_without_any_job(fresh: Asking, what: str) -> None:
    seconds = 3 if what == "credential" else 0
    own, passed = _pair(fresh, credential_seconds=seconds)
    if what == "token":
        fresh.run(
            "from datetime import timedelta\nfrom permissions.models import AccessToken\n"
            "AccessToken.objects.filter(organization=organization).update(expires_at=now + timedelta(seconds=3))"
        )
    assert own.send(question()).json()["decision"] is True
    assert passing_on(fresh, passed.text, question()).json()["decision"] is True
    time.sleep(3.1)
    assert own.send(question()).status_code == 401
    answer = passing_on(fresh, passed.text, question())
    assert (answer.json()["decision"], answer.json()["context"]["lost"]["term"]) == (False, "token")
