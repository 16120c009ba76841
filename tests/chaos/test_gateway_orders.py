"""Orders and fills through a connector that is killed in the middle: each order once, each fill once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest

from opensqt.client.exchange import RemoteExchange
from opensqt.model.errors import (
    ConnectorUnavailable,
    ExchangeError,
    InsufficientMargin,
    OutcomeUnknown,
    RateLimited,
    Unreachable,
)
from opensqt.model.order import Fill, Order, OrderRef, OrderRequest, OrderStatus, Side
from opensqt.model.stream import Cursor
from opensqt.simulator.settings import SymbolSettings
from opensqt.venues.factory import VENUES
from tests.chaos.adapter_rig import LOST_REPLIES, UNLIMITED
from tests.chaos.gateway_rig import LOT, SYMBOL, Gateway, far, gateway, request
from tests.support import eventually

PART = Decimal("0.001")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what concerns the gateway more than the venue on one venue, and with --large on all five."""
    if "some_venue" in metafunc.fixturenames:
        every = metafunc.config.getoption("--large")
        metafunc.parametrize("some_venue", sorted(VENUES) if every else ["binance"])


def quick(venue: str, hidden_ms: int) -> dict[str, Any]:
    """Settings of a connector that proves an absence soon after the venue shows what it has."""
    margin_s = (hidden_ms + 500) / 1000
    exchange = {"name": venue, "symbols": [SYMBOL], "recv_window_ms": 1_000, "visibility_margin_s": margin_s}
    return {"exchange": {**exchange, "reconcile_interval_s": 1.0}}


async def insist(call: Callable[[], Awaitable[Order]]) -> Order:
    """Place or cancel as a client that trusts its id: again and again until it is told what became of the order."""
    while True:
        try:
            return await call()
        except (OutcomeUnknown, Unreachable, RateLimited) as error:
            await asyncio.sleep(error.retry_after_s or 0.1)


@pytest.mark.timeout(300)
async def test_lost_replies_and_a_killed_connector_leave_one_order_each(
    some_venue: str, tmp_path: Path, large: bool
) -> None:
    """F1: accepted, the reply lost, hidden from queries, the connector killed; all are resolved."""
    intents, hidden_ms, kills = (1_000, 3_000, 3) if large else (12, 600, 1)
    roomy = SymbolSettings(**_bitcoin(max_open_orders=intents + 1))
    async with (
        gateway(some_venue, tmp_path, config=quick(some_venue, hidden_ms), server=UNLIMITED, symbols=(roomy,)) as made,
        made.client(deadline_s=30) as exchange,
    ):
        price = await far(exchange)
        made.fault(kind="hide_orders", for_ms=hidden_ms)
        for number in range(intents):
            made.fault(on="place_order", **LOST_REPLIES[number % len(LOST_REPLIES)])
        requests = [request(price=price - number % 50, quantity=PART) for number in range(intents)]
        placing = asyncio.gather(*(insist(partial(exchange.place_order, one)) for one in requests))
        for kill in range(1, kills + 1):
            await eventually(lambda sofar=kill: len(made.open_ids) >= intents * sofar / (kills + 3))
            await made.restart()
        # Some venues take ten orders a second and no more.
        async with asyncio.timeout(240 if large else 60):
            orders = await placing
        assert [order.status for order in orders] == [OrderStatus.OPEN] * intents
        assert Counter(one["client_order_id"] for one in made.account["orders"]) == Counter(
            one.client_order_id for one in requests
        )
        assert made.account["duplicate_client_order_ids"] == []
        assert (await exchange.get_status()).unresolved_orders == 0


async def test_a_batch_whose_reply_and_connector_are_lost_gives_five_right_answers(
    some_venue: str, tmp_path: Path
) -> None:
    """F2: four accepted, one refused, the reply lost, the connector killed before it could find out."""
    async with (
        gateway(some_venue, tmp_path, config=quick(some_venue, 600)) as made,
        made.client(deadline_s=30) as exchange,
    ):
        price = await far(exchange)
        batch = [request(price=price - level) for level in range(5)]
        batch[2] = request(price=price, quantity=Decimal(900))
        made.fault(kind="hide_orders", for_ms=600)
        made.fault(kind="drop_reply", on="batch_place")
        answering = asyncio.create_task(until_answered(exchange, batch))
        await eventually(lambda: len(made.open_ids) == 4)
        await made.restart()
        answers = await answering
        assert [type(answer) for answer in answers] == [Order, Order, InsufficientMargin, Order, Order]
        assert [one.client_order_id for one in answers if isinstance(one, Order)] == [
            one.client_order_id for one in batch if one is not batch[2]
        ]
        assert len(made.account["orders"]) == 4
        assert made.account["duplicate_client_order_ids"] == []


async def until_answered(exchange: RemoteExchange, batch: list[OrderRequest]) -> list[Order | ExchangeError]:
    """Ask with the same batch until nothing of it is in doubt."""
    while True:
        answers = await exchange.batch_place_orders(batch)
        if not any(isinstance(answer, OutcomeUnknown | Unreachable) for answer in answers):
            return answers
        await asyncio.sleep(0.1)


