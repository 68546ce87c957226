"""Are the keys those that the data was made with, and did anybody see lately that the log is whole?"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from agentiam.operations.doctor.findings import Judgement, broken, doubtful, fine, named
from audit import keys
from audit.models import SigningKey
from audit.selectors import last_verification
from directory.models import Credential, OnboardingToken, Organization, PersonKey
from permissions.models import ApplicationKey

FRESH: Final = timedelta(days=2)
_KEYS: Final = (Credential, ApplicationKey, PersonKey, OnboardingToken)


def look_at_peppers() -> Judgement:
    """Count the living keys by the pepper that their digests were made with."""
    now = timezone.now()
    used: Counter[int] = Counter()
    for model in _KEYS:
        living = model.objects.filter(revoked_at__isnull=True, expires_at__gt=now)
        used.update(number for number in living.values_list("pepper", flat=True) if number is not None)
    return judge_peppers(settings.CREDENTIAL_PEPPERS.keys(), used)


def judge_peppers(configured: Collection[int], used: Mapping[int, int]) -> Judgement:
    """Judge whether every living key can still be checked."""
    missing = {number: count for number, count in used.items() if number not in configured}
    if missing:
        numbers = named([str(number) for number in sorted(missing)])
        return broken(
            f"{sum(missing.values())} living keys were made with pepper {numbers}, which is not configured: they are refused",
            "Put the pepper back into AGENTIAM_CREDENTIAL_PEPPERS under its number, or issue the keys anew.",
        )
    return fine(f"every living key can be checked ({sum(used.values())})")


def look_at_signing_key() -> Judgement:
    """Compare the keys that signed checkpoints with those that are trusted."""
    return judge_signing_keys(list(SigningKey.objects.values_list("key_id", flat=True)), keys.trusted_key_ids())


def judge_signing_keys(used: Sequence[str], trusted: Collection[str]) -> Judgement:
    """Judge whether the signatures over the log will be believed."""
    strangers = sorted(set(used) - set(trusted))
    if strangers:
        return broken(
            f"checkpoints were signed by a key that is not trusted: {named(strangers, 2)}; was the signing key changed?",
            "If it was yours, add its id to AGENTIAM_AUDIT_TRUSTED_KEY_IDS; if not, find out who could sign.",
        )
    return fine("every checkpoint is of a key that is trusted")


def look_at_verification() -> Judgement:
    """Ask the log itself when it was last verified, and how that went."""
    organizations = Organization.objects.values_list("pk", "slug", "created_at")
    return judge_verification([(slug, *_seen(pk), created) for pk, slug, created in organizations], timezone.now())


def _seen(organization_id: UUID) -> tuple[datetime | None, bool]:
    last = last_verification(organization_id)
    return (None, True) if last is None else (last.at, last.whole)


def judge_verification(seen: Sequence[tuple[str, datetime | None, bool, datetime]], now: datetime) -> Judgement:
    """Judge what each organization's last verification found, and whether it was lately; a new one may wait for its first."""
    if found := [slug for slug, _, whole, _ in seen if not whole]:
        return broken(
            f"the event log of {named(found)} was found broken",
            "Run: .venv/bin/python manage.py verify_audit; it names the first wrong record. Compare with an earlier export.",
        )
    if late := [slug for slug, at, _, created in seen if now - (at or created) > FRESH]:
        return doubtful(
            f"nobody has verified the event log of {named(late)} for more than {FRESH.days} days",
            "Run: .venv/bin/python manage.py verify_audit; the clock does it daily where jobs are done.",
        )
    return fine("the event log was found whole lately")
