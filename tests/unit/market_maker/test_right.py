"""What a market maker that may have been replaced still does: nothing, until it knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from opensqt.market_maker.executor import Executor
from opensqt.market_maker.orders.events import Cancel, CancelResult, Event, Place, PlaceResult
from opensqt.market_maker.right import TradingRight
from opensqt.model.errors import ExchangeError, TradingClaimed, Unreachable
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderType, Side, TimeInForce
from opensqt.testing.exchange import InMemoryExchange
from tests.unit.market_maker.venue import SYMBOL, Sure

REF = OrderRef(symbol=SYMBOL, client_order_id="SQ1B1", order_id="1")


class Connector:
    """Answers who has the claim."""

    def __init__(self, error: ExchangeError | None = None) -> None:
        self.asked = 0
        self._error = error

    async def ask(self) -> None:
        self.asked += 1
        if self._error is not None:
            raise self._error


class Venue(InMemoryExchange):
    """Counts what is sent to it, and refuses each order for the reason given."""

    def __init__(self, refusal: ExchangeError) -> None:
        super().__init__()
        self.sent: list[str] = []
        self._refusal = refusal

    async def cancel_order(self, ref: OrderRef) -> Order:
        self.sent.append(f"cancel {ref.client_order_id}")
        raise self._refusal

    async def batch_place_orders(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        self.sent.append("place")
        return [self._refusal for _ in requests]


@asynccontextmanager
async def executor(venue: Venue, right: TradingRight) -> AsyncIterator[tuple[Executor, list[Event]]]:
    events: list[Event] = []
    async with asyncio.TaskGroup() as group:
        yield (
            Executor(
                venue,
                SYMBOL,
                quote_asset="USDT",
                max_batch=10,
                group=group,
                post=events.append,
                observe_latency=lambda _ms: None,
                right=right,
            ),
            events,
        )


def claimed() -> TradingClaimed:
    return TradingClaimed("BTCUSDT is traded by the maker on b", symbol=SYMBOL)


def place() -> Place:
    quoted = ("SQ1B1", Decimal(99)), ("SQ1B2", Decimal(98))
    return Place(
        tuple(
            OrderRequest(
                symbol=SYMBOL,
                side=Side.BUY,
                order_type=OrderType.LIMIT,
                time_in_force=TimeInForce.POST_ONLY,
                quantity=Decimal("0.1"),
                price=price,
                client_order_id=client_order_id,
            )
            for client_order_id, price in quoted
        )
    )


async def test_while_the_hold_is_renewed_nobody_is_asked() -> None:
    """A cancel waits for nothing."""
    venue, connector = Venue(Unreachable("down")), Connector()
    async with executor(venue, TradingRight(SYMBOL, Sure(), connector.ask)) as (running, _):
        running.carry_out([Cancel((REF,))])
    assert (venue.sent, connector.asked) == (["cancel SQ1B1"], 0)


async def test_a_market_maker_that_was_replaced_cancels_nothing() -> None:
    """Its orders are those of the one that trades now. It ends with the connector's own words."""
    venue, connector = Venue(Unreachable("down")), Connector(claimed())
    with pytest.raises(BaseExceptionGroup) as raised:
        async with executor(venue, TradingRight(SYMBOL, Sure(renewed=False), connector.ask)) as (running, _):
            running.carry_out([Cancel((REF,))])
    assert raised.group_contains(TradingClaimed, match="maker on b")
    assert venue.sent == []


async def test_while_only_the_database_is_away_it_cancels() -> None:
    """The connector says that nobody else trades: its quotes are pulled."""
    venue, connector = Venue(Unreachable("down")), Connector()
    async with executor(venue, TradingRight(SYMBOL, Sure(renewed=False), connector.ask)) as (running, _):
        running.carry_out([Cancel((REF,))])
    assert (venue.sent, connector.asked) == (["cancel SQ1B1"], 1)


async def test_while_nobody_can_say_who_trades_nothing_is_sent() -> None:
    """A connector that does not respond proves nothing; the cancel failed, and is tried again."""
    venue, connector = Venue(Unreachable("down")), Connector(Unreachable("no connection"))
    async with executor(venue, TradingRight(SYMBOL, Sure(renewed=False), connector.ask)) as (running, events):
        running.carry_out([Cancel((REF,))])
    assert venue.sent == []
    assert [type(event) for event in events] == [CancelResult]


async def test_an_order_that_is_refused_for_another_holder_ends_it() -> None:
    """At once, not with the next heartbeat of the lease a third of a minute later."""
    venue, connector = Venue(claimed()), Connector(claimed())
    with pytest.raises(BaseExceptionGroup) as raised:
        async with executor(venue, TradingRight(SYMBOL, Sure(), connector.ask)) as (running, _):
            running.carry_out([place()])
    assert raised.group_contains(TradingClaimed)


async def test_a_claim_that_ran_out_and_is_renewed_ends_nothing() -> None:
    """The order was refused and is placed again; so it is where the connector does not respond."""
    for connector in (Connector(), Connector(Unreachable("no connection"))):
        async with executor(Venue(claimed()), TradingRight(SYMBOL, Sure(), connector.ask)) as (running, events):
            running.carry_out([place()])
        assert connector.asked == 1
        assert {type(event) for event in events} == {PlaceResult}
