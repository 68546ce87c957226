"""The company is written down in docs/examples/demo; what depends on the day and on the partner is filled in at loading.

``<today + 30 days 09:00>`` is that wall-clock time, counted from the day of loading; ``<ostrand/berth-planner>`` is the SPIFFE
id of a partner's agent, which nobody knows before the partner is there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings

from agentiam.manifest.reading import Source, read_manifest

COMPANY: Final = "saltmark"
PARTNER: Final = "ostrand"
FOLDER: Final[Path] = settings.BASE_DIR / "docs" / "examples" / "demo"
ZONE: Final = ZoneInfo("Europe/Copenhagen")

_OPEN: Final = re.compile(rb"<(?:today \+ (?P<days>\d+) days(?: (?P<hour>\d\d):(?P<minute>\d\d))?|(?P<agent>[a-z-]+/[a-z-]+))>")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the company's applications hold, as far as a day of decisions needs it."""

    application_of: Mapping[str, str]
    """Type of resource to the slug of the application that holds it."""
    ids: Mapping[str, list[str]] = field(repr=False)
    """Type of resource to the ids of what is registered."""
    attributes: Mapping[tuple[str, str], Mapping[str, Any]] = field(repr=False)
    """What is registered of each, by type and id."""


def company_manifest(*, today: date, partners: Mapping[str, str]) -> Source:
    """Read the company's manifest as of a day; ``partners`` are SPIFFE ids by ``organization/agent``."""
    return read_manifest(str(FOLDER / COMPANY), fill=partial(_filled, today=today, partners=partners))


def partner_manifest() -> Source:
    """Read the partner's manifest."""
    return read_manifest(str(FOLDER / PARTNER))


def catalogue() -> Catalogue:
    """Read from the company's manifest what its applications hold."""
    partners = {f"{PARTNER}/{agent['id']}": "spiffe://unused" for agent in partner_manifest().plain["agents"]}
    plain: dict[str, Any] = company_manifest(today=date(2000, 1, 1), partners=partners).plain
    application_of = {each["name"]: app["slug"] for app in plain["applications"] for each in app["resource_types"]}
    ids: dict[str, list[str]] = {name: [] for name in application_of}
    attributes: dict[tuple[str, str], Mapping[str, Any]] = {}
    for resource in plain["resources"]:
        ids[resource["type"]].append(resource["id"])
        attributes[resource["type"], resource["id"]] = resource["attributes"]
    return Catalogue(application_of, ids, attributes)


def _filled(content: bytes, *, today: date, partners: Mapping[str, str]) -> bytes:
    def fill(found: re.Match[bytes]) -> bytes:
        if found["agent"] is not None:
            return partners[found["agent"].decode()].encode()
        at = time(int(found["hour"] or 0), int(found["minute"] or 0), tzinfo=ZONE)
        return datetime.combine(today + timedelta(days=int(found["days"])), at).isoformat().encode()

    # What only explains is left as it is.
    lines = content.split(b"\n")
    return b"\n".join(line if line.lstrip().startswith(b"#") else _OPEN.sub(fill, line) for line in lines)
