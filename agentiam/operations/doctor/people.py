"""Can somebody sign in and administer each organization, safely, and are its applications' keys good?"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from agentiam.operations.doctor.findings import Judgement, broken, doubtful, fine, named
from directory.models import Organization, User
from directory.selectors import with_a_way_in
from permissions.models import ApplicationKey

SOON: Final = timedelta(days=14)
_POWERFUL: Final = {User.ConsoleRole.SECURITY_ADMINISTRATOR.value, User.ConsoleRole.APPROVER.value}


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """A person as far as signing in goes."""

    organization: str
    username: str
    administers: bool
    powerful: bool
    can_sign_in: bool
    has_second_factor: bool


def people_facts() -> list[PersonFacts]:
    """Read everybody who may sign in; two queries, the factors within the second."""
    factors = Authenticator.objects.filter(user=OuterRef("pk"), type__in=[Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN])
    passkeys = Authenticator.objects.filter(user=OuterRef("pk"), type=Authenticator.Type.WEBAUTHN)
    people = User.objects.people().active().select_related("organization")
    rows = people.annotate(
        second_factor=Exists(factors),
        passkey=Exists(passkeys),
        linked=Exists(SocialAccount.objects.filter(user=OuterRef("pk"))),
    )
    return [
        PersonFacts(
            person.organization.slug,
            person.username,
            administers=person.is_superuser or User.ConsoleRole.SECURITY_ADMINISTRATOR.value in person.console_roles,
            powerful=person.is_superuser or bool(_POWERFUL & set(person.console_roles)),
            can_sign_in=person.has_usable_password() or person.linked or person.passkey,
            has_second_factor=person.second_factor,
        )
        for person in rows
        if person.is_superuser or _POWERFUL & set(person.console_roles)
    ]


def look_at_administrators() -> Judgement:
    """Look for somebody in each active organization who administers it."""
    active = Organization.objects.filter(state=Organization.State.ACTIVE).order_by("slug")
    return judge_administrators(list(active.values_list("slug", flat=True)), people_facts(), organizations_with_a_way_in())


def organizations_with_a_way_in() -> set[str]:
    """Name the organizations in which any person, whatever their part, has a password, a passkey or a provider; one query."""
    return set(with_a_way_in(User.objects.people()).values_list("organization__slug", flat=True))


def judge_administrators(organizations: Sequence[str], people: Sequence[PersonFacts], signed_in: Collection[str]) -> Judgement:
    """Judge whether every organization has an administrator who can sign in.

    One into which nobody was ever let, beside others, is administered from elsewhere or not yet: that is worth a word only.
    """
    if not organizations:
        return doubtful("there is no active organization", "Make one: .venv/bin/python manage.py quickstart.")
    able = {person.organization for person in people if person.administers and person.can_sign_in}
    without = [slug for slug in organizations if slug not in able]
    if locked_out := [slug for slug in without if slug in signed_in or without == list(organizations)]:
        return broken(f"nobody can sign in and administer {named(locked_out)}", _new_administrator(locked_out[0]))
    if without:
        return doubtful(
            f"no person of {named(without)} has a password or a provider: nobody administers it from within",
            f"If somebody shall: {_new_administrator(without[0])}",
        )
    return fine("every organization has an administrator who can sign in")


def _new_administrator(slug: str) -> str:
    return (
        f"Run: .venv/bin/python manage.py create_administrator --organization {slug} --name Administrator "
        f"--email admin@{slug}.example "
        "(with a name and an address of yours)"
    )


def look_at_second_factors() -> Judgement:
    """Look at what the powerful sign in with."""
    return judge_second_factors(people_facts(), required=settings.REQUIRE_SECOND_FACTOR)


def judge_second_factors(people: Sequence[PersonFacts], *, required: bool) -> Judgement:
    """Judge whether administrators and approvers have more than a password."""
    without = sorted(person.username for person in people if person.powerful and not person.has_second_factor)
    if not without:
        return fine("administrators and approvers have a second factor")
    remedy = "Ask them to add an authenticator app or a passkey on their account page."
    if not required:
        remedy += " Set AGENTIAM_REQUIRE_SECOND_FACTOR=true, so that they must."
    return doubtful(f"{len(without)} administrators or approvers have no second factor: {named(without)}", remedy)


def look_at_organizations() -> Judgement:
    """Look for organizations that are suspended."""
    suspended = Organization.objects.filter(state=Organization.State.SUSPENDED).order_by("slug")
    return judge_organizations(list(suspended.values_list("slug", flat=True)))


def judge_organizations(suspended: Sequence[str]) -> Judgement:
    """Judge whether an organization gets no decisions but denials."""
    if suspended:
        return doubtful(f"suspended, so that every decision is a denial: {named(suspended)}", "Resume it if that is not meant.")
    return fine("no organization is suspended")


def look_at_application_keys() -> Judgement:
    """Look at each application's keys: those that were in use, and whether another one lives."""
    now = timezone.now()
    keys: dict[str, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    rows = ApplicationKey.objects.filter(revoked_at__isnull=True, application__state="active")
    for slug, name, expires_at, used_at in rows.values_list(
        "organization__slug", "application__slug", "expires_at", "last_used_at"
    ):
        keys[f"{slug}/{name}"].append((expires_at, used_at))
    return judge_application_keys(keys, now)


def judge_application_keys(keys: Mapping[str, Sequence[tuple[datetime, datetime | None]]], now: datetime) -> Judgement:
    """Judge keys by their end and last use: an application whose keys are over, and were used to the end, is locked out."""
    ended, soon = [], []
    for application, its in sorted(keys.items()):
        last = max(expires_at for expires_at, _ in its)
        in_use = any(used is not None and used > expires_at - SOON for expires_at, used in its if expires_at <= now)
        if last <= now and in_use:
            ended.append(application)
        elif now < last <= now + SOON and any(used is not None for _, used in its):
            soon.append(application)
    remedy = "Rotate the key: the application gets a new one, and both are good for a while."
    if ended:
        return broken(f"the key is over that was in use by {named(ended)}: it is refused", remedy)
    if soon:
        return doubtful(f"within {SOON.days} days the last key is over of {named(soon)}", remedy)
    return fine("every application that asks has a key that is good")
