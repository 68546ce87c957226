"""What happens at sign-in, as the event log names it; every try at an account that exists is there, and no secret is.

What others can end too, second factors and sessions, is named in directory.events.
"""

from typing import Final

from audit.events import EventType, Severity

PERSON_SIGNED_IN: Final = EventType("person.signed_in", "A person signed in")
PERSON_SIGNED_OUT: Final = EventType("person.signed_out", "A person signed out")
PERSON_REFUSED: Final = EventType("person.refused", "A sign-in as a person was refused", Severity.MEDIUM)
PERSON_REAUTHENTICATED: Final = EventType("person.reauthenticated", "A person proved again who they are")
SECOND_FACTOR_ADDED: Final = EventType("second_factor.added", "A person added a second factor", Severity.MEDIUM)
PASSKEY_ADDED: Final = EventType("passkey.added", "A person added a passkey", Severity.MEDIUM)
RECOVERY_CODES_MADE: Final = EventType("recovery_codes.made", "Recovery codes were made for a person", Severity.MEDIUM)
IDENTITY_LINKED: Final = EventType("identity.linked", "A person was linked to an identity provider", Severity.MEDIUM)
PASSWORD_RESET_REQUESTED: Final = EventType(
    "person.password_reset_requested", "A link to replace a person's password was mailed", Severity.MEDIUM
)
PASSWORD_RESET: Final = EventType("person.password_reset", "A person replaced their password by a mailed link", Severity.HIGH)

EVENT_TYPES: Final = (
    PERSON_SIGNED_IN,
    PERSON_SIGNED_OUT,
    PERSON_REFUSED,
    PERSON_REAUTHENTICATED,
    SECOND_FACTOR_ADDED,
    PASSKEY_ADDED,
    RECOVERY_CODES_MADE,
    IDENTITY_LINKED,
    PASSWORD_RESET_REQUESTED,
    PASSWORD_RESET,
)
