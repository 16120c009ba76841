"""Binance's streams as the simulator serves them: names, paths, frames, listen keys, slow and loud clients."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from opensqt.model.order import Side
from opensqt.simulator import ServerRules, Simulator
from tests.service.venue_clients import Bare, below, until, venue
from tests.support import eventually

Venue = tuple[Simulator, Bare]
_UPGRADE = (
    b"GET /ws/btcusdt@bookTicker HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.fixture
async def at() -> AsyncIterator[Venue]:
    async with venue(clock="manual") as at:
        yield at


async def next_minute(simulator: Simulator, bare: Bare) -> None:
    now = simulator.engine.now_ms()
    await bare.control("/_sim/clock", {"advance_ms": 60_000 - now % 60_000 + 1})


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("btcusdt@bookTicker", "bookTicker"),
        ("!bookTicker", "bookTicker"),
        ("btcusdt@trade", "trade"),
        ("btcusdt@aggTrade", "aggTrade"),
        ("btcusdt@kline_1m", "kline"),
        ("btcusdt_perpetual@continuousKline_1m", "continuous_kline"),
        ("btcusdt@depth@100ms", "depthUpdate"),
        ("btcusdt@depth@0ms", "depthUpdate"),
        ("btcusdt@depth5", "depthUpdate"),
        ("btcusdt@depth5@0ms", "depthUpdate"),
        ("btcusdt@markPrice@1s", "markPriceUpdate"),
        ("!markPrice@arr@1s", "markPriceUpdate"),
        ("btcusdt@miniTicker", "24hrMiniTicker"),
        ("!miniTicker@arr", "24hrMiniTicker"),
        ("btcusdt@ticker", "24hrTicker"),
    ],
)
async def test_each_stream_sends_its_event(at: Venue, name: str, event: str) -> None:
    _, bare = at
    stream = await bare.listen(f"/ws/{name}")
    await bare.control("/_sim/clock", {"advance_ms": 5000})
    message = await stream.receive_json(timeout=60)
    first = message[0] if isinstance(message, list) else message
    assert first["e"] == event


@pytest.mark.parametrize(
    "name", ["btcusdt@rpiDepth@500ms", "!contractInfo", "!assetIndex@arr", "btcdomusdt@compositeIndex"]
)
async def test_a_stream_that_is_not_simulated_is_refused(at: Venue, name: str) -> None:
    """Not taken in silence: by a message, and in an address."""
    _, bare = at
    stream = await bare.listen("/ws")
    await stream.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker", name], "id": 7})
    answer = await stream.receive_json(timeout=60)
    assert answer == {"error": {"code": 2, "msg": f"Invalid request: stream {name} is not simulated"}, "id": 7}
    await stream.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 8})
    assert (await stream.receive_json(timeout=60))["result"] == []
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await bare.listen(f"/ws/{name}")


@pytest.mark.parametrize("name", ["btcusdt@forceOrder", "!forceOrder@arr"])
async def test_a_liquidation_is_streamed(name: str) -> None:
    async with venue(clock="manual") as (simulator, bare):
        simulator.market.pause("BTCUSDT")
        stream = await bare.listen(f"/ws/{name}")
        simulator.engine.set_leverage("sim-key", "BTCUSDT", 100)
        best = simulator.engine.best("BTCUSDT")
        await bare.signed("POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="1.000")
        simulator.engine.set_mark("BTCUSDT", best.bid / 2)
        simulator.engine.publish()
        forced = (await until(stream, "forceOrder"))["o"]
    assert (forced["s"], forced["S"], forced["z"]) == ("BTCUSDT", "SELL", "1.000")


async def test_what_clients_send_that_the_venue_does_not_know_is_listed(at: Venue) -> None:
    _, bare = at
    await bare.listen("/ws/btcusdt@dance")
    listed = await bare.control("/_sim/unsupported", method="GET")
    assert listed["ignored"] == {"stream btcusdt@dance": 1}
    assert {"channel": "!contractInfo", "reason": "states of symbols are in exchangeInfo"} in listed["channels"]
    assert any(row["parameter"] == "selfTradePreventionMode" for row in listed["parameters"])


async def test_combined_frames_name_their_stream(at: Venue) -> None:
    _, bare = at
    stream = await bare.listen("/stream?streams=btcusdt@bookTicker/ethusdt@bookTicker")
    await bare.control("/_sim/clock", {"advance_ms": 5000})
    heard = [await stream.receive_json(timeout=60) for _ in range(20)]
    assert {frame["stream"] for frame in heard} == {"btcusdt@bookTicker", "ethusdt@bookTicker"}
    assert all(frame["data"]["s"].lower() == frame["stream"].split("@")[0] for frame in heard)


async def test_a_base_path_serves_only_its_own_kind(at: Venue) -> None:
    """Candles are not served under /public, nor book tickers under /market: both stay silent there."""
    _, bare = at
    public, market = await bare.listen("/public/ws"), await bare.listen("/market/ws")
    for stream in (public, market):
        await stream.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker", "btcusdt@kline_1m"], "id": 1})
        assert await stream.receive_json(timeout=60) == {"result": None, "id": 1}
    await bare.control("/_sim/clock", {"advance_ms": 5000})
    assert {(await public.receive_json(timeout=60))["e"] for _ in range(5)} == {"bookTicker"}
    assert (await market.receive_json(timeout=60))["e"] == "kline"


async def test_a_path_that_is_none_is_refused(at: Venue) -> None:
    _, bare = at
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await bare.listen("/public/nothing")
    assert refused.value.status == 404


async def test_depth_differences_join_without_a_hole_and_make_the_book(at: Venue) -> None:
    """F14: what a client builds from the snapshot and the differences is the venue's book."""
    _, bare = at
    stream = await bare.listen("/ws/btcusdt@depth@100ms")
    _, book, _ = await bare.get("/fapi/v1/depth", symbol="BTCUSDT", limit=1000)
    sides = {"b": dict(book["bids"]), "a": dict(book["asks"])}
    last = book["lastUpdateId"]
    for _ in range(20):
        await bare.control("/_sim/clock", {"advance_ms": 1000})
        update = await stream.receive_json(timeout=60)
        assert update["pu"] == last
        last = update["u"]
        for side, levels in sides.items():
            levels.update(update[side])
    ours = {side: {p: q for p, q in levels.items() if Decimal(q)} for side, levels in sides.items()}
    _, book, _ = await bare.get("/fapi/v1/depth", symbol="BTCUSDT", limit=1000)
    assert (ours["b"], ours["a"]) == (dict(book["bids"]), dict(book["asks"]))