class Book:
    """What a client knows of its fills: by the stream, and after a gap by asking, as the guide tells."""

    def __init__(self, exchange: RemoteExchange) -> None:
        self.exchange = exchange
        self.streamed: Counter[str] = Counter()
        self.fills: dict[str, Decimal] = {}
        self.closed: set[str] = set()
        self.gaps = 0
        self.cursor: Cursor | None = None

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._read_for_ever())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        await asyncio.wait({self._reading})

    async def _read_for_ever(self) -> None:
        while True:
            try:
                await self._read()
            except ConnectorUnavailable:
                # So many kills in a minute use up a stream's attempts; its owner begins anew where it was.
                await asyncio.sleep(0.1)

    async def _read(self) -> None:
        async for batch in self.exchange.subscribe_orders(cursor=self.cursor):
            for update in batch.updates:
                if update.order.status.is_closed:
                    self.closed.add(update.order.client_order_id)
                if update.fill is not None:
                    self.streamed[update.fill.trade_id] += 1
                    self.fills[update.fill.trade_id] = update.fill.quantity * update.fill.side.sign
            self.cursor = batch.cursor
            if batch.gap:
                self.gaps += 1
                for fill in await self._ask():
                    self.fills[fill.trade_id] = fill.quantity * fill.side.sign

    async def _ask(self) -> list[Fill]:
        """Ask for all fills until it is answered: the connector may be killed again."""
        while True:
            try:
                return await self.exchange.list_fills(SYMBOL, since_ms=0)
            except (Unreachable, RateLimited):
                await asyncio.sleep(0.1)

    def differs(self, made: Gateway) -> str:
        """Compare with the ledger; empty when every fill of it is known, and known once."""
        wanted = {one["trade_id"]: Decimal(one["quantity"]) * Side(one["side"]).sign for one in made.account["fills"]}
        repeated = [trade for trade, times in self.streamed.items() if times > 1]
        if repeated:
            return f"told more than once: {repeated}"
        differing = sorted(wanted.items() ^ self.fills.items())
        return f"fills {differing[:20]}" if differing else ""

    async def agrees(self, made: Gateway) -> None:
        await eventually(lambda: not self.differs(made), what="fills equal to the ledger's")
        (position,) = await self.exchange.get_positions(SYMBOL)
        assert position.quantity == sum(self.fills.values())


async def front(exchange: RemoteExchange) -> Decimal:
    """A price to buy at that rests before everybody else's."""
    return (await exchange.get_latest_price(SYMBOL)).bid + Decimal("0.1")


@pytest.mark.timeout(300)
async def test_fills_that_cross_cancels_count_once_though_the_connector_is_killed(
    some_venue: str, tmp_path: Path, large: bool
) -> None:
    """F4: 500 fills between the cancels and their answers, the connector killed before it could tell."""
    rounds, orders, fills = (5, 10, 100) if large else (1, 2, 20)
    async with (
        gateway(some_venue, tmp_path, server=UNLIMITED) as made,
        made.client(deadline_s=60, retry_scale=0.05) as exchange,
        Book(exchange) as book,
    ):
        await eventually(lambda: book.cursor)
        for number in range(1, rounds + 1):
            price = await front(exchange)
            asked = [request(price=price, quantity=12 * PART) for _ in range(orders)]
            await asyncio.gather(*(insist(partial(exchange.place_order, one)) for one in asked))
            made.fault(kind="delay", on="cancel_order", delay_ms=2_000, times=orders)
            refs = [OrderRef(symbol=SYMBOL, client_order_id=one.client_order_id) for one in asked]
            canceling = asyncio.gather(*(insist(partial(exchange.cancel_order, ref)) for ref in refs))
            await eventually(lambda: made.simulator.faults.listing()[-1]["hits"] == orders)
            for _ in range(fills):
                made.hit(Side.BUY, PART)
            await made.restart()
            ended = await canceling
            assert len(made.account["fills"]) == fills * number
            assert sum(order.filled_quantity for order in ended) == fills * PART
            assert {order.status for order in ended} == {OrderStatus.FILLED, OrderStatus.CANCELED}
        await book.agrees(made)


async def test_fills_told_three_times_and_shuffled_count_once_over_a_restart(some_venue: str, tmp_path: Path) -> None:
    """F8: a fill counts once, however often it is reported."""
    async with (
        gateway(some_venue, tmp_path) as made,
        made.client(deadline_s=30) as exchange,
        Book(exchange) as book,
    ):
        await eventually(lambda: book.cursor)
        for kind in ("repeat", "reorder"):
            made.fault(kind=kind, channel="private", times=0)
        for number in range(6):
            asked = request(price=await front(exchange))
            await insist(partial(exchange.place_order, asked))
            for part in (PART, LOT - PART):
                made.hit(Side.BUY, part)
            if number == 2:
                await made.restart()
        await book.agrees(made)
        assert book.gaps == 1


def _bitcoin(**more: Any) -> dict[str, Any]:
    fields = {"symbol": SYMBOL, "base_asset": "BTC", "price_step": "0.10", "quantity_step": "0.001"}
    return {**fields, "min_quantity": "0.001", "start_price": "45000.00", **more}
