"""What only the simulated Bitget has for ccxt; the behaviours of all venues are in test_simulator_ccxt.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import ccxt.pro
import pytest

from opensqt.simulator import Simulator
from tests.service.ccxt_venues import SYMBOL, UNPACED, bitget_on
from tests.service.venue_clients import below, settings
from tests.support import eventually


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """Market time stands still: nothing moves but what a test makes move."""
    async with Simulator(settings(exchange="bitget", clock="manual", past_minutes=60, server=UNPACED)) as simulator:
        yield simulator


@pytest.fixture
async def exchange(simulator: Simulator) -> AsyncIterator[Any]:
    async with bitget_on(simulator) as exchange:
        await exchange.load_markets()
        yield exchange


async def test_fills_are_paged_by_id(exchange: Any) -> None:
    for side in ("buy", "sell", "buy"):
        await exchange.create_order(SYMBOL, "market", side, "0.01")
    newest = (await exchange.fetch_my_trades(SYMBOL, limit=1))[0]
    older = await exchange.fetch_my_trades(SYMBOL, params={"idLessThan": newest["id"]})
    everything = await exchange.fetch_my_trades(SYMBOL)
    assert {trade["id"] for trade in older} == {trade["id"] for trade in everything} - {newest["id"]}


async def test_leverage_modes_and_fees_are_set_and_read(exchange: Any, simulator: Simulator) -> None:
    assert (await exchange.set_leverage(7, SYMBOL))["data"]["crossMarginLeverage"] == "7"
    assert simulator.engine.leverage("sim-key", "BTCUSDT") == 7
    assert (await exchange.fetch_leverage(SYMBOL))["longLeverage"] == 7
    assert (await exchange.fetch_trading_fee(SYMBOL))["maker"] == 0.0002
    assert (await exchange.set_margin_mode("cross", SYMBOL))["code"] == "00000"
    assert (await exchange.fetch_margin_mode(SYMBOL))["marginMode"] == "cross"
    assert (await exchange.set_margin_mode("isolated", SYMBOL))["data"]["marginMode"] == "isolated"
    assert (await exchange.fetch_margin_mode(SYMBOL))["marginMode"] == "isolated"
    await exchange.create_order(SYMBOL, "market", "buy", "0.01", None, {"marginMode": "isolated"})
    with pytest.raises(ccxt.ExchangeError, match="45117"):
        await exchange.set_margin_mode("cross", SYMBOL)
    tiers = await exchange.fetch_market_leverage_tiers(SYMBOL)
    assert tiers[0]["maxLeverage"] == 125


async def test_a_closing_order_in_hedge_mode_is_told_as_one(exchange: Any, simulator: Simulator) -> None:
    await exchange.set_position_mode(True, SYMBOL)
    await exchange.create_order(SYMBOL, "market", "buy", "0.02", None, {"hedged": True})
    price = str(below(simulator, -2000))
    closing = {"hedged": True, "reduceOnly": True}
    placed = await exchange.create_order(SYMBOL, "limit", "sell", "0.01", price, closing)
    found = await exchange.fetch_order(placed["id"], SYMBOL)
    assert (found["side"], found["reduceOnly"], found["info"]["tradeSide"]) == ("sell", True, "close")


async def test_a_post_only_order_that_would_take_is_accepted_and_canceled(exchange: Any, simulator: Simulator) -> None:
    """F18: a post-only order never takes."""
    price = str(below(simulator, -1000))
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.01", price, {"postOnly": True})
    found = await exchange.fetch_order(placed["id"], SYMBOL)
    assert (found["status"], found["filled"], found["postOnly"]) == ("canceled", 0.0, True)


async def test_a_client_id_is_good_for_one_order_only(exchange: Any, simulator: Simulator) -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    order = (SYMBOL, "limit", "buy", "0.01", str(below(simulator)), {"clientOrderId": "once1"})
    placed = await exchange.create_order(*order)
    await exchange.cancel_order(placed["id"], SYMBOL)
    with pytest.raises(ccxt.ExchangeError, match="40786"):
        await exchange.create_order(*order)


async def test_cancels_of_what_is_not_open_tell_why(exchange: Any) -> None:
    with pytest.raises(ccxt.OrderNotFound, match="40768"):
        await exchange.cancel_order("987654321", SYMBOL)
    with pytest.raises(ccxt.OrderNotFound, match="40109"):
        await exchange.fetch_order("987654321", SYMBOL)
    bought = await exchange.create_order(SYMBOL, "market", "buy", "0.01")
    with pytest.raises(ccxt.ExchangeError, match="22001"):
        await exchange.cancel_order(bought["id"], SYMBOL)


@pytest.mark.parametrize(
    ("field", "code"), [("apiKey", "40006"), ("secret", "40009"), ("password", "40012")], ids=["key", "sign", "pass"]
)
async def test_wrong_credentials_are_refused_with_the_venues_code(simulator: Simulator, field: str, code: str) -> None:
    async with bitget_on(simulator, **{field: "wrong"}) as exchange:
        with pytest.raises(ccxt.AuthenticationError, match=code):
            await exchange.privateMixGetV2MixAccountAccounts({"productType": "USDT-FUTURES"})
        with pytest.raises(ccxt.AuthenticationError):
            await asyncio.wait_for(exchange.watch_orders(SYMBOL), 60)


async def test_a_timestamp_half_a_minute_off_is_refused(exchange: Any, simulator: Simulator) -> None:
    """F24: a clock that drifts or jumps does not stop trading unnoticed."""
    simulator.market.clock.skew_ms = 31_000
    with pytest.raises(ccxt.InvalidNonce, match="40008"):
        await exchange.fetch_balance()


async def test_demo_trading_is_the_same_with_its_header(simulator: Simulator) -> None:
    async with bitget_on(simulator) as exchange:
        exchange.enable_demo_trading(True)
        await exchange.load_markets()
        assert exchange.sign("v2/mix/order/detail", ["private", "mix"])["headers"]["PAPTRADING"] == "1"
        watching = asyncio.create_task(exchange.watch_orders(SYMBOL))
        await _listening(simulator)
        placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.01", str(below(simulator)))
        assert [order["id"] for order in await asyncio.wait_for(watching, 60)] == [placed["id"]]


async def test_an_endpoint_asked_too_often_answers_429_and_tells_what_is_left() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    async with Simulator(settings(exchange="bitget", clock="manual")) as simulator, bitget_on(simulator) as exchange:
        clock = simulator.market.clock
        clock.skew_ms = 20 - clock.server_ms() % 1000
        asked = {"productType": "USDT-FUTURES", "marginCoin": "USDT"}
        await exchange.privateMixGetV2MixPositionAllPosition(asked)
        assert exchange.last_response_headers["x-mbx-used-remain-limit"] == "4"
        with pytest.raises(ccxt.DDoSProtection, match='"429"'):
            await asyncio.gather(*(exchange.privateMixGetV2MixPositionAllPosition(asked) for _ in range(50)))


@pytest.mark.parametrize("limit", [None, 1, 5, 15], ids=["whole", "1", "5", "15"])
async def test_a_book_is_watched_and_its_checksum_holds(limit: int | None) -> None:
    async with Simulator(settings(exchange="bitget")) as live, bitget_on(live) as exchange:
        await exchange.load_markets()
        async with asyncio.timeout(30):
            for _ in range(5):
                book = await exchange.watch_order_book(SYMBOL, limit)
        assert book["bids"][0][0] < book["asks"][0][0]
        assert limit is None or len(book["bids"]) == limit


def _heard(simulator: Simulator) -> set[str]:
    return {topic.partition("|")[2] for topic in simulator.subscriptions.topics()}


async def _listening(simulator: Simulator) -> None:
    await eventually(lambda: "orders" in _heard(simulator), what="the orders channel")


async def test_an_amended_order_is_canceled_and_placed_under_another_id(exchange: Any, simulator: Simulator) -> None:
    """Its stop-loss goes with it: the old one never begins, the new one begins with the new order's fill."""
    price = below(simulator)
    stop = {"stopLoss": {"triggerPrice": str(price - 1000)}}
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.01", str(price), stop)
    change = {"newClientOid": "again"}
    amended = await exchange.edit_order(placed["id"], SYMBOL, "limit", "buy", "0.02", str(price - 1), change)
    assert amended["id"] != placed["id"]
    (old, new) = simulator.engine.orders("sim-key")
    assert (old.status.value, new.client_order_id) == ("CANCELED", "again")
    assert (new.quantity, new.price) == (Decimal("0.02"), price - 1)
    assert Decimal(new.details["presetStopLossPrice"]) == price - 1000


async def test_an_amendment_of_a_closed_order_places_nothing(exchange: Any, simulator: Simulator) -> None:
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.01", str(below(simulator)))
    await exchange.cancel_order(placed["id"], SYMBOL)
    with pytest.raises(ccxt.ExchangeError, match="22001"):
        await exchange.edit_order(placed["id"], SYMBOL, "limit", "buy", "0.02", "40000", {"newClientOid": "again"})
    assert len(simulator.engine.orders("sim-key")) == 1
