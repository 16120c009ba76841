"""A TCP proxy whose network can die without a word: what is sent into it then is lost, and nobody is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

FRAME_HEADER = 9
_PING, _GOAWAY, _ACK = 6, 7, 1


class Frames:
    """Counts the HTTP/2 frames of one direction of a plain connection."""

    def __init__(self) -> None:
        self.pings = 0
        """Without the acknowledgements."""
        self.goaways: list[str] = []
        """What each said."""
        self._buffer = b""

    def take(self, data: bytes) -> None:
        self._buffer += data
        self._buffer = self._buffer.removeprefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        while len(self._buffer) >= FRAME_HEADER:
            end = FRAME_HEADER + int.from_bytes(self._buffer[:3])
            if len(self._buffer) < end:
                return
            kind, flags = self._buffer[3], self._buffer[4]
            if kind == _PING and not flags & _ACK:
                self.pings += 1
            elif kind == _GOAWAY:
                self.goaways.append(self._buffer[FRAME_HEADER + 8 : end].decode(errors="replace"))
            self._buffer = self._buffer[end:]


class Proxy:
    """Forwards every connection to one address, until it is told to swallow what comes."""

    def __init__(self, target: str) -> None:
        self.address = ""
        self.to_server = Frames()
        self.to_client = Frames()
        self.connections = 0
        self._target = target
        self._swallowed: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    def blackhole(self, *directions: str) -> None:
        """Lose what is sent from now on: `to_server`, `to_client`, or both."""
        self._swallowed = set(directions or ("to_server", "to_client"))

    def heal(self) -> None:
        """Serve new connections again; the old ones are gone, for what was lost on them does not come back."""
        self._swallowed = set()
        self._hang_up()

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        self.connections += 1
        host, _, port = self._target.rpartition(":")
        there_reader, there_writer = await asyncio.open_connection(host, int(port))
        for source, sink, direction in (
            (reader, there_writer, "to_server"),
            (there_reader, writer, "to_client"),
        ):
            self._writers.add(sink)
            task = asyncio.create_task(self._pump(source, sink, direction))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, direction: str) -> None:
        frames: Frames = getattr(self, direction)
        try:
            while data := await source.read(65_536):
                if direction in self._swallowed:
                    continue
                frames.take(data)
                sink.write(data)
                await sink.drain()
            if direction not in self._swallowed:
                sink.close()
        except OSError:
            sink.transport.abort()

    async def close(self) -> None:
        """End every connection."""
        self._hang_up()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _hang_up(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@asynccontextmanager
async def proxy(target: str) -> AsyncIterator[Proxy]:
    """Run a proxy to HOST:PORT on a free port."""
    made = Proxy(target)
    server = await asyncio.start_server(made.forward, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    made.address = f"{host}:{port}"
    try:
        yield made
    finally:
        server.close()
        await made.close()
