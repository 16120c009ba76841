"""The other process: a venue that stands still, until it is asked to send captured frames."""

from __future__ import annotations

import argparse
import asyncio
import os
import select
import socket
import sys
import time

import uvloop
from aiohttp import web

from benchmarks.frames.capture import Frames, Kind, Way, capture, simulator
from opensqt.simulator import Simulator
from opensqt.venues.factory import VENUES

READY = "feed ready on "
_TEXT = 0x81
_LONG = 126


def main() -> int:
    """Serve one venue until the standard input ends."""
    parser = argparse.ArgumentParser(prog="benchmarks.frames.feed")
    parser.add_argument("venue", choices=VENUES)
    parser.add_argument("frames", type=int)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options.venue, options.frames))
    return 0


async def _serve(venue: str, count: int) -> None:
    frames = await capture(venue, count)
    async with simulator(venue) as source:
        feed = _Feed(source, frames)
        app = web.Application()
        app.add_routes([web.get("/bare", feed.connect), web.post("/send/{kind}/{way}", feed.send)])
        app.add_routes([web.get("/sample/{kind}", feed.sample)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f"{READY}http://127.0.0.1:{runner.addresses[0][1]} {source.url}", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await runner.cleanup()


class _Feed:
    """Sends what was captured to whoever listens now.

    Args:
        source: Where the clients with a protocol are connected.
        frames: By kind and by who subscribed to them.
    """

    def __init__(self, source: Simulator, frames: Frames) -> None:
        self._source = source
        self._frames = frames
        self._ready = {what: [_on_the_wire(frame) for frame in some] for what, some in frames.items()}
        self._bare: set[asyncio.Transport] = set()
        self._sending: asyncio.Task[None] | None = None

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Take in a reader without any protocol of a venue."""
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        assert request.transport is not None
        self._bare.add(request.transport)
        async for _ in ws:
            pass
        self._bare.discard(request.transport)
        return ws

    async def sample(self, request: web.Request) -> web.Response:
        """Return some of the frames, so that a bare reader can know their shape."""
        some = self._frames[Kind(request.match_info["kind"]), Way.BARE]
        return web.Response(body=b"[" + b",".join(some[:300]) + b"]", content_type="application/json")

    async def send(self, request: web.Request) -> web.Response:
        """Wait for the one listener, answer, and then send."""
        kind, way = Kind(request.match_info["kind"]), Way(request.match_info["way"])
        async with asyncio.timeout(20):
            while len(listeners := self._listeners(kind, way)) != 1:  # noqa: ASYNC110 - there is no event for a connection
                await asyncio.sleep(0.01)
        frames = self._ready[kind, way][: int(request.query["frames"])]
        self._sending = asyncio.create_task(self._start(listeners[0], frames, float(request.query["every_s"])))
        return web.Response()

    async def _start(self, transport: asyncio.Transport, frames: list[bytes], every_s: float) -> None:
        await asyncio.sleep(0.05)  # the answer to the request is out by then
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as connection:
            await asyncio.to_thread(_send_all, connection, frames, every_s)

    def _listeners(self, kind: Kind, way: Way) -> list[asyncio.Transport]:
        if way is Way.BARE:
            return list(self._bare)
        return [socket.transport for socket in self._source.subscriptions.sockets if kind.of(+socket.channels)]


def _send_all(connection: socket.socket, frames: list[bytes], every_s: float) -> None:
    """Send each frame by itself, as venues do; 0 is as fast as the reader takes them. Runs in a thread of its own."""
    due_s = time.monotonic()
    for frame in frames:
        if every_s:
            due_s = max(due_s + every_s, time.monotonic())
            time.sleep(max(0.0, due_s - time.monotonic()))
        # Writable means that a third of the buffer is free: the frame goes out whole, and an answer to a ping that the
        # venue writes meanwhile stands between two frames, never within one.
        select.select((), (connection,), ())
        sent = connection.send(frame)
        if sent != len(frame):
            raise RuntimeError(f"{sent} of {len(frame)} bytes of a frame could be sent")


def _on_the_wire(frame: bytes) -> bytes:
    """Put a text frame as it stands on a server's socket."""
    size = len(frame)
    head = bytes((_TEXT, size)) if size < _LONG else bytes((_TEXT, _LONG)) + size.to_bytes(2, "big")
    return head + frame


if __name__ == "__main__":
    sys.exit(main())
