"""Binance's WebSocket API spoken bare: signatures, times, limits, sessions, and what is not there."""

from __future__ import annotations

from typing import Any

import pytest

from opensqt.simulator.settings import AccountSettings, ServerRules
from tests.service.order_sockets import Binance, delayed_login, open_window, order_client

PAIR = {"symbol": "BTCUSDT"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secret": "wrong"}, -1022),
        ({"key": "nobody"}, -2015),
        ({"key": "not a key"}, -2014),
        ({"skew_ms": -60_000}, -1021),
        ({"skew_ms": 60_000}, -1021),
    ],
)
async def test_a_request_that_is_not_signed_right_is_refused(change: dict[str, Any], code: int) -> None:
    """Each request carries its key and signature, and nothing that is not signed right is executed."""
    async with order_client(Binance) as client:
        for name, value in change.items():
            setattr(client, name, value)
        frame = await client.send("place", client.limit(client.bid - 100), "mine")
        assert (frame["id"], frame["error"]["code"]) == ("mine", code)
        assert frame["status"] == (401 if code in (-2014, -2015) else 400)
        assert client.simulator.engine.orders("sim-key") == []


async def test_the_signature_is_of_the_parameters_in_the_order_of_their_names() -> None:
    """Numbers are signed as they are written in JSON, whatever order they are sent in."""
    async with order_client(Binance) as client:
        fields = {**client.limit(0), "quantity": 0.01, "price": 44000.5, "timestamp": client.now_ms}
        params = {**fields, "apiKey": client.key, "returnRateLimits": False, "recvWindow": 5000}
        text = {**params, "returnRateLimits": "false"}
        signed = "&".join(f"{name}={text[name]}" for name in sorted(text))
        params["signature"] = client.signature(signed)
        await client.socket.send_json({"id": 7, "method": "order.place", "params": params})
        frame = await client.heard()
        assert (frame["id"], frame["status"], frame["result"]["price"]) == (7, 200, "44000.50")
        assert "rateLimits" not in frame


@pytest.mark.parametrize("number", [1, "a-1", None])
async def test_an_id_comes_back_as_it_was_sent_and_may_be_used_again(number: Any) -> None:
    async with order_client(Binance) as client:
        for _ in range(2):
            message = client.message("balance", {}, number)
            await client.socket.send_json(message)
            assert (await client.heard())["id"] == number


async def test_a_method_that_is_not_there_and_no_json_are_refused() -> None:
    async with order_client(Binance) as client:
        frame = await client.send("order.teleport", {}, 5)
        assert (frame["id"], frame["status"]) == (5, 400)
        assert frame["error"] == {"code": -5000, "msg": "Method order.teleport is invalid"}
        for text in ("{", "[]", '{"id": 1, "method": "order.place", "params": []}'):
            await client.socket.send_str(text)
            frame = await client.heard()
            assert (frame["id"], frame["status"], frame["error"]["code"]) == (None, 400, -1135)


async def test_logging_on_needs_a_kind_of_key_that_is_not_there() -> None:
    """The venue logs on with Ed25519 keys only; the simulator's keys are of the other kind."""
    async with order_client(Binance) as client:
        frame = await client.send("session.logon", {}, 1)
        assert frame["error"] == {"code": -4056, "msg": "HMAC_SHA256 API key is not supported."}
        client.secret = "wrong"
        assert (await client.send("session.logon", {}, 2))["error"]["code"] == -1022
        status = (await client.send("session.status", {}, 3))["result"]
        assert (status["apiKey"], status["authorizedSince"], status["returnRateLimits"]) == (None, None, True)


async def test_answers_carry_the_counts_of_the_limits() -> None:
    """F16: a client learns from each answer how much is left."""
    async with order_client(Binance) as client:
        frame = await client.send("place", client.limit(client.bid - 100))
        weight, ten_seconds, minute = frame["rateLimits"]
        assert weight == {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": 2400,
            "count": 5,
        }
        assert (ten_seconds["interval"], ten_seconds["intervalNum"], ten_seconds["count"]) == ("SECOND", 10, 1)
        assert (minute["interval"], minute["limit"], minute["count"]) == ("MINUTE", 1200, 1)
        frame = await client.send("cancel", {**PAIR, "orderId": frame["result"]["orderId"]})
        assert [(row["rateLimitType"], row["count"]) for row in frame["rateLimits"]] == [("REQUEST_WEIGHT", 6)]


async def test_a_connection_can_do_without_the_counts() -> None:
    async with order_client(Binance) as client:
        client.socket = await client.listen("/ws-fapi/v1?returnRateLimits=false")
        assert "rateLimits" not in await client.send("balance", {})
        assert "rateLimits" in await client.send("balance", {"returnRateLimits": "true"})


async def test_orders_over_both_ways_count_together() -> None:
    """F16: REST and the WebSocket share one limit of orders."""
    async with order_client(Binance, server=ServerRules(orders_per_10s=2)) as client:
        open_window(client)
        await client.rest("place", client.limit(client.bid - 100))
        assert (await client.ask("place", client.limit(client.bid - 100))).code == ""
        frame = await client.send("place", client.limit(client.bid - 100), "third")
        assert (frame["id"], frame["status"], frame["error"]["code"]) == ("third", 429, -1015)
        assert 0 < frame["error"]["data"]["retryAfter"] - frame["error"]["data"]["serverTime"] <= 10_000
        assert len(client.simulator.engine.orders("sim-key")) == 2


async def test_an_address_that_goes_on_is_banned_on_both_ways() -> None:
    """F16: the weight is one for the address, whichever way it calls."""
    async with order_client(Binance, server=ServerRules(weight_per_minute=20, ban_after=1)) as client:
        open_window(client)
        for status in (429, 418):
            frame = {"status": 200}
            while frame["status"] == 200:
                frame = await client.send("balance", {})
            assert (frame["status"], frame["error"]["code"]) == (status, -1003)
        assert (await client.rest("balance", {})).code == "-1003"
        url = client.simulator.url + Binance.path
        async with client.session.get(url, headers={"Upgrade": "websocket"}) as response:
            assert (response.status, (await response.json())["code"]) == (418, -1003)


async def test_a_key_without_the_right_to_trade_may_read() -> None:
    async with order_client(Binance, accounts=(AccountSettings(may_trade=False),)) as client:
        frame = await client.send("place", client.limit(client.bid - 100))
        assert (frame["status"], frame["error"]["code"]) == (401, -2015)
        assert (await client.ask("balance", {})).code == ""


async def test_prices_and_the_stream_of_the_account_are_served() -> None:
    async with order_client(Binance) as client:
        best = (await client.send("ticker.book", PAIR))["result"]
        book = (await client.send("depth", {**PAIR, "limit": 5}))["result"]
        assert [best["bidPrice"], best["bidQty"]] == book["bids"][0]
        key = (await client.send("userDataStream.start", {}))["result"]["listenKey"]
        stream = await client.listen(f"/private/ws?listenKey={key}")
        await client.ask("place", client.limit(client.bid - 100, "a"))
        assert (await stream.receive_json(timeout=60))["o"]["c"] == "a"
        assert (await client.send("userDataStream.stop", {}))["result"] == {}


async def test_the_login_can_be_late() -> None:
    """A fault `delay` on login holds its answer, and the requests after it are answered first."""
    async with order_client(Binance) as client:
        client.simulator.faults.add(delayed_login())
        await client.post("session.logon", {}, "login")
        await client.post("balance", {}, "balance")
        assert [(await client.heard())["id"] for _ in range(2)] == ["balance", "login"]
