"""A gRPC client that opens a stream and takes nothing of it: HTTP/2 by hand, with a receive window of 0."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING = 0, 1, 4, 6
_ACK, _END_STREAM, _END_HEADERS = 1, 1, 4
_INITIAL_WINDOW_SIZE = 4


def _frame(kind: int, payload: bytes, *, flags: int = 0, stream: int = 0) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _header(name: bytes, value: bytes) -> bytes:
    """One header as HPACK's literal without indexing, uncompressed; both are shorter than 127 bytes."""
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


class DeafClient:
    """Its connection: it answers pings, so that keepalive finds it alive, and never grants the server any data."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._next_stream = 1
        self.answered: set[int] = set()
        """Streams whose headers the server has sent: the call has reached its handler."""

    def call(self, method: str, request: bytes = b"") -> int:
        """Call a method, such as `/grpc.health.v1.Health/Watch`; return the number of its stream."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        headers = {
            b":method": b"POST",
            b":scheme": b"http",
            b":path": method.encode(),
            b":authority": b"localhost",
            b"te": b"trailers",
            b"content-type": b"application/grpc",
        }
        block = b"".join(_header(name, value) for name, value in headers.items())
        self._writer.write(_frame(_HEADERS, block, flags=_END_HEADERS, stream=stream))
        message = b"\x00" + len(request).to_bytes(4, "big") + request
        self._writer.write(_frame(_DATA, message, flags=_END_STREAM, stream=stream))
        return stream

    async def listen(self) -> None:
        """Answer settings and pings until the server closes the connection."""
        try:
            while True:
                head = await self._reader.readexactly(9)
                payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
                kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
                if kind == _HEADERS:
                    self.answered.add(stream)
                if kind in (_SETTINGS, _PING) and not flags & _ACK:
                    self._writer.write(_frame(kind, payload if kind == _PING else b"", flags=_ACK))
        except (asyncio.IncompleteReadError, ConnectionError):
            return


@asynccontextmanager
async def deaf_client(address: str) -> AsyncIterator[DeafClient]:
    """Connect to HOST:PORT."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(_PREFACE + _frame(_SETTINGS, _INITIAL_WINDOW_SIZE.to_bytes(2, "big") + bytes(4)))
    client = DeafClient(reader, writer)
    listening = asyncio.create_task(client.listen())
    try:
        yield client
    finally:
        listening.cancel()
        await asyncio.wait({listening})
        writer.transport.abort()
