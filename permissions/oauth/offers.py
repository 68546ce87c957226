"""What a person is asked: each thing that a client wants to do for them, and what would come of their yes.

The engine says it, of a world in which the consent is there and everything else is as it is: what it can do at once, what a
person must approve each time, and what it can never do, whoever consents.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Literal

from directory.models import Run, User
from permissions.engine.assuming import with_consent
from permissions.engine.conditions import FALSE, TRUE
from permissions.engine.effective import Access, access
from permissions.engine.types import Lost, Question, TypeFacts, World
from permissions.models import DataClass
from permissions.oauth.authorize import Request
from permissions.oauth.chains import Chain
from permissions.oauth.errors import INVALID_SCOPE, OAuthError
from permissions.oauth.scopes import MAX_DEFAULT, Detail, present_world, question_about

Verdict = Literal["can", "asks", "never"]

_CLASSES: Final = {
    DataClass.PUBLIC.value: "public data",
    DataClass.INTERNAL.value: "internal data",
    DataClass.PERSONAL.value: "personal data",
    DataClass.SENSITIVE.value: "sensitive data",
    DataClass.SECRET.value: "secrets",
}
_UNKNOWN: Final = "There is nothing of that name here."


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields of one class of data."""

    data_class: str
    names: tuple[str, ...]

    @property
    def words(self) -> str:
        """Say it: ``personal data: email, name``."""
        return f"{_CLASSES[self.data_class]}: {', '.join(each.replace('_', ' ') for each in self.names)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One action on one type of object, or on one object; ``detail`` counts the authorization detail that it comes from."""

    type: str
    action: str
    verdict: Verdict
    application: str = ""
    fields: tuple[Fields, ...] = ()
    masked: tuple[str, ...] = ()
    limited: bool = False
    why: str = ""
    asked: bool = True
    detail: int | None = None
    identifier: str = ""

    @property
    def key(self) -> str:
        """Name it in the form."""
        return f"{self.type}:{self.action}" if self.detail is None else f"{self.detail}/{self.type}:{self.action}"

    @property
    def verb(self) -> str:
        """The action in words."""
        return self.action.replace("_", " ").replace("-", " ").capitalize()

    @property
    def noun(self) -> str:
        """The type in words, without the application that its name may begin with."""
        return self.type.rpartition(".")[2].replace("_", " ").replace("-", " ")

    @property
    def classes(self) -> frozenset[str] | None:
        """The classes of data that it was shown with; None for what has no fields."""
        return frozenset(each.data_class for each in self.fields) or None


@dataclass(frozen=True)
class Offer:
    """What is shown, in three lists."""

    items: tuple[Item, ...]

    def _of(self, verdict: Verdict) -> tuple[Item, ...]:
        return tuple(each for each in self.items if each.verdict == verdict)

    @cached_property
    def can(self) -> tuple[Item, ...]:
        """What it could do at once."""
        return self._of("can")

    @cached_property
    def asks(self) -> tuple[Item, ...]:
        """What a person must approve each time."""
        return self._of("asks")

    @cached_property
    def never(self) -> tuple[Item, ...]:
        """What nobody's consent would let it do."""
        return self._of("never")

    @property
    def possible(self) -> tuple[Item, ...]:
        """What the person decides about."""
        return (*self.can, *self.asks)

    @property
    def applications(self) -> tuple[str, ...]:
        """The slugs of the applications that hold what it wants."""
        return tuple(sorted({each.application for each in self.items if each.application and each.asked}))

    @property
    def digest(self) -> str:
        """Stand for all that is shown, so that nothing else is decided than what was."""
        shown = [
            (each.key, each.verdict, each.limited, each.masked, each.identifier, [each.words for each in each.fields])
            for each in self.items
        ]
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


def offer_of(request: Request, user: User, run: Run | None) -> Offer:
    """Work out what a person is asked; raises OAuthError where it is more than a page can show."""
    reckoning = _Reckoning(request, user, run)
    items = list(reckoning.asked())
    if len(items) > MAX_DEFAULT:
        raise OAuthError(
            INVALID_SCOPE, f"A person is asked about at most {MAX_DEFAULT} things at once.", cause="too much asked"
        )
    listed = {(each.type, each.action) for each in items}
    types = dict.fromkeys(each.type for each in items if each.application)
    items += [each for name in types for each in reckoning.never_of(name) if (each.type, each.action) not in listed]
    return Offer(tuple(items))


def detail_of(items: Sequence[Item], details: Sequence[Detail]) -> list[Detail]:
    """Put chosen actions back into the authorization details that they come from."""
    found = []
    for number, detail in enumerate(details):
        actions = [each.action for each in items if each.detail == number]
        if actions:
            found.append({**detail, "actions": actions})
    return found


