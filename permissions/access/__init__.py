"""AuthZEN: the decision endpoints, raw ASGI beside Django."""
