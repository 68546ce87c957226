"""What is written for a card, for tests."""

CARD = {
    "description": "Answers questions about refunds.",
    "supportedInterfaces": [{"url": "https://agents.acme.example/a2a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
    "capabilities": {"streaming": False, "extensions": []},
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "skills": [{"id": "refunds", "name": "Refunds", "description": "Says what can be refunded.", "tags": [], "examples": []}],
    "securitySchemes": {},
}
