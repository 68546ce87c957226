"""A working day is a script of requests, the same for the same day and seed; when it is played, all of it happens then.

Nothing in it says when: decisions are made, and recorded, at the time at which they are asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any, Final

from agentiam.demo.manifests import PARTNER, Catalogue
from agentiam.demo.routines import CLOSED_AT_WEEKENDS, DEPARTMENTS, PARTS_OF_THE_DAY, STRAY, Routine

ANOMALY: Final = "anomaly"
_ANOMALOUS_SHARE: Final = 0.08
_LEAST_ANOMALOUS: Final = 40
_MASS_READ: Final = 20
_EXPORTS: Final = 6
_SENSIBLE: Final = 0.75

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the decision API."""

    caller: str
    """Whose key it is sent with: ``application/SLUG`` or ``agent/ID``."""
    path: str
    body: Json = field(repr=False)
    part: str
    """The part of the day, or ANOMALY."""
    decisions: int = 1


def working_day(catalogue: Catalogue, *, partners: Mapping[str, str], day: date, decisions: int, seed: int) -> list[Call]:
    """Write the script of a day with at least so many decisions; searches come on top."""
    dice = Random(f"{day.isoformat()}/{seed}")  # noqa: S311  (the same day is to come out the same)
    writer = _Writer(catalogue, partners, dice)
    # So many that it can be seen, but of a short day a fifth at most.
    strange = min(max(_LEAST_ANOMALOUS, round(decisions * _ANOMALOUS_SHARE)), decisions // 5)
    usual = max(1, decisions - strange)
    calls: list[Call] = []
    due, written = 0.0, 0
    for part, share, busy in PARTS_OF_THE_DAY:
        due += usual * share
        departments = {name: weight for name, weight in busy.items() if not _closed(name, day)}
        while written < due:
            department = dice.choices(list(departments), list(departments.values()))[0]
            routines = DEPARTMENTS[department]
            calls.append(writer.call(dice.choices(routines, [each.weight for each in routines])[0], part))
            written += calls[-1].decisions
    return [*calls, *writer.anomaly(strange)]


def agents_with_keys() -> list[str]:
    """List the agents that ask with keys of their own."""
    return sorted({STRAY} | {each.subject for routines in DEPARTMENTS.values() for each in routines if each.own_key})


def _closed(department: str, day: date) -> bool:
    return day.weekday() >= 5 and department in CLOSED_AT_WEEKENDS


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes requests about what the company has."""

    catalogue: Catalogue
    partners: Mapping[str, str]
    dice: Random

    def call(self, routine: Routine, part: str) -> Call:
        """Write one request of a kind."""
        caller = f"agent/{routine.subject}" if routine.own_key else f"application/{self._application(routine)}"
        if routine.search:
            return Call(caller, f"search/{routine.search}", self._search(routine), part, decisions=0)
        if routine.batch:
            items = [{"resource": {"type": routine.type, "id": each}} for each in self._some(routine.type, routine.batch)]
            body = {**self._question(routine), "evaluations": items}
            return Call(caller, "evaluations", body, part, decisions=len(items))
        resource = self._one(routine)
        return Call(caller, "evaluation", {**self._question(routine), "resource": {"type": routine.type, "id": resource}}, part)

    def anomaly(self, decisions: int) -> Iterator[Call]:
        """Write what the stray agent does: reads in bulk what it was never given, hammers at a refusal, and exports."""
        caller = f"agent/{STRAY}"
        subject = {"type": "agent", "id": STRAY}
        left = decisions
        for dataset in (("loyalty-members", "passengers") * (_EXPORTS // 2))[: decisions // 4]:
            export = {"name": "export", "properties": {"fields": ["aggregates", "records"]}}
            body = {"subject": subject, "action": export, "resource": {"type": "dataset", "id": dataset}}
            yield Call("application/warehouse", "evaluation", body, ANOMALY)
            left -= 1
        while left > decisions // 2:
            items = [
                {"resource": {"type": "booking", "id": each}}
                for each in self._some("booking", min(_MASS_READ, left - decisions // 2))
            ]
            yield Call(
                caller,
                "evaluations",
                {"subject": subject, "action": {"name": "read"}, "evaluations": items},
                ANOMALY,
                decisions=len(items),
            )
            left -= len(items)
        again = {"subject": subject, "action": {"name": "read"}, "resource": {"type": "crew-file", "id": "crew-61"}}
        for _ in range(left):
            yield Call(caller, "evaluation", again, ANOMALY)

    def _application(self, routine: Routine) -> str:
        return routine.through or self.catalogue.application_of[routine.type]

    def _one(self, routine: Routine) -> str:
        ids = self.catalogue.ids[routine.type]
        if routine.mostly is not None and self.dice.random() < _SENSIBLE:
            name, value = routine.mostly
            ids = [each for each in ids if self.catalogue.attributes[routine.type, each].get(name) == value]
        return self.dice.choice(ids)

    def _some(self, type_name: str, count: int) -> list[str]:
        ids = self.catalogue.ids[type_name]
        return self.dice.sample(ids, min(count, len(ids)))

    def _question(self, routine: Routine) -> Json:
        """Write everything of a question but the object."""
        properties: Json = dict(routine.properties)
        if routine.fields:
            properties["fields"] = list(routine.fields)
        if routine.amounts is not None:
            properties["amount"] = self.dice.randint(*routine.amounts)
        context: Json = {}
        if routine.user:
            context["on_behalf_of"] = {"type": "user", "id": routine.user}
        if routine.chain:
            context["delegation"] = [f"agent/{each}" for each in routine.chain]
        if routine.task[0]:
            context["task"] = {"id": routine.task[0], "purpose": routine.task[1]}
        question: Json = {
            "subject": self._subject(routine.subject),
            "action": {"name": routine.action, **({"properties": properties} if properties else {})},
        }
        return {**question, "context": context} if context else question

    def _subject(self, name: str) -> Json:
        if name.startswith("user/"):
            return {"type": "user", "id": name.removeprefix("user/")}
        if name.startswith(f"{PARTNER}/"):
            return {"type": "agent", "id": self.partners[name]}
        return {"type": "agent", "id": name}

    def _search(self, routine: Routine) -> Json:
        resource = self._one(routine)
        body = {**self._question(routine), "resource": {"type": routine.type, "id": resource}, "page": {"limit": 20}}
        if routine.search == "subject":
            body["subject"] = {"type": "agent"}
        elif routine.search == "resource":
            body["resource"] = {"type": routine.type}
        else:
            del body["action"]
        return body
