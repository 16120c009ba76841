"""Bybit's orders over a WebSocket spoken bare and by its SDK: logins, times, ids, limits, and what is not there."""

from __future__ import annotations

import asyncio
import queue
import time
from typing import Any

import pytest
from pybit import unified_trading

from opensqt.simulator.faults import Fault
from opensqt.simulator.settings import AccountSettings, ServerRules
from tests.service.order_sockets import Bybit, delayed_login, in_one_window, order_client
from tests.service.sdk_client import heard_from
from tests.support.blocking import in_thread

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


async def test_a_login_is_answered_and_is_made_once() -> None:
    async with order_client(Bybit, log_in=False) as client:
        answer = await client.login()
        assert answer.pop("connId")
        assert answer == {"reqId": "login", "retCode": 0, "retMsg": "OK", "op": "auth"}
        assert (await client.login())["retCode"] == 20001


@pytest.mark.parametrize(
    ("change", "code"),
    [({"key": "nobody"}, 10003), ({"secret": "wrong"}, 10004), ({"skew_ms": -60_000}, 10001)],
)
async def test_a_login_that_is_not_right_is_refused(change: dict[str, Any], code: int) -> None:
    """Nothing is done for who is not logged in."""
    async with order_client(Bybit, log_in=False) as client:
        for name, value in change.items():
            setattr(client, name, value)
        assert (await client.login())["retCode"] == code
        client.skew_ms = 0
        assert (await client.ask("place", client.limit(client.bid - 100))).code == "10003"
        assert client.simulator.engine.orders("sim-key") == []


async def test_a_key_without_the_right_to_trade_does_not_log_in() -> None:
    async with order_client(Bybit, log_in=False, accounts=(AccountSettings(may_trade=False),)) as client:
        assert (await client.login())["retCode"] == 10005


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"X-BAPI-TIMESTAMP": "1"}, 10002),
        ({}, 10002),
        ({"X-BAPI-RECV-WINDOW": "x"}, 10001),
    ],
)
async def test_a_request_out_of_its_time_is_refused(headers: dict[str, str], code: int) -> None:
    """A request that was on its way for too long is not executed."""
    async with order_client(Bybit) as client:
        message = client.message("place", client.limit(client.bid - 100), "late")
        await client.socket.send_json({**message, "header": headers})
        frame = await client.heard()
        assert (frame["reqId"], frame["retCode"], frame["op"]) == ("late", code, "order.create")
        assert client.simulator.engine.orders("sim-key") == []


async def test_an_id_is_used_once_and_may_be_left_out() -> None:
    """F1: the second use of an id is refused, so that a request which is sent again can't act twice."""
    async with order_client(Bybit) as client:
        frames = [await client.send("place", client.limit(client.bid - 100), "same") for _ in range(2)]
        assert [frame["retCode"] for frame in frames] == [0, 20006]
        assert len(client.simulator.engine.orders("sim-key")) == 1
        message = client.message("place", client.limit(client.bid - 100), "")
        del message["reqId"]
        await client.socket.send_json(message)
        frame = await client.heard()
        assert (frame["retCode"], "reqId" in frame) == (0, False)
        assert (await client.send("place", client.limit(client.bid - 100), "x" * 37))["retCode"] == 10001


async def test_what_is_not_there_is_refused() -> None:
    async with order_client(Bybit) as client:
        assert (await client.send("order.teleport", {}))["retCode"] == 10404
        assert (await client.send("place", {**client.limit(1), "category": "stocks"}))["retCode"] == 10404
        assert (await client.send("place", {"symbol": "BTCUSDT"}))["retCode"] == 10404
        message = client.message("place", client.limit(client.bid - 100), "two")
        await client.socket.send_json({**message, "args": message["args"] * 2})
        assert (await client.heard())["retCode"] == 10001
        await client.socket.send_str("{")
        assert (await client.heard())["retCode"] == 10001
        assert client.simulator.engine.orders("sim-key") == []


async def test_an_answer_is_shaped_as_documented() -> None:
    async with order_client(Bybit) as client:
        frame = await client.send("place", client.limit(client.bid - 100, "a1"), "test-5")
        assert list(frame) == ["reqId", "retCode", "retMsg", "op", "data", "retExtInfo", "header", "connId"]
        assert (frame["retMsg"], frame["data"]["orderLinkId"], frame["retExtInfo"]) == ("OK", "a1", {})
        header = frame["header"]
        assert (header["X-Bapi-Limit"], header["X-Bapi-Limit-Status"]) == ("10", "9")
        assert {"X-Bapi-Limit-Reset-Timestamp", "Traceid", "Timenow"} < header.keys()
        await client.socket.send_json({"op": "ping"})
        pong = await client.heard()
        assert (pong["op"], pong["retCode"], len(pong["data"])) == ("pong", 0, 1)


