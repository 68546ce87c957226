"""A body for every operation that takes one: what somebody who may do it would send, and be answered that it is done.

Each body is about the rows of ``tests/api/world.py`` and those that ``rows_for_the_table`` adds to them.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from django.utils import timezone

from agentiam.jobs.models import Job
from audit.models import Event
from audit.services import record
from directory.lifecycle import State
from directory.models import Agent, Blueprint, Organization, Team, User
from directory.services import access as directory_access
from directory.services.cards import publish_agent_card, set_agent_card
from directory.services.fingerprints import report_fingerprints
from directory.services.organizations import suspend_organization
from directory.services.people import deactivate_person
from directory.services.suspension import suspend_agent
from permissions.events import ACCESS_DECIDED
from permissions.models import Application, Guardrail, Replacement, Role
from permissions.services.access import give_access
from permissions.services.applications import suspend_application
from permissions.services.guardrails import Wording, draft_guardrail
from permissions.services.oauth_clients import set_oauth_client
from permissions.services.replacement import compare_replacement, review_replacement
from tests.api.world import Cast
from tests.directory.cards.written import CARD
from tests.factories import SYSTEM, make_agent, make_blueprint, make_organization, make_person
from tests.permissions.factories import make_resource_type, make_role, make_trust

Rows: TypeAlias = dict[str, str]
Body: TypeAlias = dict[str, Any]

_WHY: Final[Body] = {"reason": "because"}
_NEW: Final[Body] = {"external_id": "new", "name": "New"}


def rows_for_the_table(cast: Cast, rows: Rows) -> Rows:
    """Add what bodies and addresses name besides: an agent more, a role that nobody holds, a decision about the agent."""
    olivia = cast.people["olivia"]
    # So that the agent may spawn, which its blueprint says.
    spawner = make_blueprint(cast.acme, "spawner", spawn_depth=2, spawn_children=5)
    Agent.objects.filter(pk=cast.agent.pk).update(blueprint=spawner)
    cast.agent.blueprint = spawner
    compare_replacement(replacement=_replacement(rows), by=SYSTEM, now=timezone.now())
    signed = make_blueprint(cast.acme, "signed", sign_offs=1)
    more = {
        "olivia": olivia,
        "bob": cast.people["bob"],
        "spare": make_agent(cast.acme, "spare", owner=olivia),
        "unused-role": make_role(cast.acme, "unused"),
        "unused-type": make_resource_type(cast.acme, "unused", application=Application.objects.get(slug="crm")),
        "proposed": make_trust(cast.evil, cast.acme, agreed=False),
        "erin": make_person(cast.acme, "erin"),
        "closed": deactivate_person(person=make_person(cast.acme, "closed"), by=SYSTEM, now=timezone.now()),
        "registered": make_agent(cast.acme, "registered", owner=olivia, state=State.PENDING),
        "waiting": make_agent(cast.acme, "waiting", owner=olivia, blueprint=signed, state=State.PENDING),
        "child": make_agent(parent=cast.agent, external_id="child"),
        "neighbour": make_organization("neighbour", discoverable=True),
        "decisions": _decision(cast),
    }
    return rows | {name: str(row.pk) for name, row in more.items()}


def _decision(cast: Cast) -> Event:
    """Record an answer about the agent, as a decision's record has it; a decision itself is made outside of transactions."""
    said: Body = {"effect": "allow", "reason_user": "", "fields": None, "rules": [], "obligations": []}
    caller = {"kind": "application", "id": "crm", "key": ""}
    data = {"decision": True, "revision": 1, "question": {"action": "read"}, "caller": caller}
    return record(ACCESS_DECIDED, organization_id=cast.acme.pk, by=cast.agent.user.as_actor(), data=data | said)


def body_for(method: str, path: str, rows: Rows) -> Body | None:
    """Give the body of an operation; None for one that takes none, and ``{}`` where nothing has to be said."""
    if method == "GET":
        return None
    made = BODIES.get(f"{method} {path}", {})
    return made(rows) if callable(made) else made


