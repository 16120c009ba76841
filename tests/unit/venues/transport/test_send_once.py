"""How often a request is sent whose connection breaks: the transport must not repeat what changes an order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from opensqt.venues.transport.ccxt_client import send_once


class Server:
    """Answers the first request, takes every later one and hangs up without an answer."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            while (await reader.readline()).strip():
                pass
            self.requests.append(head.decode().partition(" ")[0])
            if len(self.requests) > 1:
                break
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
        writer.close()


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    made = Server()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(("method", "times"), [("PUT", 1), ("POST", 1), ("GET", 2), ("DELETE", 2)])
async def test_an_amendment_is_sent_once_and_what_does_no_harm_is_repeated(method: str, times: int) -> None:
    """F1: an amendment is never sent twice because its reply was lost, by the transport neither."""
    async with serving() as server, aiohttp.ClientSession(middlewares=(send_once,)) as session:
        async with session.get(server.url) as response:
            assert await response.text() == "{}"
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.request(method, server.url)
        assert server.requests == ["GET", *[method] * times]


async def test_a_connection_that_was_refused_is_still_one_that_nothing_was_sent_over() -> None:
    async with serving() as server:
        url = server.url
    async with aiohttp.ClientSession(middlewares=(send_once,)) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.put(url)
