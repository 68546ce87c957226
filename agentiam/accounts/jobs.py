"""Mail that accounts need, sent by jobs; their arguments are ids, so no link waits in a table."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from agentiam.accounts.invitations import mail_of
from agentiam.accounts.resets import MAIL_LINKS, TELL, mail_link, tell_reset
from agentiam.jobs.tasks import job_task
from directory.models import Invitation
from directory.services.invitations import SEND


@job_task(name=SEND, outside=True)
def send_invitation(*, invitation_id: str) -> None:
    """Mail the link of an invitation, unless it is over by now; sending it twice is a second mail with the same link."""
    opened = Invitation.objects.open(timezone.now()).select_related("organization", "invited_by")
    invitation = opened.filter(pk=UUID(invitation_id)).first()
    if invitation is not None:
        mail_of(invitation).send()


@job_task(name=MAIL_LINKS, outside=True)
def mail_reset_links(*, person_ids: list[str], address: str, request_id: str) -> None:
    """Mail a link to each who has the name that somebody forgot the password of; nobody has most names."""
    for person_id in person_ids:
        mail_link(person_id=UUID(person_id), address=address, request_id=request_id)


@job_task(name=TELL, outside=True)
def tell_password_reset(*, person_id: str, at: str, keys: Sequence[str] = ()) -> None:
    """Tell a person of their new password."""
    tell_reset(person_id=UUID(person_id), at=datetime.fromisoformat(at), keys=keys)
