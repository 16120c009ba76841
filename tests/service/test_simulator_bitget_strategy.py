"""Strategy orders of a unified account of the simulated Bitget: stops of positions and orders, and triggers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from opensqt.model.account import PositionMode
from opensqt.model.order import Side
from opensqt.simulator.settings import AccountSettings
from tests.service.ccxt_venues import SYMBOL, bitget_on
from tests.service.conditional_orders import conditional, level, position, still, take
from tests.service.order_sockets import BitgetUnified, order_client

TRADE = "/api/v3/trade"
PAIR = {"category": "USDT-FUTURES", "symbol": "BTCUSDT"}


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    """Nothing moves but what a test makes move."""
    async with order_client(BitgetUnified) as client:
        still(client.simulator)
        yield client


async def call(client: Any, name: str, **fields: Any) -> Any:
    return await client.post_rest(f"{TRADE}/{name}", fields)


async def place(client: Any, **fields: Any) -> Any:
    body = await call(client, "place-strategy-order", **PAIR | fields)
    assert body["code"] == "00000", body
    return body["data"]


async def hold(client: Any, quantity: str = "0.010", side: str = "buy", **more: Any) -> Any:
    order = client.limit(0, side=side) | {"orderType": "market", "qty": quantity, **more}
    return await call(client, "place-order", **order)


async def rows(client: Any, name: str = "unfilled-strategy-orders", **more: str) -> Any:
    body = await client.get_rest(f"{TRADE}/{name}", {"category": "USDT-FUTURES", **more})
    data = body["data"]
    return data if isinstance(data, list) else data["list"]


async def test_a_stop_of_the_whole_position_closes_what_is_held_then(client: Any) -> None:
    """A stop-loss that was acknowledged exists."""
    await hold(client)
    stop = level(client.simulator, Side.BUY, 3)
    placed = await place(client, side="sell", reduceOnly="yes", stopLoss=str(stop), clientOid="guard")
    (row,) = await rows(client)
    assert (row["orderId"], row["clientOid"], row["status"]) == (placed["orderId"], "guard", "pending")
    assert (row["stopLoss"], row["slTriggerBy"], row["slOrderType"], row["takeProfit"]) == (
        str(stop),
        "market",
        "market",
        "",
    )
    await hold(client, "0.020")
    take(client.simulator, Side.SELL, 5)
    assert (position(client.simulator), await rows(client)) == (0, [])
    (row,) = await rows(client, "history-strategy-orders", type="tpsl")
    assert (row["status"], row["triggerType"]) == ("success", "stopLoss")


async def test_one_of_take_profit_and_stop_loss_ends_the_other(client: Any) -> None:
    await hold(client, "0.020")
    prices = {"takeProfit": str(level(client.simulator, Side.SELL, 3)), "stopLoss": "40000"}
    await place(client, side="sell", tpslMode="partial", qty="0.010", **prices)
    take(client.simulator, Side.BUY, 5)
    assert position(client.simulator) == Decimal("0.010")
    assert [one["status"] for one in conditional(client.simulator)] == ["TRIGGERED"]


async def test_it_ends_with_its_position(client: Any) -> None:
    await hold(client)
    await place(client, side="sell", stopLoss="40000")
    body = await call(client, "close-positions", **PAIR)
    assert len(body["data"]["list"]) == 1
    assert (position(client.simulator), conditional(client.simulator)[0]["status"]) == (0, "EXPIRED")


async def test_a_trigger_places_its_order(client: Any) -> None:
    trigger = {"triggerPrice": str(level(client.simulator, Side.BUY, 3)), "triggerOrderType": "limit"}
    await place(client, type="trigger", side="buy", qty="0.010", triggerOrderPrice="44000", **trigger)
    (row,) = await rows(client, type="trigger")
    assert (row["triggerPrice"], row["triggerOrderPrice"], row["qty"]) == (trigger["triggerPrice"], "44000.00", "0.010")
    take(client.simulator, Side.SELL, 5)
    (order,) = client.simulator.engine.open_orders("sim-key")
    assert (order.price, order.quantity) == (Decimal("44000.0"), Decimal("0.010"))


async def test_what_an_order_carries_begins_with_its_fill(client: Any) -> None:
    """`takeProfit` and `stopLoss` of an order were acknowledged and dropped before."""
    stop = str(level(client.simulator, Side.BUY, 4))
    body = await hold(client, takeProfit="60000", stopLoss=stop, slTriggerBy="market")
    info = await client.get_rest(f"{TRADE}/order-info", {"orderId": body["data"]["orderId"]})
    assert (info["data"]["takeProfit"], info["data"]["stopLoss"]) == ("60000", stop)
    (row,) = await rows(client)
    assert (row["takeProfit"], row["stopLoss"], row["qty"]) == ("60000.00", stop, "0.010")
    take(client.simulator, Side.SELL, 6)
    assert position(client.simulator) == 0


async def test_it_is_modified_and_canceled(client: Any) -> None:
    await hold(client)
    placed = await place(client, side="sell", tpslMode="partial", qty="0.010", stopLoss="40000", takeProfit="60000")
    changed = {"stopLoss": "41000", "qty": "0.005", "slOrderType": "limit", "slLimitPrice": "40900"}
    assert (await call(client, "modify-strategy-order", orderId=placed["orderId"], **changed))["code"] == "00000"
    (row,) = await rows(client)
    assert (row["stopLoss"], row["slLimitPrice"], row["takeProfit"], row["qty"]) == (
        "41000.00",
        "40900.00",
        "60000.00",
        "0.005",
    )
    body = await call(client, "cancel-strategy-order", orderId=placed["orderId"])
    assert (body["code"], body["data"]) == ("00000", None)
    assert (await call(client, "cancel-strategy-order", orderId=placed["orderId"]))["code"] == "25204"
    (row,) = await rows(client, "history-strategy-orders")
    assert row["status"] == "cancelled"


async def test_a_long_and_a_short_have_stops_of_their_own() -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    account = AccountSettings(account_mode="unified", position_mode=PositionMode.HEDGE)
    async with order_client(BitgetUnified, accounts=(account,)) as client:
        still(client.simulator)
        await hold(client, posSide="long")
        await hold(client, side="sell", posSide="short")
        await place(client, posSide="long", stopLoss=str(level(client.simulator, Side.BUY, 3)))
        await place(client, posSide="short", stopLoss="60000")
        take(client.simulator, Side.SELL, 5)
        held = {
            view.position_side.value: view.quantity for view in client.simulator.engine.positions("sim-key", "BTCUSDT")
        }
        assert held == {"LONG": 0, "SHORT": Decimal("-0.010")}
        assert [row["posSide"] for row in await rows(client)] == ["short"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "40019"),
        ({"stopLoss": "60000", "side": "sell"}, "40917"),
        ({"takeProfit": "40000", "side": "sell"}, "40915"),
        ({"stopLoss": "40000", "side": "buy"}, "43023"),
        ({"stopLoss": "40000", "tpslMode": "partial"}, "40019"),
        ({"stopLoss": "40000", "slTriggerBy": "index"}, "40020"),
        ({"type": "trigger", "side": "buy", "qty": "0.010"}, "40019"),
        ({"type": "trailing"}, "40020"),
        ({"symbol": "NOPEUSDT", "stopLoss": "40000"}, "40034"),
    ],
)
async def test_a_bad_one_is_refused_and_not_kept(client: Any, fields: dict[str, str], code: str) -> None:
    await hold(client)
    body = await call(client, "place-strategy-order", **PAIR | fields)
    assert body["code"] == code
    assert conditional(client.simulator) == []


async def test_the_channel_reports_it(client: Any) -> None:
    await hold(client)
    stream = await client.events()
    topic = {"instType": "UTA", "topic": "strategy-order", "symbol": "default"}
    await stream.send_json({"op": "subscribe", "args": [topic]})
    await client.rest_of(stream)
    await place(client, side="sell", stopLoss=str(level(client.simulator, Side.BUY, 3)))
    take(client.simulator, Side.SELL, 5)
    frames = [frame for frame in await client.rest_of(stream) if frame["arg"]["topic"] == "strategy-order"]
    assert all(frame["arg"] == topic and frame["action"] == "snapshot" for frame in frames)
    assert [frame["data"][0]["status"] for frame in frames] == ["pending", "success"]


async def test_ccxt_places_lists_and_cancels_stops(client: Any) -> None:
    async with bitget_on(client.simulator) as exchange:
        exchange.options["uta"] = False
        await exchange.load_markets()
        exchange.options["uta"] = True
        await exchange.create_order(SYMBOL, "market", "buy", "0.010")
        stop = {"stopLossPrice": "40000", "reduceOnly": True}
        placed = await exchange.create_order(SYMBOL, "market", "sell", "0.010", None, stop)
        (found,) = await exchange.fetch_open_orders(SYMBOL, None, None, {"trigger": True})
        assert (found["id"], found["stopLossPrice"]) == (placed["id"], 40000.0)
        await exchange.edit_order(placed["id"], SYMBOL, "market", "sell", "0.010", None, {"stopLossPrice": "41000"})
        assert conditional(client.simulator)[0]["trigger_price"] == "41000"
        await exchange.cancel_order(placed["id"], SYMBOL, {"trigger": True})
        assert await exchange.fetch_open_orders(SYMBOL, None, None, {"trigger": True}) == []
        await exchange.create_order(SYMBOL, "market", "buy", "0.010", None, {"stopLoss": {"triggerPrice": "40000"}})
        assert conditional(client.simulator)[-1]["status"] == "WAITING"
        with pytest.raises(ccxt.ExchangeError, match="25204"):
            await exchange.cancel_order("1", SYMBOL, {"trigger": True})
