"""Bybit's conditional orders on the simulator, and the take-profit, stop-loss and trailing stop of a position."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.order import Side
from opensqt.simulator import Simulator
from tests.service.bybit_clients import Bare, bybit, until
from tests.service.conditional_orders import conditional, level, position, still, take
from tests.service.venue_clients import below

CREATE, STOP = "/v5/order/create", "/v5/position/trading-stop"
BTC = {"category": "linear", "symbol": "BTCUSDT"}
CONDITIONAL = BTC | {"side": "Sell", "orderType": "Market", "qty": "0.010", "triggerDirection": 2}
Venue = tuple[Simulator, Bare]


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    """Nothing moves but what a test makes move."""
    async with bybit(clock="manual") as (simulator, bare):
        still(simulator)
        yield simulator, bare


async def post(bare: Bare, path: str, **fields: Any) -> Any:
    _, body, _ = await bare.post(path, **fields)
    return body


async def listed(bare: Bare, path: str = "/v5/order/realtime", **more: Any) -> list[Any]:
    _, body, _ = await bare.get(path, **BTC, **more)
    rows: list[Any] = body["result"]["list"]
    return rows


async def hold(bare: Bare, qty: str = "0.010", **more: Any) -> Any:
    return await post(bare, CREATE, **BTC, side="Buy", orderType="Market", qty=qty, **more)


async def test_a_conditional_order_keeps_its_id_when_it_triggers(venue: Venue) -> None:
    simulator, bare = venue
    stream = await bare.listen("order", private=True)
    await hold(bare)
    stop = str(level(simulator, Side.BUY, 3))
    placed = await post(bare, CREATE, **CONDITIONAL, triggerPrice=stop, reduceOnly=True, orderLinkId="guard")
    (row,) = await listed(bare, orderFilter="StopOrder")
    assert (row["orderStatus"], row["stopOrderType"], row["triggerPrice"]) == ("Untriggered", "Stop", stop)
    assert [one["orderId"] for one in await listed(bare)] == [placed["result"]["orderId"]]
    assert await listed(bare, orderFilter="Order") == []
    take(simulator, Side.SELL, 5)
    assert position(simulator) == 0
    seen: list[str] = []
    while "Filled" not in seen:
        for one in (await until(stream, "order"))["data"]:
            if one["orderLinkId"] == "guard":
                assert one["orderId"] == placed["result"]["orderId"]
                seen.append(one["orderStatus"])
    assert seen == ["Untriggered", "Triggered", "Filled"]
    (row,) = await listed(bare, orderLinkId="guard")
    assert (row["orderStatus"], row["stopOrderType"], row["triggerPrice"]) == ("Filled", "Stop", stop)


async def test_take_profit_and_stop_loss_come_with_an_order_and_one_ends_the_other(venue: Venue) -> None:
    """A stop-loss that was acknowledged with its order exists."""
    simulator, bare = venue
    stop = str(level(simulator, Side.BUY, 3))
    await hold(bare, takeProfit="50000", stopLoss=stop, slTriggerBy="LastPrice")
    rows = await listed(bare)
    assert [(row["stopOrderType"], row["closeOnTrigger"]) for row in rows] == [("StopLoss", True), ("TakeProfit", True)]
    (held,) = await listed(bare, "/v5/position/list")
    assert (Decimal(held["takeProfit"]), held["stopLoss"]) == (Decimal(50000), stop)
    take(simulator, Side.SELL, 5)
    assert position(simulator) == 0
    assert [one["status"] for one in conditional(simulator)] == ["EXPIRED", "TRIGGERED"]
    statuses = {row["stopOrderType"]: row["orderStatus"] for row in await listed(bare, "/v5/order/history")}
    assert (statuses["TakeProfit"], statuses["StopLoss"]) == ("Deactivated", "Filled")


async def test_the_stops_of_a_position_are_set_replaced_and_removed(venue: Venue) -> None:
    simulator, bare = venue
    assert (await post(bare, STOP, **BTC, positionIdx=0, stopLoss="40000"))["retCode"] == 10001
    await hold(bare)
    assert (await post(bare, STOP, **BTC, positionIdx=0, stopLoss="40000", takeProfit="50000"))["retCode"] == 0
    await post(bare, STOP, **BTC, positionIdx=0, stopLoss="41000", trailingStop="500", activePrice="46000")
    (held,) = await listed(bare, "/v5/position/list")
    assert [Decimal(held[name]) for name in ("stopLoss", "takeProfit", "trailingStop")] == [41000, 50000, 500]
    assert [one["status"] for one in conditional(simulator)].count("WAITING") == 3
    await post(bare, STOP, **BTC, positionIdx=0, stopLoss="0")
    (held,) = await listed(bare, "/v5/position/list")
    assert held["stopLoss"] == ""
    assert (await post(bare, STOP, **BTC, positionIdx=0, stopLoss="0"))["retCode"] == 34040


async def test_partial_stops_are_for_their_size_and_a_pair(venue: Venue) -> None:
    simulator, bare = venue
    await hold(bare, "0.030")
    fields = BTC | {"positionIdx": 0, "tpslMode": "Partial", "tpSize": "0.010", "slSize": "0.010"}
    stop = str(level(simulator, Side.BUY, 3))
    reply = await post(bare, STOP, **fields, takeProfit="50000", stopLoss=stop)
    assert reply["retCode"] == 0
    take(simulator, Side.SELL, 5)
    assert position(simulator) == Decimal("0.020")
    assert [one["status"] for one in conditional(simulator)] == ["CANCELED", "TRIGGERED"]


async def test_a_quantity_of_zero_closes_the_position(venue: Venue) -> None:
    simulator, bare = venue
    close = BTC | {"side": "Sell", "orderType": "Market", "qty": "0", "reduceOnly": True, "closeOnTrigger": True}
    assert (await post(bare, CREATE, **close))["retCode"] == 110017
    await hold(bare, "0.030")
    assert (await post(bare, CREATE, **close))["retCode"] == 0
    assert position(simulator) == 0


async def test_a_conditional_quantity_of_zero_closes_what_is_held_then(venue: Venue) -> None:
    simulator, bare = venue
    fields = CONDITIONAL | {"qty": "0", "reduceOnly": True, "closeOnTrigger": True}
    await post(bare, CREATE, **fields, triggerPrice=str(level(simulator, Side.BUY, 3)))
    await hold(bare, "0.030")
    take(simulator, Side.SELL, 5)
    assert position(simulator) == 0


async def test_conditional_orders_are_amended_and_canceled_by_the_calls_for_orders(venue: Venue) -> None:
    simulator, bare = venue
    placed = (await post(bare, CREATE, **CONDITIONAL, triggerPrice="40000"))["result"]
    await post(bare, "/v5/order/amend", **BTC, orderId=placed["orderId"], triggerPrice="41000")
    assert conditional(simulator)[0]["trigger_price"] == "41000"
    await bare.limit("Buy", below(simulator))
    await post(bare, "/v5/order/cancel-all", **BTC, orderFilter="StopOrder")
    assert len(simulator.engine.open_orders("sim-key")) == 1
    second = (await post(bare, CREATE, **CONDITIONAL, triggerPrice="40000"))["result"]
    await post(bare, "/v5/order/cancel", **BTC, orderId=second["orderId"])
    await post(bare, CREATE, **CONDITIONAL, triggerPrice="40000")
    await post(bare, "/v5/order/cancel-all", **BTC)
    assert [one["status"] for one in conditional(simulator)] == ["CANCELED"] * 3
    assert simulator.engine.open_orders("sim-key") == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"triggerPrice": "50000"}, 110093),
        ({"triggerPrice": "40000", "triggerDirection": 1}, 110092),
        ({"triggerPrice": "40000", "triggerDirection": 3}, 10001),
        ({"triggerPrice": "40000.05"}, 10001),
        ({"triggerPrice": "40000", "triggerBy": "Nothing"}, 10001),
        ({"triggerPrice": "40000", "qty": "0.0005"}, 10001),
        ({"triggerPrice": "40000", "stopLoss": "39000"}, 110057),
        ({"stopLoss": "40000"}, 10001),
        ({"takeProfit": "50000"}, 10001),
        ({"stopLoss": "50000", "slOrderType": "Limit", "slLimitPrice": "50000"}, 10001),
    ],
)
async def test_a_bad_conditional_order_is_refused_and_not_kept(venue: Venue, fields: dict[str, Any], code: int) -> None:
    simulator, bare = venue
    assert (await post(bare, CREATE, **CONDITIONAL | fields))["retCode"] == code
    account = simulator.ledger()["accounts"]["sim-key"]
    assert (account["conditional_orders"], account["orders"]) == ([], [])
