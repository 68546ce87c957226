"""What must hold before the log can be trusted: a usable signing key, and not the one from the example."""

from collections.abc import Sequence
from typing import Any

from django.core import checks

from audit import keys
from audit.chain import BadKey


def check_signing_key(**_options: Any) -> Sequence[checks.CheckMessage]:
    """Require AUDIT_SIGNING_KEY to be the base64 of a 32-byte seed."""
    try:
        keys.signer()
    except BadKey as error:
        hint = 'python -c "import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())" makes one.'
        return [checks.Error(f"AUDIT_SIGNING_KEY cannot sign checkpoints: {error}", hint=hint, id="audit.E001")]
    return []


def check_key_is_secret(**_options: Any) -> Sequence[checks.CheckMessage]:
    """Refuse to deploy with a seed that anyone can guess."""
    try:
        guessable = keys.signer().public == keys.EXAMPLE
    except BadKey:
        return []
    if guessable:
        return [checks.Error("AUDIT_SIGNING_KEY is the example's: anyone can forge checkpoints.", id="audit.E002")]
    return []


def register() -> None:
    """Let ``manage.py check`` run these."""
    checks.register(check_signing_key, checks.Tags.security)
    checks.register(check_key_is_secret, checks.Tags.security, deploy=True)
