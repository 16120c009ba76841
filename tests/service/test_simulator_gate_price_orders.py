"""Gate's price-triggered orders on the simulator: endpoints, channel, refusals, and closing by size zero."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from opensqt.model.order import Side
from opensqt.simulator import Simulator
from tests.service.conditional_orders import conditional, level, position, still, take
from tests.service.test_simulator_gate_access import ROOT, Gate
from tests.service.venue_clients import settings

PATH = f"{ROOT}/price_orders"
INITIAL = {"contract": "BTC_USDT", "size": -10, "price": "0", "tif": "ioc"}
TRIGGER = {"strategy_type": 0, "price_type": 0, "price": "40000", "rule": 2, "expiration": 86400}


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    """Nothing moves but what a test makes move."""
    started = settings(exchange="gate", past_minutes=10, clock="manual")
    async with Simulator(started) as simulator, aiohttp.ClientSession() as session:
        still(simulator)
        yield Gate(simulator, session)


async def place(gate: Gate, initial: Any = None, trigger: Any = None, **more: Any) -> tuple[int, Any]:
    body = {"initial": INITIAL | (initial or {}), "trigger": TRIGGER | (trigger or {}), **more}
    status, reply, _ = await gate.call("POST", PATH, body=body)
    return status, reply


async def hold(gate: Gate, size: int = 10) -> None:
    await gate.call("POST", f"{ROOT}/orders", body={"contract": "BTC_USDT", "size": size, "price": "0", "tif": "ioc"})


async def listed(gate: Gate, status: str) -> Any:
    return (await gate.call("GET", PATH, f"status={status}&contract=BTC_USDT"))[1]


async def test_a_stop_is_placed_listed_triggered_and_finished(gate: Gate) -> None:
    """A stop-loss that was acknowledged exists."""
    await hold(gate)
    stop = str(level(gate.simulator, Side.BUY, 3))
    status, placed = await place(gate, {"reduce_only": True, "text": "t-guard"}, {"price": stop})
    assert status == 201
    (row,) = await listed(gate, "open")
    assert (row["id"], row["trigger"]["price"], row["initial"]["size"]) == (placed["id"], stop, -10)
    take(gate.simulator, Side.SELL, 5)
    assert (position(gate.simulator), await listed(gate, "open")) == (0, [])
    _, row, _ = await gate.call("GET", f"{PATH}/{placed['id']}")
    assert (row["status"], row["finish_as"]) == ("finished", "succeeded")
    _, order, _ = await gate.call("GET", f"{ROOT}/orders/{row['trade_id']}")
    assert (order["text"], order["finish_as"], order["is_reduce_only"]) == ("t-guard", "filled", True)


async def test_size_zero_closes_what_is_held_at_the_trigger(gate: Gate) -> None:
    status, reply = await place(gate, {"size": 0, "close": True})
    assert (status, reply["label"]) == (400, "POSITION_EMPTY")
    await hold(gate)
    await place(gate, {"size": 0, "close": True}, {"price": str(level(gate.simulator, Side.BUY, 3))})
    await hold(gate, 30)
    take(gate.simulator, Side.SELL, 5)
    assert position(gate.simulator) == 0


async def test_one_of_a_position_ends_with_it(gate: Gate) -> None:
    await hold(gate)
    await place(gate, {"size": 0, "close": True}, order_type="close-long-position")
    await hold(gate, -10)
    assert conditional(gate.simulator)[0]["status"] == "EXPIRED"


async def test_it_expires_after_its_seconds(gate: Gate) -> None:
    _, placed = await place(gate, trigger={"expiration": 60})
    await gate.simulator.advance(60_000)
    _, row, _ = await gate.call("GET", f"{PATH}/{placed['id']}")
    assert row["finish_as"] == "expired"


async def test_orders_are_amended_and_canceled(gate: Gate) -> None:
    _, first = await place(gate)
    await place(gate, trigger={"price_type": 1})
    body = {"trigger_price": "41000", "size": -20}
    assert (await gate.call("PUT", f"{PATH}/amend/{first['id']}", body=body))[0] == 200
    assert [one["trigger_price"] for one in conditional(gate.simulator)] == ["41000", "40000"]
    _, row, _ = await gate.call("DELETE", f"{PATH}/{first['id']}")
    assert row["finish_as"] == "cancelled"
    status, reply, _ = await gate.call("DELETE", f"{PATH}/{first['id']}")
    assert (status, reply["label"]) == (400, "ORDER_FINISHED")
    _, rows, _ = await gate.call("DELETE", PATH, "contract=BTC_USDT")
    assert [row["finish_as"] for row in rows] == ["cancelled"]
    status, reply, _ = await gate.call("GET", f"{PATH}/1")
    assert (status, reply["label"]) == (404, "AUTO_ORDER_NOT_FOUND")


async def test_the_channel_reports_open_and_finished(gate: Gate) -> None:
    channel, now = "futures.autoorders", int(time.time())
    sign = hmac.new(gate.secret.encode(), f"channel={channel}&event=subscribe&time={now}".encode(), hashlib.sha512)
    auth = {"method": "api_key", "KEY": gate.key, "SIGN": sign.hexdigest()}
    payload = ["20000001", "BTC_USDT"]
    message = {"time": now, "channel": channel, "event": "subscribe", "payload": payload, "auth": auth}
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{gate.simulator.url}/v4/ws/usdt") as socket:
        await socket.send_json(message)
        assert (await socket.receive_json(timeout=60))["result"] == {"status": "success"}
        await place(gate, trigger={"price": str(level(gate.simulator, Side.BUY, 2))})
        take(gate.simulator, Side.SELL, 4)
        seen = [(await socket.receive_json(timeout=60))["result"][0] for _ in range(2)]
    assert [(row["status"], row["finish_as"]) for row in seen] == [("open", ""), ("finished", "succeeded")]


@pytest.mark.parametrize(
    ("initial", "trigger", "label"),
    [
        ({}, {"price": "50000"}, "AUTO_TRIGGER_PRICE_LESS_LAST"),
        ({}, {"rule": 1}, "AUTO_TRIGGER_PRICE_GREATE_LAST"),
        ({}, {"rule": 3}, "INVALID_PARAM_VALUE"),
        ({}, {"price_type": 3}, "INVALID_PARAM_VALUE"),
        ({}, {"strategy_type": 1}, "INVALID_PARAM_VALUE"),
        ({"tif": "gtc"}, {}, "INVALID_PARAM_VALUE"),
        ({"size": 0}, {}, "INVALID_PARAM_VALUE"),
        ({"contract": "NOPE_USDT"}, {}, "CONTRACT_NOT_FOUND"),
    ],
)
async def test_a_bad_one_is_refused_and_not_kept(gate: Gate, initial: Any, trigger: Any, label: str) -> None:
    status, reply = await place(gate, initial, trigger)
    assert (status, reply["label"]) == (400, label)
    assert conditional(gate.simulator) == []


async def test_a_stop_of_an_order_is_refused_by_name(gate: Gate) -> None:
    status, reply = await place(gate, order_type="close-long-order")
    assert status == 400
    assert "close-long-order" in reply["message"]
