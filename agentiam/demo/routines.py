"""What the company's agents do all day, and what goes wrong with it: one line is one kind of question that comes again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agentiam.demo.manifests import PARTNER


@dataclass(frozen=True, slots=True)
class Routine:
    """One kind of question: who asks for what, how often compared with others, and under which circumstances."""

    weight: int
    subject: str
    """An agent's id; ``user/ID`` for a person, ``ostrand/ID`` for the partner's agent."""
    action: str
    type: str
    fields: tuple[str, ...] = ()
    amounts: tuple[int, int] | None = None
    """The action's property ``amount`` lies between these."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    user: str = ""
    chain: tuple[str, ...] = ()
    task: tuple[str, str] = ("", "")
    own_key: bool = False
    """The agent asks for itself, and not the application that holds the object."""
    through: str = ""
    """The application that asks, if it is not the one that holds the object."""
    batch: int = 0
    """So many objects at once."""
    mostly: tuple[str, Any] | None = None
    """An attribute, and the value that it has of three objects in four: people ask mostly for what makes sense."""
    search: str = ""
    """A search for subjects, resources or actions instead of a question."""


BOOKINGS: Final = (
    Routine(30, "rebooking-assistant", "read", "booking"),
    Routine(10, "rebooking-assistant", "read", "booking", fields=("itinerary", "passenger_name"), own_key=True),
    Routine(
        14,
        "rebooking-assistant",
        "rebook",
        "booking",
        user="yasmin.haddad",
        task=("disruption-204", "rebooking"),
        mostly=("status", "confirmed"),
    ),
    Routine(6, "rebooking-assistant", "cancel", "booking", user="yasmin.haddad", mostly=("status", "confirmed")),
    Routine(4, "rebooking-assistant", "rebook", "booking", user="nikolai.berg", mostly=("status", "confirmed")),
    Routine(4, "rebooking-assistant", "read", "booking", user="daniel.oduya"),
    Routine(3, "rebooking-assistant", "read", "booking", user="yasmin.haddad", task=("spring-mailing", "marketing")),
    Routine(5, "rebooking-assistant", "read", "booking", batch=20),
    Routine(2, "rebooking-assistant", "rebook", "booking", search="resource"),
    Routine(3, "rebooking-assistant", "read", "booking", fields=("passport",)),
    Routine(12, "cancellation-refunds", "refund", "booking", amounts=(20, 280), mostly=("status", "cancelled")),
    Routine(6, "cancellation-refunds", "refund", "booking", amounts=(310, 900), mostly=("status", "cancelled")),
    Routine(
        3, "cancellation-refunds", "refund", "booking", amounts=(20, 280), user="nikolai.berg", mostly=("status", "cancelled")
    ),
    Routine(5, "voucher-issuer", "cancel", "booking", properties={"voucher": True}),
    Routine(2, "voucher-issuer", "cancel", "booking", properties={"voucher": False}),
    Routine(8, "group-quotes", "hold", "sailing"),
    Routine(8, "waitlist-filler", "hold", "sailing"),
    Routine(3, "seat-plan-helper", "refund", "booking", amounts=(20, 90), mostly=("status", "cancelled")),
    Routine(1, "summer-timetable-bot", "read", "sailing"),
    Routine(3, "passenger-lists", "export", "booking", fields=("reference", "itinerary"), mostly=("status", "confirmed")),
    Routine(3, "passenger-lists", "export", "booking", fields=("itinerary", "passenger_name"), mostly=("status", "confirmed")),
    Routine(4, f"{PARTNER}/berth-planner", "read", "sailing"),
    Routine(1, f"{PARTNER}/pilot-dispatch", "read", "sailing"),
    Routine(3, "user/yasmin.haddad", "cancel", "booking"),
    Routine(1, "user/rune.falk", "read", "booking"),
)

FREIGHT: Final = (
    Routine(16, "consignment-tracker", "read", "consignment", user="lucia.ferrante", task=("hotline", "tracking")),
    Routine(
        8,
        "consignment-tracker",
        "read",
        "consignment",
        fields=("manifest", "shipper"),
        chain=("customs-coordinator",),
    ),
    Routine(3, "consignment-tracker", "read", "consignment", fields=("consignee",), chain=("customs-coordinator",)),
    Routine(2, "consignment-tracker", "read", "consignment", search="resource"),
    Routine(10, "customs-coordinator", "release", "consignment", mostly=("customs", "cleared")),
    Routine(4, "customs-coordinator", "release", "consignment", task=("week-of-clearances", "customs")),
    Routine(2, "customs-coordinator", "hold", "consignment", task=("week-of-clearances", "customs"), own_key=True),
    Routine(8, "customs-documents", "update", "consignment"),
    Routine(8, "tariff-lookup", "read", "consignment", fields=("manifest",)),
    Routine(2, "tariff-lookup", "read", "consignment", fields=("declared_value",)),
    Routine(4, "hazard-checker", "hold", "consignment"),
    Routine(7, "freight-invoicer", "issue", "freight-invoice"),
    Routine(2, "load-planner", "read", "consignment"),
    Routine(2, "legacy-edi-bridge", "update", "consignment"),
    Routine(3, "berth-requests", "hold", "sailing"),
    Routine(4, f"{PARTNER}/crane-scheduler", "read", "consignment", fields=("manifest",)),
    Routine(2, f"{PARTNER}/crane-scheduler", "read", "consignment", fields=("consignee",)),
    Routine(1, "consignment-tracker", "read", "consignment", through="crew"),
)

