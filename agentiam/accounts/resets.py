"""A forgotten password is replaced through a link that is mailed: good for half an hour, and once.

The link is signed over the password and the last sign-in, so it dies with a change of either, and nothing of it is stored.
Whoever asks learns nothing: the answer is the same for every name, and who has that name is dealt with by a job.
A second factor stays what it was, and is asked for at the sign-in that follows.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

from agentiam.accounts import events
from agentiam.accounts.backends import find_account, owes_password
from agentiam.accounts.invitations import BadLink
from agentiam.accounts.limits import RESET_MAIL, TooManyTries, Tries
from agentiam.accounts.records import note
from agentiam.jobs.queue import enqueue
from agentiam.kit.actors import Actor, system
from audit.attestations import OFFBOARDING
from audit.models import Attestation
from directory.models import PersonKey, User
from directory.services.people import NotAPerson, lock_person, set_password

MAIL_LINKS: Final = "accounts.mail_reset_links"
"""The task that mails links to those who have the name; its arguments are their ids and where the request came from."""
TELL: Final = "accounts.tell_password_reset"
"""The task that tells a person of their new password; its arguments are their id, when it was, and which keys ended."""
COMPONENT: Final = "password reset"


class _Links(PasswordResetTokenGenerator):
    """Django's signed tokens, over what must not have changed meanwhile."""

    key_salt = "agentiam.accounts.resets"

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        """Take the last sign-in to the microsecond: Django's own leaves a second in which one goes unnoticed."""
        last = "" if user.last_login is None else user.last_login.isoformat()
        return "\0".join([str(user.pk), user.password, last, user.username, user.email, str(timestamp)])


_links = _Links()


def request_reset(*, name: str, address: str, request_id: str, now: datetime) -> None:
    """Let a job mail a link to whoever signs in by this name; costs the same whether that is somebody or nobody."""
    person = find_account(name)
    person_ids = [] if person is None else [str(person.pk)]
    arguments = {"person_ids": person_ids, "address": address, "request_id": request_id}
    with transaction.atomic():
        enqueue(MAIL_LINKS, arguments=arguments, organization_id=None, now=now)


def mail_link(*, person_id: UUID, address: str, request_id: str) -> bool:
    """Mail a link to a person, or record why they get none; a repeated mail is one more link, and the first use ends all."""
    person = User.objects.filter(pk=person_id).first()
    if person is None:
        return False
    by = replace(system(COMPONENT), address=address, request_id=request_id)
    try:
        Tries(way="reset mail", limits=RESET_MAIL, account=str(person.pk), address=address).spend()
        cause = hindrance(person)
    except TooManyTries as error:
        if not error.just_now:
            return False
        cause = "too many tries"
    if cause:
        note(events.PERSON_REFUSED, person, by=by, data={"way": COMPONENT, "cause": cause})
        return False
    note(events.PASSWORD_RESET_REQUESTED, person, by=by)
    context = {"address": address, "link": link_of(person)}
    return _mail(person, "Your password on agentiam", "account/reset_mail.txt", context)


def tell_reset(*, person_id: UUID, at: datetime, keys: Sequence[str]) -> bool:
    """Tell a person by mail that their password was replaced, and what ended, so that they hear of it if it was not they."""
    person = User.objects.people().active().filter(pk=person_id).exclude(email="").first()
    if person is None:
        return False
    context = {"at": at, "base_url": settings.BASE_URL, "keys": keys}
    return _mail(person, "Your password on agentiam was replaced", "account/reset_done_mail.txt", context)


def reset_password(*, token: str, password: str, by: Actor, now: datetime) -> User:
    """Replace the password of the person whom a link names, and end their sessions and keys; raises BadLink.

    Whoever forgot a password may have lost more than it: a key that was stolen with it must not outlast it.
    Of two uses at once the second finds the link void: both wait for the person's row, and look at the link then.
    """
    with transaction.atomic():
        try:
            current = lock_person(person_of(token), by=by)
        except NotAPerson:
            raise BadLink("not a person's") from None
        _require_good(current, token)
        unrevoked = PersonKey.objects.filter(user=current, revoked_at__isnull=True).order_by("id")
        keys = list(unrevoked.values_list("public_id", flat=True))
        person = set_password(person=current, password=password, with_keys=True, by=by, reason="reset by mail", now=now)
        note(events.PASSWORD_RESET, person, by=by, data={"keys": keys})
        arguments = {"person_id": person.pk, "at": now.isoformat(), "keys": keys}
        enqueue(TELL, arguments=arguments, organization_id=person.organization_id, now=now)
    return person


def person_of(token: str) -> User:
    """Find the person whom a link names; raises BadLink for one that is void, whatever the cause."""
    try:
        person = User.objects.filter(pk=UUID(hex=token.partition("-")[0])).first()
    except ValueError:
        raise BadLink("not a link of ours") from None
    if person is None:
        raise BadLink("nobody's")
    _require_good(person, token)
    return person


def link_of(person: User) -> str:
    """Give the address under which a person chooses another password; whoever has it can."""
    token = f"{person.pk.hex}-{_links.make_token(person)}"
    return settings.BASE_URL + reverse("reset_password", kwargs={"token": token})


def hindrance(person: User) -> str:
    """Say why a person gets no other password by mail; empty if they may.

    Who has none signs in by their organization's provider, and a password would be another way in; unless it was offboarding
    that took it, and they were let in again since.
    """
    hindrances = (
        ("an agent's account", not person.is_person),
        ("deactivated", not person.is_active),
        ("one-time password used up: the operator gives another", owes_password(person)),
        ("no password: signs in by a provider", not (person.has_usable_password() or _came_back(person))),
        ("no address", not person.email),
        ("address changed since the last sign-in", _address_is_new(person)),
    )
    return next((cause for cause, holds in hindrances if holds), "")


def _came_back(person: User) -> bool:
    """Tell whether a person lost a password by being offboarded, as the proof says, and no provider signs them in since."""
    if SocialAccount.objects.filter(user=person).exists():
        return False
    signed = Attestation.objects.filter(organization_id=person.organization_id, kind=OFFBOARDING, target_type="person")
    bodies = signed.filter(target_id=person.external_id).values_list("body", flat=True)
    return any(json.loads(body)["content"]["ended"].get("passwords") for body in bodies)


def _address_is_new(person: User) -> bool:
    """Tell whether the address was changed since the person last signed in: whoever changes it must not get in as them."""
    versions: Any = person.history
    before = versions.exclude(email=person.email).order_by("-history_date", "-history_id").first()
    if before is None:
        return False
    changed = versions.filter(history_date__gte=before.history_date).exclude(pk=before.pk)
    since = changed.order_by("history_date", "history_id").values_list("history_date", flat=True).first()
    return person.last_login is None or since is None or person.last_login <= since


def _require_good(person: User, token: str) -> None:
    if hindrance(person) or not _links.check_token(person, token.partition("-")[2]):
        raise BadLink("used, over, or changed")


def _mail(person: User, subject: str, template: str, context: dict[str, Any]) -> bool:
    headers = {"Auto-Submitted": "auto-generated"}
    # Of one line, so that no name writes paragraphs of its own.
    body = render_to_string(template, {**context, "username": " ".join(person.username.split())})
    return bool(EmailMessage(subject=subject, body=body, to=[person.email], headers=headers).send())
