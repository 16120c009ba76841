"""An order book under lost frames: at every look it is the simulator's, or it says that it is not valid."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from opensqt.model.market import BookLevel, OrderBook
from opensqt.model.order import Side
from opensqt.simulator import Simulator
from opensqt.simulator.engine.events import DepthUpdate, Event
from opensqt.venues.factory import VENUES
from tests.chaos.adapter_rig import LOT, SYMBOL, Adapter, Rig, on_simulator
from tests.support import eventually
from tests.support.each import at_once

DEPTH = 20
Sides = tuple[tuple[BookLevel, ...], tuple[BookLevel, ...]]


class TrueBook:
    """The simulator's book, and every state that it was in."""

    def __init__(self, simulator: Simulator) -> None:
        self._engine = simulator.engine
        self.states: set[Sides] = {self.now}
        self._stop = simulator.engine.subscribe(self._on_event)

    @property
    def now(self) -> Sides:
        book = self._engine.book(SYMBOL, DEPTH)
        return book.bids, book.asks

    def stop(self) -> None:
        self._stop()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, DepthUpdate) and event.symbol == SYMBOL:
            self.states.add(self.now)


class BookReader:
    """A reader that holds each book to the states that the simulator's was in."""

    def __init__(self, rig: Rig, truth: TrueBook) -> None:
        self._rig = rig
        self._truth = truth
        self.books: deque[OrderBook] = deque(maxlen=1)
        self.valid = self.invalid = 0

    @property
    def last(self) -> OrderBook:
        return self.books[-1]

    async def run(self) -> None:
        async for batch in self._rig.exchange.subscribe_order_book(SYMBOL, DEPTH):
            for book in batch.updates:
                if book.valid:
                    assert (book.bids, book.asks) in self._truth.states, f"never in the market: {book}"
                    self.valid += 1
                else:
                    assert not book.bids, book
                    self.invalid += 1
                self.books.append(book)

    @property
    def dropped(self) -> int:
        """How many frames were lost."""
        return self._rig.simulator.statistics.frames_dropped

    def agrees(self) -> bool:
        """Whether the last book is the simulator's as it now is."""
        return bool(self.books) and self.last.valid and (self.last.bids, self.last.asks) == self._truth.now


@asynccontextmanager
async def reading(rig: Rig) -> AsyncIterator[BookReader]:
    truth = TrueBook(rig.simulator)
    reader = BookReader(rig, truth)
    task = asyncio.create_task(reader.run())
    try:
        await eventually(lambda: bool(reader.books) or task.done(), what="the first book")
        yield reader
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        truth.stop()


@pytest.mark.timeout(1_800)
async def test_a_book_under_lost_frames_is_the_markets_or_invalid(large: bool) -> None:
    """F14: 1 % of the frames are lost for ten minutes with --large, else more of them for a few seconds.

    On all venues at once: nearly all of it is waiting.
    """
    await at_once(sorted(VENUES), partial(loses_frames, large=large))


async def loses_frames(venue: str, *, large: bool) -> None:
    share, until_s = ("0.01", time.monotonic() + 600) if large else ("0.1", 0)
    async with on_simulator(venue, still=False, stale_after_s=0.5) as rig, reading(rig) as reader:
        rig.fault(kind="drop_frames", channel="depth", probability=share)
        market, checks = rig.simulator.market, 0
        while checks < 3 or time.monotonic() < until_s:
            checks += 1
            seen, dropped = reader.valid + 10, reader.dropped
            await eventually(
                partial(_has_moved, reader, seen, dropped if not large else -1), what="changes of the book"
            )
            market.pause(SYMBOL)
            # The last frame before the pause may be lost, too: without data the book is compared with the venue's.
            await eventually(reader.agrees, what=f"the simulator's book at check {checks}")
            market.resume(SYMBOL)
        assert reader.invalid, "no lost frame was noticed"
        counts = f"{reader.valid} valid books, {reader.invalid} invalid, {reader.dropped} frames lost"
        print(f"{venue}: {checks} checks, {counts}")


def _has_moved(reader: BookReader, valid: int, dropped: int) -> bool:
    """Whether so many books came, and a frame was lost since *dropped*."""
    return reader.valid > valid and reader.dropped > dropped


async def test_a_hole_is_told_at_once_and_a_snapshot_ends_it(adapter: Adapter) -> None:
    """F14: a book with a hole in it is not traded on."""
    async with adapter() as rig, reading(rig) as reader:
        await eventually(reader.agrees)
        rig.fault(kind="drop_frames", channel="depth")
        rig.hit(Side.BUY, LOT)
        await eventually(lambda: rig.simulator.statistics.frames_dropped == 1, what="a lost frame")
        rig.hit(Side.SELL, LOT)
        await eventually(lambda: reader.invalid == 1, what="an invalid book")
        await eventually(reader.agrees, what="the simulator's book")


async def test_a_book_begins_although_its_first_frames_are_lost(adapter: Adapter) -> None:
    """F14: no book is built on a snapshot that never came, and none waits for it for ever."""
    async with adapter(still=False, stale_after_s=0.5) as rig:
        rig.fault(kind="drop_frames", channel="depth", times=3)
        async with reading(rig) as reader:
            assert rig.simulator.statistics.frames_dropped == 3
            rig.simulator.market.pause(SYMBOL)
            await eventually(reader.agrees, what="the simulator's book")


async def test_a_cut_connection_makes_the_book_invalid_until_it_is_back(adapter: Adapter) -> None:
    """F14: what happened while the stream was away is not known."""
    async with adapter(still=False) as rig, reading(rig) as reader:
        rig.fault(kind="cut", channel="depth")
        await eventually(lambda: reader.invalid > 0, what="an invalid book")
        seen = reader.valid
        await eventually(lambda: reader.valid > seen, what="a valid book")


@pytest.mark.parametrize("kind", ["repeat", "reorder"])
async def test_repeated_and_late_frames_change_nothing(adapter: Adapter, kind: str) -> None:
    """F14: a change that was taken in before, or comes after later ones, is not taken in."""
    async with adapter(still=False, stale_after_s=0.5) as rig, reading(rig) as reader:
        rig.fault(kind=kind, channel="depth", times=10)
        await eventually(lambda: not rig.simulator.faults.listing()[0]["active"])
        rig.simulator.market.pause(SYMBOL)
        await eventually(reader.agrees, what="the simulator's book")
