"""The WebSocket's end: hands one client its outbox and sends it away when it can't keep up."""

from __future__ import annotations

import asyncio
from socket import SO_SNDBUF, SOL_SOCKET
from weakref import WeakSet

from aiohttp import WSCloseCode, WSMsgType, web

from opensqt.live_server.broadcast import Hub, Outbox
from opensqt.live_server.metrics import Metrics
from opensqt.live_server.view import View
from opensqt.telemetry.logging import get_logger

log = get_logger("live_server.sockets")

TOO_SLOW = 4008
"""Close code of a client that did not keep up; it may come back at once."""
_CLOSE_S = 1
# The kernel would hold megabytes for a client that does not read; this is minutes of a busy market.
_SEND_BUFFER = 256 * 1024


class Sockets:
    """Serves `/ws`.

    Args:
        view: Gives each client its snapshot.
        hub: Gives it what comes after.
        metrics: Counts.
        max_clients: More are answered with 503.
        heartbeat_s: A client that does not answer a ping for half of this is gone.
    """

    def __init__(self, view: View, hub: Hub, metrics: Metrics, *, max_clients: int, heartbeat_s: float = 20) -> None:
        self._view = view
        self._hub = hub
        self._metrics = metrics
        self._max_clients = max_clients
        self._heartbeat_s = heartbeat_s
        self._open: WeakSet[web.WebSocketResponse] = WeakSet()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until it leaves or can't keep up."""
        if len(self._hub) >= self._max_clients:
            self._metrics.closed("refused")
            raise web.HTTPServiceUnavailable(text=f"{self._max_clients} pages are open already; close one\n")
        # Not compressed: each message is encoded once for all, and compressing would be done for each.
        socket = web.WebSocketResponse(heartbeat=self._heartbeat_s, compress=False, max_msg_size=1024, timeout=_CLOSE_S)
        _bound_send_buffer(request)
        await socket.prepare(request)
        self._open.add(socket)
        # Snapshot and membership in one step: no update can fall between them.
        outbox = self._hub.join(self._view.snapshot())
        try:
            await self._serve(socket, outbox, request)
        finally:
            self._hub.leave(outbox)
            self._open.discard(socket)
        return socket

    async def close(self) -> None:
        """Send everybody away because the server stops."""
        await asyncio.gather(
            *(socket.close(code=WSCloseCode.GOING_AWAY, message=b"the server stops") for socket in list(self._open)),
            return_exceptions=True,
        )

    async def _serve(self, socket: web.WebSocketResponse, outbox: Outbox, request: web.Request) -> None:
        writing = asyncio.create_task(self._write(socket, outbox))
        reading = asyncio.create_task(_read(socket))
        overflow = asyncio.create_task(outbox.overflowed.wait())
        tasks = (writing, reading, overflow)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        if outbox.overflowed.is_set():
            await self._send_away(socket, request)
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, ConnectionError):
                raise end

    async def _write(self, socket: web.WebSocketResponse, outbox: Outbox) -> None:
        while True:
            texts = await outbox.take()
            for text in texts:
                await socket.send_frame(text, WSMsgType.TEXT)
            self._metrics.sent(len(texts))

    async def _send_away(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self._metrics.closed("too_slow")
        log.warning("client did not keep up", client=request.remote)
        try:
            async with asyncio.timeout(_CLOSE_S):
                await socket.close(code=TOO_SLOW, message=b"did not keep up; come back for a fresh snapshot")
        except TimeoutError:
            log.debug("client does not read its close frame either", client=request.remote)
        if request.transport is not None:
            request.transport.abort()


def _bound_send_buffer(request: web.Request) -> None:
    connection = request.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(SOL_SOCKET, SO_SNDBUF, _SEND_BUFFER)


async def _read(socket: web.WebSocketResponse) -> None:
    """Read what a client sends, which means nothing here, to notice that it leaves."""
    async for _ in socket:
        pass
