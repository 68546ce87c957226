"""Whether the log is whole is looked at each day, and what was found is itself recorded: a broken log is never kept quiet."""

import logging
from collections.abc import Generator, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from agentiam.kit.actors import CLOCK
from agentiam.kit.rounds import Chore, Heard, go_round, outcome, unheard
from audit import events, selectors
from audit.services import organizations_to_swear, record, sign_checkpoint
from audit.verification import Report

log = logging.getLogger(__name__)

_NAMED: Final = 20
"""How many findings an event repeats; ``verify_audit`` tells all of them."""


def sign_checkpoints(*, now: datetime, heard: Heard = unheard) -> int:
    """Sign a checkpoint for each organization with records that none covers; answers how many. Raises RoundIncomplete."""
    return go_round([Chore("signing checkpoints", lambda _now: organizations_to_swear(), _sign)], now=now, heard=heard)


def verify_logs(*, now: datetime, heard: Heard = unheard) -> int:
    """Verify the log of every organization, and record what was found; answers how many records were looked at.

    ``heard`` is told that after each page of records. Raises RoundIncomplete.
    """
    return go_round(
        [Chore("verifying the log", lambda _now: selectors.organizations_in_log(), _verifying)], now=now, heard=heard
    )


def verify_log(*, organization_id: UUID, now: datetime) -> Report:
    """Verify one organization's log, and record ``log.verified`` or ``log.found_broken`` in it. Raises BadKey.

    What was found is also in the process's log, before it is recorded: a log that is broken enough takes no record.
    """
    return outcome(_verifying(organization_id, now))


def _verifying(organization_id: UUID, now: datetime) -> Generator[int, None, Report]:
    report = yield from selectors.verifying(organization_id)
    seen: dict[str, Any] = {
        "records": report.records,
        "chains": report.chains,
        "checkpoints": report.checkpoints,
        "unsworn": report.unsworn,
    }
    if not report.whole:
        named = [{**asdict(finding), "kind": finding.kind.value} for finding in report.findings[:_NAMED]]
        log.critical("the event log of organization %s is broken: %s", organization_id, named)
        seen |= {"findings": len(report.findings), "first": named}
    with transaction.atomic():
        event_type = events.LOG_VERIFIED if report.whole else events.LOG_FOUND_BROKEN
        record(event_type, organization_id=organization_id, by=CLOCK, data=seen, at=now)
    return report


def _sign(organization_id: UUID, now: datetime) -> Iterator[int]:
    sign_checkpoint(organization_id, at=now)
    yield 1
