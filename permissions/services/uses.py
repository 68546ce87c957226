"""What the use of an agent's key says of who has it: from where it came, and whether it may come from there."""

from datetime import datetime

from agentiam.kit.actors import Actor
from directory.models import Credential, CredentialRecord
from directory.services.credentials import note_use
from permissions.services.places import note_place
from permissions.services.signals import Sign, note_sign


def note_key_use(*, record: CredentialRecord, address: str, now: datetime) -> bool:
    """Note the use of a key and, once a minute at most, from where an agent's came; answers whether it was written."""
    written = note_use(credential=record, now=now)
    if written and isinstance(record, Credential):
        credential = _with_agent(record)
        note_place(credential=credential, address=address, by=_holder(credential, address), now=now)
    return written


def note_refused_network(*, record: CredentialRecord, address: str, now: datetime) -> None:
    """Note that the right secret of an agent's key came from a network that the key is not for."""
    if isinstance(record, Credential):
        credential = _with_agent(record)
        by = _holder(credential, address)
        note_sign(
            sign=Sign.NETWORK_REFUSED, agent=credential.agent, proven=True, credential=credential, data={}, by=by, now=now
        )


def _with_agent(record: Credential) -> Credential:
    return Credential.objects.select_related("agent__user").get(pk=record.pk)


def _holder(credential: Credential, address: str) -> Actor:
    holder = credential.agent.user.as_actor()
    return Actor(
        kind=holder.kind,
        id=holder.id,
        label=holder.label,
        organization_id=holder.organization_id,
        user_id=holder.user_id,
        address=address,
    )
