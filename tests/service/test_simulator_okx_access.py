"""Who the simulated OKX lets in: keys, passphrases, signatures, timestamps, limits, logins, with its own codes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from opensqt.simulator import Simulator
from opensqt.simulator.faults import Fault
from tests.service.okx_clients import Bare, venue
from tests.service.venue_clients import below

BALANCE = "/api/v5/account/balance"
ORDERS = {"op": "subscribe", "args": [{"channel": "orders", "instType": "SWAP"}]}


@pytest.fixture
async def world() -> AsyncIterator[tuple[Simulator, Bare]]:
    async with venue(clock="manual") as world:
        yield world


@pytest.fixture
def bare(world: tuple[Simulator, Bare]) -> Bare:
    return world[1]


async def test_a_signed_call_is_let_in(bare: Bare) -> None:
    status, body = await bare.signed("GET", f"{BALANCE}?ccy=USDT")
    assert (status, body["code"], body["data"][0]["totalEq"]) == (200, "0", "10000")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("key", "another", "50111"),
        ("secret", "another", "50113"),
        ("passphrase", "another", "50105"),
        ("skew_s", -31, "50102"),
        ("skew_s", 31, "50102"),
        ("drop", "OK-ACCESS-KEY", "50103"),
        ("drop", "OK-ACCESS-PASSPHRASE", "50104"),
        ("drop", "OK-ACCESS-SIGN", "50106"),
        ("drop", "OK-ACCESS-TIMESTAMP", "50107"),
    ],
)
async def test_a_call_that_is_not_signed_well_is_refused(bare: Bare, field: str, value: Any, code: str) -> None:
    setattr(bare, field, value)
    status, body = await bare.signed("GET", BALANCE)
    assert (status, body["code"], body["data"]) == (401, code, [])


async def test_a_clock_that_is_29_s_wrong_is_let_in(bare: Bare) -> None:
    """F24: a clock that drifts or jumps does not stop trading unnoticed."""
    bare.skew_s = -29
    assert (await bare.signed("GET", BALANCE))[0] == 200


async def test_an_endpoint_takes_so_many_calls_in_two_seconds(world: tuple[Simulator, Bare]) -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    simulator, bare = world
    clock = simulator.market.clock
    clock.skew_ms = -(clock.server_ms() % 2_000)  # the start of a window
    answers = [await bare.signed("GET", BALANCE) for _ in range(11)]
    assert [status for status, _ in answers] == [200] * 10 + [429]
    assert answers[-1][1]["code"] == "50011"
    assert (await bare.signed("GET", "/api/v5/account/positions"))[0] == 200
    clock.skew_ms += 2_000
    assert (await bare.signed("GET", BALANCE))[0] == 200


async def test_a_path_that_is_not_served_is_told(bare: Bare) -> None:
    status, body = await bare.get("/api/v5/market/nonsense")
    assert (status, body["code"]) == (404, "404")


@pytest.mark.parametrize(("body", "code"), [("{", "50002"), ([], "50002")])
async def test_a_body_that_is_no_order_is_refused(bare: Bare, body: Any, code: str) -> None:
    status, answer = await bare.signed("POST", "/api/v5/trade/order", body)
    assert (status, answer["code"]) == (400, code)


async def test_a_batch_holds_twenty_orders(bare: Bare) -> None:
    status, answer = await bare.signed("POST", "/api/v5/trade/batch-orders", [{}] * 21)
    assert (status, answer["code"]) == (400, "51111")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"kind": "timeout_unknown"}, 400, "50004"),
        ({"kind": "error_before"}, 503, "50001"),
        ({"kind": "rate_limited"}, 429, "50011"),
        ({"kind": "banned"}, 403, "1006"),
    ],
)
async def test_a_fault_speaks_the_venues_words(
    world: tuple[Simulator, Bare], fault: dict[str, Any], status: int, code: str
) -> None:
    simulator, bare = world
    simulator.faults.add(Fault(on="place_order", **fault))
    order = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "limit", "sz": "1"}
    answer = await bare.signed("POST", "/api/v5/trade/order", order | {"px": str(below(simulator))})
    assert (answer[0], answer[1]["code"]) == (status, code)
    assert len(simulator.engine.open_orders("sim-key")) == (fault["kind"] == "timeout_unknown")


async def test_a_refusal_by_fault_stands_in_a_row(world: tuple[Simulator, Bare]) -> None:
    simulator, bare = world
    simulator.faults.add(Fault(kind="refuse", on="place_order", code="51008"))
    _, body = await bare.signed("POST", "/api/v5/trade/order", {})
    assert (body["code"], body["data"][0]["sCode"]) == ("1", "51008")


async def test_a_login_opens_the_private_channels(bare: Bare) -> None:
    async with bare.connect("private") as socket:
        await socket.send_json(bare.login())
        assert (await socket.receive_json(timeout=60))["event"] == "login"
        await socket.send_json(ORDERS)
        answer = await socket.receive_json(timeout=60)
        assert (answer["event"], answer["arg"]) == ("subscribe", ORDERS["args"][0])


async def test_a_private_channel_without_login_is_refused(bare: Bare) -> None:
    async with bare.connect("private") as socket:
        await socket.send_json(ORDERS)
        assert (await socket.receive_json(timeout=60))["code"] == "60011"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [("key", "x", "60005"), ("secret", "x", "60007"), ("passphrase", "x", "60024"), ("skew_s", -40, "60006")],
)
async def test_a_bad_login_is_refused(bare: Bare, field: str, value: Any, code: str) -> None:
    setattr(bare, field, value)
    async with bare.connect("private") as socket:
        await socket.send_json(bare.login())
        answer = await socket.receive_json(timeout=60)
        assert (answer["event"], answer["code"]) == ("error", code)


@pytest.mark.parametrize(
    ("kind", "arg"),
    [
        ("public", {"channel": "candle1m", "instId": "BTC-USDT-SWAP"}),
        ("business", {"channel": "bbo-tbt", "instId": "BTC-USDT-SWAP"}),
        ("public", {"channel": "bbo-tbt", "instId": "NOPE-USDT-SWAP"}),
        ("public", {"channel": "nonsense", "instId": "BTC-USDT-SWAP"}),
        ("public", {"channel": "orders", "instType": "SWAP"}),
    ],
)
async def test_a_channel_that_is_not_served_there_is_refused(bare: Bare, kind: str, arg: dict[str, str]) -> None:
    async with bare.connect(kind) as socket:
        await socket.send_json({"op": "subscribe", "args": [arg]})
        answer = await socket.receive_json(timeout=60)
        assert (answer["event"], answer["code"]) == ("error", "60018")


async def test_a_text_ping_is_answered(bare: Bare) -> None:
    async with bare.connect("public") as socket:
        await socket.send_str("ping")
        assert await socket.receive_str(timeout=10) == "pong"


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"op": "dance", "args": [{}]}', '{"op": "subscribe"}'])
async def test_a_message_that_makes_no_sense_is_refused(bare: Bare, text: str) -> None:
    async with bare.connect("public") as socket:
        await socket.send_str(text)
        assert (await socket.receive_json(timeout=60))["code"] == "60012"


async def test_an_unsubscribed_channel_falls_silent(world: tuple[Simulator, Bare]) -> None:
    simulator, bare = world
    args = [{"channel": "bbo-tbt", "instId": "BTC-USDT-SWAP"}]
    async with bare.connect("public") as socket:
        await socket.send_json({"op": "subscribe", "args": args})
        assert [set(await socket.receive_json(timeout=60)) for _ in range(2)] == [
            {"event", "arg", "connId"},
            {"arg", "data"},
        ]
        await socket.send_json({"op": "unsubscribe", "args": args})
        assert (await socket.receive_json(timeout=60))["event"] == "unsubscribe"
        await simulator.advance(2_000)
        await socket.send_str("ping")
        assert await socket.receive_str(timeout=10) == "pong"


async def test_the_book_channel_has_no_holes(world: tuple[Simulator, Bare]) -> None:
    """F14: a book with a hole in it is never traded on."""
    simulator, bare = world
    async with bare.connect("public") as socket:
        await socket.send_json({"op": "subscribe", "args": [{"channel": "books", "instId": "BTC-USDT-SWAP"}]})
        await socket.receive_json(timeout=60)
        books = []
        for _ in range(5):
            books.append(await asyncio.wait_for(_book(socket), 60))
            await simulator.advance(500)
        assert [book["prevSeqId"] for book in books] == [-1, *(book["seqId"] for book in books[:-1])]


async def _book(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    frame = await socket.receive_json(timeout=60)
    book: dict[str, Any] = frame["data"][0]
    return book
