"""A list costs as many queries for twenty rows as for one, whoever reads it and whatever belongs to a row."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

import pytest
from django.db import transaction
from django.utils import timezone

from agentiam.api.audit.routes import ROUTES as AUDIT
from agentiam.api.directory.routes import ROUTES as DIRECTORY
from agentiam.api.permissions.routes import ROUTES as PERMISSIONS
from agentiam.api.viewsets import ResourceViewSet
from agentiam.jobs.models import Job
from audit.models import Chain, SigningKey
from audit.services import record, sign_checkpoint
from directory.events import AGENT_UPDATED
from directory.models import Agent
from directory.services.credentials import issue_api_key
from directory.services.invitations import invite_person
from directory.services.onboarding_tokens import issue_onboarding_token
from directory.services.person_keys import issue_person_key
from directory.services.runs import start_run
from permissions.services.application_keys import issue_application_key
from permissions.services.offboarding import offboard_agent
from permissions.services.roles import set_blueprint_roles, set_role_inclusions
from tests.api.permissions.conftest import World
from tests.api.permissions.queries import count_queries
from tests.api.test_permission_table import TABLE, WHO
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_organization, make_person, make_team
from tests.permissions import factories as make

LISTS: Final = tuple(path for path, viewset, _ in (*DIRECTORY, *PERMISSIONS, *AUDIT) if issubclass(viewset, ResourceViewSet))
Maker = Callable[[World, int], object]


def _agent(world: World, n: int) -> Agent:
    """Make an agent of olivia's that belongs to as much as an agent can."""
    team = make_team(world.acme, f"team-{n}")
    blueprint = make_blueprint(world.acme, f"blueprint-{n}")
    return make_agent(world.acme, f"agent-{n}", owner=world.people["olivia"], sponsor_team=team, team=team, blueprint=blueprint)


def _person(world: World, n: int) -> Any:
    person = make_person(world.acme, f"person-{n}")
    make_team(world.acme, f"of-{n}", members=(person,))
    return person


def _holder(world: World, n: int) -> Any:
    """Make an agent's account, and for every second row a team or a person."""
    if n % 4 == 1:
        return make_person(world.acme, f"holder-{n}")
    return make_team(world.acme, f"holder-{n}") if n % 4 == 3 else _agent(world, n).user


def _application(world: World, n: int) -> Any:
    return make.make_application(world.acme, f"app-{n}")


def _role(world: World, n: int) -> Any:
    made = make.make_role(world.acme, f"role-{n}", make.spec(), make.spec(actions=["write"]))
    return set_role_inclusions(role=made, included=[make.make_role(world.acme, f"included-{n}")], by=SYSTEM, now=NOW)


def _blueprint_roles(world: World, n: int) -> None:
    blueprint, role = make_blueprint(world.acme, f"hands-{n}"), make.make_role(world.acme, f"handed-{n}")
    set_blueprint_roles(blueprint=blueprint, roles=[role], by=SYSTEM, now=NOW)


def _token(world: World, n: int) -> None:
    blueprint, team = make_blueprint(world.acme, f"clerk-{n}"), make_team(world.acme, f"sponsors-{n}")
    owner = world.people["olivia"]
    issue_onboarding_token(
        blueprint=blueprint, label="CI", owner=owner, sponsor=None, sponsor_team=team, by=SYSTEM, now=timezone.now()
    )


def _invitation(world: World, n: int) -> None:
    invite_person(
        organization=world.acme,
        email=f"i{n}@acme.example",
        teams=[make_team(world.acme, f"invited-{n}")],
        by=world.people["alice"].as_actor(),
        now=timezone.now(),
    )


def _event(world: World, n: int) -> None:
    with transaction.atomic():
        record(AGENT_UPDATED, organization_id=world.acme.pk, by=SYSTEM)


def _checkpoint(world: World, n: int) -> None:
    _event(world, n)
    sign_checkpoint(world.acme.pk)


def _resource(world: World, n: int) -> None:
    make.make_resource(world.record, f"n{n}", parent=make.make_resource(world.record, f"p{n}"))


def _replacement(world: World, n: int) -> None:
    pair = [make_agent(world.acme, f"{name}-{n}", owner=world.people["olivia"]) for name in ("old", "new")]
    make.make_replacement(*pair, reviewer=world.people["bob"])


