"""Binance's algo service on the simulator: its endpoints, its refusals, and the events of its stream."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from opensqt.model.order import Side
from opensqt.simulator import Simulator
from tests.service import venue_clients
from tests.service.conditional_orders import conditional, level, position, still, take
from tests.service.venue_clients import Bare

ALGO = "/fapi/v1/algoOrder"
Venue = tuple[Simulator, Bare]


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    """Nothing moves but what a test makes move."""
    async with venue_clients.venue(clock="manual") as (simulator, bare):
        still(simulator)
        yield simulator, bare


async def place(bare: Bare, **fields: Any) -> tuple[int, Any]:
    order = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
    given = {name: value for name, value in {**order, "quantity": "0.010", **fields}.items() if value is not None}
    status, body, _ = await bare.signed("POST", ALGO, **given)
    return status, body


async def hold(bare: Bare, quantity: str = "0.010") -> None:
    await bare.signed("POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity=quantity)


async def algo_events(stream: aiohttp.ClientWebSocketResponse, until: str) -> list[Any]:
    seen: list[Any] = []
    while not seen or seen[-1]["X"] != until:
        seen.append((await venue_clients.until(stream, "ALGO_UPDATE"))["o"])
    return seen


async def test_a_stop_is_placed_queried_triggered_and_finished(venue: Venue) -> None:
    """A stop-loss that was acknowledged exists."""
    simulator, bare = venue
    stream = await bare.user_stream()
    await hold(bare)
    stop = level(simulator, Side.BUY, 4)
    _, placed = await place(bare, triggerPrice=stop, reduceOnly="true", clientAlgoId="guard")
    assert (placed["algoStatus"], placed["triggerPrice"], placed["reduceOnly"]) == ("NEW", str(stop), True)
    _, (listed,), _ = await bare.signed("GET", "/fapi/v1/openAlgoOrders", symbol="BTCUSDT")
    assert listed["algoId"] == placed["algoId"]
    _, orders, _ = await bare.signed("GET", "/fapi/v1/openOrders", symbol="BTCUSDT")
    assert orders == []
    take(simulator, Side.SELL, 4)
    assert conditional(simulator)[0]["status"] == "WAITING"
    take(simulator, Side.SELL, 2)
    events = await algo_events(stream, "FINISHED")
    assert [event["X"] for event in events] == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    assert (events[-1]["caid"], events[-1]["aq"], position(simulator)) == ("guard", "0.010", Decimal(0))
    _, found, _ = await bare.signed("GET", ALGO, clientAlgoId="guard")
    assert (found["algoStatus"], found["actualOrderId"]) == ("FINISHED", events[-1]["ai"])
    _, order, _ = await bare.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=found["actualOrderId"])
    assert (order["type"], order["origType"], order["stopPrice"]) == ("MARKET", "STOP_MARKET", str(stop))


async def test_a_canceled_one_is_published_and_gone(venue: Venue) -> None:
    _simulator, bare = venue
    stream = await bare.user_stream()
    _, placed = await place(bare, triggerPrice="40000")
    status, body, _ = await bare.signed("DELETE", ALGO, algoId=placed["algoId"])
    assert (status, body["algoId"], body["code"]) == (200, placed["algoId"], "200")
    assert [event["X"] for event in await algo_events(stream, "CANCELED")] == ["NEW", "CANCELED"]
    status, body, _ = await bare.signed("DELETE", ALGO, algoId=placed["algoId"])
    assert (status, body["code"]) == (400, -2011)
    _, history, _ = await bare.signed("GET", "/fapi/v1/allAlgoOrders", symbol="BTCUSDT")
    assert [one["algoStatus"] for one in history] == ["CANCELED"]


async def test_cancel_all_of_orders_leaves_conditional_ones_and_the_other_way_round(venue: Venue) -> None:
    simulator, bare = venue
    await bare.limit("BUY", venue_clients.below(simulator))
    await place(bare, triggerPrice="40000")
    await bare.signed("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT")
    assert (conditional(simulator)[0]["status"], len(simulator.engine.open_orders("sim-key"))) == ("CANCELED", 1)
    await place(bare, triggerPrice="40000")
    await bare.signed("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    assert (conditional(simulator)[1]["status"], simulator.engine.open_orders("sim-key")) == ("WAITING", [])


async def test_close_position_closes_what_is_held_at_the_trigger(venue: Venue) -> None:
    simulator, bare = venue
    await hold(bare)
    await place(bare, quantity=None, closePosition="true", triggerPrice=level(simulator, Side.BUY, 3))
    await hold(bare, "0.030")
    take(simulator, Side.SELL, 5)
    assert position(simulator) == 0


async def test_gte_gtc_ends_with_the_position(venue: Venue) -> None:
    _simulator, bare = venue
    status, body = await place(bare, triggerPrice="40000", timeInForce="GTE_GTC")
    assert (status, body["code"]) == (400, -4509)
    stream = await bare.user_stream()
    await hold(bare)
    await place(bare, triggerPrice="40000", timeInForce="GTE_GTC", quantity=None, closePosition="true")
    await bare.signed("POST", "/fapi/v1/order", symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.010")
    assert (await algo_events(stream, "EXPIRED"))[-1]["cp"] is True


async def test_a_reduce_only_stop_without_a_position_is_rejected_when_it_triggers(venue: Venue) -> None:
    simulator, bare = venue
    stream = await bare.user_stream()
    await place(bare, triggerPrice=level(simulator, Side.BUY, 2), reduceOnly="true")
    take(simulator, Side.SELL, 4)
    assert (await algo_events(stream, "REJECTED"))[-1]["rm"] == "Reduce Only reject"


async def test_a_trailing_stop_follows(venue: Venue) -> None:
    simulator, bare = venue
    await hold(bare)
    _, placed = await place(bare, type="TRAILING_STOP_MARKET", callbackRate="0.1", reduceOnly="true")
    assert placed["callbackRate"] == "0.1"
    best = Decimal(45000)
    simulator.engine.set_mark("BTCUSDT", best * 2)  # it watches prints, not the mark
    assert conditional(simulator)[0]["status"] == "WAITING"
    assert Decimal(conditional(simulator)[0]["trigger_price"]) < simulator.engine.last_price("BTCUSDT")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"triggerPrice": "50000"}, -2021),
        ({"side": "BUY", "triggerPrice": "40000"}, -2021),
        ({"type": "TAKE_PROFIT_MARKET", "triggerPrice": "40000"}, -2021),
        ({"type": "TRAILING_STOP_MARKET", "callbackRate": "1", "activatePrice": "40000"}, -2021),
        ({"type": "TRAILING_STOP_MARKET", "callbackRate": "11"}, -2007),
        ({"type": "TRAILING_STOP_MARKET"}, -1102),
        ({}, -1102),
        ({"type": "LIMIT", "triggerPrice": "40000"}, -1116),
        ({"algoType": "VP", "triggerPrice": "40000"}, -1130),
        ({"triggerPrice": "40000.05"}, -4014),
        ({"triggerPrice": "40000", "quantity": "0.0101"}, -1111),
        ({"triggerPrice": "40000", "price": "39000"}, -1106),
        ({"type": "STOP", "triggerPrice": "40000"}, -1102),
        ({"triggerPrice": "40000", "closePosition": "true"}, -4137),
        ({"triggerPrice": "40000", "closePosition": "true", "quantity": None, "reduceOnly": "true"}, -1106),
        ({"type": "STOP", "triggerPrice": "40000", "price": "40000", "closePosition": "true"}, -4136),
        ({"triggerPrice": "40000", "workingType": "INDEX"}, -1130),
        ({"triggerPrice": "40000", "timeInForce": "GTD", "goodTillDate": 1}, -5040),
        ({"type": "STOP", "triggerPrice": "40000", "priceMatch": "QUEUE"}, -1020),
        ({"triggerPrice": "40000", "priceMatch": "QUEUE"}, -5038),
        ({"triggerPrice": "40000", "positionSide": "LONG"}, -4061),
        ({"triggerPrice": "40000", "symbol": "NOPE"}, -1121),
    ],
)
async def test_a_bad_conditional_order_is_refused_and_not_kept(venue: Venue, fields: dict[str, Any], code: int) -> None:
    simulator, bare = venue
    status, body = await place(bare, **fields)
    assert (status, body["code"]) == (400, code)
    assert conditional(simulator) == []


async def test_the_order_endpoint_takes_no_conditional_order(venue: Venue) -> None:
    _, bare = venue
    order = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.01", "stopPrice": "40000"}
    status, body, _ = await bare.signed("POST", "/fapi/v1/order", **order)
    assert (status, body["code"]) == (400, -4120)


async def test_eleven_conditional_orders_are_too_many_and_two_close_position_stops_too(venue: Venue) -> None:
    _, bare = venue
    for _ in range(10):
        await place(bare, triggerPrice="40000")
    assert (await place(bare, triggerPrice="40000"))[1]["code"] == -4045
    await bare.signed("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT")
    fields = {"triggerPrice": "40000", "closePosition": "true", "quantity": None}
    assert (await place(bare, **fields))[0] == 200
    assert (await place(bare, **fields))[1]["code"] == -4130


async def test_price_match_takes_the_price_of_a_level(venue: Venue) -> None:
    simulator, bare = venue
    fields = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
    path = "/fapi/v1/order"
    expected = level(simulator, Side.BUY, 4)
    _, order, _ = await bare.signed("POST", path, **fields, priceMatch="QUEUE_5", newOrderRespType="RESULT")
    assert (order["price"], order["priceMatch"]) == (str(expected), "QUEUE_5")
    for more, code in (
        ({"priceMatch": "QUEUE", "price": "44000"}, -1106),
        ({"priceMatch": "NEAREST"}, -5037),
        ({"priceMatch": "QUEUE_20"}, -5041),
    ):
        status, body, _ = await bare.signed("POST", path, **fields, **more)
        assert (status, body["code"]) == (400, code)


async def test_an_order_good_till_a_date_expires_then(venue: Venue) -> None:
    simulator, bare = venue
    date = int(time.time() * 1000) + 700_000
    fields = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTD", "quantity": "0.010"}
    price = venue_clients.below(simulator)
    _, order, _ = await bare.signed(
        "POST", "/fapi/v1/order", **fields, price=price, goodTillDate=date, newOrderRespType="RESULT"
    )
    assert (order["timeInForce"], order["goodTillDate"]) == ("GTD", date)
    await simulator.advance(701_000)
    _, found, _ = await bare.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=order["orderId"])
    assert found["status"] == "EXPIRED"


async def test_rpi_is_refused_by_name(venue: Venue) -> None:
    simulator, bare = venue
    fields = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "RPI", "quantity": "0.010"}
    status, body, _ = await bare.signed("POST", "/fapi/v1/order", **fields, price=venue_clients.below(simulator))
    assert (status, body["code"]) == (400, -1020)
    assert "RPI" in body["msg"]
