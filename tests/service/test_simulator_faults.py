"""Each kind of fault, seen at work from outside."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from opensqt.model.order import Side
from opensqt.simulator import Simulator
from opensqt.simulator.faults import Fault
from tests.service.venue_clients import Bare, below, until, venue
from tests.support import eventually

Venue = tuple[Simulator, Bare]
ORDER = "/fapi/v1/order"


@pytest.fixture
async def at() -> AsyncIterator[Venue]:
    """Market time stands still: nothing moves but what a test makes move."""
    async with venue(clock="manual") as at:
        yield at


def script(simulator: Simulator, **fault: Any) -> None:
    simulator.faults.add(Fault.model_validate(fault))


def placed(simulator: Simulator) -> int:
    return len(simulator.engine.orders("sim-key"))


# Requests


async def test_drop_reply_does_it_and_closes_the_connection(at: Venue) -> None:
    """F1: accepted, and the reply is lost."""
    simulator, bare = at
    script(simulator, kind="drop_reply", on="place_order")
    with pytest.raises(aiohttp.ClientError):
        await bare.limit("BUY", below(simulator))
    assert placed(simulator) == 1
    assert (await bare.limit("BUY", below(simulator)))[0] == 200


async def test_unreachable_closes_the_connection_and_does_nothing(at: Venue) -> None:
    simulator, bare = at
    script(simulator, kind="unreachable", on="place_order")
    with pytest.raises(aiohttp.ClientError):
        await bare.limit("BUY", below(simulator))
    assert placed(simulator) == 0


async def test_error_before_answers_503_and_does_nothing(at: Venue) -> None:
    simulator, bare = at
    script(simulator, kind="error_before", on="place_order")
    status, body, _ = await bare.limit("BUY", below(simulator))
    assert (status, body["code"], placed(simulator)) == (503, -1008, 0)


async def test_error_after_does_it_and_answers_what_the_script_says(at: Venue) -> None:
    simulator, bare = at
    script(simulator, kind="error_after", on="place_order", status=502, code=-1001, message="Internal error.")
    status, body, _ = await bare.limit("BUY", below(simulator))
    assert (status, body, placed(simulator)) == (502, {"code": -1001, "msg": "Internal error."}, 1)


async def test_timeout_unknown_does_it_and_says_it_does_not_know(at: Venue) -> None:
    """F1: -1007 with HTTP 408 leaves the order behind, as a lost reply does."""
    simulator, bare = at
    script(simulator, kind="timeout_unknown", on="place_order")
    status, body, _ = await bare.limit("BUY", below(simulator))
    assert (status, body["code"], placed(simulator)) == (408, -1007, 1)


async def test_refuse_answers_the_venues_code_and_does_nothing(at: Venue) -> None:
    """F17: a permanent -2019 is answered to each request, and nothing else changes."""
    simulator, bare = at
    script(simulator, kind="refuse", on="place_order", code=-2019, times=0)
    answers = [await bare.limit("BUY", below(simulator)) for _ in range(3)]
    refusal = {"code": -2019, "msg": "Margin is insufficient."}
    assert [(status, body) for status, body, _ in answers] == [(400, refusal)] * 3
    assert placed(simulator) == 0
    assert simulator.ledger()["statistics"]["refused"]["-2019"] == 3


@pytest.mark.parametrize(("kind", "expected"), [("rate_limited", 429), ("banned", 418)])
async def test_a_scripted_limit_tells_when_to_come_back(at: Venue, kind: str, expected: int) -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    simulator, bare = at
    script(simulator, kind=kind, on="any", retry_after_s=7)
    status, body, headers = await bare.get("/fapi/v1/time")
    assert (status, body["code"], headers["Retry-After"]) == (expected, -1003, "7")
    assert (await bare.get("/fapi/v1/time"))[0] == 200


@pytest.mark.parametrize("before", [True, False])
async def test_delay_waits_before_or_after_it_is_done(at: Venue, before: bool) -> None:
    simulator, bare = at
    script(simulator, kind="delay", on="place_order", delay_ms=1500, before=before)
    asked = asyncio.create_task(bare.limit("BUY", below(simulator)))
    await eventually(lambda: simulator.ledger()["statistics"]["requests"].get("place_order"), what="the request")
    assert not asked.done()
    assert placed(simulator) == (0 if before else 1)
    assert (await asked)[0] == 200
    assert placed(simulator) == 1


async def test_ignore_answers_as_if_it_was_done(at: Venue) -> None:
    """F21: the venue ignores the leverage asked for."""
    simulator, bare = at
    script(simulator, kind="ignore", on="settings")
    status, body, _ = await bare.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=3)
    assert (status, body["leverage"]) == (200, 3)
    assert simulator.engine.leverage("sim-key", "BTCUSDT") == 10


async def test_an_ignored_order_is_answered_and_not_placed(at: Venue) -> None:
    simulator, bare = at
    script(simulator, kind="ignore", on="place_order")
    status, body, _ = await bare.limit("BUY", below(simulator), newClientOrderId="ghost")
    assert (status, body["status"], body["clientOrderId"]) == (200, "NEW", "ghost")
    assert placed(simulator) == 0


async def test_hidden_orders_are_seen_only_after_a_while(at: Venue) -> None:
    """F1: an accepted order is invisible to queries."""
    simulator, bare = at
    script(simulator, kind="hide_orders", for_ms=2500)
    _, order, _ = await bare.limit("BUY", below(simulator))
    status, body, _ = await bare.signed("GET", ORDER, symbol="BTCUSDT", orderId=order["orderId"])
    assert (status, body["code"]) == (400, -2013)
    assert (await bare.signed("GET", "/fapi/v1/openOrders", symbol="BTCUSDT"))[1] == []

    async def seen() -> bool:
        return (await bare.signed("GET", ORDER, symbol="BTCUSDT", orderId=order["orderId"]))[0] == 200

    await eventually(seen, what="the order")


async def test_a_fault_touches_only_the_operation_it_names(at: Venue) -> None:
    simulator, bare = at
    script(simulator, kind="error_before", on="cancel_order", times=0)
    _, order, _ = await bare.limit("BUY", below(simulator))
    assert (await bare.signed("GET", ORDER, symbol="BTCUSDT", orderId=order["orderId"]))[0] == 200
    assert (await bare.signed("DELETE", ORDER, symbol="BTCUSDT", orderId=order["orderId"]))[0] == 503


async def test_a_batch_can_be_done_and_its_reply_lost(at: Venue) -> None:
    """F2: three of five accepted, and nobody hears it."""
    simulator, bare = at
    script(simulator, kind="drop_reply", on="batch_place")
    price = below(simulator)
    item = '{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"%s","price":"%s"}'
    quantities = ["0.01", "0.00001", "0.01", "900", "0.01"]
    batch = "[" + ",".join(item % (quantity, price) for quantity in quantities) + "]"
    with pytest.raises(aiohttp.ClientError):
        await bare.signed("POST", "/fapi/v1/batchOrders", batchOrders=batch)
    assert placed(simulator) == 3


async def test_faults_are_added_listed_and_cleared_over_http(at: Venue) -> None:
    _, bare = at
    fault = {"kind": "error_before", "on": "time", "times": 2}
    added = await bare.control("/_sim/faults", {"faults": [fault]})
    assert added["faults"] == [{**fault, "hits": 0, "active": True}]
    await bare.get("/fapi/v1/time")
    assert (await bare.control("/_sim/faults", method="GET"))["faults"][0]["hits"] == 1
    assert (await bare.control("/_sim/faults", method="DELETE"))["faults"] == []
    assert (await bare.get("/fapi/v1/time"))[0] == 200


async def test_a_bad_fault_is_refused_with_field_and_value_expected(at: Venue) -> None:
    _, bare = at
    answer = await bare.control("/_sim/faults", {"faults": [{"kind": "explode"}]})
    assert "faults.0.kind" in answer["error"]
    assert "drop_reply" in answer["error"]


# Streams


async def fill(simulator: Simulator, bare: Bare) -> None:
    """One order of ours, filled at once by an outside seller: five private frames."""
    price = simulator.engine.best("BTCUSDT").bid + simulator.engine.symbol("BTCUSDT").price_step
    await bare.limit("BUY", price)
    simulator.market.send_outside_order(
        "BTCUSDT", Side.SELL, simulator.engine.symbol("BTCUSDT").min_quantity * 10, price
    )


async def kinds(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[str]:
    return [(await socket.receive_json(timeout=60))["e"] for _ in range(count)]


ONE_FILL = ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]


async def test_without_a_fault_a_fill_is_told_in_four_frames(at: Venue) -> None:
    simulator, bare = at
    socket = await bare.user_stream()
    await fill(simulator, bare)
    assert sorted(await kinds(socket, 4)) == sorted(ONE_FILL)


async def test_dropped_frames_are_lost_on_a_healthy_socket(at: Venue) -> None:
    """F6: one frame is lost, the socket lives on."""
    simulator, bare = at
    socket = await bare.user_stream()
    script(simulator, kind="drop_frames", channel="orders", times=3)
    await fill(simulator, bare)
    assert await kinds(socket, 1) == ["ACCOUNT_UPDATE"]
    assert simulator.ledger()["statistics"]["frames_dropped"] == 3
    await bare.limit("BUY", below(simulator))
    assert await kinds(socket, 1) == ["ORDER_TRADE_UPDATE"]


async def test_a_cut_ends_the_sockets_of_the_channel_without_a_close_frame(at: Venue) -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    simulator, bare = at
    private, market = await bare.user_stream(), await bare.listen("/ws/btcusdt@bookTicker")
    script(simulator, kind="cut", channel="private")
    message = await private.receive(timeout=10)
    assert message.type in (aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSED)
    assert private.close_code == 1006
    await eventually(lambda: simulator.ledger()["statistics"]["connections_open"] == {"market": 1, "private": 0})
    simulator.market.advance(2000)
    assert (await market.receive_json(timeout=60))["e"] == "bookTicker"


async def test_cuts_repeat(at: Venue) -> None:
    simulator, bare = at
    script(simulator, kind="cut", channel="market", times=3, every_ms=200)

    async def again() -> bool:
        with contextlib.suppress(aiohttp.ClientError):  # a cut may meet the handshake
            await (await bare.listen("/ws/btcusdt@bookTicker")).receive(timeout=10)
        return bool(simulator.faults.listing()[0]["hits"] == 3)

    await eventually(again, what="three cuts")


async def test_a_muted_channel_is_silent_while_pings_are_answered(at: Venue) -> None:
    """F13: a channel that stalls while pings go on is noticed."""
    simulator, bare = at
    socket = await bare.listen("/ws/btcusdt@bookTicker")
    script(simulator, kind="mute", channel="price")
    simulator.market.advance(2000)
    await socket.ping(b"are you there")
    await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
    assert (await socket.receive_json(timeout=60))["result"] == ["btcusdt@bookTicker"]
    simulator.faults.clear()
    simulator.market.advance(2000)
    assert (await socket.receive_json(timeout=60))["e"] == "bookTicker"


async def test_repeated_frames_come_as_often_as_asked(at: Venue) -> None:
    """F8: a fill counts once, however often it is reported."""
    simulator, bare = at
    socket = await bare.user_stream()
    script(simulator, kind="repeat", channel="orders", copies=3, times=0)
    await bare.limit("BUY", below(simulator))
    first, second, third = [await socket.receive_json(timeout=60) for _ in range(3)]
    assert first == second == third


async def test_reordered_frames_all_come_in_another_order(at: Venue) -> None:
    simulator, bare = at
    socket = await bare.user_stream()
    script(simulator, kind="reorder", channel="orders", window=8, times=0)
    ids = [(await bare.limit("BUY", below(simulator)))[1]["orderId"] for _ in range(8)]
    heard = [(await socket.receive_json(timeout=60))["o"]["i"] for _ in range(8)]
    assert sorted(heard) == ids
    assert heard != ids


async def test_held_frames_come_though_the_window_is_not_full(at: Venue) -> None:
    simulator, bare = at
    socket = await bare.user_stream()
    script(simulator, kind="reorder", channel="orders", window=50, times=0)
    await bare.limit("BUY", below(simulator))
    assert await kinds(socket, 1) == ["ORDER_TRADE_UPDATE"]


async def test_a_connection_is_refused(at: Venue) -> None:
    simulator, bare = at
    script(simulator, kind="refuse_connect", channel="market")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await bare.listen("/ws/btcusdt@bookTicker")
    assert refused.value.status == 503
    assert not (await bare.listen("/ws/btcusdt@bookTicker")).closed


async def test_expired_keys_are_told_and_end_the_stream(at: Venue) -> None:
    """F15: two expiry events at once, -1125, and a new key."""
    simulator, bare = at
    _, old, _ = await bare.keyed("POST", "/fapi/v1/listenKey")
    socket = await bare.listen(f"/private/ws/{old['listenKey']}")
    script(simulator, kind="expire_listen_key", copies=2)
    expired = [await socket.receive_json(timeout=60) for _ in range(2)]
    assert [(event["e"], event["listenKey"]) for event in expired] == [("listenKeyExpired", old["listenKey"])] * 2
    status, body, _ = await bare.keyed("PUT", "/fapi/v1/listenKey")
    assert (status, body["code"]) == (400, -1125)
    _, new, _ = await bare.keyed("POST", "/fapi/v1/listenKey")
    assert new["listenKey"] != old["listenKey"]


async def test_an_unknown_event_and_an_unknown_field_are_added(at: Venue) -> None:
    """F25: one unknown field or value never stops a stream."""
    simulator, bare = at
    socket = await bare.user_stream()
    script(simulator, kind="unknown_field", channel="orders")
    await bare.limit("BUY", below(simulator))
    unknown, event = [await socket.receive_json(timeout=60) for _ in range(2)]
    assert unknown["e"] == "somethingNew"
    assert event["newField"] == {"since": 1, "values": ["x", None]}
    assert event["o"]["X"] == "NEW"


async def test_a_malformed_frame_comes_before_the_right_one(at: Venue) -> None:
    """F25: one unknown field or value never stops a stream."""
    simulator, bare = at
    socket = await bare.listen("/stream?streams=btcusdt@bookTicker")
    script(simulator, kind="malformed", channel="price")
    simulator.market.advance(5000)
    bad, good = [(await socket.receive_json(timeout=60))["data"] for _ in range(2)]
    assert (bad["e"], bad["b"]) == ("bookTicker", "garbled")
    assert float(good["b"]) > 0
    assert bad["u"] == good["u"]


async def test_frames_go_on_when_the_faults_are_cleared(at: Venue) -> None:
    simulator, bare = at
    socket = await bare.user_stream()
    script(simulator, kind="drop_frames", channel="private", for_ms=60_000)
    await fill(simulator, bare)
    simulator.faults.clear()
    await fill(simulator, bare)
    assert (await until(socket, "ACCOUNT_UPDATE"))["a"]["P"][0]["pa"] == "0.020"
