"""The three ways to read: our adapter, ccxt.pro's own loop, and the floor of aiohttp with msgspec."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from benchmarks.frames import clients
from benchmarks.frames.capture import Kind, Way
from benchmarks.frames.clients import SYMBOL

Read = Callable[[int], Awaitable[int]]
"""Reads so many frames and answers how many updates came out of them; 0 where nobody counts."""


@dataclass(frozen=True)
class Source:
    """Where a feed listens, and where its venue does."""

    feed: str
    venue_url: str
    venue: str


class _Count:
    """Counts frames as they are handled, and sets an event when enough were."""

    def __init__(self) -> None:
        self._left = 0
        self._enough: asyncio.Future[None] | None = None

    def one(self) -> None:
        self._left -= 1
        if not self._left and self._enough is not None:
            self._enough.set_result(None)

    async def wait(self, frames: int) -> None:
        self._left = frames
        self._enough = asyncio.get_running_loop().create_future()
        await self._enough


@contextlib.asynccontextmanager
async def adapter(source: Source, kind: Kind) -> AsyncIterator[Read]:
    """Read through our adapter, to the reader of its stream."""
    async with clients.adapter(source.venue, source.venue_url, public_only=kind is Kind.PRICE) as exchange:
        callbacks, count = exchange.client.callbacks, _Count()
        take = callbacks.frame

        def counted(socket: Any, frame: Any) -> bool:
            taken = take(socket, frame)
            count.one()
            return taken

        callbacks.frame = counted
        stream: Any = exchange.subscribe_price(SYMBOL) if kind is Kind.PRICE else exchange.subscribe_orders(SYMBOL)
        first = last = await anext(stream)

        async def follow() -> None:
            nonlocal last
            async for batch in stream:
                last = batch

        async def read(frames: int) -> int:
            async with _running(follow()):
                await count.wait(frames)
                await asyncio.sleep(0)
            return last.sequence - first.sequence

        yield read
        if exchange.malformed_frames:
            raise AssertionError(f"{exchange.malformed_frames} frames could not be read")


@contextlib.asynccontextmanager
async def ccxt(source: Source, kind: Kind) -> AsyncIterator[Read]:
    """Read by `watch_...` in a loop, as ccxt's manual has it."""
    client = clients.plain_ccxt(source.venue, source.venue_url)
    count = _Count()
    take = client.handle_message

    def counted(socket: Any, frame: Any) -> None:
        take(socket, frame)
        count.one()

    client.handle_message = counted
    try:
        await client.load_markets()
        symbol = clients.unified(client)

        async def follow() -> None:
            while True:
                await (client.watch_bids_asks([symbol]) if kind is Kind.PRICE else client.watch_orders(symbol))

        async with _running(follow()):

            async def read(frames: int) -> int:
                await count.wait(frames)
                return 0

            yield read
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        if not isinstance(outcome, asyncio.CancelledError):
            raise RuntimeError("the reader ended before its frames did") from outcome


@contextlib.asynccontextmanager
async def bare(source: Source, kind: Kind) -> AsyncIterator[Read]:
    """Decode each frame into structs of its own shape, and do nothing else."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{source.feed}/sample/{kind}") as answer:
            decoder = msgspec.json.Decoder(_shape("Frame", msgspec.json.decode(await answer.read())))
        async with session.ws_connect(f"{source.feed}/bare") as socket:

            async def read(frames: int) -> int:
                left = frames
                async for message in socket:
                    decoder.decode(message.data)
                    left -= 1
                    if not left:
                        break
                return 0

            yield read


WAYS: dict[Way, Callable[[Source, Kind], contextlib.AbstractAsyncContextManager[Read]]] = {
    Way.BARE: bare,
    Way.CCXT: ccxt,
    Way.ADAPTER: adapter,
}


def _shape(name: str, samples: list[Any]) -> Any:
    """Return the type of what *samples* are samples of."""
    if all(isinstance(each, dict) for each in samples):
        values: dict[str, list[Any]] = {}
        for each in samples:
            for key, value in each.items():
                values.setdefault(key, []).append(value)
        fields: list[Any] = []
        for number, (key, some) in enumerate(values.items()):
            kind = _shape(f"{name}_{number}", some)
            fields.append((f"f{number}", kind | msgspec.UnsetType, msgspec.field(name=key, default=msgspec.UNSET)))
        return msgspec.defstruct(name, fields, kw_only=True)
    if all(isinstance(each, list) for each in samples):
        inner = [value for each in samples for value in each]
        return list[_shape(name, inner)] if inner else list  # type: ignore[misc]
    kinds = {type(each) for each in samples}
    return kinds.pop() if len(kinds) == 1 and type(None) not in kinds else Any
