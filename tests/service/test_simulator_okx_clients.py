"""What clients of OKX send and read that ccxt does not: nautilus_trader and the SDKs, as they are."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from opensqt.simulator import Simulator
from tests.service.okx_clients import Bare, sign, venue

SWAP = "BTC-USDT-SWAP"


def login_at(timestamp: str) -> dict[str, Any]:
    signature = sign("sim-secret", f"{timestamp}GET/users/self/verify")
    arg = {"apiKey": "sim-key", "passphrase": "sim-pass", "timestamp": timestamp, "sign": signature}
    return {"op": "login", "args": [arg]}


@pytest.fixture
async def world() -> AsyncIterator[tuple[Simulator, Bare]]:
    async with venue(clock="manual") as world:
        yield world


@pytest.fixture
def bare(world: tuple[Simulator, Bare]) -> Bare:
    return world[1]


async def test_a_login_takes_a_timestamp_with_a_fraction(bare: Bare) -> None:
    """The venue's own example divides milliseconds by 1,000; the signature is of the text as it was sent."""
    async with bare.connect("private") as socket:
        await socket.send_json(login_at(f"{time.time():.3f}"))
        assert (await socket.receive_json(timeout=60))["event"] == "login"


@pytest.mark.parametrize("timestamp", ["1e9", "-1", "1.", "", "now"])
async def test_a_login_with_another_text_as_timestamp_is_refused(bare: Bare, timestamp: str) -> None:
    async with bare.connect("private") as socket:
        await socket.send_json(login_at(timestamp))
        assert (await socket.receive_json(timeout=60))["code"] == "60004"


async def test_an_optional_field_of_a_subscription_may_be_null(bare: Bare) -> None:
    arg = {"channel": "bbo-tbt", "instId": SWAP, "instType": None, "instFamily": None}
    async with bare.connect("public") as socket:
        await socket.send_json({"op": "subscribe", "args": [arg]})
        answer = await socket.receive_json(timeout=60)
        assert (answer["event"], answer["arg"]) == ("subscribe", {"channel": "bbo-tbt", "instId": SWAP})


async def test_instruments_are_sent_at_once_and_when_one_changes(world: tuple[Simulator, Bare]) -> None:
    simulator, bare = world
    async with bare.connect("public") as socket:
        await socket.send_json({"op": "subscribe", "args": [{"channel": "instruments", "instType": "SWAP"}]})
        assert (await socket.receive_json(timeout=60))["event"] == "subscribe"
        listed = (await socket.receive_json(timeout=60))["data"]
        assert [row["instId"] for row in listed] == [SWAP, "ETH-USDT-SWAP"]
        simulator.engine.set_listing_state("ETHUSDT", "suspend")
        (changed,) = (await socket.receive_json(timeout=60))["data"]
        assert (changed["instId"], changed["state"]) == ("ETH-USDT-SWAP", "suspend")


@pytest.mark.parametrize("kind", ["SPOT", "MARGIN", "FUTURES", "OPTION"])
async def test_orders_of_other_types_can_be_subscribed_and_are_silent(bare: Bare, kind: str) -> None:
    async with bare.connect("private") as socket:
        await socket.send_json(bare.login())
        await socket.receive_json(timeout=60)
        await socket.send_json({"op": "subscribe", "args": [{"channel": "orders", "instType": kind}]})
        assert (await socket.receive_json(timeout=60))["event"] == "subscribe"
        order = {"instId": SWAP, "tdMode": "cross", "side": "buy", "ordType": "market", "sz": "1"}
        await bare.signed("POST", "/api/v5/trade/order", order)
        await socket.send_str("ping")
        assert await socket.receive_str(timeout=60) == "pong"


async def test_an_unknown_type_of_orders_is_refused(bare: Bare) -> None:
    async with bare.connect("private") as socket:
        await socket.send_json(bare.login())
        await socket.receive_json(timeout=60)
        await socket.send_json({"op": "subscribe", "args": [{"channel": "orders", "instType": "STOCK"}]})
        assert (await socket.receive_json(timeout=60))["code"] == "60018"


DOCUMENTED = {
    "/api/v5/public/instruments?instType=SWAP": "maxTwapSz maxIcebergSz maxTriggerSz maxStopSz futureSettlement",
    "/api/v5/account/balance": "borrowFroz notionalUsdForBorrow delta deltaLever deltaNeutralStatus",
    "/api/v5/account/config": "settleCcy traderInsts enableSpotBorrow feeType",
}


@pytest.mark.parametrize("path", DOCUMENTED)
async def test_the_fields_of_other_modes_are_there(bare: Bare, path: str) -> None:
    """A client that declares a documented field can read the answer, although it means nothing here."""
    _, body = await bare.signed("GET", path)
    assert set(DOCUMENTED[path].split()) <= body["data"][0].keys()


async def test_the_tag_of_an_order_comes_back(bare: Bare) -> None:
    order = {"instId": SWAP, "tdMode": "cross", "side": "buy", "ordType": "market", "sz": "1", "tag": "t1"}
    _, placed = await bare.signed("POST", "/api/v5/trade/order", order)
    _, found = await bare.signed("GET", f"/api/v5/trade/order?instId={SWAP}&ordId={placed['data'][0]['ordId']}")
    assert (placed["data"][0]["tag"], found["data"][0]["tag"]) == ("t1", "t1")
