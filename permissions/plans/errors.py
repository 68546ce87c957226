"""What a database cannot be asked."""

from permissions.engine.conditions import Node


class Unplannable(Exception):
    """Say why a part of a plan would not select the same rows in a database; ``node`` is that part.

    The row-by-row answer (``matches``) is always there instead.
    """

    def __init__(self, reason: str, node: Node) -> None:
        super().__init__(reason)
        self.reason = reason
        self.node = node