def address_for(path: str, rows: Rows) -> str:
    """Name the row that an operation is about: one of the kind, and where that one is in use, another."""
    kind = _OTHER_ROWS.get(path, path.partition("/")[0])
    row = rows.get(kind, rows["agents"])
    return path.replace("<uuid:agent>", rows["agents"]).replace("<uuid:pk>", row).replace("<slug:pk>", row)


def prepare_for(path: str, rows: Rows) -> None:
    """Bring the row into the state in which the operation can be done."""
    if path in _PREPARED:
        _PREPARED[path](rows)


def _answering(rows: Rows) -> Body:
    return {"owner": rows["olivia"], "sponsor": rows["olivia"]}


def _new_agent(rows: Rows) -> Body:
    return _NEW | {"purpose": "Works.", **_answering(rows)}


def _entitlement(rows: Rows) -> Body:
    return {"type": "crm.lead", "actions": ["read"]}


def _grant(rows: Rows) -> Body:
    return {**_entitlement(rows), "holder": {"agent": rows["agents"]}}


def _question(rows: Rows) -> Body:
    return {
        "subject": {"type": "agent", "id": "runner"},
        "action": {"name": "read"},
        "resource": {"type": "crm.lead", "id": "lead-1"},
    }


def _right(right: str) -> Callable[[Rows], Body]:
    return lambda rows: {"right": right, "person": rows["erin"]}


