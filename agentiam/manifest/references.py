"""Whether everything that a manifest names is there, in it or in the database; and whether its conditions can be read."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any

import msgspec

from agentiam.manifest import documents
from agentiam.manifest.conditions import condition_place
from agentiam.manifest.documents import Document
from agentiam.manifest.mistakes import Mistake, Path, Unusable, did_you_mean
from agentiam.manifest.present import Present
from agentiam.manifest.reading import Source
from agentiam.manifest.settling import EVERY_ACTION
from directory.models import Agent, Organization
from permissions.engine import conditions

_KEYS = {
    "people": "id",
    "teams": "id",
    "applications": "slug",
    "roles": "id",
    "blueprints": "id",
    "agents": "id",
    "guardrails": "id",
}
_NOUNS = {
    "people": "person",
    "teams": "team",
    "applications": "application",
    "types": "resource type",
    "roles": "role",
    "blueprints": "blueprint",
    "agents": "agent",
    "guardrails": "guardrail",
}


def listed(document: Document, section: str) -> list[Any]:
    """The parts of a section; none when it is left out."""
    parts = getattr(document, section)
    return [] if parts is msgspec.UNSET else parts


def check_references(source: Source, document: Document, present: Present) -> None:
    """Refuse a manifest that names what is not there, or names something twice; raises Unusable with every mistake."""
    checker = _Checker(source, document, present)
    checker.check_all()
    if checker.mistakes:
        raise Unusable(checker.mistakes)


@lru_cache(maxsize=8192)
def _condition_error(text: str, attributes: tuple[tuple[str, str], ...] | None) -> conditions.ConditionError | None:
    try:
        conditions.check(text, resource=None if attributes is None else dict(attributes))
    except conditions.ConditionError as error:
        return error
    except ValueError:
        # The declaration of the type cannot be; the service that declares it says so.
        return None
    return None


@dataclass(slots=True)
class _Checker:
    source: Source
    document: Document
    present: Present
    mistakes: list[Mistake] = field(default_factory=list)
    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    partners: dict[str, bool] = field(default_factory=dict)

    def check_all(self) -> None:
        """Look at everything."""
        self._organization()
        for section, key in _KEYS.items():
            self._known(section, key)
        self._types()
        self._resources()
        self._teams()
        self._roles_and_blueprints()
        self._agents()
        self._holdings()
        self._rules()
        self._trusts()

    def refuse(self, path: Path, message: str, *, key: bool = False) -> None:
        """Note a mistake."""
        self.mistakes.append(self.source.mistake(path, message, key=key))

    def named(self, section: str, name: str, path: Path) -> bool:
        """Tell whether something is known, and note a mistake if not."""
        if name in self.known[section]:
            return True
        close = did_you_mean(name, self.known[section])
        if section == "types" and not close:
            close = " Declare it among the resource_types of an application."
        self.refuse(path, f'There is no {_NOUNS[section]} "{name}".{close}')
        return False

    def _organization(self) -> None:
        described = self.present.described
        wanted = self.document.organization
        if described is not None and described.trust_domain != wanted.trust_domain:
            message = f"The trust domain is {described.trust_domain} and stays so: ids outside contain it."
            self.refuse(("organization", "trust_domain"), message)

    def _known(self, section: str, key: str) -> None:
        known = dict(self.present.rows[section] if section != "guardrails" else {})
        first: dict[str, int] = {}
        for index, part in enumerate(listed(self.document, section)):
            name = getattr(part, key)
            if name in first:
                place = self.source.place((section, first[name], key))
                self.refuse((section, index, key), f'"{name}" is here twice; first at {place}.')
            first.setdefault(name, index)
            known[name] = part
        self.known[section] = known

    def _types(self) -> None:
        known: dict[str, Any] = dict(self.present.types)
        first: dict[str, Path] = {}
        for index, application in enumerate(listed(self.document, "applications")):
            for number, part in enumerate(application.resource_types):
                path = ("applications", index, "resource_types", number, "name")
                if part.name in first:
                    self.refuse(path, f'"{part.name}" is here twice; first at {self.source.place(first[part.name])}.')
                row = self.present.rows["types"].get(part.name)
                app_row = self.present.rows["applications"].get(application.slug)
                if row is not None and (app_row is None or row.application_id != app_row.pk):
                    self.refuse(path, f'"{part.name}" belongs to another application, and stays there.')
                first.setdefault(part.name, path)
                known[part.name] = part
        self.known["types"] = known

    def _resources(self) -> None:
        first: dict[tuple[str, str], int] = {}
        around: dict[tuple[str, str], tuple[int, tuple[str, str]]] = {}
        for index, part in enumerate(listed(self.document, "resources")):
            key = part.type, part.id
            if key in first:
                place = self.source.place(("resources", first[key]))
                self.refuse(("resources", index, "id"), f"{part.type}/{part.id} is here twice; first at {place}.")
            first.setdefault(key, index)
            self.named("types", part.type, ("resources", index, "type"))
            if part.parent is not None:
                self.named("types", part.parent.type, ("resources", index, "parent", "type"))
                around[key] = index, (part.parent.type, part.parent.id)
        self._acyclic(around, "resources", "parent")

    def _teams(self) -> None:
        around: dict[str, tuple[int, str]] = {}
        for index, part in enumerate(listed(self.document, "teams")):
            if part.parent and self.named("teams", part.parent, ("teams", index, "parent")):
                around[part.id] = index, part.parent
            for number, member in enumerate(part.members):
                self.named("people", member, ("teams", index, "members", number))
        self._acyclic(around, "teams", "parent")

    def _acyclic(self, around: Mapping[Any, tuple[int, Any]], section: str, key: str) -> None:
        try:
            TopologicalSorter({name: [parent] for name, (_, parent) in around.items()}).prepare()
        except CycleError as error:
            within = next(name for name in error.args[1] if name in around)
            self.refuse((section, around[within][0], key), "This lies within itself.")

    def _roles_and_blueprints(self) -> None:
        included: dict[str, tuple[int, list[str]]] = {}
        for index, part in enumerate(listed(self.document, "roles")):
            included[part.id] = index, part.includes
            for number, name in enumerate(part.includes):
                self.named("roles", name, ("roles", index, "includes", number))
            for number, entitlement in enumerate(part.entitlements):
                self._entitlement(entitlement, ("roles", index, "entitlements", number))
        try:
            TopologicalSorter({name: names for name, (_, names) in included.items()}).prepare()
        except CycleError as error:
            within = next(name for name in error.args[1] if name in included)
            self.refuse(("roles", included[within][0], "includes"), "The role includes itself, directly or through others.")
        for index, part in enumerate(listed(self.document, "blueprints")):
            for number, name in enumerate(part.roles):
                self.named("roles", name, ("blueprints", index, "roles", number))
            self._limits(part.ceiling, ("blueprints", index, "ceiling"))

    def _limits(self, limits: Iterable[documents.Limit] | None, path: Path) -> None:
        for number, limit in enumerate(limits or ()):
            self._about(limit.type, limit.actions, limit.fields, (*path, number))

    def _about(self, type_name: str, actions: Iterable[str] | None, fields: Iterable[str] | None, path: Path) -> bool:
        """Check a type, and that it declares the actions and fields."""
        if not self.named("types", type_name, (*path, "type")):
            return False
        declared = self.known["types"][type_name]
        names = list(actions or ())
        if len(names) > 1 and EVERY_ACTION in names:
            self.refuse((*path, "actions"), '"*" stands for all actions, alone.')
        for noun, listed_names, known in (("action", names, declared.actions), ("field", fields or (), declared.fields)):
            for number, name in enumerate(listed_names):
                if name not in known and not (noun == "action" and name == EVERY_ACTION):
                    close = did_you_mean(name, known) or f" Declared: {', '.join(known) or 'none'}."
                    self.refuse((*path, f"{noun}s", number), f'{type_name} declares no {noun} "{name}".{close}')
        return True

    def _entitlement(self, part: documents.Entitlement, path: Path) -> None:
        attributes = None
        if self._about(part.type, part.actions, part.fields, path):
            attributes = self.known["types"][part.type].attributes
        if part.subtree is not None:
            self.named("types", part.subtree.type, (*path, "subtree", "type"))
        selectors = [name for name in ("resource", "subtree", "where") if getattr(part, name)]
        if len(selectors) > 1:
            message = f"This selects objects twice, by {' and by '.join(selectors)}; one of them can go into when."
            self.refuse((*path, selectors[1]), message, key=True)
        if attributes is not None:
            self._condition(part.where, attributes, (*path, "where"))
            self._condition(part.when, attributes, (*path, "when"))

    def _condition(self, text: str, attributes: Mapping[str, str] | None, path: Path) -> None:
        if not text.strip():
            return
        error = _condition_error(text, None if attributes is None else tuple(sorted(attributes.items())))
        if error is not None:
            part, within = self.source.origin(path)
            place = condition_place(part, within, text, error.line, error.column)
            self.mistakes.append(self.source.mistake(path, f"{error.message}.", place=place))

    def _agents(self) -> None:
        around: dict[str, tuple[int, str]] = {}
        for index, part in enumerate(listed(self.document, "agents")):
            path: Path = ("agents", index)
            if part.parent and self.named("agents", part.parent, (*path, "parent")):
                around[part.id] = index, part.parent
            for key, section in (("owner", "people"), ("blueprint", "blueprints"), ("team", "teams")):
                if name := getattr(part, key):
                    self.named(section, name, (*path, key))
                elif key == "owner" and not part.parent:
                    self.refuse(path, '"owner" is missing: every agent has somebody who answers for it.')
            self._sponsor(part, path)
            self._limits(part.capabilities, (*path, "capabilities"))
            if part.parent and part.state == "pending":
                self.refuse((*path, "state"), "A spawned agent is active at once: its sign-offs were given for its root.")
        self._acyclic(around, "agents", "parent")

    def _sponsor(self, part: documents.Agent, path: Path) -> None:
        kind, slash, name = part.sponsor.partition("/")
        if part.sponsor in self.known["people"]:
            return
        if slash and kind == "team":
            self.named("teams", name, (*path, "sponsor"))
        elif part.sponsor:
            self.named("people", part.sponsor, (*path, "sponsor"))
        elif not part.parent:
            self.refuse(path, '"sponsor" is missing: every agent has a person or a team that it works for.')

    def _holdings(self) -> None:
        for index, part in enumerate(listed(self.document, "assignments")):
            self._principal(part.to, ("assignments", index, "to"))
            self.named("roles", part.role, ("assignments", index, "role"))
            self._held(part, ("assignments", index))
        for index, part in enumerate(listed(self.document, "grants")):
            self._principal(part.to, ("grants", index, "to"))
            self._entitlement(part, ("grants", index))
            self._held(part, ("grants", index))

    def _held(self, part: documents.Assignment | documents.Grant, path: Path) -> None:
        if not part.use and not part.delegate:
            self.refuse((*path, "use"), "This is neither for use nor for handing on.")
        if part.start is not None and part.until is not None and part.until <= part.start:
            self.refuse((*path, "until"), "The end must come after the beginning.")

    def _principal(self, reference: str, path: Path) -> None:
        kind, _, name = reference.partition("/")
        section = {"agent": "agents", "user": "people", "team": "teams"}[kind]
        if name.startswith("spiffe://") and kind == "agent":
            if name not in self.partners:
                self.partners[name] = Agent.objects.filter(spiffe_id=name).exists()
            if not self.partners[name]:
                self.refuse(path, f"There is no agent {name}.")
            return
        if self.named(section, name, path) and getattr(self.known[section][name], "state", "") == "retired":
            self.refuse(path, f'The agent "{name}" is retired: it holds nothing any more.')

    def _rules(self) -> None:
        for index, part in enumerate(listed(self.document, "guardrails")):
            path: Path = ("guardrails", index)
            attributes = None
            if part.type is not None:
                if not self._about(part.type, part.actions, part.fields, path):
                    continue
                attributes = self.known["types"][part.type].attributes
            self._condition(part.when, attributes, (*path, "when"))
        for index, part in enumerate(listed(self.document, "consents")):
            self.named("people", part.user, ("consents", index, "user"))
            self._principal(f"agent/{part.agent}", ("consents", index, "agent"))
            self._about(part.type, part.actions, None, ("consents", index))
        for index, part in enumerate(listed(self.document, "delegations")):
            self._principal(part.giver, ("delegations", index, "from"))
            self._principal(part.to, ("delegations", index, "to"))
            if part.giver == part.to:
                self.refuse(("delegations", index, "to"), "An agent cannot delegate to itself.")
            self._entitlement(part, ("delegations", index))

    def _trusts(self) -> None:
        own = self.document.organization.slug
        slugs = {*Organization.objects.values_list("slug", flat=True)} - {own}
        first: dict[str, int] = {}
        for index, part in enumerate(listed(self.document, "trusts")):
            if bool(part.partner) == bool(part.issuer):
                self.refuse(("trusts", index), "A partner is named by its slug, or by its issuer and keys.")
                continue
            name = part.partner or part.issuer
            if name in first:
                self.refuse(("trusts", index), f"{name} is here twice; first at {self.source.place(('trusts', first[name]))}.")
            first.setdefault(name, index)
            if part.partner and part.partner not in slugs:
                close = did_you_mean(part.partner, slugs)
                self.refuse(("trusts", index, "partner"), f'There is no other organization "{part.partner}".{close}')
            for number, type_name in enumerate(part.types or ()):
                self.named("types", type_name, ("trusts", index, "types", number))
        # Another side that is not there yet has proposed nothing yet; the plan says so, and its manifest may come later.
        for index, slug in enumerate(listed(self.document, "agreements")):
            if slug == own:
                self.refuse(("agreements", index), "An organization needs no agreement with itself.")


def in_order(names: Iterable[Any], parent: Callable[[Any], Any]) -> list[Any]:
    """Sort names so that what lies around another comes first; what is not listed is passed over. There is no circle."""
    listed_names = list(names)
    known = set(listed_names)
    graph = {name: [around] if (around := parent(name)) in known else [] for name in listed_names}
    return list(TopologicalSorter(graph).static_order())