async def test_orders_over_both_ways_count_together() -> None:
    """F16: REST and the WebSocket share one limit."""
    async with order_client(Bybit, server=ServerRules(orders_per_10s=20)) as client:

        async def act() -> tuple[Any, list[Any]]:
            by_rest = await client.rest("place", client.limit(client.bid - 100))
            return by_rest, [await client.send("place", client.limit(client.bid - 100)) for _ in range(2)]

        by_rest, frames = await in_one_window(client, 1000, act)
        assert (by_rest.code, *(frame["retCode"] for frame in frames)) == ("", 0, 10006)
        assert frames[1]["header"]["X-Bapi-Limit-Status"] == "0"


async def test_an_address_that_calls_too_often_is_refused() -> None:
    """F16: nothing of what is over the limit of the address is executed."""
    async with order_client(Bybit, server=ServerRules(weight_per_minute=24)) as client:

        async def act() -> list[int]:
            return [(await client.send("cancel", client.named("none")))["retCode"] for _ in range(3)]

        assert await in_one_window(client, 5000, act) == [110001, 110001, 10403]


async def test_the_login_can_be_late() -> None:
    """A fault `delay` on login lets requests come before the login is in force, or before it is answered."""
    async with order_client(Bybit, log_in=False) as client:
        client.simulator.faults.add(delayed_login())
        await client.socket.send_json(client.auth())
        assert (await client.send("place", client.limit(client.bid - 100)))["retCode"] == 10003
        assert (await client.heard())["op"] == "auth"
    async with order_client(Bybit, log_in=False) as client:
        client.simulator.faults.add(delayed_login(before=False))
        await client.socket.send_json(client.auth())
        assert (await client.send("place", client.limit(client.bid - 100)))["retCode"] == 0
        assert (await client.heard())["op"] == "auth"


async def test_the_login_of_the_private_stream_can_be_late_too() -> None:
    async with order_client(Bybit) as client:
        client.simulator.faults.add(Fault.model_validate({"kind": "refuse", "on": "login", "code": "10016"}))
        stream = await client.listen("/v5/private")
        await stream.send_json(client.auth())
        assert (await stream.receive_json(timeout=60))["success"] is False
        await stream.send_json(client.auth())
        assert (await stream.receive_json(timeout=60))["success"] is True


class Callbacks(dict[str, Any]):
    """The SDK's callbacks by id. It keeps one after the request was sent; on loopback the answer can be quicker."""

    def pop(self, number: str, *default: Any) -> Any:
        deadline = time.monotonic() + 20
        while number not in self and time.monotonic() < deadline:
            time.sleep(0.001)
        return super().pop(number, *default)


class Trading:
    """The SDK's own client of orders, in its thread; its address is a constant of its module."""

    def __init__(self, client: Any) -> None:
        self.heard: queue.Queue[Any] = queue.Queue()
        self.refused: queue.Queue[Any] = queue.Queue()
        self._address = client.simulator.url.replace("http", "ws", 1) + Bybit.path

    async def open(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pybit._websocket_trading.TRADE_WSS", self._address)
            options = {"api_key": "sim-key", "api_secret": "sim-secret", "private_auth_expire": 60}
            self.client = await in_thread(
                unified_trading.WebSocketTrading, testnet=False, recv_window=20_000, **options
            )
            self.client.callback_directory = Callbacks()

    async def call(self, name: str, **fields: Any) -> Any:
        await in_thread(getattr(self.client, name), self.heard.put, self.refused.put, **fields)
        return (await heard_from(self.heard))["data"]

    async def refusal(self, name: str, **fields: Any) -> int:
        await in_thread(getattr(self.client, name), self.heard.put, self.refused.put, **fields)
        return (await heard_from(self.refused))["retCode"]


async def test_the_venue_s_sdk_places_amends_and_cancels() -> None:
    async with order_client(Bybit) as client:
        trading = Trading(client)
        await trading.open()
        try:
            order = client.limit(client.bid - 100, "sdk1")
            placed = await trading.call("place_order", **order)
            await trading.call("amend_order", **client.named("sdk1"), qty="0.020")
            (held,) = client.simulator.engine.open_orders("sim-key")
            assert (held.order_id, str(held.quantity)) == (placed["orderId"], "0.020")
            assert (await trading.call("cancel_order", **client.named("sdk1")))["orderId"] == placed["orderId"]
            request = [client.limit(client.bid - 100, f"b{number}") for number in range(3)]
            rows = (await trading.call("place_batch_order", category="linear", request=request))["list"]
            changes = [client.named(row["orderLinkId"]) | {"qty": "0.015"} for row in rows]
            await trading.call("amend_batch_order", category="linear", request=changes)
            assert {str(one.quantity) for one in client.simulator.engine.open_orders("sim-key")} == {"0.015"}
            named = [client.named(row["orderLinkId"]) for row in rows]
            await trading.call("cancel_batch_order", category="linear", request=named)
            assert client.simulator.engine.open_orders("sim-key") == []
            assert await trading.refusal("place_order", **client.limit(client.bid - 100) | {"qty": "900"}) == 110007
        finally:
            await in_thread(trading.client.exit)
            await asyncio.sleep(0)