class _Reckoning:
    """One request for one user, in the world that their consent would make."""

    def __init__(self, request: Request, user: User, run: Run | None) -> None:
        self.request = request
        issuer = request.asking.issuer
        chain = Chain(f"user/{user.external_id}", (f"agent/{request.agent.external_id}",))
        self.question = question_about(chain, "" if run is None else run.task_id, request.asking.now)
        world = present_world(issuer.organization, self.question)
        application = request.target.application
        self.types: Mapping[str, TypeFacts] = {
            name: facts for name, facts in world.types.items() if application is None or facts.application == application.slug
        }
        self.world: World = with_consent(world, chain.subject, chain.actor, self.types)
        self._known: dict[tuple[str, str], Access] = {}

    def asked(self) -> Iterator[Item]:
        """List what was asked for, or all that is possible here where that was left to us."""
        wanted = self.request.wanted
        for scope in wanted.scopes or ():
            name, _, action = scope.rpartition(":")
            yield self._item(name or scope, action if name else "")
        for number, detail in enumerate(wanted.details or ()):
            yield from self._of_detail(number, detail)
        if wanted.scopes is None and wanted.details is None:
            everything = (
                self._item(name, action) for name in sorted(self.types) for action in sorted(self.types[name].actions)
            )
            yield from (each for each in everything if each.verdict != "never")

    def never_of(self, name: str) -> Iterator[Item]:
        """List what a type offers and consent could not give."""
        for action in sorted(self.types[name].actions):
            item = self._item(name, action)
            if item.verdict == "never":
                yield replace(item, asked=False)

    def _of_detail(self, number: int, detail: Detail) -> Iterator[Item]:
        name = detail["resource_type"]
        facts = self.types.get(name)
        terms = {"detail": number, "identifier": detail.get("identifier", "")}
        for action in dict.fromkeys(detail.get("actions", sorted(facts.actions) if facts is not None else [""])):
            item = replace(self._item(name, action, detail.get("datatypes")), **terms)
            elsewhere = self.request.target.audience not in detail.get("locations", [self.request.target.audience])
            if elsewhere:
                item = replace(item, verdict="never", why="It was asked for at another place.")
            yield item

    def _item(self, name: str, action: str, datatypes: Sequence[str] | None = None) -> Item:
        facts = self.types.get(name)
        if facts is None or action not in facts.actions:
            return Item(type=name, action=action, verdict="never", why=_UNKNOWN)
        found = self._access(name, action)
        item = Item(type=name, action=action, verdict="never", application=facts.application)
        if found.effect == "deny":
            return replace(item, why=self._why(found.lost))
        within = facts.class_mask(None if datatypes is None else frozenset(datatypes))
        groups = [(facts.mask(each.fields) & within if each.fields else within, each) for each in found.fields]
        groups = [(mask, each) for mask, each in groups if mask and (each.allowed != FALSE or each.escalated != FALSE)]
        if not groups:
            return replace(item, why="None of the data that it asked for is open to it.")
        reached = [name for mask, _ in groups for name in facts.names(mask)]
        masked = [name for mask, each in groups if each.masked != FALSE for name in facts.names(mask)]
        return replace(
            item,
            verdict="asks" if any(each.escalated != FALSE for _, each in groups) else "can",
            fields=_by_class(facts, reached),
            masked=tuple(masked),
            limited=not any(TRUE in (each.allowed, each.escalated) for _, each in groups),
        )

    def _access(self, name: str, action: str) -> Access:
        if (name, action) not in self._known:
            question: Question = replace(self.question, type=name, action=action)
            self._known[name, action] = access(self.world, question)
        return self._known[name, action]

    def _why(self, lost: Lost | None) -> str:
        agent, organization = self.request.agent, self.request.asking.issuer.organization
        if lost is None or lost.term == "guardrail":
            return f"A rule of {organization.name} forbids it{f': {lost.reason}' if lost is not None else ''}."
        if lost.term == "user":
            return "You may not do this yourself."
        if lost.term == "task":
            return "The task does not allow it."
        return f"{agent.name} has no right to it."


def _by_class(facts: TypeFacts, names: Iterable[str]) -> tuple[Fields, ...]:
    found: dict[str, list[str]] = {}
    wanted = set(names)
    for name in facts.fields:
        if name in wanted:
            found.setdefault(facts.data_classes[name], []).append(name)
    order: Any = list(_CLASSES)
    return tuple(Fields(each, tuple(found[each])) for each in order if each in found)
