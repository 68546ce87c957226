"""Who may, which objects, what else: the Subject, Resource and Action Search APIs (AuthZEN 1.0, section 8).

What is listed is what an evaluation would allow. A page goes on where the last one ended; its token is sealed, and good for
the same search of the same caller only.
"""

import base64
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from agentiam.kit.canonical import fingerprint
from agentiam.kit.ids import uuid7
from audit.writer import Draft
from directory.models import Agent, User
from permissions.access.callers import Party, Sender
from permissions.access.evaluation import via_of
from permissions.access.requests import Json, asked, malformed
from permissions.answers import explained, obligations
from permissions.engine import search
from permissions.engine.conditions import FALSE
from permissions.engine.plan import plan
from permissions.engine.types import Decision, Question
from permissions.events import ACCESS_SEARCHED
from permissions.models import Resource
from permissions.questions import Posed, kind_of, needs, pose
from permissions.services.decisions import caller_json
from permissions.worlds import Known, Needs, Worlds

SearchFor = Literal["subject", "resource", "action"]

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1_000
_CHUNK: Final = 500
_MAX_LOOKED_AT: Final = 5_000
_PURPOSE: Final = b"agentiam.access.search"


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page begins and how long it may be."""

    limit: int
    after: str
    asked_for: bool


@dataclass(slots=True)
class Found:
    """One page of results; ``after`` is where the next one begins, None at the end."""

    results: list[tuple[str, Decision]]
    after: str | None
    posed: Posed
    known: Known
    now: datetime


def _cipher() -> Fernet:
    key = hmac.digest(settings.SECRET_KEY.encode("utf-8"), _PURPOSE, "sha256")
    return Fernet(base64.urlsafe_b64encode(key))


class SearchWork:
    """One search request."""

    long = True

    def __init__(self, searched: SearchFor, body: Json, worlds: Worlds) -> None:
        self._for = searched
        self._worlds = worlds
        self.asked = asked(
            body, subject_id=searched != "subject", resource_id=searched != "resource", action=searched != "action"
        )
        self._body = body
        self._print = ""
        self.page = Page(DEFAULT_LIMIT, "", asked_for=False)
        self._posed: Posed | None = None
        self._self: str | None = None
        """The agent that asks, or whose token was passed on: nobody but it can be found."""

    def _page(self, body: Json) -> Page:
        page = body.get("page")
        if page is None:
            return Page(DEFAULT_LIMIT, "", asked_for=False)
        if not isinstance(page, dict):
            raise malformed("/page", "must be an object")
        limit = page.get("limit", DEFAULT_LIMIT)
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise malformed("/page/limit", "must be a whole number from 1")
        token = page.get("token") or ""
        if not isinstance(token, str):
            raise malformed("/page/token", "must be a string")
        return Page(min(limit, MAX_LIMIT), self._after(token), asked_for=True)

    def _after(self, token: str) -> str:
        if not token:
            return ""
        try:
            value = msgspec.json.decode(_cipher().decrypt(token.encode("ascii", "replace")))
        except InvalidToken:
            raise malformed("/page/token", "is not a token of this search") from None
        if value["search"] != self._print:
            raise malformed("/page/token", "belongs to another search: all other members must stay as they were")
        return str(value["after"])

    def token(self, found: Found) -> str:
        """Seal where the next page begins, which may be an id that was looked at and not allowed; empty at the end."""
        if found.after is None:
            return ""
        return _cipher().encrypt(msgspec.json.encode({"after": found.after, "search": self._print})).decode("ascii")

    def needs(self, caller: Party, known: Known, now: datetime) -> Needs:
        """Name what is fixed; candidates are read while searching."""
        asking = self.asked
        self._self = caller.only_agent
        if self._self is not None and self._for == "subject":
            asking = replace(asking, subject=replace(asking.subject, type="agent", id=self._self))
        self._posed = pose(asking, caller, known, now, caller.proven)
        who: Json = {"organization": str(known.world.organization_id), "caller": f"{caller.kind}/{caller.holder}"}
        if caller.proven is not None:
            # Of the chain, and not of the token: whoever has a new one meanwhile goes on where they were.
            who["chain"] = list(caller.proven.chain)
        self._print = fingerprint({**_without_page(self._for, self._body), **who})
        self.page = self._page(self._body)
        wanted = needs(self._posed.question)
        if self._for == "subject":
            return replace(wanted, principals=wanted.principals - {self._posed.question.subject})
        if self._for == "resource":
            return replace(wanted, resources=frozenset())
        return wanted

    def answer(self, known: Known, now: datetime) -> Found:
        """Look at candidates in their order until the page is full."""
        posed = self._posed
        if posed is None:
            raise RuntimeError("a search is answered after its needs are known")
        if posed.refused is not None:
            return Found([], None, posed, known, now)
        if self._for == "action":
            results = [
                (name, decision) for name, decision in search.actions(known.world, posed.question) if name > self.page.after
            ]
            rest = results[self.page.limit :]
            page = results[: self.page.limit]
            return Found(page, page[-1][0] if rest else None, posed, known, now)
        if self._for == "resource" and plan(known.world, posed.question)[0] == FALSE:
            # Nothing that could be found would be allowed: no object has to be looked at.
            return Found([], None, posed, known, now)
        return self._scan(known, posed, now)

    def _scan(self, known: Known, posed: Posed, now: datetime) -> Found:
        results: list[tuple[str, Decision]] = []
        after, looked_at = self.page.after, 0
        while True:
            ids = self._candidates(known, after)
            for name, decision in self._decided(known, posed.question, ids):
                results.append((name, decision))
                if len(results) == self.page.limit:
                    last = name == ids[-1] and len(ids) < _CHUNK
                    return Found(results, None if last else name, posed, known, now)
            if len(ids) < _CHUNK:
                return Found(results, None, posed, known, now)
            after, looked_at = ids[-1], looked_at + len(ids)
            if looked_at >= _MAX_LOOKED_AT:
                return Found(results, after, posed, known, now)

    def _candidates(self, known: Known, after: str) -> list[str]:
        organization = known.world.organization_id
        if self._for == "resource":
            rows = Resource.objects.filter(
                organization_id=organization, type__name=self.asked.resource.type, external_id__gt=after
            )
            return list(rows.order_by("external_id").values_list("external_id", flat=True)[:_CHUNK])
        kind = kind_of(self.asked.subject.type, known)
        if kind == "user" and self._self is None:
            people = User.objects.filter(organization_id=organization, kind=User.Kind.PERSON, external_id__gt=after)
            return list(people.order_by("external_id").values_list("external_id", flat=True)[:_CHUNK])
        if kind == "agent":
            agents = Agent.objects.filter(organization_id=organization, external_id__gt=after)
            if self._self is not None:
                agents = agents.filter(external_id=self._self)
            return list(agents.order_by("external_id").values_list("external_id", flat=True)[:_CHUNK])
        return []

    def _decided(self, known: Known, question: Question, ids: Sequence[str]) -> Iterable[tuple[str, Decision]]:
        if self._for == "resource":
            keys = frozenset((question.type, each) for each in ids)
            self._worlds.with_needs(known, Needs(resources=keys))
            yield from search.resources(known.world, question, ids)
            return
        kind = kind_of(self.asked.subject.type, known) or ""
        refs = [f"{kind}/{each}" for each in ids]
        self._worlds.with_needs(known, Needs(principals=frozenset(refs)))
        if question.task_id:
            self._worlds.with_needs(known, Needs(runs=frozenset((ref, question.task_id) for ref in refs)))
        for ref, decision in search.subjects(known.world, question, refs):
            yield ref.partition("/")[2], decision

    def drafts(self, result: Found, caller: Party, known: Known, sender: Sender) -> list[Draft]:
        """Record the search: who looked for what, and how much was found."""
        question = result.posed.question
        data = {
            "search": self._for,
            "revision": known.world.revision,
            "found": len(result.results),
            "action": question.action,
            "type": question.type,
            "resource": question.resource,
            "subject": "" if self._for == "subject" else question.subject,
            "on_behalf_of": question.on_behalf_of,
            "caller": caller_json(caller, via_of(caller, sender)),
        }
        return [
            Draft(
                organization_id=known.world.organization_id,
                id=uuid7(),
                type=ACCESS_SEARCHED.name,
                at=result.now,
                actor={"kind": caller.kind, "id": caller.holder, "label": caller.label, "address": sender.address},
                target={"type": question.type, "id": question.resource, "label": f"{self._for} search"},
                request_id=sender.request_id,
                data=data,
                fence=known.world.revision,
                partner_fences=dict(known.partners),
            )
        ]

    def response(self, found: Found, *, full: bool) -> dict[str, Any]:
        """Give the search response (section 8.4): results, and a page where one was asked for or there is more."""
        results = [self._result(name, decision, found, full=full) for name, decision in found.results]
        body: dict[str, Any] = {"results": results}
        if self.page.asked_for or found.after is not None:
            body["page"] = {"next_token": self.token(found), "count": len(results)}
        return body

    def _result(self, name: str, decision: Decision, found: Found, *, full: bool) -> dict[str, Any]:
        if self._for == "action":
            item: dict[str, Any] = {"name": name}
        else:
            kind = self.asked.subject.type if self._for == "subject" else self.asked.resource.type
            item = {"type": kind, "id": name}
        owed = obligations(decision, found.known.world.types.get(found.posed.question.type))
        if full:
            item["context"] = explained(found.posed, decision, None, found.known)
        elif owed:
            item["context"] = {"obligations": owed}
        return item


def _without_page(searched: SearchFor, body: Json) -> Json:
    """Give the members that must stay the same from page to page."""
    kept: Json = {name: body[name] for name in ("subject", "action", "resource", "context") if name in body}
    return {"search": searched, **kept}
