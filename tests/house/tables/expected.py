"""What an address may answer: a status, or a way to another page."""

from typing import Final, TypeAlias

LOGIN: Final = "to sign-in"
HOME: Final = "to home"
PROOF: Final = "to a proof of who one is"
ACCOUNT: Final = "to one's account"
WAYS: Final = {LOGIN: "/login/", HOME: "/", PROOF: "/account/proof/", ACCOUNT: "/account/"}
WHO: Final = ("alice", "bob", "carol", "mallory", "anonymous")

Answers: TypeAlias = tuple[int | str, ...]
"""One for each of WHO."""
Table: TypeAlias = dict[str, tuple[str, Answers, Answers]]
"""Name of the address: its path, then what GET and POST answer."""
