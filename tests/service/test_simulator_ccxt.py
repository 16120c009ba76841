"""Unmodified ccxt and ccxt.pro trade on every simulated venue: one body per behaviour over the table of venues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from opensqt.model.order import Side
from opensqt.simulator import Simulator
from tests.service.ccxt_venues import SYMBOL, VENUES, CcxtVenue
from tests.service.venue_clients import below
from tests.support import eventually

HEDGED = [venue for venue in VENUES if venue.hedge_refusal is not None]
MARKED = [venue for venue in VENUES if venue.one_way_order is not None]
AMENDS = [venue for venue in VENUES if venue.amends]
CANCELS_ALL = [venue for venue in VENUES if venue.cancels_all]


def each(venues: list[CcxtVenue]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("venue", venues, ids=lambda venue: venue.name)


@pytest.fixture(params=VENUES, ids=lambda venue: venue.name)
def venue(request: pytest.FixtureRequest) -> CcxtVenue:
    return request.param


@pytest.fixture
async def simulator(venue: CcxtVenue) -> AsyncIterator[Simulator]:
    """Market time stands still: nothing moves but what a test makes move."""
    async with venue.simulator(clock="manual") as simulator:
        yield simulator


@pytest.fixture
async def exchange(venue: CcxtVenue, simulator: Simulator) -> AsyncIterator[Any]:
    async with venue.connect(simulator) as exchange:
        await exchange.load_markets()
        yield exchange


async def test_markets_and_balance_are_read(venue: CcxtVenue, exchange: Any) -> None:
    """F11: contracts are never taken for coins."""
    assert set(exchange.markets) == {"BTC/USDT:USDT", "ETH/USDT:USDT"}
    market = exchange.markets[SYMBOL]
    assert (market["contractSize"], market["precision"]["price"]) == (float(venue.contract), 0.1)
    assert market["precision"]["amount"] == pytest.approx(0.001 / float(venue.contract))
    balance = (await exchange.fetch_balance())["USDT"]
    assert (balance["free"], balance["used"], balance["total"]) == (10000.0, 0.0, 10000.0)


async def test_a_limit_order_is_placed_queried_and_canceled(
    venue: CcxtVenue, exchange: Any, simulator: Simulator
) -> None:
    price, name = below(simulator), f"{venue.prefix}abc1"
    placed = await exchange.create_order(
        SYMBOL, "limit", "buy", venue.amount("0.015"), str(price), {venue.id_param: name}
    )
    (held,) = simulator.engine.open_orders("sim-key")
    assert (held.quantity, held.price, held.client_order_id) == (Decimal("0.015"), price, "abc1")
    found = await exchange.fetch_order(placed["id"], SYMBOL, venue.fetch_params)
    assert (found["status"], found["clientOrderId"], found["filled"]) == ("open", name, 0.0)
    assert (found["amount"], found["price"]) == (float(venue.amount("0.015")), float(price))
    assert [order["id"] for order in await exchange.fetch_open_orders(SYMBOL)] == [placed["id"]]
    assert (await exchange.cancel_order(placed["id"], SYMBOL))["id"] == placed["id"]
    assert await exchange.fetch_open_orders(SYMBOL) == []
    assert (await exchange.fetch_order(placed["id"], SYMBOL, venue.fetch_params))["status"] == "canceled"


@each(AMENDS)
async def test_an_order_is_amended(venue: CcxtVenue, exchange: Any, simulator: Simulator) -> None:
    price = below(simulator)
    placed = await exchange.create_order(SYMBOL, "limit", "buy", venue.amount("0.01"), str(price))
    await exchange.edit_order(placed["id"], SYMBOL, "limit", "buy", venue.amount("0.02"), str(price - 1))
    (held,) = simulator.engine.open_orders("sim-key")
    assert (held.order_id, held.price, held.quantity) == (placed["id"], price - 1, Decimal("0.02"))
    with pytest.raises(ccxt.BaseError):
        await exchange.edit_order("987654", SYMBOL, "limit", "buy", venue.amount("0.02"), str(price - 1))


async def test_an_order_is_queried_and_canceled_by_client_id(
    venue: CcxtVenue, exchange: Any, simulator: Simulator
) -> None:
    name = f"{venue.prefix}mine1"
    placed = await exchange.create_order(
        SYMBOL, "limit", "buy", venue.amount("0.01"), str(below(simulator)), {venue.id_param: name}
    )
    assert (await venue.find(exchange, name))["id"] == placed["id"]
    await venue.cancel(exchange, name)
    assert simulator.engine.open_orders("sim-key") == []


async def test_a_batch_answers_per_item(venue: CcxtVenue, exchange: Any, simulator: Simulator) -> None:
    """F2: a batch is answered item by item, and a failed one is never sent again item by item."""
    good = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": venue.amount("0.01")}
    good["price"] = str(below(simulator))
    exchange.enableLastJsonResponse = True
    await exchange.create_orders([good, {**good, **venue.refused_in_batch}, good])
    # ccxt leaves out or moves what was refused, so the venue's own answer is looked at.
    assert venue.batch_code in str(exchange.last_json_response)
    placed = [order.order_id for order in simulator.engine.open_orders("sim-key")]
    assert len(placed) == 2
    await exchange.cancel_orders(placed, SYMBOL, venue.cancel_batch_params)
    assert simulator.engine.open_orders("sim-key") == []


@each(CANCELS_ALL)
async def test_all_orders_of_a_symbol_are_canceled(venue: CcxtVenue, exchange: Any, simulator: Simulator) -> None:
    for _ in range(3):
        await exchange.create_order(SYMBOL, "limit", "buy", venue.amount("0.01"), str(below(simulator)))
    await exchange.cancel_all_orders(SYMBOL)
    assert simulator.engine.open_orders("sim-key") == []


@pytest.mark.parametrize(("side", "held"), [("buy", "long"), ("sell", "short")])
async def test_a_market_order_fills_and_makes_a_position(
    venue: CcxtVenue, exchange: Any, simulator: Simulator, side: str, held: str
) -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    amount = float(venue.amount("0.01"))
    traded = await exchange.create_order(SYMBOL, "market", side, venue.amount("0.01"))
    found = await exchange.fetch_order(traded["id"], SYMBOL, venue.fetch_params)
    assert (found["status"], found["filled"]) == ("closed", amount)
    positions = [row for row in await exchange.fetch_positions([SYMBOL]) if row["contracts"]]
    assert [(row["side"], row["contracts"]) for row in positions] == [(held, amount)]
    trades = await exchange.fetch_my_trades(SYMBOL)
    assert {(trade["order"], trade["side"], trade["takerOrMaker"]) for trade in trades} == {
        (traded["id"], side, "taker")
    }
    assert sum(trade["amount"] for trade in trades) == pytest.approx(amount)


async def test_public_market_data_is_read(exchange: Any) -> None:
    bars = await exchange.fetch_ohlcv(SYMBOL, "1m", limit=20)
    assert [bar[0] - bars[0][0] for bar in bars] == [60_000 * number for number in range(20)]
    book = await exchange.fetch_order_book(SYMBOL, 5)
    assert len(book["bids"]) == len(book["asks"]) == 5
    assert book["bids"][0][0] < book["asks"][0][0]
    assert (await exchange.fetch_ticker(SYMBOL))["last"] > 0
    funding = await exchange.fetch_funding_rate(SYMBOL)
    assert funding["fundingTimestamp"] > await exchange.fetch_time()
    assert await exchange.fetch_trades(SYMBOL) == []


async def test_leverage_and_fees_are_set_and_read(venue: CcxtVenue, exchange: Any, simulator: Simulator) -> None:
    """F21: the leverage in force is the one that was asked for."""
    await exchange.set_leverage(7, SYMBOL, venue.set_leverage)
    assert simulator.engine.leverage("sim-key", "BTCUSDT") == 7
    assert (await exchange.fetch_trading_fee(SYMBOL))["maker"] == 0.0002
    tiers = (
        (await exchange.fetch_leverage_tiers([SYMBOL]))[SYMBOL]
        if exchange.has["fetchLeverageTiers"] is True
        else (await exchange.fetch_market_leverage_tiers(SYMBOL))
    )
    assert tiers[0]["maxLeverage"] == 125


async def test_hedge_mode_keeps_a_long_and_a_short_side_by_side(venue: CcxtVenue, exchange: Any) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    await exchange.set_position_mode(True, SYMBOL)
    await exchange.create_order(SYMBOL, "market", "buy", venue.amount("0.02"), None, venue.hedge_long)
    await exchange.create_order(SYMBOL, "market", "sell", venue.amount("0.01"), None, venue.hedge_short)
    rows = {row["side"]: row["contracts"] for row in await exchange.fetch_positions([SYMBOL]) if row["contracts"]}
    assert rows == {"long": float(venue.amount("0.02")), "short": float(venue.amount("0.01"))}
    with pytest.raises(ccxt.ExchangeError, match=venue.mode_with_position):
        await exchange.set_position_mode(False, SYMBOL)


@each(HEDGED)
async def test_hedge_mode_refuses_an_order_without_a_side(venue: CcxtVenue, exchange: Any) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    await exchange.set_position_mode(True, SYMBOL)
    with pytest.raises(ccxt.ExchangeError, match=venue.hedge_refusal):
        await exchange.create_order(SYMBOL, "market", "buy", venue.amount("0.01"))


@each(MARKED)
async def test_one_way_mode_refuses_a_hedge_side(venue: CcxtVenue, exchange: Any) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    with pytest.raises(ccxt.ExchangeError, match=venue.one_way_refusal):
        await exchange.create_order(SYMBOL, "market", "buy", venue.amount("0.01"), None, venue.one_way_order)


@pytest.mark.parametrize(
    ("venue", "changes", "refusal"),
    [
        pytest.param(venue, *refusal, id=f"{venue.name}-{'-'.join(map(str, refusal[0]))}-{number}")
        for venue in VENUES
        for number, refusal in enumerate(venue.refusals)
    ],
)
async def test_a_bad_order_is_refused_with_the_venues_code(
    venue: CcxtVenue, exchange: Any, simulator: Simulator, changes: dict[str, Any], refusal: str
) -> None:
    """F23: price and quantity keep to the venue's steps and limits."""
    with pytest.raises(ccxt.BaseError, match=refusal):
        await getattr(exchange, venue.order_call)(venue.order_fields | changes)
    assert simulator.engine.open_orders("sim-key") == []


