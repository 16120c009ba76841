"""Binance's order endpoints: what is refused with which code, and what the queries answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.order import Side
from opensqt.simulator import Simulator
from tests.service.venue_clients import Bare, below, venue

Venue = tuple[Simulator, Bare]
ORDER = "/fapi/v1/order"
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}


@pytest.fixture
async def at() -> AsyncIterator[Venue]:
    async with venue(clock="manual") as at:
        yield at


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"symbol": ""}, -1102),
        ({"symbol": "NOSUCH"}, -1121),
        ({"side": "HOLD"}, -1117),
        ({"type": "DANCE"}, -1116),
        ({"type": "STOP_MARKET"}, -4120),
        ({"timeInForce": ""}, -1102),
        ({"timeInForce": "DAY"}, -1115),
        ({"timeInForce": "GTD"}, -1102),
        ({"timeInForce": "GTD", "goodTillDate": "1"}, -5040),
        ({"quantity": "abc"}, -1100),
        ({"quantity": "0"}, -4003),
        ({"quantity": "0.0105"}, -1111),
        ({"quantity": "2000"}, -4005),
        ({"price": ""}, -1102),
        ({"price": "-5"}, -4001),
        ({"price": "44000.05"}, -4014),
        ({"price": "44000.123"}, -1111),
        ({"price": "90000"}, -4016),
        ({"side": "SELL", "price": "20000"}, -4024),
        ({"quantity": "0.001", "price": "1000"}, -4164),
        ({"quantity": "5"}, -2019),
        ({"newClientOrderId": "x" * 37}, -4015),
        ({"newClientOrderId": "with space"}, -1100),
        ({"positionSide": "LONG"}, -4061),
        ({"reduceOnly": "true"}, -2022),
        ({"type": "MARKET"}, -1106),
        ({"timeInForce": "GTX", "price": "46000"}, -5022),
    ],
)
async def test_a_bad_order_has_its_own_code_and_is_not_placed(at: Venue, change: dict[str, str], code: int) -> None:
    simulator, bare = at
    order = {**LIMIT, "price": "44000", **change}
    status, body, _ = await bare.signed("POST", ORDER, **order)
    assert (status, body["code"]) == (400, code)
    assert "{0}" not in body["msg"]
    assert simulator.engine.orders("sim-key") == []


async def test_a_client_id_is_refused_while_an_open_order_has_it(at: Venue) -> None:
    simulator, bare = at
    first = await bare.limit("BUY", below(simulator), newClientOrderId="mine1")
    again = await bare.limit("BUY", below(simulator), newClientOrderId="mine1")
    assert (first[0], again[0], again[1]["code"]) == (200, 400, -4116)
    await bare.signed("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="mine1")
    assert (await bare.limit("BUY", below(simulator), newClientOrderId="mine1"))[0] == 200


async def test_a_test_order_is_checked_and_not_placed(at: Venue) -> None:
    simulator, bare = at
    status, _, _ = await bare.signed("POST", f"{ORDER}/test", **LIMIT, price="44000")
    refused, body, _ = await bare.signed("POST", f"{ORDER}/test", **{**LIMIT, "quantity": "0.001"}, price="1000")
    assert (status, refused, body["code"]) == (200, 400, -4164)
    assert simulator.engine.orders("sim-key") == []


async def test_an_acknowledgement_says_new_whatever_matching_did(at: Venue) -> None:
    _, bare = at
    _, ack, _ = await bare.signed("POST", ORDER, **MARKET)
    _, result, _ = await bare.signed("POST", ORDER, **MARKET, newOrderRespType="RESULT")
    assert (ack["status"], ack["executedQty"]) == ("NEW", "0.000")
    assert (result["status"], result["executedQty"]) == ("FILLED", "0.010")
    assert Decimal(result["cumQuote"]) / Decimal("0.010") == Decimal(result["avgPrice"])


@pytest.mark.parametrize("time_in_force", ["IOC", "FOK"])
async def test_what_can_not_be_done_at_once_expires(at: Venue, time_in_force: str) -> None:
    simulator, bare = at
    order = {**LIMIT, "timeInForce": time_in_force, "newOrderRespType": "RESULT", "price": str(below(simulator))}
    _, body, _ = await bare.signed("POST", ORDER, **order)
    assert (body["status"], body["executedQty"]) == ("EXPIRED", "0.000")


async def test_our_resting_order_expires_before_we_trade_with_ourselves(at: Venue) -> None:
    simulator, bare = at
    price = simulator.engine.best("BTCUSDT").bid + Decimal("0.10")
    _, resting, _ = await bare.limit("BUY", price)
    await bare.limit("SELL", price)
    _, found, _ = await bare.signed("GET", ORDER, symbol="BTCUSDT", orderId=resting["orderId"])
    assert found["status"] == "EXPIRED_IN_MATCH"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_order_must_be_named(at: Venue, method: str) -> None:
    _, bare = at
    status, body, _ = await bare.signed(method, ORDER, symbol="BTCUSDT")
    assert (status, body["code"]) == (400, -1102)


async def test_an_unknown_order_is_told_so(at: Venue) -> None:
    _, bare = at
    codes = [(await bare.signed(method, ORDER, symbol="BTCUSDT", orderId=1))[1]["code"] for method in ("GET", "DELETE")]
    assert codes == [-2013, -2011]


async def test_a_closed_order_can_be_queried_but_not_canceled(at: Venue) -> None:
    simulator, bare = at
    _, order, _ = await bare.limit("BUY", below(simulator))
    name = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
    assert (await bare.signed("DELETE", ORDER, **name))[1]["status"] == "CANCELED"
    assert (await bare.signed("DELETE", ORDER, **name))[1]["code"] == -2011
    assert (await bare.signed("GET", ORDER, **name))[1]["status"] == "CANCELED"
    assert (await bare.signed("GET", "/fapi/v1/openOrder", **name))[1]["code"] == -2013


async def test_a_batch_answers_each_item_in_its_place(at: Venue) -> None:
    simulator, bare = at
    good = {**LIMIT, "price": str(below(simulator))}
    items = [good, {**good, "price": "44000.05"}, {**good, "quantity": "5"}, good]
    status, body, _ = await bare.signed("POST", "/fapi/v1/batchOrders", batchOrders=_json(items))
    assert status == 200
    assert [row.get("code", row.get("status")) for row in body] == ["NEW", -4014, -2019, "NEW"]


async def test_a_batch_of_amendments_returns_each_item_in_its_place(at: Venue) -> None:
    """A bad amendment hides neither the good ones nor itself; an amended order is written with its pair."""
    simulator, bare = at
    price = str(below(simulator))
    _, placed, _ = await bare.signed("POST", ORDER, **LIMIT, price=price)
    change = {"symbol": "BTCUSDT", "side": "BUY", "orderId": placed["orderId"], "quantity": "0.020", "price": price}
    batch = json.dumps([change | {"orderId": 1}, change])
    status, (bad, good), _ = await bare.signed("PUT", "/fapi/v1/batchOrders", batchOrders=batch)
    assert (status, bad["code"]) == (200, -2013)
    assert (good["origQty"], good["pair"], good["cumBase"]) == ("0.020", "BTCUSDT", "0.000")
    assert [order.quantity for order in simulator.engine.open_orders("sim-key")] == [Decimal("0.020")]


async def test_a_batch_takes_five_at_most(at: Venue) -> None:
    simulator, bare = at
    items = [{**LIMIT, "price": str(below(simulator))}] * 6
    _, body, _ = await bare.signed("POST", "/fapi/v1/batchOrders", batchOrders=_json(items))
    assert body["code"] == -4082
    assert simulator.engine.orders("sim-key") == []


async def test_a_batch_cancel_answers_each_item_in_its_place(at: Venue) -> None:
    simulator, bare = at
    await bare.limit("BUY", below(simulator), newClientOrderId="mine1")
    listed = _json(["mine1", "nobody"])
    _, body, _ = await bare.signed("DELETE", "/fapi/v1/batchOrders", symbol="BTCUSDT", origClientOrderIdList=listed)
    assert [row.get("code", row.get("status")) for row in body] == ["CANCELED", -2011]


async def test_trades_are_listed_from_an_id_or_a_time(at: Venue) -> None:
    simulator, bare = at
    for _ in range(3):
        await bare.signed("POST", ORDER, **MARKET)
        simulator.market.advance(10)
    fills = simulator.ledger()["accounts"]["sim-key"]["fills"]
    _, rows, _ = await bare.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")
    assert [str(row["id"]) for row in rows] == [fill["trade_id"] for fill in fills]
    assert [Decimal(row["commission"]) for row in rows] == [Decimal(fill["fee"]) for fill in fills]
    _, rows, _ = await bare.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", fromId=fills[1]["trade_id"])
    assert [str(row["id"]) for row in rows] == [fill["trade_id"] for fill in fills[1:]]
    since = fills[-1]["time_ms"]
    _, rows, _ = await bare.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", startTime=since)
    assert {row["time"] for row in rows} == {since}


async def test_all_orders_are_listed_open_and_closed(at: Venue) -> None:
    simulator, bare = at
    _, first, _ = await bare.limit("BUY", below(simulator))
    await bare.signed("DELETE", ORDER, symbol="BTCUSDT", orderId=first["orderId"])
    await bare.limit("BUY", below(simulator))
    _, rows, _ = await bare.signed("GET", "/fapi/v1/allOrders", symbol="BTCUSDT")
    assert [row["status"] for row in rows] == ["CANCELED", "NEW"]
    _, rows, _ = await bare.signed("GET", "/fapi/v1/openOrders")
    assert [row["status"] for row in rows] == ["NEW"]


async def test_hedge_mode_takes_no_reduce_only(at: Venue) -> None:
    _, bare = at
    await bare.signed("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    order = {**MARKET, "positionSide": "LONG", "reduceOnly": "true"}
    assert (await bare.signed("POST", ORDER, **order))[1]["code"] == -1106


async def test_a_reduce_only_order_never_flips_the_position(at: Venue) -> None:
    """F19: a reduce-only order never flips or opens a position."""
    simulator, bare = at
    await bare.signed("POST", ORDER, **MARKET)
    order = {**MARKET, "side": "SELL", "quantity": "0.030", "reduceOnly": "true"}
    await bare.signed("POST", ORDER, **order)
    (position,) = simulator.engine.positions("sim-key", "BTCUSDT")
    assert position.quantity == 0


async def test_positions_are_told_by_both_versions(at: Venue) -> None:
    _, bare = at
    await bare.signed("POST", ORDER, **{**MARKET, "side": Side.SELL.value})
    _, (v3,), _ = await bare.signed("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT")
    _, (v2,), _ = await bare.signed("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT")
    assert (v3["positionAmt"], v2["positionAmt"]) == ("-0.010", "-0.010")
    assert (v2["leverage"], v2["marginType"]) == ("10", "cross")
    _, account, _ = await bare.signed("GET", "/fapi/v3/account")
    assert Decimal(account["totalPositionInitialMargin"]) == Decimal(v3["positionInitialMargin"])


async def test_a_refused_leverage_names_it(at: Venue) -> None:
    _, bare = at
    status, body, _ = await bare.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=500)
    assert (status, body) == (400, {"code": -4028, "msg": "Leverage 500 is not valid."})


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


async def test_positions_are_last_in_the_queue_of_deleveraging(at: Venue) -> None:
    """Deleveraging is not simulated: a position that is held has quantile 0, and no other symbol is listed."""
    _, bare = at
    assert (await bare.signed("GET", "/fapi/v1/adlQuantile"))[1] == []
    await bare.signed("POST", ORDER, **MARKET)
    _, rows, _ = await bare.signed("GET", "/fapi/v1/adlQuantile")
    assert rows == [{"symbol": "BTCUSDT", "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": 0}}]
