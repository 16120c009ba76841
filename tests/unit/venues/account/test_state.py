"""The account's state against what a venue's queries claim: one look proves no end."""

from __future__ import annotations

import time
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.clock import now_ms
from opensqt.model.errors import OrderNotFound, StreamOverflow
from opensqt.model.order import Fill, Order, OrderRef, OrderStatus, PositionSide, Side
from opensqt.venues.account.state import AccountState
from opensqt.venues.set_aside import SetAside

OLD_NS = 3_600_000_000_000
NOW_MS = now_ms()
YEAR_MS = 365 * 86_400_000


class Queries:
    """What a venue answers; `shown` are its open orders, and any other is unknown to it."""

    position_mode = PositionMode.ONE_WAY
    holds_by_margin_mode = False
    name = "venue"
    account_mode = ""
    margin_mode = MarginMode.CROSS

    def __init__(self) -> None:
        self.settings = VenueSettings(name="binance", symbols=("BTCUSDT",))
        self.leverages: dict[str, Decimal] = {}
        self.set_aside = SetAside("venue")
        self.rules = dict.fromkeys(("BTCUSDT",))
        self.shown: list[Order] = []
        self.made: list[Fill] = []
        self.since: list[int] = []

    async def load_unlisted(self) -> bool:
        return False

    async def open_orders(self, symbol: str = "") -> list[Order]:
        return [order for order in self.shown if symbol in ("", order.symbol)]

    async def load_position_mode(self) -> None:
        """The modes stay as they are."""

    def with_order(self, fill: Fill, _order: Order) -> Fill:
        return fill

    async def order(self, ref: OrderRef) -> Order:
        for order in self.shown:
            if order.order_id == ref.order_id:
                return order
        raise OrderNotFound("unknown order", symbol=ref.symbol)

    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        self.since.append(since_ms)
        return [fill for fill in self.made if fill.event_time_ms >= since_ms]

    async def positions(self) -> list[Position]:
        return []

    async def account(self) -> Account:
        return Account(asset="USDT", wallet_balance=Decimal(1), unrealized_pnl=Decimal(0), available_balance=Decimal(1))


def resting(order_id: str) -> Order:
    return Order(
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal(1),
        price=Decimal(100),
        client_order_id=f"c{order_id}",
        order_id=order_id,
        status=OrderStatus.OPEN,
        event_time_ms=NOW_MS,
        received_ns=time.time_ns() - OLD_NS,
    )


@pytest.fixture
def queries() -> Queries:
    return Queries()


@pytest.fixture
async def state(queries: Queries) -> AccountState:
    queries.shown = [resting("1")]
    state = AccountState(cast("Any", queries))
    await state.load()
    return state


async def test_an_order_that_one_look_does_not_find_stays_open(state: AccountState, queries: Queries) -> None:
    """A replica that lags said "not found" once: five orders left the count, and five more were let in."""
    queries.shown = []
    await state.reconcile(full=True)
    await state.reconcile(full=True)
    assert [order.order_id for order in state.tracker.open_orders()] == ["1"]
    queries.shown = [resting("1")]
    await state.reconcile(full=True)
    queries.shown = []
    await state.reconcile(full=True)
    await state.reconcile(full=True)
    assert [order.order_id for order in state.tracker.open_orders()] == ["1"]


async def test_an_order_that_the_venue_no_longer_knows_ends_after_three_looks(
    state: AccountState, queries: Queries
) -> None:
    queries.shown = []
    for _ in range(3):
        await state.reconcile(full=True)
    assert state.tracker.open_orders() == []


def fill_at(event_time_ms: int, trade_id: str) -> Fill:
    return Fill(
        trade_id=trade_id,
        order_id="1",
        client_order_id="c1",
        symbol="BTCUSDT",
        side=Side.BUY,
        price=Decimal(100),
        quantity=Decimal("0.1"),
        fee=Decimal(0),
        fee_asset="USDT",
        is_maker=True,
        position_side=PositionSide.BOTH,
        event_time_ms=event_time_ms,
    )


async def test_a_fill_of_the_future_does_not_end_the_recovery_of_later_ones(
    state: AccountState, queries: Queries
) -> None:
    """F8: its time became the watermark, and nothing that was made before that year was queried again."""
    queries.made = [fill_at(NOW_MS + YEAR_MS, "future")]
    await state.reconcile(full=True)
    assert state.tracker.has_fill("BTCUSDT", "future")
    queries.made.append(fill_at(NOW_MS + 1, "next"))
    await state.reconcile(full=True)
    assert state.tracker.has_fill("BTCUSDT", "next")
    assert max(queries.since) <= NOW_MS


async def test_an_order_of_the_future_does_not_make_history_of_the_fills_of_a_new_symbol(
    state: AccountState, queries: Queries
) -> None:
    # Of this moment: a whole run may have imported the test minutes ago.
    now = now_ms()
    state.apply_order(replace(resting("2"), symbol="ETHUSDT", event_time_ms=now + YEAR_MS))
    queries.made = [replace(fill_at(now + 1_000, "next"), symbol="ETHUSDT", order_id="2")]
    await state.reconcile(full=True)
    assert max(queries.since) <= now + 1_000
    assert state.tracker.has_fill("ETHUSDT", "next")


async def test_a_reader_of_orders_that_is_behind_what_is_kept_gets_an_error_and_a_gap(queries: Queries) -> None:
    """F7: no update vanishes between two reads of a stream, or a gap is reported; what is kept is a setting."""
    queries.settings = VenueSettings(name="binance", order_buffer=16)
    state = AccountState(cast("Any", queries))
    await state.load()
    reader = state.orders.subscribe()
    seen = await anext(reader)
    for number in range(16):
        state.apply_order(resting(f"{number}"))
    assert len((await anext(reader)).updates) == 16
    for number in range(17):
        state.apply_order(resting(f"more{number}"))
    with pytest.raises(StreamOverflow):
        await anext(reader)
    again = await anext(state.orders.subscribe(cursor=seen.cursor))
    assert (again.snapshot, again.gap, len(again.updates)) == (True, True, 33)
