"""One client of the marathon: it connects again and again, reads, asks for what it missed, and keeps its book."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from opensqt.client.exchange import RemoteExchange
from opensqt.model.errors import (
    AccessError,
    ClockSkew,
    ConnectorUnavailable,
    ExchangeError,
    OrderNotFound,
    StreamOverflow,
    Unreachable,
)
from opensqt.model.order import OrderUpdate
from opensqt.model.stream import Batch
from tests.chaos.marathon.book import Book

T = TypeVar("T")
Connect = Callable[[str], AbstractAsyncContextManager[RemoteExchange]]
"""Opens a connection of its own for a client of this name."""

DEADLINE_S = 10.0
_HANGS_AFTER_S = DEADLINE_S + 10
_AGAIN_S = 0.5
_LONGEST_S = 4.0


class Tally:
    """What all clients did and met."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.lives: Counter[str] = Counter()


class Client:
    """Reads the orders stream; subclasses add what else they do.

    Args:
        name: Its own, and its orders' prefix.
        book: What it knows; it survives crashes, as a database would.
        connect: Opens a connection.
        draw: Its own source of chance.
        tally: Counts its calls.
    """

    def __init__(self, name: str, book: Book, connect: Connect, draw: random.Random, tally: Tally) -> None:
        self.name = name
        self.book = book
        self.draw = draw
        self.tally = tally
        self.busy = True
        """Whether it is to go on with what it does; else it comes to an end."""
        self.settled = True
        """Whether it has come to an end."""
        self.exchange: RemoteExchange
        self.away_s = (0.1, 1.0)
        """How long it stays away between two lives, at least and at most."""
        self._connect = connect
        self._life: asyncio.Task[None] | None = None
        self._missed = asyncio.Event()

    async def run(self) -> None:
        """Live again after each end, until cancelled."""
        while True:
            self.tally.lives[self.name] += 1
            self._life = asyncio.create_task(self._live(), name=self.name)
            try:
                await asyncio.wait({self._life})
            finally:
                self._life.cancel()
            if not self._life.cancelled():
                for error in _flat(self._life.exception()):
                    self._ended_by(error)
            await asyncio.sleep(self.draw.uniform(*self.away_s))

    def crash(self) -> None:
        """End this life at once, whatever it is doing."""
        if self._life is not None:
            self._life.cancel()

    async def call(self, what: str, answer: Awaitable[T]) -> T:
        """Await the answer of a call; one that never comes is a mistake of the gateway."""
        self.tally.calls[what] += 1
        try:
            async with asyncio.timeout(_HANGS_AFTER_S):
                return await answer
        except TimeoutError:
            self.book.mistake(f"{what}: no answer after {_HANGS_AFTER_S} s")
            raise Unreachable(f"{what} hangs") from None
        except ExchangeError as error:
            self.tally.errors[type(error).__name__] += 1
            if isinstance(error, AccessError) and not isinstance(error, ClockSkew):
                self.refused(what, error)
            raise

    def refused(self, what: str, error: AccessError) -> None:
        """Take in that a right was denied: a mistake, for this client has it."""
        self.book.mistake(f"{what}: {type(error).__name__}: {error}")

    def duties(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What it does in a life, all at once."""
        yield self._read_orders()
        yield self._ask_for_missed()

    async def between_batches(self) -> None:
        """Take its time after a batch."""

    async def _live(self) -> None:
        async with self._connect(self.name) as self.exchange, asyncio.TaskGroup() as group:
            self._missed.set()
            for duty in self.duties():
                group.create_task(duty)

    async def _read_orders(self) -> None:
        while True:
            stream = self.exchange.subscribe_orders(cursor=self.book.cursor)
            try:
                async for batch in stream:
                    self._take(batch)
                    await self.between_batches()
            except StreamOverflow:
                self.tally.errors["StreamOverflow"] += 1
            finally:
                await stream.aclose()

    def _take(self, batch: Batch[OrderUpdate]) -> None:
        if self.book.take(batch):
            self._missed.set()

    async def _ask_for_missed(self) -> None:
        pause_s = _AGAIN_S
        while True:
            await self._missed.wait()
            self._missed.clear()
            try:
                for symbol in self.book.symbols:
                    fills = self.exchange.list_fills(symbol, since_ms=self.book.since_ms(symbol))
                    self.book.listed(symbol, await self.call("list_fills", fills))
                await self._ask_for_orders()
            except ExchangeError:
                self._missed.set()
            if self._missed.is_set() or self.book.unheard():
                self._missed.set()
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_S)
            else:
                pause_s = _AGAIN_S

    async def _ask_for_orders(self) -> None:
        for ref in self.book.unheard():
            try:
                order = await self.call("get_order", self.exchange.get_order(ref))
            except OrderNotFound:
                self.book.not_found(ref)
                continue
            self.book.learn(order, "query")
            self.book.asked(ref, order)

    def _ended_by(self, error: BaseException) -> None:
        if isinstance(error, ConnectorUnavailable | Unreachable):
            self.tally.errors[type(error).__name__] += 1
        elif isinstance(error, AccessError):
            self.refused("stream", error)
        else:
            self.book.mistake(f"the client broke: {error!r}")


def _flat(error: BaseException | None) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _flat(inner)
    elif error is not None:
        yield error