_OTHER_ROWS: Final = {
    "people/<uuid:pk>/reactivate": "closed",
    "agents/<uuid:pk>/activate": "registered",
    "agents/<uuid:pk>/sign-off": "waiting",
    "resource-types/<uuid:pk>/remove": "unused-type",
    "roles/<uuid:pk>/remove": "unused-role",
    "trusts/<uuid:pk>/agree": "proposed",
}
BODIES: Final[dict[str, Body | Callable[[Rows], Body]]] = {
    "PATCH organizations/<uuid:pk>": {"name": "Acme Limited"},
    "POST organizations/<uuid:pk>/suspend": _WHY,
    "POST people": {"external_id": "new", "name": "New", "username": "new"},
    "PATCH people/<uuid:pk>": {"name": "David"},
    "POST people/<uuid:pk>/console-roles": {"console_roles": ["auditor"]},
    "POST people/<uuid:pk>/deactivate": _WHY,
    "POST people/<uuid:pk>/offboard": _WHY,
    "POST people/<uuid:pk>/second-factors/reset": _WHY,
    "POST people/<uuid:pk>/sessions/end": _WHY,
    "POST person-keys": {"label": "script"},
    "POST invitations": {"email": "other@acme.example", "console_roles": ["developer"]},
    "POST teams": _NEW,
    "PATCH teams/<uuid:pk>": {"name": "Operators"},
    "POST teams/<uuid:pk>/members": {"members": []},
    "POST teams/<uuid:pk>/rights/give": _right("manage_team"),
    "POST teams/<uuid:pk>/rights/withdraw": _right("manage_team"),
    "POST blueprints": _NEW,
    "PATCH blueprints/<uuid:pk>": {"name": "Clerks"},
    "POST blueprints/<uuid:pk>/rights/give": _right("use_blueprint"),
    "POST blueprints/<uuid:pk>/rights/withdraw": _right("use_blueprint"),
    "POST onboarding-tokens": lambda rows: {"blueprint": rows["blueprints"], "label": "CI", **_answering(rows)},
    "POST onboarding": _NEW | {"purpose": "Works."},
    "POST agents": _new_agent,
    "POST agents/bulk": lambda rows: {"items": [{"agent": rows["agents"], "operation": "suspend"}]},
    "POST agents/bulk-register": lambda rows: {"items": [_new_agent(rows)]},
    "POST agents/discover": lambda rows: _NEW | {"seen_in": "a log", **_answering(rows)},
    "POST agents/onboard": _new_agent,
    "PATCH agents/<uuid:pk>": {"name": "Walker"},
    "POST agents/<uuid:pk>/fingerprints": {"model_hash": "0" * 64},
    "POST agents/<uuid:pk>/rights/give": _right("operate_agent"),
    "POST agents/<uuid:pk>/rights/withdraw": _right("operate_agent"),
    "POST agents/<uuid:pk>/retire": _WHY,
    "POST agents/<uuid:pk>/card/set": {"card": CARD},
    "PUT agents/<uuid:agent>/oauth-client": {"redirect_uris": ["https://runner.example/callback"]},
    "POST agents/<uuid:pk>/spawn": _NEW | {"purpose": "Works."},
    "POST agents/<uuid:pk>/child-credential": lambda rows: {"child": rows["child"], "label": "first", "scopes": ["write"]},
    "POST agents/<uuid:pk>/transfer": _answering,
    "POST credentials": lambda rows: {"agent": rows["agents"], "label": "other"},
    "POST runs": lambda rows: {"agent": rows["agents"], "task_id": "T-2"},
    "POST applications": {"slug": "new", "name": "New"},
    "PATCH applications/<uuid:pk>": {"name": "Customers"},
    "POST applications/<uuid:pk>/rights/give": _right("manage_application"),
    "POST applications/<uuid:pk>/rights/withdraw": _right("manage_application"),
    "POST application-keys": lambda rows: {"application": rows["applications"], "label": "other"},
    "POST resource-types": lambda rows: {"application": rows["applications"], "name": "crm.note", "actions": ["read"]},
    "PATCH resource-types/<uuid:pk>": {"actions": ["read", "write", "delete", "share"]},
    "POST resources": {"type": "crm.lead", "external_id": "lead-2"},
    "POST resources/sync": {"items": [{"type": "crm.lead", "external_id": "lead-1", "attributes": {"region": "EU"}}]},
    "PATCH resources/<uuid:pk>": {"attributes": {"region": "EU"}},
    "POST roles": _NEW,
    "PATCH roles/<uuid:pk>": {"name": "Readers"},
    "POST roles/<uuid:pk>/entitlements": lambda rows: {"entitlements": [_entitlement(rows)]},
    "POST roles/<uuid:pk>/includes": lambda rows: {"includes": [rows["unused-role"]]},
    "POST roles/<uuid:pk>/rights/give": _right("assign_role"),
    "POST roles/<uuid:pk>/rights/withdraw": _right("assign_role"),
    "PATCH blueprint-roles/<uuid:pk>": lambda rows: {"roles": [rows["roles"], rows["unused-role"]]},
    "POST role-assignments": lambda rows: {"role": rows["unused-role"], "holder": {"agent": rows["agents"]}},
    "POST grants": _grant,
    # As one change or none, the refusal of the one grant is that of the request.
    "POST grants/bulk": lambda rows: {"items": [_grant(rows)], "all_or_none": True},
    "POST guardrails": _NEW | {"effect": "deny"},
    "POST guardrails/<uuid:pk>/draft": {"name": "Nights", "effect": "deny"},
    "POST guardrails/<uuid:pk>/publish": {"number": 2},
    "POST consents": lambda rows: {"agent": rows["spare"], **_entitlement(rows)},
    "POST consents/<uuid:pk>/end": _WHY,
    "POST delegations": lambda rows: {"delegator": rows["agents"], "delegate": rows["child"], **_entitlement(rows)},
    "POST authorizations/<uuid:pk>/end": _WHY,
    "POST token-keys/<uuid:pk>/withdraw": _WHY,
    "POST trusts": {"partner": "neighbour"},
    "POST trusted-issuers": {"name": "CI", "issuer": "https://new.ci.example", "uses": ["workloads"]},
    "PATCH trusted-issuers/<uuid:pk>": {"name": "Builds"},
    "POST replacements": lambda rows: {"predecessor": rows["spare"], "new_successor": _NEW | {"purpose": "Works."}},
    "POST replacements/<uuid:pk>/abandon": _WHY,
    "POST replacements/<uuid:pk>/complete": _WHY,
    "POST replacements/<uuid:pk>/review": lambda rows: {"difference_hash": _replacement(rows).difference_hash},
    "POST cards/verify": {"card": CARD},
    "POST explain": _question,
    "POST plans": lambda rows: _question(rows) | {"resource": {"type": "crm.lead"}},
    "POST events/export": {"format": "jsonl"},
    "POST jobs/<uuid:pk>/cancel": _WHY,
    "POST jobs/<uuid:pk>/rerun": _WHY,
}


