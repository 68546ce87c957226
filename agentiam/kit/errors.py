"""The ways in which a service refuses; every refusal in the product derives from one of them."""


class Refusal(Exception):
    """A change was refused and nothing was changed."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class IllegalTransition(Refusal):
    """The thing is not in a state from which this can happen."""


class NotAllowed(Refusal):
    """The one who asked may not do this."""


class Conflict(Refusal):
    """The change contradicts what is already there, or breaks a rule of the data."""


class Invalid(Conflict):
    """A value is not as it must be, and would not be whoever sent it whenever.

    ``field`` is the name of the argument that is wrong, where it is one and known.
    """

    field: str = ""
