"""Agent cards: for everybody, signed in or not; what is not published is not there."""

from tests.house.tables.expected import Table

TABLE: Table = {
    "cards:agent-card": ("/o/acme/agents/none/.well-known/agent-card.json", (404,) * 5, (405,) * 5),
    "cards:agent-card-keys": ("/o/acme/.well-known/agent-card-keys.json", (404,) * 5, (405,) * 5),
}