async def test_orders_and_trades_are_watched(venue: CcxtVenue, exchange: Any, simulator: Simulator) -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    watching = asyncio.create_task(exchange.watch_orders(SYMBOL))
    await _subscribed(simulator, venue.order_channel)
    price = below(simulator, 0)
    placed = await exchange.create_order(SYMBOL, "limit", "buy", venue.amount("0.01"), str(price))
    seen = await asyncio.wait_for(watching, 60)
    assert [(order["id"], order["status"]) for order in seen] == [(placed["id"], "open")]
    trades = asyncio.create_task(exchange.watch_my_trades(SYMBOL))
    await _subscribed(simulator, venue.fill_channel)
    await eventually(lambda: _awaits(exchange, "trades"), what="ccxt's wait for trades")
    simulator.market.send_outside_order("BTCUSDT", Side.SELL, Decimal(50), price)
    (trade,) = await asyncio.wait_for(trades, 60)
    assert (trade["order"], trade["takerOrMaker"], trade["side"]) == (placed["id"], "maker", "buy")
    filled = simulator.engine.find("sim-key", "BTCUSDT", order_id=placed["id"]).filled_quantity
    assert float(filled / venue.contract) == pytest.approx(trade["amount"])


async def test_balance_and_positions_are_watched(venue: CcxtVenue, exchange: Any, simulator: Simulator) -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    await asyncio.wait_for(exchange.watch_positions([SYMBOL]), 60)
    balance = asyncio.create_task(_changed_balance(exchange))
    positions = asyncio.create_task(_held_positions(exchange))
    await _subscribed(simulator, venue.balance_channel)
    await eventually(lambda: _awaits(exchange, "position"), what="ccxt's wait for positions")
    await exchange.create_order(SYMBOL, "market", "sell", venue.amount("0.01"))
    rows = await asyncio.wait_for(positions, 60)
    assert [(row["side"], row["contracts"]) for row in rows] == [("short", float(venue.amount("0.01")))]
    assert await asyncio.wait_for(balance, 30) < 10000