MAKERS: Final[dict[str, Maker]] = {
    "people": _person,
    "person-keys": lambda world, n: issue_person_key(
        user=world.people["olivia"], label="t", by=world.people["olivia"].as_actor(), now=NOW + timedelta(seconds=n)
    ),
    "invitations": _invitation,
    "teams": lambda world, n: make_team(
        world.acme, f"t-{n}", parent=make_team(world.acme, f"above-{n}"), members=(_person(world, n),)
    ),
    "blueprints": lambda world, n: make_blueprint(world.acme, f"b-{n}"),
    "onboarding-tokens": _token,
    "agents": _agent,
    "credentials": lambda world, n: issue_api_key(agent=_agent(world, n), label="t", by=SYSTEM, now=timezone.now()),
    "runs": lambda world, n: start_run(
        agent=_agent(world, n), task_id="T", on_behalf_of=_person(world, n), by=SYSTEM, now=timezone.now()
    ),
    "applications": _application,
    "application-keys": lambda world, n: issue_application_key(
        application=_application(world, n), label="t", by=SYSTEM, now=NOW + timedelta(seconds=n)
    ),
    "resource-types": lambda world, n: make.make_resource_type(world.acme, f"type-{n}", application=_application(world, n)),
    "resources": _resource,
    "roles": _role,
    "blueprint-roles": _blueprint_roles,
    "role-assignments": lambda world, n: make.make_assignment(make.make_role(world.acme, f"r-{n}"), _holder(world, n)),
    "grants": lambda world, n: make.make_grant(world.acme, _holder(world, n)),
    "guardrails": lambda world, n: make.make_guardrail(world.acme, f"g-{n}", resource_type=world.record),
    "consents": lambda world, n: make.make_consent(_person(world, n), _agent(world, n), world.record),
    "delegations": lambda world, n: make.make_delegation(world.runner, _agent(world, n)),
    "trusts": lambda world, n: make.make_trust(world.acme, make_organization(f"partner-{n}")),
    "trusted-issuers": lambda world, n: make.make_trusted_issuer(world.acme, f"https://issuer-{n}.example"),
    "signals": lambda world, n: make.make_signal(_agent(world, n)),
    "authorizations": lambda world, n: make.make_authorization(_person(world, n), _agent(world, n)),
    "access-tokens": lambda world, n: make.make_access_token(_agent(world, n), user=_person(world, n)),
    "token-keys": lambda world, n: make.make_token_key(world.acme, f"kid-{n}"),
    "replacements": _replacement,
    "attestations": lambda world, n: offboard_agent(agent=_agent(world, n), by=SYSTEM, reason="over", now=timezone.now()),
    "events": _event,
    "checkpoints": _checkpoint,
    "chains": lambda world, n: Chain.objects.create(organization_id=world.acme.pk, writer=f"w-{n}", opened_at=NOW),
    "signing-keys": lambda world, n: SigningKey.objects.create(
        key_id=f"key-{n}", jwk={"kty": "OKP", "crv": "Ed25519", "x": f"{n}"}, first_used_at=NOW
    ),
    "jobs": lambda world, n: Job.objects.create(organization_id=world.acme.pk, task="tests.none", state=Job.State.DEAD),
}


def sees(who: str, path: str) -> bool:
    """Tell whether the permission table lets somebody read such a row; the keys that are made here are olivia's own."""
    if (who, path) == ("olivia", "person-keys"):
        return True
    kind = "slug" if path == "signing-keys" else "uuid"
    return TABLE["GET", f"{path}/<{kind}:pk>"][WHO.index(who)] == 200


def test_every_list_is_counted() -> None:
    # There is never more than one organization in its list.
    assert {*MAKERS, "organizations"} == set(LISTS)


@pytest.mark.parametrize("path", MAKERS)
def test_a_list_costs_as_many_queries_for_twenty_rows_as_for_one(as_, world, path):
    callers = {who: as_(who) for who in ("alice", "olivia")}
    # Of what is held, one for each kind of holder.
    several = 4 if path in ("grants", "role-assignments") else 1
    for number in range(several):
        MAKERS[path](world, number)
    where = f"{path}?limit=500"
    before = {who: len(caller.get(where).json()["items"]) for who, caller in callers.items()}
    few = {who: count_queries(partial(caller.get, where)) for who, caller in callers.items()}
    for number in range(several, several + 20):
        MAKERS[path](world, number)
    assert {who: count_queries(partial(caller.get, where)) for who, caller in callers.items()} == few
    for who, caller in callers.items():
        after = len(caller.get(where).json()["items"])
        # Of what is held by others than agents, an owner sees nothing.
        expected = (20 if who == "alice" or several == 1 else 10) if sees(who, path) else 0
        assert after - before[who] >= expected
        assert expected or after == before[who]