FLEET: Final = (
    Routine(
        10, "maintenance-planner", "read", "work-order", task=("gannet-docking", "docking of Saltmark Gannet"), own_key=True
    ),
    Routine(6, "maintenance-planner", "update", "work-order", mostly=("status", "open")),
    Routine(2, "maintenance-planner", "place", "part-order"),
    Routine(10, "work-order-writer", "update", "work-order", mostly=("status", "open")),
    Routine(6, "parts-orderer", "read", "work-order", chain=("maintenance-planner", "drydock-scheduler", "work-order-writer")),
    Routine(
        2, "parts-orderer", "update", "work-order", chain=("maintenance-planner", "drydock-scheduler", "work-order-writer")
    ),
    Routine(8, "parts-orderer", "place", "part-order", chain=("maintenance-planner",)),
    Routine(3, "drydock-scheduler", "place", "part-order"),
    Routine(3, "drydock-scheduler", "read", "work-order", batch=12),
    Routine(1, "hull-inspector", "inspect", "vessel"),
    Routine(1, "maintenance-planner", "scrap", "vessel"),
)

CREW: Final = (
    Routine(9, "roster-agent", "assign", "shift", user="oskar.riis"),
    Routine(3, "roster-agent", "swap", "shift", user="oskar.riis"),
    Routine(6, "roster-agent", "read", "shift", own_key=True),
    Routine(4, "sick-leave-cover", "swap", "shift"),
    Routine(4, "sick-leave-cover", "read", "crew-file", fields=("name", "certificates")),
    Routine(2, "sick-leave-cover", "read", "crew-file", fields=("medical",)),
    Routine(1, "", "assign", "shift", search="subject"),
)

CARE: Final = (
    Routine(18, "claims-triage", "read", "claim", fields=("story", "name")),
    Routine(8, "claims-triage", "triage", "claim", user="daniel.oduya", fields=("story",), own_key=True),
    Routine(3, "claims-triage", "triage", "claim", user="ida.koskinen"),
    Routine(3, "claims-triage", "close", "claim", task=("backlog", "triage")),
    Routine(4, "claims-triage", "read", "claim", batch=22),
    Routine(8, "complaint-summaries", "read", "claim", fields=("story",)),
    Routine(2, "complaint-summaries", "read", "claim", fields=("contact",)),
    Routine(12, "claims-payer", "pay", "claim", amounts=(25, 140), mostly=("status", "open")),
    Routine(5, "claims-payer", "pay", "claim", amounts=(160, 900), mostly=("status", "open")),
    Routine(8, "delay-compensation", "pay", "claim", amounts=(25, 110), mostly=("kind", "delay")),
    Routine(6, "delay-compensation", "read", "claim", fields=("story", "decision"), mostly=("kind", "delay")),
    Routine(8, "reply-drafter", "draft", "message", user="ida.koskinen"),
    Routine(2, "reply-drafter", "send", "message"),
    Routine(1, "", "pay", "claim", search="subject"),
    Routine(1, "claims-payer", "pay", "claim", search="action"),
    Routine(1, "mail-helper", "send", "message"),
)

FINANCE: Final = (
    Routine(8, "invoice-matcher", "read", "freight-invoice", user="pavel.kraus", task=("november", "reconciliation")),
    Routine(6, "invoice-matcher", "read", "freight-invoice", own_key=True),
    Routine(5, "invoice-matcher", "pay", "freight-invoice"),
    Routine(2, "payment-runner", "pay", "freight-invoice"),
    Routine(1, "ledger-closer", "adjust", "freight-invoice"),
    Routine(1, "spreadsheet-copilot", "read", "freight-invoice"),
)

DATA: Final = (
    Routine(8, "occupancy-forecast", "query", "dataset", fields=("aggregates",)),
    Routine(4, "occupancy-forecast", "query", "dataset", fields=("records",)),
    Routine(6, "loyalty-insights", "query", "dataset", fields=("aggregates",), own_key=True),
    Routine(4, "loyalty-segments", "query", "dataset", fields=("aggregates",)),
    Routine(1, "loyalty-segments", "query", "dataset", fields=("records",)),
    Routine(3, "board-report", "query", "dataset"),
    Routine(2, "board-report", "export", "dataset"),
    Routine(1, "price-watch", "query", "dataset"),
)

DEPARTMENTS: Final[Mapping[str, tuple[Routine, ...]]] = {
    "bookings": BOOKINGS,
    "freight": FREIGHT,
    "fleet": FLEET,
    "crew": CREW,
    "care": CARE,
    "finance": FINANCE,
    "data": DATA,
}

PARTS_OF_THE_DAY: Final[tuple[tuple[str, float, Mapping[str, int]], ...]] = (
    ("night", 0.06, {"bookings": 2, "freight": 3, "data": 5}),
    ("early shift", 0.14, {"bookings": 5, "freight": 4, "fleet": 4, "crew": 5, "care": 1}),
    ("morning", 0.30, {"bookings": 6, "freight": 4, "fleet": 3, "crew": 1, "care": 5, "finance": 2, "data": 1}),
    ("afternoon", 0.30, {"bookings": 6, "freight": 3, "fleet": 2, "crew": 1, "care": 6, "finance": 3, "data": 1}),
    ("evening", 0.20, {"bookings": 6, "freight": 2, "crew": 1, "care": 3, "data": 1}),
)
"""Each part of the day with its share of the decisions, and how busy each department is in it."""

CLOSED_AT_WEEKENDS: Final = frozenset({"finance", "fleet", "data"})

STRAY: Final = "loyalty-insights"
"""The agent that does late in the evening what it has never done before."""
