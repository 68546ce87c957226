"""The link of an invitation proves itself: it is signed, names the invitation and its end, and nothing of it is stored."""

from typing import Final
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

from directory.models import Invitation

_SALT: Final = "agentiam.accounts.invitation"


class BadLink(ValueError):
    """The link was changed, is not ours, or has been replaced by a newer one."""


def link_token(invitation: Invitation) -> str:
    """Sign what the link names; sending again moves the end, and so makes every link before it void."""
    return signing.dumps([invitation.pk.hex, invitation.expires_at.isoformat()], salt=_SALT)


def invitation_of(token: str) -> Invitation:
    """Find the invitation that a link names, open or not; raises BadLink."""
    try:
        number, ends = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        raise BadLink("not a link of ours") from None
    found = Invitation.objects.select_related("organization", "invited_by").filter(pk=UUID(hex=number)).first()
    if found is None or found.expires_at.isoformat() != ends:
        raise BadLink("there is a newer link, or none")
    return found


def link_of(invitation: Invitation) -> str:
    """Give the address under which an invitation is accepted; whoever has it can accept."""
    return settings.BASE_URL + reverse("invitation_page", kwargs={"token": link_token(invitation)})


def mail_of(invitation: Invitation) -> EmailMessage:
    """Write the mail with the link."""
    context = {
        "invitation": invitation,
        "organization": invitation.organization,
        "inviter": invitation.invited_by,
        "link": link_of(invitation),
    }
    body = render_to_string("account/invitation_mail.txt", context)
    subject = " ".join(f"Invitation to {invitation.organization.name} on agentiam".split())
    return EmailMessage(subject=subject, body=body, to=[invitation.email])