async def test_the_closing_candle_is_always_told(at: Venue) -> None:
    simulator, bare = at
    stream = await bare.listen("/ws/btcusdt@kline_1m")
    for _ in range(3):
        await next_minute(simulator, bare)
    closed: list[dict[str, Any]] = []
    while len(closed) < 3:
        bar = (await stream.receive_json(timeout=60))["k"]
        closed += [bar] if bar["x"] else []
    opens = [bar["t"] for bar in closed]
    assert opens == [opens[0], opens[0] + 60_000, opens[0] + 120_000]
    _, rows, _ = await bare.get("/fapi/v1/klines", symbol="BTCUSDT", interval="1m", startTime=opens[0], limit=3)
    assert [Decimal(row[4]) for row in rows] == [Decimal(bar["c"]) for bar in closed]


async def test_an_aggregate_trade_joins_what_one_taker_did_at_one_price(at: Venue) -> None:
    simulator, bare = at
    price = simulator.engine.best("BTCUSDT").bid + Decimal("0.10")
    for _ in range(2):
        await bare.limit("BUY", price)
    stream = await bare.listen("/ws/btcusdt@aggTrade")
    simulator.market.send_outside_order("BTCUSDT", Side.SELL, Decimal("0.020"), price)
    trade = await stream.receive_json(timeout=60)
    assert (Decimal(trade["p"]), trade["q"], trade["m"], trade["l"] - trade["f"]) == (price, "0.020", True, 1)


async def test_subscriptions_are_listed_and_ended(at: Venue) -> None:
    _, bare = at
    stream = await bare.listen("/ws")

    async def ask(method: str, number: int, *names: str) -> Any:
        await stream.send_json({"method": method, "params": list(names), "id": number})
        return await stream.receive_json(timeout=60)

    assert await ask("SUBSCRIBE", 1, "btcusdt@trade", "btcusdt@depth") == {"result": None, "id": 1}
    assert await ask("UNSUBSCRIBE", 2, "btcusdt@trade") == {"result": None, "id": 2}
    assert await ask("LIST_SUBSCRIPTIONS", 3) == {"result": ["btcusdt@depth"], "id": 3}


