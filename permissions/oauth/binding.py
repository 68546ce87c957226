"""Whether a token will be bound to a key (RFC 9449): it is where a proof came along, and must be where one is demanded."""

from permissions.oauth.clients import ProvenClient
from permissions.oauth.dpop import Replayed, check_proof, refusal, spend_proof
from permissions.oauth.parameters import Asking
from permissions.services.signals import Sign, note_sign


def bound_key(asking: Asking, client: ProvenClient) -> str:
    """Check the proof of a token request and answer its key's thumbprint, empty where there is no proof; raises OAuthError."""
    if not asking.dpop:
        if client.credential is not None and client.credential.requires_dpop:
            raise refusal("This credential demands a DPoP proof.", cause="no proof where one is demanded", now=asking.now)
        return ""
    proof = check_proof(asking.dpop, method=asking.method, url=asking.url, now=asking.now)
    try:
        spend_proof(proof, asking.issuer.organization, now=asking.now)
    except Replayed:
        note_sign(
            sign=Sign.PROOF_REPLAYED,
            agent=client.agent,
            # A public client is named by whoever asks, with a key of their own.
            proven=not client.public,
            credential=client.credential,
            data={"jkt": proof.jkt, "endpoint": asking.endpoint},
            by=client.actor(asking),
            now=asking.now,
        )
        raise
    return proof.jkt
