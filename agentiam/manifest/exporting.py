"""An organization written down: sorted, without secrets and without what is as by default; applying it changes nothing."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from msgspec.structs import replace

from agentiam.manifest import documents
from agentiam.manifest.planning.changes import plain
from agentiam.manifest.present import Present, read_present
from agentiam.manifest.settling import spoken_agent
from agentiam.manifest.yaml_text import yaml_text
from directory.services.revisions import UnknownOrganization

P = TypeVar("P", bound=documents.Part)


def export_manifest(slug: str, *, now: datetime) -> str:
    """Write an organization as a manifest: what is there and not over; raises UnknownOrganization."""
    present = read_present(slug, now=now)
    if present.described is None:
        raise UnknownOrganization(f'There is no organization "{slug}".')
    return yaml_text(_document(present, present.described))


def _document(present: Present, organization: documents.Organization) -> dict[str, Any]:
    living = {name: agent for name, agent in present.agents.items() if agent.state != "retired"}
    sections: dict[str, list[Any]] = {
        "people": [_person(each, organization) for each in present.people.values()],
        "teams": [_named(each) for each in present.teams.values()],
        "applications": [replace(each, name=_spoken(each.name, each.slug)) for each in present.applications.values()],
        "resources": list(present.resources.values()),
        "roles": [_named(each) for each in present.roles.values()],
        "blueprints": [_named(each) for each in present.blueprints.values()],
        "agents": [_named(spoken_agent(each, present.agents)) for each in living.values()],
        "trusts": list(present.trusts.values()),
        "agreements": list(present.agreements),
        "assignments": list(present.assignments.values()),
        "grants": list(present.grants.values()),
        "guardrails": [_named(each) for each in present.guardrails.values()],
        "consents": list(present.consents.values()),
        "delegations": list(present.delegations.values()),
    }
    written = {name: _sorted(parts) for name, parts in sections.items() if parts}
    return {"organization": plain(organization), **written}


def _sorted(parts: list[Any]) -> list[Any]:
    by: Callable[[Any], Any] = str
    if isinstance(parts[0], documents.Part):
        by = _place_in_order
    return [plain(each) for each in sorted(parts, key=by)]


def _place_in_order(part: Any) -> tuple[str, ...]:
    first = [str(getattr(part, name, "")) for name in ("slug", "to", "user", "giver", "partner", "role", "type", "agent", "id")]
    return (*first, str(plain(part)))


def _named(part: Any) -> Any:
    return replace(part, name=_spoken(part.name, part.id))


def _spoken(name: str, default: str) -> str:
    return "" if name == default else name


def _person(person: documents.Person, organization: documents.Organization) -> documents.Person:
    default = f"{person.id}@{organization.slug}"
    said = {"name": _spoken(person.name, person.id), "username": _spoken(person.username, default)}
    return replace(person, **said, console_roles=person.console_roles or None)
