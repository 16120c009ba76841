"""Receivers of alerts on loopback: a webhook and a mail server, both real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Any

from aiohttp import web


@dataclass
class Received:
    """What a receiver got."""

    url: str = ""
    """The Apprise URL that reaches it."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    """`title` and `message` of each."""
    status: int = 200
    """What a webhook answers."""
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    """A webhook answers when it is set."""

    def __post_init__(self) -> None:
        self.hold.set()

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]


@asynccontextmanager
async def webhook(path: str = "hook") -> AsyncIterator[Received]:
    """Receive JSON by HTTP."""
    received = Received()

    async def take(request: web.Request) -> web.Response:
        body = json.loads(await request.text())
        await received.hold.wait()
        if received.status == 200:
            received.messages.append(body)
        return web.Response(status=received.status)

    application = web.Application()
    application.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    received.url = f"json://127.0.0.1:{runner.addresses[0][1]}/{path}"
    try:
        yield received
    finally:
        received.hold.set()
        await runner.cleanup()


@asynccontextmanager
async def mail_server() -> AsyncIterator[Received]:
    """Receive mail by SMTP."""
    received = Received()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def answer(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        await answer("220 mail.test ESMTP")
        while line := await reader.readline():
            command = line.strip().upper()
            if command == b"DATA":
                await answer("354 go on")
                text = await reader.readuntil(b"\r\n.\r\n")
                mail = message_from_bytes(text.removesuffix(b".\r\n"), policy=policy.default)
                body = mail.get_body(("plain", "html"))
                assert body is not None
                received.messages.append({"title": mail["Subject"], "message": body.get_content(), "to": mail["To"]})
                await answer("250 taken")
            elif command.startswith(b"QUIT"):
                await answer("221 bye")
                break
            else:
                await answer("250 ok")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    received.url = f"mailto://127.0.0.1:{port}/?from=maker@example.com&to=trader@example.com"
    try:
        yield received
    finally:
        server.close()
        await server.wait_closed()