@pytest.mark.parametrize("text", ["no json", "[1]", '{"method":"DANCE","id":1}', '{"method":"SUBSCRIBE","params":7}'])
async def test_a_bad_message_is_answered_with_an_error(at: Venue, text: str) -> None:
    _, bare = at
    stream = await bare.listen("/ws")
    await stream.send_str(text)
    assert (await stream.receive_json(timeout=60))["error"]["code"] in (2, 3)


async def test_thousands_of_frames_come_in_order(at: Venue) -> None:
    """F7: a burst of at least a thousand frames."""
    simulator, bare = at
    stream = await bare.listen("/ws/btcusdt@bookTicker")
    heard: list[int] = []
    while len(heard) < 2000:
        simulator.market.advance(10_000)
        await stream.ping(b"")
        while True:
            try:
                heard.append((await stream.receive_json(timeout=0.05))["u"])
            except TimeoutError:
                break
    assert heard == sorted(set(heard))


async def test_a_slow_reader_is_cut_and_others_go_on() -> None:
    """F28: a slow reader harms no other and its memory is bounded."""
    async with venue(clock="manual", server=ServerRules(socket_buffer=500)) as (simulator, bare):
        quick = await bare.listen("/ws/btcusdt@bookTicker")
        reading = asyncio.create_task(_read_all(quick))
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect((simulator.settings.host, int(simulator.address.split(":")[1])))
            slow.sendall(_UPGRADE)
            await eventually(lambda: _market_connections(simulator) == 2, what="both connected")

            async def flood() -> bool:
                simulator.market.advance(20_000)
                return _market_connections(simulator) == 1

            await eventually(flood, every_s=0.001, what="the slow one cut")
        assert not reading.done()
        reading.cancel()


async def test_a_client_that_talks_too_much_is_cut(at: Venue) -> None:
    _, bare = at
    stream = await bare.listen("/ws")
    for number in range(12):
        await stream.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
    await _read_all(stream)
    assert stream.closed


async def test_the_venue_pings_and_cuts_who_does_not_answer() -> None:
    """F29: a dead connection is noticed, and pings are not punished."""
    async with venue(server=ServerRules(ping_every_ms=100, pong_within_ms=2000)) as (_, bare):
        polite = await bare.listen("/ws")
        reading = asyncio.create_task(_read_all(polite))
        rude = await bare.session.ws_connect(f"{bare.url}/ws", autoping=False)
        assert (await rude.receive(timeout=10)).type is aiohttp.WSMsgType.PING
        await _read_all(rude)
        assert rude.closed
        assert not reading.done()
        reading.cancel()


# The user stream


async def test_a_listen_key_is_one_per_account_until_it_is_deleted(at: Venue) -> None:
    _, bare = at
    _, first, _ = await bare.keyed("POST", "/fapi/v1/listenKey")
    assert (await bare.keyed("POST", "/fapi/v1/listenKey"))[1] == first
    assert (await bare.keyed("PUT", "/fapi/v1/listenKey"))[0] == 200
    assert (await bare.keyed("DELETE", "/fapi/v1/listenKey"))[0] == 200
    assert (await bare.keyed("DELETE", "/fapi/v1/listenKey"))[1]["code"] == -1125
    assert (await bare.keyed("POST", "/fapi/v1/listenKey"))[1] != first


async def test_a_listen_key_that_nobody_keeps_alive_expires() -> None:
    """F15: a listen key that expires is replaced."""
    async with venue(clock="manual", server=ServerRules(listen_key_life_ms=1500)) as (simulator, bare):
        stream = await bare.user_stream()
        assert (await stream.receive_json(timeout=60))["e"] == "listenKeyExpired"
        await bare.limit("BUY", below(simulator))
        await stream.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        assert (await stream.receive_json(timeout=60))["id"] == 1
        assert (await bare.keyed("PUT", "/fapi/v1/listenKey"))[1]["code"] == -1125


@pytest.mark.parametrize("path", ["/private/ws/{}", "/ws/{}", "/private/ws?listenKey={}", "/stream?streams={}"])
async def test_the_user_stream_is_served_at_each_of_its_paths(at: Venue, path: str) -> None:
    simulator, bare = at
    _, key, _ = await bare.keyed("POST", "/fapi/v1/listenKey")
    stream = await bare.listen(path.format(key["listenKey"]))
    await bare.limit("BUY", below(simulator))
    assert (await until(stream, "ORDER_TRADE_UPDATE"))["o"]["X"] == "NEW"


