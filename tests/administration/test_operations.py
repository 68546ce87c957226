"""Operations: each is a service, asks for its reason on a page of its own, and takes its right."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from agentiam.jobs.models import Job
from agentiam.kit.administration.operations import MOST_AT_ONCE, Operation, offer, operations_on
from audit.models import Attestation, Event
from directory.models import (
    Agent,
    AgentUserPermission,
    Credential,
    Invitation,
    OnboardingToken,
    Organization,
    PersonKey,
    Run,
    User,
)
from directory.services.access import give_access
from permissions.models import (
    AccessToken,
    Application,
    ApplicationKey,
    Authorization,
    BlueprintRole,
    Consent,
    Delegation,
    Entitlement,
    Grant,
    Guardrail,
    OAuthClient,
    Replacement,
    Resource,
    ResourceType,
    Role,
    RoleAssignment,
    RoleGroupPermission,
    RoleInclusion,
    TokenKey,
    Trust,
    TrustedIssuer,
)
from permissions.services.replacement import compare_replacement
from permissions.services.trusts import TrustTerms, propose_trust
from tests.administration.conftest import person, problems, registered, submit, to
from tests.administration.worlds import World
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint
from tests.permissions.factories import make_role

# In the order in which they are carried out on the rows of one organization, with the last event of each.
DONE: tuple[tuple[Any, str, str], ...] = (
    (Organization, "suspend", "organization.suspended"),
    (Organization, "resume", "organization.resumed"),
    (Agent, "suspend", "agent.suspended"),
    (Agent, "resume", "agent.resumed"),
    (Run, "end", "run.ended"),
    (Credential, "revoke", "credential.revoked"),
    (PersonKey, "revoke", "person_key.revoked"),
    (OnboardingToken, "revoke", "onboarding_token.revoked"),
    (Invitation, "resend", "invitation.resent"),
    (Invitation, "withdraw", "invitation.withdrawn"),
    (AgentUserPermission, "withdraw", "access.withdrawn"),
    (RoleGroupPermission, "withdraw", "access.withdrawn"),
    (Application, "suspend", "application.suspended"),
    (Application, "resume", "application.resumed"),
    (ApplicationKey, "revoke", "application_key.revoked"),
    (Resource, "remove", "resource.removed"),
    (RoleAssignment, "end", "assignment.ended"),
    (Grant, "end", "grant.ended"),
    (BlueprintRole, "remove", "blueprint.roles_changed"),
    (RoleInclusion, "remove", "role.inclusions_changed"),
    (Entitlement, "remove", "role.entitlements_changed"),
    (Role, "remove", "role.removed"),
    (Guardrail, "report-only", "guardrail.published"),
    (Guardrail, "publish", "guardrail.published"),
    (Guardrail, "withdraw", "guardrail.withdrawn"),
    (AccessToken, "revoke", "token.revoked"),
    (Authorization, "end", "authorization.ended"),
    (Consent, "end", "consent.ended"),
    (Delegation, "end", "delegation.ended"),
    (Trust, "end", "trust.ended"),
    (TrustedIssuer, "end", "trusted_issuer.ended"),
    (Replacement, "compare", "replacement.compared"),
    (Replacement, "abandon", "replacement.abandoned"),
    (Job, "cancel", "job.cancelled"),
    (Job, "rerun", "job.requeued"),
    (User, "end-sessions", "sessions.ended"),
    (User, "reset-second-factors", "second_factor.reset"),
    (User, "deactivate", "person.deactivated"),
    (User, "reactivate", "person.reactivated"),
)
ELSEWHERE = {
    (Agent, "activate"),
    (Agent, "sign-off"),
    (Agent, "review"),
    (Agent, "retire"),
    (Agent, "transfer"),
    (Agent, "redirect-uris"),
    (Agent, "no-client"),
    (Agent, "revoke-tokens"),
    (TokenKey, "rotate"),
    (TokenKey, "withdraw"),
    (User, "console-roles"),
    (User, "offboard"),
    (Credential, "rotate"),
    (PersonKey, "rotate"),
    (ApplicationKey, "rotate"),
    (Trust, "agree"),
    (Replacement, "agree"),
    (Replacement, "complete"),
}
"""Operations that a test below carries out by itself, or that tests/administration/test_secrets.py does."""


def test_each_operation_is_one_service_with_its_event(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    for model, operation, name in DONE:
        row, before = acme[model], Event.objects.latest("id")
        asked = client.get(to("do", row, operation))
        assert asked.status_code == 200
        assert Event.objects.latest("id") == before, "a page that asks does nothing"
        answer = submit(client, to("do", row, operation))
        assert answer.status_code == 302, (model, operation, problems(answer))
        happened = Event.objects.filter(id__gt=before.id)
        assert name in {event.type for event in happened}, (model, operation)
        assert {(event.actor_id, event.reason) for event in happened} == {("alice", "Because of it.")}, (model, operation)


def test_every_operation_is_tried() -> None:
    offered = {
        (model, each.name)
        for model in registered()
        for each in operations_on(model)
        if not model.__name__.endswith("Permission") and (model.__name__, each.name) != ("ResourceType", "remove")
    }
    rights = {(model, name) for model, name, _ in DONE if model.__name__.endswith("Permission")}
    assert offered == ({(model, name) for model, name, _ in DONE} - rights) | ELSEWHERE


def test_an_agent_is_made_a_client_and_no_client_any_more(as_: Callable[[str], Any], acme: World) -> None:
    client, agent = as_("alice"), acme[Agent]
    assert "is no OAuth client." in submit(client, to("do", agent, "no-client")).content.decode()
    bad = submit(client, to("do", agent, "redirect-uris"), redirect_uris="javascript:alert(1)")
    assert "is not https" in bad.content.decode()
    uris = "https://runner.example/callback\r\ncom.example.runner:/callback"
    assert submit(client, to("do", agent, "redirect-uris"), redirect_uris=uris).status_code == 302
    assert OAuthClient.objects.get(agent=agent).redirect_uris == uris.split()
    assert uris.split()[1] in client.get(to("do", agent, "redirect-uris")).content.decode()
    assert submit(client, to("do", agent, "no-client")).status_code == 302
    assert not OAuthClient.objects.filter(agent=agent).exists()


def test_keys_that_sign_are_rotated_and_one_is_withdrawn(as_: Callable[[str], Any], acme: World) -> None:
    client, row = as_("alice"), acme[TokenKey]
    before = set(TokenKey.objects.values_list("pk", flat=True))
    assert submit(client, to("do", row, "rotate"), at_once="on").status_code == 302
    made = TokenKey.objects.exclude(pk__in=before).filter(signs_until__isnull=True)
    assert {each.algorithm for each in made} == {"ES256", "EdDSA", "RS256"}
    assert {each.organization for each in made} == {acme[Organization]}
    assert submit(client, to("do", row, "withdraw")).status_code == 302
    event = Event.objects.filter(type="token_key.withdrawn").get()
    assert (event.actor_id, event.target_id) == ("alice", row.kid)
    assert not TokenKey.objects.shown(timezone.now()).filter(pk=row.pk).exists()


def test_all_tokens_of_an_agent_are_revoked(as_: Callable[[str], Any], acme: World, zebra: World) -> None:
    assert submit(as_("alice"), to("do", acme[Agent], "revoke-tokens")).status_code == 302
    assert list(AccessToken.objects.filter(revoked_at=None)) == [zebra[AccessToken]]


def test_an_agent_is_signed_off_and_activated(as_: Callable[[str], Any], acme: World) -> None:
    from directory.lifecycle import State

    client = as_("alice")
    blueprint = make_blueprint(acme[Organization], sign_offs=1)
    waiting = make_agent(acme[Organization], "waiting", owner=acme[User], blueprint=blueprint, state=State.PENDING)
    answer = submit(client, to("do", waiting, "activate"))
    assert "Because of it." in answer.content.decode()
    assert Agent.objects.get(pk=waiting.pk).state == "pending"
    assert submit(client, to("do", waiting, "sign-off")).status_code == 302
    assert Agent.objects.get(pk=waiting.pk).state == "active"
    free = make_agent(acme[Organization], "free", owner=acme[User], state=State.PENDING)
    assert submit(client, to("do", free, "activate")).status_code == 302
    assert Agent.objects.get(pk=free.pk).state == "active"


def test_an_agent_is_transferred(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    other = User.objects.get(external_id="Acme-approver")
    answer = submit(client, to("do", acme[Agent], "transfer"), owner=other.pk)
    assert answer.status_code == 302
    agent = Agent.objects.get(pk=acme[Agent].pk)
    assert (agent.owner, agent.sponsor) == (other, acme[User])
    both = submit(client, to("do", acme[Agent], "transfer"), sponsor_team=str(agent.team_id))
    assert "one sponsor" in problems(both)


def test_an_agent_that_changed_is_looked_at_before_it_is_resumed(as_: Callable[[str], Any], acme: World) -> None:
    from directory.services.fingerprints import report_fingerprints

    client = as_("alice")
    agent = Agent.objects.get(pk=acme[Agent].pk)
    for model_hash in ("one", "two"):
        report_fingerprints(agent=agent, model_hash=model_hash, by=SYSTEM, now=NOW)
    assert problems(submit(client, to("do", agent, "resume")))
    assert Agent.objects.get(pk=agent.pk).state == "suspended"
    assert submit(client, to("do", agent, "review"), model_hash="two").status_code == 302
    assert submit(client, to("do", agent, "resume")).status_code == 302
    agent = Agent.objects.get(pk=agent.pk)
    assert (agent.state, agent.model_hash, agent.review_needed) == ("active", "two", False)


def test_an_agent_is_retired_with_everything_and_a_proof(as_: Callable[[str], Any], acme: World) -> None:
    proofs = Attestation.objects.count()
    assert submit(as_("alice"), to("do", acme[Agent], "retire")).status_code == 302
    assert Agent.objects.get(pk=acme[Agent].pk).state == "retired"
    assert Grant.objects.get(pk=acme[Grant].pk).ended_at is not None
    assert Credential.objects.get(pk=acme[Credential].pk).revoked_at is not None
    assert Attestation.objects.count() == proofs + 1


def test_a_person_is_offboarded_with_a_proof(as_: Callable[[str], Any], acme: World) -> None:
    proofs = Attestation.objects.count()
    assert submit(as_("alice"), to("do", acme[User], "offboard")).status_code == 302
    assert not User.objects.get(pk=acme[User].pk).is_active
    assert Attestation.objects.count() == proofs + 1


def test_console_roles_are_set_and_nobody_sets_their_own(
    as_: Callable[[str], Any], acme: World, people: dict[str, User]
) -> None:
    client = as_("alice")
    assert submit(client, to("do", acme[User], "console-roles"), roles=["approver"]).status_code == 302
    assert User.objects.get(pk=acme[User].pk).console_roles == ["approver"]
    own = submit(client, to("do", people["alice"], "console-roles"), roles=["security_administrator", "approver"])
    assert own.status_code == 200
    assert problems(own)
    assert User.objects.get(pk=people["alice"].pk).console_roles == ["security_administrator"]


def test_nobody_closes_their_own_account(as_: Callable[[str], Any], people: dict[str, User]) -> None:
    for operation in ("deactivate", "offboard"):
        own = submit(as_("alice"), to("do", people["alice"], operation))
        assert own.status_code == 200
        assert "closes their own account" in own.content.decode()
    assert User.objects.get(pk=people["alice"].pk).is_active


def test_a_trust_is_agreed_to_by_the_other_side_only(as_: Callable[[str], Any], acme: World, zebra: World) -> None:
    trust = propose_trust(
        organization=acme[Organization],
        partner=zebra[Organization],
        terms=TrustTerms(),
        by=SYSTEM,
        reason="Joint work.",
        now=NOW,
    )
    assert submit(as_("alice"), to("do", trust, "agree")).status_code == 200
    assert Trust.objects.get(pk=trust.pk).agreed_there_at is None
    assert submit(as_("mallory"), to("do", trust, "agree")).status_code == 302
    assert Trust.objects.get(pk=trust.pk).agreed_there_at is not None
    # Each side sees who of the other acted only as somebody that it does not see.
    assert "Mallory" not in as_("alice").get(to("history", trust)).content.decode()
    assert "an account that you do not see" in as_("alice").get(to("history", trust)).content.decode()


def test_a_replacement_is_agreed_to_as_it_was_read_and_completed(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    replacement = acme[Replacement]
    wrong = submit(client, to("do", replacement, "agree"), difference_hash="0" * 64)
    assert wrong.status_code == 200
    assert Replacement.objects.get(pk=replacement.pk).state == "proposed"
    compare_replacement(replacement=replacement, by=SYSTEM, now=timezone.now())
    assert submit(client, to("do", replacement, "agree")).status_code == 302
    assert Replacement.objects.get(pk=replacement.pk).state == "side_by_side"
    assert submit(client, to("do", replacement, "complete")).status_code == 302
    assert Agent.objects.get(pk=acme[Agent].pk).state == "retired"


def test_a_replacement_is_agreed_to_by_whoever_may_approve_for_the_successor(as_: Callable[[str], Any], acme: World) -> None:
    replacement = acme[Replacement]
    changer = person(acme[Organization], "dora", "auditor")
    changer.user_permissions.add(Permission.objects.get(codename="change_replacement"))
    approver = person(acme[Organization], "erin", "auditor")
    give_access(thing=replacement.successor, right="approve_agent", to=approver, by=SYSTEM, now=NOW)
    codes = []
    for each in (changer, approver):
        client = Client()
        client.force_login(each)
        sent = {"difference_hash": replacement.difference_hash, "reason": "Because."}
        codes.append(client.post(to("do", replacement, "agree"), sent).status_code)
    assert codes == [403, 302]
    assert Replacement.objects.get(pk=replacement.pk).reviewed_by == approver


def test_an_administrator_gives_nothing_to_themselves(as_: Callable[[str], Any], acme: World, people: Any) -> None:
    client = as_("alice")
    given = {"user": people["alice"].pk, "use": "on", "reason": "For me."}
    grant = {**given, "resource_type": acme[ResourceType].pk, "actions": "read"}
    answers = [
        client.post("/admin/permissions/roleassignment/add/", {**given, "role": acme[Role].pk}),
        client.post("/admin/permissions/grant/add/", grant),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert "Nobody gives to themselves." in answer.content.decode()
    assert not RoleAssignment.objects.filter(user=people["alice"]).exists()
    assert not Grant.objects.filter(user=people["alice"]).exists()


def test_a_refusal_is_said_on_the_page_that_asked(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    submit(client, to("do", acme[Agent], "suspend"))
    before = Event.objects.count()
    answer = submit(client, to("do", acme[Agent], "suspend"))
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "A suspended agent cannot be suspended. A suspended agent can be: resumed, retired." in page
    assert "Because of it." in page
    assert Event.objects.count() == before


def test_the_page_of_a_row_leads_to_what_can_be_done_with_it_now(as_: Callable[[str], Any], acme: World) -> None:
    def offered(who: str) -> set[str]:
        return {each.name for each in as_(who).get(to("change", acme[Agent])).context["operations"]}

    assert offered("alice") == {"suspend", "transfer", "retire", "redirect-uris", "revoke-tokens"}
    assert offered("carol") == set()
    submit(as_("alice"), to("do", acme[Agent], "suspend"))
    assert offered("alice") == {"resume", "transfer", "retire", "redirect-uris", "revoke-tokens"}


def test_whoever_answers_for_an_agent_may_stop_it_and_no_other(as_: Callable[[str], Any], acme: World) -> None:
    owner = person(acme[Organization], "dora", "auditor")
    theirs = make_agent(acme[Organization], "theirs", owner=owner)
    client = Client()
    client.force_login(owner)
    assert submit(client, to("do", theirs, "suspend")).status_code == 302
    assert client.post(to("do", acme[Agent], "suspend"), {"reason": "Because."}).status_code == 403
    assert Agent.objects.get(pk=acme[Agent].pk).state == "active"
    sent = {"action": "suspend", "_selected_action": [str(theirs.pk), str(acme[Agent].pk)], "confirmed": "1", "reason": "Both."}
    client.post(to("changelist", Agent), sent)
    assert Agent.objects.get(pk=acme[Agent].pk).state == "active"


def test_an_operation_that_there_is_not_is_not_there(as_: Callable[[str], Any], acme: World) -> None:
    assert as_("alice").get(to("do", acme[Agent], "delete")).status_code == 404
    assert as_("alice").post(to("do", acme[Agent], "delete"), {"reason": "Because."}).status_code == 404


def test_several_rows_at_once_each_for_itself(as_: Callable[[str], Any], acme: World, zebra: World) -> None:
    client = as_("alice")
    agents = [make_agent(acme[Organization], f"Acme-{number}", owner=acme[User]) for number in range(3)]
    submit(client, to("do", agents[0], "suspend"))
    chosen = [str(agent.pk) for agent in (*agents, zebra[Agent])]
    address = to("changelist", Agent)
    before = Event.objects.count()
    asked = client.post(address, {"action": "suspend", "_selected_action": chosen, "index": "0"})
    assert asked.status_code == 200
    assert Event.objects.count() == before
    assert {row.pk for row in asked.context["rows"]} == {agent.pk for agent in agents}
    unexplained = client.post(address, {"action": "suspend", "_selected_action": chosen, "confirmed": "1", "reason": ""})
    assert "reason" in problems(unexplained)
    done = client.post(
        address, {"action": "suspend", "_selected_action": chosen, "confirmed": "1", "reason": "Together."}, follow=True
    )
    said = [str(message) for message in done.context["messages"]]
    assert any("cannot be suspended" in text for text in said)
    assert any("done for 2" in text for text in said)
    assert Event.objects.count() == before + 2
    assert Agent.objects.get(pk=zebra[Agent].pk).state == "active"


def test_not_too_many_at_once(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    for number in range(MOST_AT_ONCE + 1):
        make_role(acme[Organization], f"Acme-role-{number}")
    sent = {
        "action": "remove",
        "select_across": "1",
        "_selected_action": str(acme[Role].pk),
        "confirmed": "1",
        "reason": "All.",
    }
    answer = client.post(to("changelist", Role), sent, follow=True)
    assert [str(message) for message in answer.context["messages"]] == [f"At most {MOST_AT_ONCE} at once. Nothing was done."]
    assert Role.objects.filter(organization=acme[Organization]).count() > MOST_AT_ONCE


def test_auditors_are_offered_nothing_for_several(as_: Callable[[str], Any], acme: World) -> None:
    assert as_("carol").get(to("changelist", Agent)).context["action_form"] is None
    sent = {"action": "suspend", "_selected_action": str(acme[Agent].pk), "confirmed": "1", "reason": "Because."}
    as_("carol").post(to("changelist", Agent), sent)
    assert Agent.objects.get(pk=acme[Agent].pk).state == "active"


def test_a_right_to_operate_is_enough_to_operate(acme: World) -> None:
    staff = person(acme[Organization], "dora", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=("view_agent", "operate_agent")))
    client = Client()
    client.force_login(staff)
    assert submit(client, to("do", acme[Agent], "suspend")).status_code == 302
    assert client.get(to("do", acme[Agent], "retire")).status_code == 403


def test_no_two_operations_have_one_name() -> None:
    known = operations_on(Agent)[0]
    with pytest.raises(ValueError, match="already"):
        offer(Agent, Operation(name=known.name, label="x", effect="x", right="x", perform=lambda *_: None))
    assert len({each.name for each in operations_on(Agent)}) == len(operations_on(Agent))