async def test_market_streams_are_watched(venue: CcxtVenue) -> None:
    async with venue.simulator() as live, venue.connect(live) as exchange:
        await exchange.load_markets()
        # Where the market has not traded yet, the first frame of the trades is an empty list.
        await eventually(lambda: live.engine.trades("BTCUSDT", limit=1))
        bids_asks, bars, book, ticker, trades = await asyncio.wait_for(
            asyncio.gather(
                exchange.watch_bids_asks([SYMBOL]),
                exchange.watch_ohlcv(SYMBOL, "1m"),
                # Of another symbol: on Bybit ccxt takes one book's first frame for the other's.
                exchange.watch_order_book("ETH/USDT:USDT"),
                exchange.watch_ticker(SYMBOL),
                exchange.watch_trades(SYMBOL),
            ),
            50,
        )
    assert bids_asks[SYMBOL]["bid"] < bids_asks[SYMBOL]["ask"]
    assert bars[-1][4] > 0
    assert book["bids"][0][0] < book["asks"][0][0]
    assert ticker["last"] > 0
    assert trades[-1]["amount"] > 0


async def test_the_book_that_ccxt_keeps_is_the_engines(venue: CcxtVenue) -> None:
    """F14: ccxt checks numbers and checksums by its own code, and has the same levels after many changes."""
    async with venue.simulator() as live, venue.connect(live) as exchange:
        await exchange.load_markets()
        kept: list[Any] = []

        async def keep() -> None:
            while True:
                kept.append(await exchange.watch_order_book(SYMBOL))

        def agrees() -> bool:
            truth, contract = live.engine.book("BTCUSDT", 10), venue.contract
            sides = ((kept[-1]["bids"], truth.bids), (kept[-1]["asks"], truth.asks))
            return all(
                [tuple(level[:2]) for level in found[:10]] == [(float(p), float(q / contract)) for p, q in wanted]
                for found, wanted in sides
            )

        keeping = asyncio.create_task(keep())
        try:
            await eventually(lambda: len(kept) > 20 or keeping.done(), what="twenty changes of the book")
            live.market.pause("BTCUSDT")
            await eventually(lambda: agrees() or keeping.done(), what="the engine's book")
            assert not keeping.done(), keeping.exception()
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


async def _changed_balance(exchange: Any) -> float:
    """Return the first total that is not the one at the start; some venues send that, too."""
    while True:
        total = (await exchange.watch_balance())["USDT"]["total"]
        if total != 10000:
            return float(total)


async def _held_positions(exchange: Any) -> list[Any]:
    """Return the first positions that are held; OKX sends a flat account's every five seconds, too."""
    while True:
        rows: list[Any] = await exchange.watch_positions([SYMBOL])
        if any(row["contracts"] for row in rows):
            return rows


async def _subscribed(simulator: Simulator, channel: str) -> None:
    await eventually(
        lambda: any(channel in topic for topic in simulator.subscriptions.topics()), what=f"a subscription of {channel}"
    )


def _awaits(exchange: Any, message: str) -> bool:
    """Whether ccxt waits for a message of this kind."""
    return any(message in name.lower() for client in exchange.clients.values() for name in client.futures)