def _agent(rows: Rows) -> Agent:
    return Agent.objects.get(pk=rows["agents"])


def _replacement(rows: Rows) -> Replacement:
    return Replacement.objects.get(pk=rows["replacements"])


def _give(kind: type[Any], rows_of: str, right: str, give: Callable[..., None]) -> Callable[[Rows], None]:
    def prepare(rows: Rows) -> None:
        thing, to = kind.objects.get(pk=rows[rows_of]), User.objects.get(pk=rows["erin"])
        give(thing=thing, right=right, to=to, by=SYSTEM, now=timezone.now())

    return prepare


def _write_card(rows: Rows) -> Agent:
    return set_agent_card(agent=_agent(rows), card=CARD, by=SYSTEM, now=timezone.now())


def _change_model(rows: Rows) -> None:
    for model in ("0" * 64, "1" * 64):
        report_fingerprints(agent=_agent(rows), model_hash=model, by=SYSTEM, now=timezone.now())


def _publish_card(rows: Rows) -> None:
    publish_agent_card(agent=_write_card(rows), by=SYSTEM, now=timezone.now())


def _redraft(rows: Rows) -> None:
    guardrail = Guardrail.objects.get(pk=rows["guardrails"])
    draft_guardrail(
        organization=guardrail.organization,
        external_id=guardrail.external_id,
        name=guardrail.name,
        wording=Wording(effect="deny"),
        by=SYSTEM,
        now=timezone.now(),
    )


def _work_side_by_side(rows: Rows) -> None:
    replacement, bob = _replacement(rows), User.objects.get(pk=rows["bob"])
    review_replacement(
        replacement=replacement, difference_hash=replacement.difference_hash, by=bob.as_actor(), now=timezone.now()
    )


def _stop(kind: type[Any], rows_of: str, service: Callable[..., Any], name: str) -> Callable[[Rows], None]:
    def prepare(rows: Rows) -> None:
        service(**{name: kind.objects.get(pk=rows[rows_of])}, by=SYSTEM, reason="a test", now=timezone.now())

    return prepare


def _make_client(rows: Rows) -> None:
    agent = Agent.objects.get(pk=rows["agents"])
    set_oauth_client(agent=agent, redirect_uris=["https://runner.example/old"], by=SYSTEM, now=timezone.now())


_PREPARED: Final[dict[str, Callable[[Rows], Any]]] = {
    "organizations/<uuid:pk>/resume": _stop(Organization, "organizations", suspend_organization, "organization"),
    "agents/<uuid:pk>/resume": _stop(Agent, "agents", suspend_agent, "agent"),
    "applications/<uuid:pk>/resume": _stop(Application, "applications", suspend_application, "application"),
    "teams/<uuid:pk>/rights/withdraw": _give(Team, "teams", "manage_team", directory_access.give_access),
    "blueprints/<uuid:pk>/rights/withdraw": _give(Blueprint, "blueprints", "use_blueprint", directory_access.give_access),
    "agents/<uuid:pk>/rights/withdraw": _give(Agent, "agents", "operate_agent", directory_access.give_access),
    "applications/<uuid:pk>/rights/withdraw": _give(Application, "applications", "manage_application", give_access),
    "roles/<uuid:pk>/rights/withdraw": _give(Role, "roles", "assign_role", give_access),
    "agents/<uuid:pk>/review": _change_model,
    "agents/<uuid:agent>/oauth-client": _make_client,
    "agents/<uuid:pk>/card/publish": _write_card,
    "agents/<uuid:pk>/card/withdraw": _publish_card,
    "guardrails/<uuid:pk>/publish": _redraft,
    "replacements/<uuid:pk>/complete": _work_side_by_side,
    "jobs/<uuid:pk>/cancel": lambda rows: Job.objects.filter(pk=rows["jobs"]).update(state=Job.State.WAITING),
}