async def test_only_the_events_asked_for_are_sent(at: Venue) -> None:
    _, bare = at
    _, key, _ = await bare.keyed("POST", "/fapi/v1/listenKey")
    stream = await bare.listen(f"/private/ws?listenKey={key['listenKey']}&events=ACCOUNT_UPDATE")
    await bare.signed("POST", "/fapi/v1/order", symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.01")
    assert (await stream.receive_json(timeout=60))["e"] == "ACCOUNT_UPDATE"


async def test_an_order_is_told_from_new_to_filled(at: Venue) -> None:
    simulator, bare = at
    stream = await bare.user_stream()
    price = simulator.engine.best("BTCUSDT").bid + Decimal("0.10")
    _, order, _ = await bare.limit("BUY", price, newClientOrderId="mine1")
    for quantity in ("0.004", "0.006"):
        simulator.market.send_outside_order("BTCUSDT", Side.SELL, Decimal(quantity), price)
    told = [(await until(stream, "ORDER_TRADE_UPDATE"))["o"] for _ in range(3)]
    assert [(each["x"], each["X"], each["l"], each["z"]) for each in told] == [
        ("NEW", "NEW", "0", "0.000"),
        ("TRADE", "PARTIALLY_FILLED", "0.004", "0.004"),
        ("TRADE", "FILLED", "0.006", "0.010"),
    ]
    assert {(each["i"], each["c"]) for each in told} == {(order["orderId"], "mine1")}
    fills = simulator.ledger()["accounts"]["sim-key"]["fills"]
    assert [(str(each["t"]), Decimal(each["n"]), each["m"]) for each in told[1:]] == [
        (fill["trade_id"], Decimal(fill["fee"]), fill["is_maker"]) for fill in fills
    ]


async def test_positions_are_told_signed_and_flat_as_zero(at: Venue) -> None:
    """F12: short, then flat."""
    _, bare = at
    stream = await bare.user_stream()
    for side in ("SELL", "BUY"):
        await bare.signed("POST", "/fapi/v1/order", symbol="BTCUSDT", side=side, type="MARKET", quantity="0.01")
    told = [(await until(stream, "ACCOUNT_UPDATE"))["a"]["P"][0]["pa"] for _ in range(2)]
    assert told == ["-0.010", "0.000"]


async def test_a_new_leverage_is_told(at: Venue) -> None:
    _, bare = at
    stream = await bare.user_stream()
    await bare.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=4)
    assert (await until(stream, "ACCOUNT_CONFIG_UPDATE"))["ac"] == {"s": "BTCUSDT", "l": 4}


async def test_funding_is_told_and_listed_as_income() -> None:
    eight_hours = 8 * 3_600_000
    async with venue(clock="manual", start_ms=200_000 * eight_hours - 1000) as (_, bare):
        await bare.signed("POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
        stream = await bare.user_stream()
        await bare.control("/_sim/clock", {"advance_ms": 2000})
        paid = await until(stream, "ACCOUNT_UPDATE")
        assert paid["a"]["m"] == "FUNDING_FEE"
        _, rows, _ = await bare.signed("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")
        assert [Decimal(row["income"]) for row in rows] == [Decimal(paid["a"]["B"][0]["bc"])]


async def test_a_margin_call_and_then_the_liquidation_are_told(at: Venue) -> None:
    simulator, bare = at
    await bare.signed("POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="1")
    stream = await bare.user_stream()
    (position,) = simulator.engine.positions("sim-key", "BTCUSDT")
    ruin = position.entry_price - simulator.engine.balance("sim-key").wallet_balance
    simulator.engine.set_mark("BTCUSDT", round(ruin + 160, 1))
    simulator.engine.publish()
    called = await until(stream, "MARGIN_CALL")
    assert [(row["s"], row["pa"]) for row in called["p"]] == [("BTCUSDT", "1.000")]
    simulator.engine.set_mark("BTCUSDT", round(ruin + 100, 1))
    simulator.engine.publish()
    closed = await until(stream, "ACCOUNT_UPDATE")
    while Decimal(closed["a"]["P"][0]["pa"]):
        closed = await until(stream, "ACCOUNT_UPDATE")
    assert simulator.engine.positions("sim-key", "BTCUSDT")[0].quantity == 0


def _market_connections(simulator: Simulator) -> int:
    return int(simulator.ledger()["statistics"]["connections_open"]["market"])


async def _read_all(stream: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in stream:
        pass
