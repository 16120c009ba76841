"""The WebSocket: sends each client its messages, and closes a client that can't keep up."""

from __future__ import annotations

import asyncio
from socket import SO_SNDBUF, SOL_SOCKET
from weakref import WeakSet

from aiohttp import WSCloseCode, WSMsgType, web

from opensqt.live_server.broadcast import Broadcaster, Outbox
from opensqt.live_server.metrics import LiveServerMetrics
from opensqt.live_server.view import View
from opensqt.telemetry.logging import get_logger

log = get_logger("live_server.sockets")

TOO_SLOW = 4008
"""Close code of a client that did not keep up; it may connect again at once."""
_CLOSE_S = 1
# The kernel would hold megabytes for a client that does not read; this is minutes of a busy market.
_SEND_BUFFER = 256 * 1024


class Sockets:
    """Serves `/ws`.

    Args:
        view: The snapshot of each client comes from it.
        broadcaster: The messages after the snapshot come from it.
        metrics: Counts clients and messages.
        max_clients: A further client gets status 503.
        heartbeat_s: Seconds between pings. A client that does not respond for half of it is disconnected.
    """

    def __init__(
        self,
        view: View,
        broadcaster: Broadcaster,
        metrics: LiveServerMetrics,
        *,
        max_clients: int,
        heartbeat_s: float = 20,
    ) -> None:
        self._view = view
        self._broadcaster = broadcaster
        self._metrics = metrics
        self._max_clients = max_clients
        self._heartbeat_s = heartbeat_s
        self._open: WeakSet[web.WebSocketResponse] = WeakSet()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until it leaves or can't keep up."""
        if len(self._broadcaster) >= self._max_clients:
            self._metrics.closed("refused")
            raise web.HTTPServiceUnavailable(text=f"{self._max_clients} pages are open already; close one\n")
        # Not compressed: a message is encoded once for all clients, but would be compressed for each.
        socket = web.WebSocketResponse(heartbeat=self._heartbeat_s, compress=False, max_msg_size=1024, timeout=_CLOSE_S)
        _bound_send_buffer(request)
        await socket.prepare(request)
        self._open.add(socket)
        # Snapshot and membership in one step: no update can fall between them.
        outbox = self._broadcaster.join(self._view.snapshot())
        try:
            await self._serve(socket, outbox, request)
        finally:
            self._broadcaster.leave(outbox)
            self._open.discard(socket)
        return socket

    async def close(self) -> None:
        """Close every client because the server stops."""
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
            await self._close_slow_client(socket, request)
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, ConnectionError):
                raise end

    async def _write(self, socket: web.WebSocketResponse, outbox: Outbox) -> None:
        while True:
            texts = await outbox.drain()
            for text in texts:
                await socket.send_frame(text, WSMsgType.TEXT)
            self._metrics.sent(len(texts))

    async def _close_slow_client(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self._metrics.closed("too_slow")
        log.warning("client did not keep up", client=request.remote)
        try:
            async with asyncio.timeout(_CLOSE_S):
                await socket.close(code=TOO_SLOW, message=b"did not keep up; connect again for a fresh snapshot")
        except TimeoutError:
            log.debug("client does not read its close frame either", client=request.remote)
        if request.transport is not None:
            request.transport.abort()


def _bound_send_buffer(request: web.Request) -> None:
    connection = request.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(SOL_SOCKET, SO_SNDBUF, _SEND_BUFFER)


async def _read(socket: web.WebSocketResponse) -> None:
    """Read and ignore what a client sends, to notice that it disconnects."""
    async for _ in socket:
        pass
