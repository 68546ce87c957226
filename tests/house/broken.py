"""An application that fails when it starts."""


async def application(scope, receive, send):
    message = await receive()
    assert message["type"] == "lifespan.startup"
    await send({"type": "lifespan.startup.failed", "message": "broken"})
