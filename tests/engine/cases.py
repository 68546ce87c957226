"""The data matrix: what is changed in the base scene, and what the answer must be and say.

One row each: a sentence, the change, the effect, the term that lost (empty for a yes), and words of the reason.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from permissions.engine.authority import MAX_GENERATIONS
from permissions.engine.types import BlueprintFacts, Mode
from tests.engine.scenes import (
    BLOB,
    EMAIL,
    FUTURE,
    NOW,
    PAST,
    RECORD,
    TITLE,
    Scene,
    assigned,
    ceiling,
    consent,
    delegation,
    entitlement,
    holding,
    rail,
    role,
    run,
    trust,
)


class Case(NamedTuple):
    sentence: str
    change: Callable[[Scene], Any]
    effect: str
    term: str = ""
    who: str = ""
    words: str = ""
    allowed: tuple[str, ...] | None = None
    masked: tuple[str, ...] = ()
    denied: tuple[str, ...] | None = None


YES = "allow"
NO = "deny"
ASK = "escalate"


def generations(count: int) -> Callable[[Scene], Any]:
    """Put so many ancestors above the worker."""

    def change(scene: Scene) -> None:
        scene.of("worker", parent="agent/p0")
        for number in range(count):
            parent = f"agent/p{number + 1}" if number + 1 < count else None
            scene.of(f"p{number}", grants=(holding("read"),), parent=parent)

    return change


def chain(middle: dict[str, Any], **head: Any) -> Callable[[Scene], Any]:
    """Let planner delegate to broker, and broker to worker."""

    def change(scene: Scene) -> None:
        scene.of("planner", delegations={"broker": (delegation(**head),)})
        scene.of("broker", **{"grants": (holding(mode=Mode.DELEGATE),), "delegations": {"worker": (delegation(),)}, **middle})
        scene.ask(delegation=("agent/planner", "agent/broker"))

    return change


REFUSALS = [
    Case("the base is a yes", lambda s: s, YES, allowed=("title", "email", "iban")),
    Case(
        "a suspended organization answers nothing",
        lambda s: s.world(inactive="is suspended"),
        NO,
        "organization",
        "acme",
        "the organization is suspended",
    ),
    Case("an unknown type", lambda s: s.ask(type="lead"), NO, "resource_type", "lead", "unknown"),
    Case("an unknown action", lambda s: s.ask(action="fly"), NO, "action", "fly", "declares no action fly"),
    Case("an action that is a star", lambda s: s.ask(action="*"), NO, "action", "*", "declares no action"),
    Case("an unknown field", lambda s: s.ask(fields=("title", "phone")), NO, "fields", "phone", "declares no field phone"),
    Case(
        "a field of a type without fields", lambda s: s.ask(type="blob", fields=("x",)), NO, "fields", "x", "declares no field"
    ),
]

SUBJECTS = [
    Case("an unknown subject", lambda s: s.ask(subject="agent/nobody"), NO, "subject", "agent/nobody", "is unknown"),
    Case(
        "a subject that was looked for and is not there",
        lambda s: s.world().ask(subject="user/mallory"),
        NO,
        "subject",
        "user/mallory",
        "is unknown",
    ),
    Case(
        "an inactive subject",
        lambda s: s.of("worker", inactive="is suspended"),
        NO,
        "subject",
        "agent/worker",
        "agent/worker is suspended",
    ),
    Case(
        "an expired subject", lambda s: s.of("worker", until=NOW), NO, "subject", "agent/worker", "expired at 2026-06-01T12:00"
    ),
    Case("a subject that expires later", lambda s: s.of("worker", until=FUTURE), YES),
    Case("a person in their own name", lambda s: s.ask(subject="user/alice"), YES),
    Case(
        "a person without rights",
        lambda s: s.ask(subject="user/alice", action="write"),
        NO,
        "grants",
        "user/alice",
        "holds nothing for write on record",
    ),
    Case(
        "a person for a person", lambda s: s.for_alice().ask(subject="user/alice"), NO, "subject", "user/alice", "own name only"
    ),
    Case(
        "a person delegated to", lambda s: s.delegated().ask(subject="user/alice"), NO, "subject", "user/alice", "own name only"
    ),
]

GRANTS = [
    Case("nothing held", lambda s: s.holds(), NO, "grants", "agent/worker", "holds nothing for read on record"),
    Case("a direct grant", lambda s: s.holds(holding("read")), YES),
    Case("a grant of every action", lambda s: s.holds(holding("*")), YES),
    Case(
        "a grant of another action", lambda s: s.holds(holding("write")), NO, "grants", "agent/worker", "holds nothing for read"
    ),
    Case(
        "a grant of another type",
        lambda s: s.holds(holding("read", type_=BLOB)),
        NO,
        "grants",
        words="holds nothing for read on record",
    ),
    Case("an unknown role", lambda s: s.of("worker", assignments=(assigned("ghost"),)), NO, "grants", words="holds nothing"),
    Case("a role of every action", lambda s: s.world(roles={"reader": role(entitlement("*"))}), YES),
    Case(
        "a role that ends now",
        lambda s: s.of("worker", assignments=(assigned("reader", until=NOW),)),
        NO,
        "grants",
        words="holds nothing",
    ),
    Case("a role that ends later", lambda s: s.of("worker", assignments=(assigned("reader", until=FUTURE),)), YES),
    Case(
        "a role that starts later",
        lambda s: s.of("worker", assignments=(assigned("reader", since=FUTURE),)),
        NO,
        "grants",
        words="holds nothing",
    ),
    Case("a role that starts now", lambda s: s.of("worker", assignments=(assigned("reader", since=NOW),)), YES),
    Case(
        "a role to hand on only",
        lambda s: s.of("worker", assignments=(assigned("reader", mode=Mode.DELEGATE),)),
        NO,
        "grants",
        words="holds nothing",
    ),
    Case("a grant that ended", lambda s: s.holds(holding(until=PAST)), NO, "grants", words="holds nothing"),
    Case("a grant that ends later", lambda s: s.holds(holding(until=FUTURE)), YES),
    Case("a grant that starts later", lambda s: s.holds(holding(since=FUTURE)), NO, "grants", words="holds nothing"),
    Case("a grant that started", lambda s: s.holds(holding(since=PAST)), YES),
    Case("a grant to hand on only", lambda s: s.holds(holding(mode=Mode.DELEGATE)), NO, "grants", words="holds nothing"),
    Case("a grant to use and hand on", lambda s: s.holds(holding(mode=Mode.ANY)), YES),
    Case(
        "a role from the blueprint",
        lambda s: s.holds().world(blueprints={"clerk": BlueprintFacts("clerk", None, (assigned("reader"),))}),
        YES,
    ),
    Case("a team's grant", lambda s: s.in_team(grants=(holding(),)), YES),
    Case("a team's role", lambda s: s.in_team(assignments=(assigned("reader"),)), YES),
    Case(
        "a team's ended grant", lambda s: s.in_team(grants=(holding(until=PAST),)), NO, "grants", "user/alice", "holds nothing"
    ),
    Case("one resource, this one", lambda s: s.holds(holding(resource="record-1")), YES),
    Case(
        "one resource, another",
        lambda s: s.holds(holding(resource="record-2")),
        NO,
        "grants",
        words="covers record-1 in this situation",
    ),
    Case("a subtree around it", lambda s: s.holds(holding(subtree=("folder", "f1"))), YES),
    Case("its own subtree", lambda s: s.holds(holding(subtree=("record", "record-1"))), YES),
    Case("a subtree elsewhere", lambda s: s.holds(holding(subtree=("folder", "f9"))), NO, "grants", words="covers record-1"),
    Case(
        "a sent parent goes first",
        lambda s: s.holds(holding(subtree=("folder", "f1"))).ask(
            resource_properties={"parent": {"type": "folder", "id": "f9"}}
        ),
        NO,
        "grants",
    ),
    Case(
        "a sent parent that is it",
        lambda s: s.holds(holding(subtree=("folder", "f9"))).ask(
            resource_properties={"parent": {"type": "folder", "id": "f9"}}
        ),
        YES,
    ),
    Case(
        "a sent parent within it",
        lambda s: s.holds(holding(subtree=("folder", "f1"))).ask(
            resource_properties={"parent": {"type": "folder", "id": "f2"}}
        ),
        YES,
    ),
    Case(
        "a sent parent that is none",
        lambda s: s.holds(holding(subtree=("folder", "f1"))).ask(resource_properties={"parent": "f2"}),
        NO,
        "grants",
    ),
    Case(
        "a sent parent with numbers",
        lambda s: s.holds(holding(subtree=("folder", "f1"))).ask(resource_properties={"parent": {"type": "folder", "id": 2}}),
        NO,
        "grants",
    ),
    Case(
        "an unregistered object is in no subtree",
        lambda s: s.holds(holding(subtree=("folder", "f1"))).ask(resource="new"),
        NO,
        "grants",
    ),
    Case("a row condition on what is stored", lambda s: s.holds(holding(where='resource.region == "EU"')), YES),
    Case(
        "a row condition that fails",
        lambda s: s.holds(holding(where='resource.region == "US"')),
        NO,
        "grants",
        words="covers record-1",
    ),
    Case(
        "what is sent goes before what is stored",
        lambda s: s.holds(holding(where='resource.region == "EU"')).ask(resource_properties={"region": "US"}),
        NO,
        "grants",
    ),
    Case(
        "a sent attribute of the wrong type is absent",
        lambda s: s.holds(holding(where='resource.region != "US"')).ask(resource_properties={"region": 7}),
        NO,
        "grants",
    ),
    Case(
        "a row condition on nothing",
        lambda s: s.holds(holding(where='resource.status == "open"')),
        NO,
        "grants",
        words="covers record-1",
    ),
    Case(
        "the id and type are known",
        lambda s: s.holds(holding(where='resource.id == "record-1" && resource.type == "record"')),
        YES,
    ),
    Case(
        "id and type cannot be sent",
        lambda s: s.holds(holding(where='resource.id == "x"')).ask(resource_properties={"id": "x"}),
        NO,
        "grants",
    ),
    Case("a situation that holds", lambda s: s.holds(holding(when="context.hour >= 9")).ask(context={"hour": 9}), YES),
    Case(
        "a situation that does not", lambda s: s.holds(holding(when="context.hour >= 9")).ask(context={"hour": 8}), NO, "grants"
    ),
    Case("a situation that is an error", lambda s: s.holds(holding(when="context.hour >= 9")), NO, "grants"),
    Case(
        "both conditions hold",
        lambda s: s.holds(holding(where='resource.region == "EU"', when="context.hour >= 9")).ask(context={"hour": 9}),
        YES,
    ),
    Case(
        "only the row holds",
        lambda s: s.holds(holding(where='resource.region == "EU"', when="context.hour >= 9")).ask(context={"hour": 1}),
        NO,
        "grants",
    ),
    Case("the subject's attributes", lambda s: s.holds(holding(when='subject.department == "support"')), YES),
    Case(
        "what is sent about the subject",
        lambda s: s.holds(holding(when="subject.floor == 3")).ask(subject_properties={"floor": 3}),
        YES,
    ),
    Case(
        "its identity cannot be sent",
        lambda s: s.holds(holding(when='subject.id == "boss"')).ask(subject_properties={"id": "boss"}),
        NO,
        "grants",
    ),
    Case(
        "the registry's word on the agent",
        lambda s: s.holds(holding(when='agent.environment == "staging"')).ask(subject_properties={"environment": "staging"}),
        NO,
        "grants",
    ),
    Case("the user's attributes", lambda s: s.for_alice().holds(holding(when='user.department == "support"')), YES),
    Case("no user", lambda s: s.holds(holding(when='user.department == "support"')), NO, "grants"),
    Case(
        "no agent for a person",
        lambda s: s.of("alice", grants=(holding(when="agent == null && user.id == subject.id"),)).ask(subject="user/alice"),
        YES,
    ),
    Case(
        "the action's properties",
        lambda s: s.holds(holding(when="action.properties.amount < 200.0")).ask(action_properties={"amount": 150.0}),
        YES,
    ),
    Case(
        "the task's purpose as claimed",
        lambda s: s.holds(holding(when='task.purpose == "refunds"')).ask(task_id="t9", task_purpose="refunds"),
        YES,
    ),
    Case(
        "the task's purpose as run",
        lambda s: s.holds(holding(when='task.purpose == "refunds"')).on_task(run(purpose="refunds")),
        YES,
    ),
    Case("no task", lambda s: s.holds(holding(when='task.purpose == "refunds"')).ask(task_purpose="refunds"), NO, "grants"),
    Case("a task that nobody runs", lambda s: s.holds(holding(when='task.purpose == ""')).ask(task_id="t9"), YES),
    Case("time of day", lambda s: s.holds(holding(when="now.getHours() == 12")), YES),
    Case(
        "one of two grants is enough",
        lambda s: s.holds(holding(resource="record-2"), holding(where='resource.region == "EU"')),
        YES,
    ),
]

FIELDS = [
    Case(
        "fields that are held",
        lambda s: s.holds(holding(fields="title email")).ask(fields=("title",)),
        YES,
        allowed=("title",),
        denied=(),
    ),
    Case(
        "a field that is not held",
        lambda s: s.holds(holding(fields="title")).ask(fields=("title", "email")),
        NO,
        "grants",
        "agent/worker",
        "does not have the field email",
        denied=("title", "email"),
    ),
    Case(
        "fields that are not held",
        lambda s: s.holds(holding(fields="title")).ask(fields=("email", "iban")),
        NO,
        "grants",
        words="does not have the field email, iban",
    ),
    Case(
        "no fields listed: told which",
        lambda s: s.holds(holding(fields="title email")),
        YES,
        allowed=("title", "email"),
        denied=("iban",),
    ),
    Case("an empty list is no list", lambda s: s.holds(holding(fields="title")).ask(fields=()), YES, allowed=("title",)),
    Case(
        "fields from two grants",
        lambda s: s.holds(holding(fields="title"), holding(fields="email", where='resource.region == "EU"')).ask(
            fields=("title", "email")
        ),
        YES,
    ),
    Case(
        "a field whose grant does not cover",
        lambda s: s.holds(holding(fields="title"), holding(fields="email", where='resource.region == "US"')).ask(
            fields=("title", "email")
        ),
        NO,
        "grants",
        words="covers record-1",
    ),
    Case(
        "a grant without fields",
        lambda s: s.holds(holding(fields="")),
        NO,
        "grants",
        words="does not have the field title, email, iban",
    ),
    Case(
        "a type without fields",
        lambda s: s.holds(holding(type_=BLOB)).of("worker", capabilities=None, parent=None, blueprint=None).ask(type="blob"),
        YES,
        allowed=(),
        denied=(),
    ),
    Case(
        "terms that share no field",
        lambda s: s.holds(holding(fields="title")).of("worker", capabilities=ceiling(read="email")),
        NO,
        "capabilities",
        "agent/worker",
        "title is not within the capabilities of agent/worker",
    ),
    Case(
        "grants that share no field with the rest",
        lambda s: s.holds(holding(fields="title email")).of("root", grants=(holding(fields="iban"),)),
        NO,
        "parent",
        "agent/root",
        "does not have the field title, email",
    ),
    Case(
        "listed fields beyond a ceiling",
        lambda s: s.of("worker", capabilities=ceiling(read="title")).ask(fields=("title", "email", "iban")),
        NO,
        "capabilities",
        words="email, iban are not within the capabilities",
    ),
]

CEILINGS = [
    Case("no capabilities declared: no limit", lambda s: s.of("worker", capabilities=None), YES),
    Case(
        "an empty declaration: nothing",
        lambda s: s.of("worker", capabilities=ceiling()),
        NO,
        "capabilities",
        "agent/worker",
        "read on record is beyond the ceiling",
    ),
    Case(
        "capabilities for another action",
        lambda s: s.of("worker", capabilities=ceiling(write=None)),
        NO,
        "capabilities",
        words="beyond the ceiling",
    ),
    Case(
        "capabilities for every action",
        lambda s: s.of("worker", capabilities=ceiling(any="title")),
        YES,
        allowed=("title",),
        denied=("email", "iban"),
    ),
    Case(
        "capabilities by action and for all",
        lambda s: s.of("worker", capabilities=ceiling(any="title", read="email")),
        YES,
        allowed=("title", "email"),
    ),
    Case("no blueprint", lambda s: s.of("worker", blueprint=None), YES),
    Case(
        "an unknown blueprint",
        lambda s: s.of("worker", blueprint="ghost"),
        NO,
        "blueprint",
        "agent/worker",
        "the blueprint ghost is unknown",
    ),
    Case("a blueprint without ceiling", lambda s: s.world(blueprints={"clerk": BlueprintFacts("clerk")}), YES),
    Case(
        "a blueprint's ceiling",
        lambda s: s.world(blueprints={"clerk": BlueprintFacts("clerk", ceiling(write=None))}),
        NO,
        "blueprint",
        "agent/worker",
        "beyond the ceiling",
    ),
    Case(
        "a blueprint's ceiling on fields",
        lambda s: s.world(blueprints={"clerk": BlueprintFacts("clerk", ceiling(read="title"))}),
        YES,
        allowed=("title",),
    ),
    Case(
        "an empty blueprint's ceiling",
        lambda s: s.world(blueprints={"clerk": BlueprintFacts("clerk", ceiling())}),
        NO,
        "blueprint",
    ),
]

PARENTS = [
    Case("no parent", lambda s: s.of("worker", parent=None), YES),
    Case(
        "an unknown parent",
        lambda s: s.of("worker", parent="agent/ghost"),
        NO,
        "parent",
        "agent/ghost",
        "agent/ghost is unknown",
    ),
    Case(
        "an inactive parent",
        lambda s: s.of("root", inactive="is suspended"),
        NO,
        "parent",
        "agent/root",
        "agent/root is suspended",
    ),
    Case("an expired parent", lambda s: s.of("root", until=PAST), NO, "parent", "agent/root", "expired"),
    Case(
        "an inactive grandparent",
        lambda s: s.of("root", parent="agent/planner").of("planner", inactive="is retired"),
        NO,
        "parent",
        "agent/planner",
        "is retired",
    ),
    Case("a parent that holds nothing", lambda s: s.of("root", grants=()), NO, "parent", "agent/root", "holds nothing"),
    Case("a parent that may use", lambda s: s.of("root", grants=(holding(mode=Mode.USE),)), YES),
    Case("a parent that may hand on", lambda s: s.of("root", grants=(holding(mode=Mode.DELEGATE),)), YES),
    Case("a parent with neither", lambda s: s.of("root", grants=(holding(mode=Mode(0)),)), NO, "parent"),
    Case(
        "a parent whose row condition fails",
        lambda s: s.of("root", grants=(holding(where='resource.region == "US"'),)),
        NO,
        "parent",
        "agent/root",
        "covers record-1",
    ),
    Case("a parent's fields", lambda s: s.of("root", grants=(holding(fields="title"),)), YES, allowed=("title",)),
    Case(
        "a parent without the field",
        lambda s: s.of("root", grants=(holding(fields="title"),)).ask(fields=("email",)),
        NO,
        "parent",
        "agent/root",
        "does not have the field email",
    ),
    Case(
        "a parent's capabilities",
        lambda s: s.of("root", capabilities=ceiling(write=None)),
        NO,
        "capabilities",
        "agent/root",
        "beyond the ceiling",
    ),
    Case(
        "a parent's blueprint",
        lambda s: s.of("root", blueprint="narrow").world(
            blueprints={"clerk": BlueprintFacts("clerk"), "narrow": BlueprintFacts("narrow", ceiling())}
        ),
        NO,
        "blueprint",
        "agent/root",
    ),
    Case(
        "a grandparent that holds nothing",
        lambda s: s.of("root", parent="agent/old").of("old", grants=()),
        NO,
        "parent",
        "agent/old",
        "holds nothing",
    ),
    Case("as many generations as there may be", generations(MAX_GENERATIONS), YES),
    Case(
        "one generation too many",
        generations(MAX_GENERATIONS + 1),
        NO,
        "parent",
        f"agent/p{MAX_GENERATIONS}",
        "more than 32 generations",
    ),
    Case(
        "its own ancestor",
        lambda s: s.of("worker", parent="agent/worker"),
        NO,
        "parent",
        "agent/worker",
        "more than 32 generations",
    ),
]

USERS = [
    Case("for a user who consents", lambda s: s.for_alice(), YES),
    Case("an unknown user", lambda s: s.ask(on_behalf_of="user/mallory"), NO, "user", "user/mallory", "is unknown"),
    Case(
        "an inactive user",
        lambda s: s.for_alice().of("alice", inactive="is deactivated"),
        NO,
        "user",
        "user/alice",
        "is deactivated",
    ),
    Case(
        "a user without consent",
        lambda s: s.for_alice().of("alice", consents={}),
        NO,
        "consent",
        "user/alice",
        "user/alice gave no consent to agent/worker",
    ),
    Case(
        "a consent to another agent",
        lambda s: s.for_alice().of("alice", consents={"other": (consent(),)}),
        NO,
        "consent",
        words="gave no consent",
    ),
    Case(
        "a consent that ended",
        lambda s: s.for_alice().of("alice", consents={"worker": (consent(until=NOW),)}),
        NO,
        "consent",
        words="the consent ended at 2026-06-01",
    ),
    Case("a consent that ends later", lambda s: s.for_alice().of("alice", consents={"worker": (consent(until=FUTURE),)}), YES),
    Case(
        "a consent that starts later",
        lambda s: s.for_alice().of("alice", consents={"worker": (consent(since=FUTURE),)}),
        NO,
        "consent",
        words="the consent starts at",
    ),
    Case(
        "a consent to another type",
        lambda s: s.for_alice().of("alice", consents={"worker": (consent(type_="blob"),)}),
        NO,
        "consent",
        words="does not cover read on record",
    ),
    Case(
        "a consent to another action",
        lambda s: s.for_alice().of("alice", consents={"worker": (consent("write"),)}),
        NO,
        "consent",
        words="does not cover read on record",
    ),
    Case("a consent to every action", lambda s: s.for_alice().of("alice", consents={"worker": (consent("*"),)}), YES),
    Case(
        "a consent for this purpose",
        lambda s: s.for_alice().of("alice", consents={"worker": (consent(purpose="refunds"),)}).ask(task_purpose="refunds"),
        YES,
    ),
    Case(
        "a consent for another purpose",
        lambda s: s.for_alice().of("alice", consents={"worker": (consent(purpose="refunds"),)}).ask(task_purpose="ads"),
        NO,
        "consent",
        words="is for refunds, the task is for ads",
    ),
    Case(
        "a run for another purpose",
        lambda s: s.for_alice().of("alice", consents={"worker": (consent(purpose="refunds"),)}).on_task(run(purpose="ads")),
        NO,
        "consent",
        words="is for refunds, the task is for ads",
    ),
    Case(
        "a consent for a purpose, none claimed",
        lambda s: s.for_alice().of("alice", consents={"worker": (consent(purpose="refunds"),)}),
        NO,
        "consent",
        words="is for refunds, no task with a purpose was named",
    ),
    Case(
        "a consent for this task",
        lambda s: s.for_alice().of("alice", consents={"worker": (consent(task="t1"),)}).on_task(run()),
        YES,
    ),
    Case(
        "a consent for another task",
        lambda s: s.for_alice().of("alice", consents={"worker": (consent(task="t2"),)}).on_task(run()),
        NO,
        "consent",
        words="is for the task t2",
    ),
    Case(
        "a consent for a task, handed on",
        lambda s: s.for_alice().delegated().of("alice", consents={"planner": (consent(task="t1"),)}).on_task(run()),
        NO,
        "consent",
        words="is for the task t1 of agent/planner alone",
    ),
    Case(
        "a consent for a task, none named",
        lambda s: s.for_alice().of("alice", consents={"worker": (consent(task="t1"),)}),
        NO,
        "consent",
        words="is for the task t1",
    ),
    Case(
        "a consent to classes of data",
        lambda s: s.for_alice().of("alice", consents={"worker": (consent(fields=TITLE),)}),
        YES,
        allowed=("title",),
        denied=("email", "iban"),
    ),
    Case(
        "a consent without the field",
        lambda s: s.for_alice().of("alice", consents={"worker": (consent(fields=TITLE),)}).ask(fields=("email",)),
        NO,
        "consent",
        "user/alice",
        "email is not within the consent of user/alice",
    ),
    Case(
        "a consent to no field",
        lambda s: s.for_alice().of("alice", consents={"worker": (consent(fields=0),)}),
        NO,
        "consent",
        words="covers no field of record",
    ),
    Case(
        "two consents add up",
        lambda s: (
            s.for_alice()
            .of("alice", consents={"worker": (consent(fields=TITLE), consent("write"), consent(fields=EMAIL))})
            .ask(fields=("title", "email"))
        ),
        YES,
    ),
    Case("a user without the right", lambda s: s.for_alice().of("alice", grants=()), NO, "user", "user/alice", "holds nothing"),
    Case(
        "a user's row condition",
        lambda s: s.for_alice().of("alice", grants=(holding(where='resource.region == "US"'),)),
        NO,
        "user",
        "user/alice",
        "covers record-1",
    ),
    Case("a user's fields", lambda s: s.for_alice().of("alice", grants=(holding(fields="email"),)), YES, allowed=("email",)),
    Case(
        "a user's right to hand on is none to use",
        lambda s: s.for_alice().of("alice", grants=(holding(mode=Mode.DELEGATE),)),
        NO,
        "user",
    ),
    Case(
        "an agent as the user", lambda s: s.ask(on_behalf_of="agent/planner"), NO, "consent", "agent/planner", "gave no consent"
    ),
    Case(
        "consent goes to the head of the chain",
        lambda s: s.for_alice().delegated().of("alice", consents={"planner": (consent(),)}),
        YES,
    ),
    Case(
        "consent to the tail is not enough",
        lambda s: s.for_alice().delegated().of("alice", consents={"worker": (consent(),)}),
        NO,
        "consent",
        "user/alice",
        "gave no consent to agent/planner",
    ),
]

DELEGATIONS = [
    Case("a delegation", lambda s: s.delegated(), YES),
    Case(
        "no delegation",
        lambda s: s.delegated().of("planner", delegations={}),
        NO,
        "delegation",
        "agent/planner",
        "agent/planner does not delegate to agent/worker",
    ),
    Case(
        "a delegation that ended",
        lambda s: s.delegated().of("planner", delegations={"worker": (delegation(until=PAST),)}),
        NO,
        "delegation",
        words="the delegation ended at",
    ),
    Case(
        "a delegation that starts later",
        lambda s: s.delegated().of("planner", delegations={"worker": (delegation(since=FUTURE),)}),
        NO,
        "delegation",
        words="the delegation starts at",
    ),
    Case(
        "a delegation of another action",
        lambda s: s.delegated().of("planner", delegations={"worker": (delegation("write"),)}),
        NO,
        "delegation",
        words="does not cover read on record",
    ),
    Case(
        "a delegation of another type",
        lambda s: s.delegated().of("planner", delegations={"worker": (delegation(type_=BLOB),)}),
        NO,
        "delegation",
        words="does not cover read on record",
    ),
    Case(
        "a delegation of every action", lambda s: s.delegated().of("planner", delegations={"worker": (delegation("*"),)}), YES
    ),
    Case(
        "a delegation of one resource",
        lambda s: s.delegated().of("planner", delegations={"worker": (delegation(resource="record-2"),)}),
        NO,
        "delegation",
        "agent/planner",
        "covers record-1",
    ),
    Case(
        "a delegation of rows",
        lambda s: s.delegated().of("planner", delegations={"worker": (delegation(where='resource.region == "EU"'),)}),
        YES,
    ),
    Case(
        "a delegation of fields",
        lambda s: s.delegated().of("planner", delegations={"worker": (delegation(fields="title"),)}),
        YES,
        allowed=("title",),
    ),
    Case(
        "a delegation without the field",
        lambda s: s.delegated().of("planner", delegations={"worker": (delegation(fields="title"),)}).ask(fields=("iban",)),
        NO,
        "delegation",
        words="does not have the field iban",
    ),
    Case(
        "an inactive delegator",
        lambda s: s.delegated().of("planner", inactive="is suspended"),
        NO,
        "delegator",
        "agent/planner",
        "is suspended",
    ),
    Case("an unknown delegator", lambda s: s.ask(delegation=("agent/ghost",)), NO, "delegator", "agent/ghost", "is unknown"),
    Case(
        "a delegator that may only use",
        lambda s: s.delegated().of("planner", grants=(holding(mode=Mode.USE),)),
        NO,
        "delegator",
        "agent/planner",
        "holds nothing",
    ),
    Case(
        "a delegator that holds nothing",
        lambda s: s.delegated().of("planner", grants=()),
        NO,
        "delegator",
        "agent/planner",
        "holds nothing",
    ),
    Case(
        "a delegator's fields",
        lambda s: s.delegated().of("planner", grants=(holding(mode=Mode.DELEGATE, fields="email"),)),
        YES,
        allowed=("email",),
    ),
    Case(
        "a delegator's capabilities",
        lambda s: s.delegated().of("planner", capabilities=ceiling()),
        NO,
        "capabilities",
        "agent/planner",
    ),
    Case("a delegator's blueprint", lambda s: s.delegated().of("planner", blueprint="ghost"), NO, "blueprint", "agent/planner"),
    Case(
        "a delegator's parent",
        lambda s: s.delegated().of("planner", parent="agent/boss").of("boss", grants=()),
        NO,
        "parent",
        "agent/boss",
        "holds nothing",
    ),
    Case(
        "a delegator's inactive parent",
        lambda s: s.delegated().of("planner", parent="agent/boss").of("boss", inactive="is retired"),
        NO,
        "parent",
        "agent/boss",
        "is retired",
    ),
    Case(
        "a person does not delegate",
        lambda s: s.ask(delegation=("user/alice",)),
        NO,
        "delegation",
        "user/alice",
        "does not delegate",
    ),
    Case("two links", chain({}, depth=2), YES),
    Case(
        "a chain longer than was allowed",
        chain({}, depth=1),
        NO,
        "delegation",
        "agent/planner",
        "allows 1 further agents in a row, the chain has 2",
    ),
    Case(
        "a broken second link",
        chain({"delegations": {}}, depth=2),
        NO,
        "delegation",
        "agent/broker",
        "does not delegate to agent/worker",
    ),
    Case(
        "a middle that may not hand on",
        chain({"grants": (holding(),)}, depth=2),
        NO,
        "delegator",
        "agent/broker",
        "holds nothing",
    ),
    Case("an inactive middle", chain({"inactive": "is suspended"}, depth=2), NO, "delegator", "agent/broker", "is suspended"),
    Case(
        "a chain in the wrong order",
        lambda s: (chain({}, depth=2)(s), s.ask(delegation=("agent/broker", "agent/planner"))),
        NO,
        "delegation",
        "agent/broker",
        "does not delegate to agent/planner",
    ),
]

TRUSTS = [
    Case("a partner without trust", lambda s: s.from_partner(None), NO, "trust", "agent/worker", "no trust that both"),
    Case("a trust", lambda s: s.from_partner(trust()), YES),
    Case(
        "a trust that one side agreed to",
        lambda s: s.from_partner(trust(agreed=False)),
        NO,
        "trust",
        words="no trust that both",
    ),
    Case("a trust that ended", lambda s: s.from_partner(trust(until=NOW)), NO, "trust", words="the trust ended at"),
    Case("a trust that ends later", lambda s: s.from_partner(trust(until=FUTURE)), YES),
    Case("a trust that names it", lambda s: s.from_partner(trust(agents=frozenset({"worker"}))), YES),
    Case(
        "a trust that names others",
        lambda s: s.from_partner(trust(agents=frozenset({"other"}))),
        NO,
        "trust",
        words="does not name this agent",
    ),
    Case(
        "a trust for other types",
        lambda s: s.from_partner(trust(fields={"blob": 1})),
        NO,
        "trust",
        words="does not cover record",
    ),
    Case(
        "a trust for classes",
        lambda s: s.from_partner(trust(fields={"record": RECORD.class_mask(frozenset({"internal"}))})),
        YES,
        allowed=("title",),
    ),
    Case(
        "a trust without the field",
        lambda s: s.from_partner(trust(fields={"record": TITLE})).ask(fields=("iban",)),
        NO,
        "trust",
        words="iban is not within the trust of agent/worker",
    ),
]

TASKS = [
    Case("a task", lambda s: s.on_task(run()), YES),
    Case("a task that nobody knows", lambda s: s.ask(task_id="t9"), YES),
    Case("a task that ended", lambda s: s.on_task(run(until=NOW)), NO, "task", "agent/worker", "the task t1 has ended"),
    Case("a task that ends later", lambda s: s.on_task(run(until=FUTURE)), YES),
    Case(
        "a task that has not started", lambda s: s.on_task(run(since=FUTURE)), NO, "task", words="the task t1 has not started"
    ),
    Case("a task for this user", lambda s: s.for_alice().on_task(run(user="user/alice")), YES),
    Case(
        "a task for another user",
        lambda s: s.for_alice().on_task(run(user="user/bob")),
        NO,
        "task",
        words="the task t1 is for user/bob",
    ),
    Case("a task for a user, none named", lambda s: s.on_task(run(user="user/bob")), NO, "task", words="is for user/bob"),
    Case("a task for this purpose", lambda s: s.on_task(run(purpose="refunds")).ask(task_purpose="refunds"), YES),
    Case(
        "a task for another purpose",
        lambda s: s.on_task(run(purpose="refunds")).ask(task_purpose="ads"),
        NO,
        "task",
        words="the task t1 is for refunds",
    ),
    Case("a task without a purpose", lambda s: s.on_task(run()).ask(task_purpose="ads"), YES),
    Case("what a task allows", lambda s: s.on_task(run(allows=ceiling(read="title"))), YES, allowed=("title",)),
    Case(
        "what a task does not allow",
        lambda s: s.on_task(run(allows=ceiling(write=None))),
        NO,
        "task",
        words="does not allow read on record",
    ),
    Case(
        "a field that a task does not allow",
        lambda s: s.on_task(run(allows=ceiling(read="title"))).ask(fields=("email",)),
        NO,
        "task",
        words="email is not within the task of agent/worker",
    ),
    Case(
        "runs add up",
        lambda s: s.on_task(run(until=PAST), run(allows=ceiling(read="title")), run(allows=ceiling(read="email"))).ask(
            fields=("title", "email")
        ),
        YES,
    ),
    Case("an earlier run ended, a later one goes on", lambda s: s.on_task(run(until=PAST), run()), YES),
]

TOKENS = [
    Case("no token", lambda s: s.ask(within=None), YES),
    Case("a token for this", lambda s: s.ask(within=(entitlement("read"),)), YES, allowed=("title", "email", "iban")),
    Case(
        "a token for nothing",
        lambda s: s.ask(within=()),
        NO,
        "token",
        "agent/worker",
        "the token was not issued for read on record",
    ),
    Case(
        "a token for another action",
        lambda s: s.ask(within=(entitlement("write"),)),
        NO,
        "token",
        words="not issued for read on record",
    ),
    Case("a token for another type", lambda s: s.ask(within=(entitlement("read", type_=BLOB),)), NO, "token"),
    Case("a token for every action", lambda s: s.ask(within=(entitlement("*"),)), YES),
    Case("a token for this object", lambda s: s.ask(within=(entitlement("read", resource="r1"),), resource="r1"), YES),
    Case("a token for another object", lambda s: s.ask(within=(entitlement("read", resource="r9"),)), NO, "token"),
    Case("a token for some fields", lambda s: s.ask(within=(entitlement("read", fields="title"),)), YES, allowed=("title",)),
    Case(
        "a field that the token is not for",
        lambda s: s.ask(within=(entitlement("read", fields="title"),), fields=("email",)),
        NO,
        "token",
        words="email",
    ),
    Case(
        "what a token is for adds up",
        lambda s: s.ask(within=(entitlement("read", fields="title"), entitlement("read", fields="email"))),
        YES,
        allowed=("title", "email"),
    ),
    Case("a token gives nothing", lambda s: s.holds().ask(within=(entitlement("read"),)), NO, "grants"),
    Case("a token loses before anything else", lambda s: s.holds().ask(within=()), NO, "token"),
    Case("an inactive agent with a token", lambda s: s.of("worker", inactive="is suspended").ask(within=()), NO, "subject"),
    Case(
        "a token, with the user and the delegation",
        lambda s: s.for_alice().delegated().ask(within=(entitlement("read"),)),
        YES,
    ),
]

PERSONAL = "personal"
RAILS = [
    Case("deny", lambda s: s.rails(rail("deny", reason="Not here.")), NO, "guardrail", "rail", "Not here."),
    Case("deny without words", lambda s: s.rails(rail("deny")), NO, "guardrail", "rail", "the guardrail rail applies"),
    Case(
        "require approval",
        lambda s: s.rails(rail("require_approval", reason="Ask first.")),
        ASK,
        "guardrail",
        "rail",
        "Ask first.",
    ),
    Case("mask everything", lambda s: s.rails(rail("mask")), YES, allowed=(), masked=("title", "email", "iban"), denied=()),
    Case("mask a field", lambda s: s.rails(rail("mask", fields="email")), YES, allowed=("title", "iban"), masked=("email",)),
    Case(
        "mask a class",
        lambda s: s.rails(rail("mask", data_classes=PERSONAL)),
        YES,
        allowed=("title", "iban"),
        masked=("email",),
    ),
    Case(
        "mask fields and classes",
        lambda s: s.rails(rail("mask", fields="iban", data_classes=PERSONAL)),
        YES,
        allowed=("title",),
        masked=("email", "iban"),
    ),
    Case(
        "mask a requested field",
        lambda s: s.rails(rail("mask", fields="email")).ask(fields=("title", "email")),
        YES,
        allowed=("title",),
        masked=("email",),
        denied=(),
    ),
    Case(
        "mask a field that is not requested",
        lambda s: s.rails(rail("mask", fields="email")).ask(fields=("title",)),
        YES,
        allowed=("title",),
        masked=(),
    ),
    Case(
        "deny a field: the rest is left",
        lambda s: s.rails(rail("deny", fields="email")),
        YES,
        allowed=("title", "iban"),
        denied=("email",),
    ),
    Case(
        "deny a class",
        lambda s: s.rails(rail("deny", data_classes="personal sensitive")),
        YES,
        allowed=("title",),
        denied=("email", "iban"),
    ),
    Case(
        "deny a requested field",
        lambda s: s.rails(rail("deny", fields="email")).ask(fields=("title", "email")),
        NO,
        "guardrail",
        "rail",
        denied=("title", "email"),
    ),
    Case(
        "deny a field that is not requested",
        lambda s: s.rails(rail("deny", fields="email")).ask(fields=("title",)),
        YES,
        allowed=("title",),
        denied=(),
    ),
    Case(
        "deny every field there is",
        lambda s: s.rails(rail("deny", "a", fields="title"), rail("deny", "b", data_classes="personal sensitive")),
        NO,
        "guardrail",
        "a",
    ),
    Case(
        "deny the only field that is had",
        lambda s: s.holds(holding(fields="email")).rails(rail("deny", fields="email")),
        NO,
        "guardrail",
        "rail",
    ),
    Case(
        "approval for a field: the rest is left",
        lambda s: s.rails(rail("require_approval", fields="email")),
        YES,
        allowed=("title", "iban"),
        denied=("email",),
    ),
    Case(
        "approval for a requested field",
        lambda s: s.rails(rail("require_approval", fields="email")).ask(fields=("email",)),
        ASK,
        "guardrail",
        "rail",
    ),
    Case(
        "approval for the only field that is had",
        lambda s: s.holds(holding(fields="email")).rails(rail("require_approval", fields="email")),
        ASK,
        "guardrail",
        "rail",
    ),
    Case(
        "approval for what a denial leaves",
        lambda s: s.rails(rail("deny", "a", fields="title"), rail("require_approval", "b", fields="email iban")),
        ASK,
        "guardrail",
        "b",
    ),
    Case("deny before approval", lambda s: s.rails(rail("require_approval", "a"), rail("deny", "b")), NO, "guardrail", "b"),
    Case("deny before mask", lambda s: s.rails(rail("mask", "a"), rail("deny", "b")), NO, "guardrail", "b"),
    Case("approval before mask", lambda s: s.rails(rail("mask", "a"), rail("require_approval", "b")), ASK, "guardrail", "b"),
    Case(
        "the first by name decides",
        lambda s: s.rails(rail("deny", "z", reason="Z."), rail("deny", "a", reason="A.")),
        NO,
        "guardrail",
        "a",
        "A.",
    ),
    Case(
        "a condition that holds",
        lambda s: s.rails(rail("deny", when='resource.region == "EU"', type="record")),
        NO,
        "guardrail",
    ),
    Case("a condition that does not", lambda s: s.rails(rail("deny", when='resource.region == "US"', type="record")), YES),
    Case("a condition over all types", lambda s: s.rails(rail("deny", when='resource.region == "EU"')), NO, "guardrail"),
    Case("an error applies", lambda s: s.rails(rail("deny", when="context.hour > 18")), NO, "guardrail"),
    Case(
        "an error in a rule for approval applies",
        lambda s: s.rails(rail("require_approval", when="context.hour > 18")),
        ASK,
        "guardrail",
    ),
    Case(
        "an error in a mask applies",
        lambda s: s.rails(rail("mask", when="context.hour > 18", fields="email")),
        YES,
        allowed=("title", "iban"),
        masked=("email",),
    ),
    Case("another type", lambda s: s.rails(rail("deny", type="blob")), YES),
    Case("another action", lambda s: s.rails(rail("deny", actions="write delete")), YES),
    Case("this action", lambda s: s.rails(rail("deny", actions="read")), NO, "guardrail"),
    Case("no action at all", lambda s: s.rails(rail("deny", actions="")), YES),
    Case("report only", lambda s: s.rails(rail("deny", report_only=True)), YES, allowed=("title", "email", "iban")),
    Case(
        "report only beside a real one",
        lambda s: s.rails(rail("deny", "a", report_only=True), rail("require_approval", "b")),
        ASK,
        "guardrail",
        "b",
    ),
    Case("a field that the type has not", lambda s: s.rails(rail("deny", fields="phone")), YES),
    Case("no field at all", lambda s: s.rails(rail("deny", fields="")), YES),
    Case(
        "a class in a type without fields",
        lambda s: (
            s.holds(holding(type_=BLOB))
            .of("worker", capabilities=None, parent=None, blueprint=None)
            .ask(type="blob")
            .rails(rail("deny", data_classes=PERSONAL))
        ),
        YES,
    ),
    Case("a lost term goes before any guardrail", lambda s: s.holds().rails(rail("require_approval")), NO, "grants"),
]

ORDER = [
    Case("grants before capabilities", lambda s: s.holds().of("worker", capabilities=ceiling()), NO, "grants"),
    Case("blueprint before capabilities", lambda s: s.of("worker", capabilities=ceiling(), blueprint="ghost"), NO, "blueprint"),
    Case(
        "capabilities before parent", lambda s: s.of("worker", capabilities=ceiling()).of("root", grants=()), NO, "capabilities"
    ),
    Case("parent before consent", lambda s: s.for_alice().of("root", grants=()).of("alice", consents={}), NO, "parent"),
    Case("consent before the user's rights", lambda s: s.for_alice().of("alice", consents={}, grants=()), NO, "consent"),
    Case(
        "the user before the delegation",
        lambda s: s.for_alice().delegated().of("alice", grants=()).of("planner", delegations={}),
        NO,
        "user",
    ),
    Case(
        "the delegation before the task",
        lambda s: s.delegated().of("planner", delegations={}).on_task(run(until=PAST)),
        NO,
        "delegation",
    ),
    Case(
        "everything at once is a yes",
        lambda s: (
            s.for_alice()
            .delegated()
            .from_partner(trust())
            .on_task(run(user="user/alice"))
            .of("alice", until=NOW + timedelta(days=1))
        ),
        YES,
        allowed=("title", "email", "iban"),
    ),
]

CASES = [
    *REFUSALS,
    *SUBJECTS,
    *GRANTS,
    *FIELDS,
    *CEILINGS,
    *PARENTS,
    *USERS,
    *DELEGATIONS,
    *TRUSTS,
    *TASKS,
    *TOKENS,
    *RAILS,
    *ORDER,
]
