"""Who the simulated Binance lets in: keys, signatures, timestamps, rate limits and bans, with its own codes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from opensqt.simulator import ServerRules
from tests.service.venue_clients import Bare, below, open_window, venue


@pytest.fixture
async def bare() -> AsyncIterator[Bare]:
    async with venue() as (_, bare):
        yield bare


def now_ms() -> int:
    return int(time.time() * 1000)


async def test_a_signed_call_is_let_in(bare: Bare) -> None:
    status, body, _ = await bare.signed("GET", "/fapi/v3/account")
    assert (status, body["totalWalletBalance"]) == (200, "10000")


async def test_a_missing_key_is_refused(bare: Bare) -> None:
    bare.key = ""
    status, body, _ = await bare.signed("GET", "/fapi/v3/account")
    assert (status, body["code"]) == (401, -2014)


async def test_an_unknown_key_is_refused(bare: Bare) -> None:
    bare.key = "another-key"
    status, body, _ = await bare.signed("GET", "/fapi/v3/account")
    assert (status, body["code"]) == (401, -2015)


async def test_a_wrong_secret_is_refused(bare: Bare) -> None:
    bare.secret = "another-secret"
    status, body, _ = await bare.signed("GET", "/fapi/v3/account")
    assert (status, body["code"]) == (400, -1022)


async def test_a_changed_parameter_breaks_the_signature(bare: Bare) -> None:
    status, body, _ = await bare.keyed("GET", f"/fapi/v3/account?timestamp={now_ms()}&signature=0")
    assert (status, body["code"]) == (400, -1022)


async def test_a_missing_signature_is_named(bare: Bare) -> None:
    status, body, _ = await bare.keyed("GET", f"/fapi/v3/account?timestamp={now_ms()}")
    assert (status, body["code"]) == (400, -1102)
    assert "signature" in body["msg"]


async def test_a_missing_timestamp_is_named(bare: Bare) -> None:
    status, body, _ = await bare.signed("GET", "/fapi/v3/account", timestamp="")
    assert (status, body["code"]) == (400, -1102)
    assert "timestamp" in body["msg"]


@pytest.mark.parametrize("off_ms", [-6000, 2000])
async def test_a_timestamp_outside_the_window_is_refused(bare: Bare, off_ms: int) -> None:
    status, body, _ = await bare.signed("GET", "/fapi/v3/account", timestamp=now_ms() + off_ms)
    assert (status, body["code"]) == (400, -1021)


async def test_a_wider_window_lets_an_old_timestamp_in(bare: Bare) -> None:
    status, _, _ = await bare.signed("GET", "/fapi/v3/account", timestamp=now_ms() - 6000, recvWindow=20000)
    assert status == 200


async def test_a_window_can_not_be_wider_than_a_minute(bare: Bare) -> None:
    status, body, _ = await bare.signed("GET", "/fapi/v3/account", recvWindow=60001)
    assert (status, body["code"]) == (400, -1131)


async def test_a_skewed_server_clock_refuses_a_right_timestamp(bare: Bare) -> None:
    """F24: the server believes it is 10 s later."""
    answer = await bare.control("/_sim/clock", {"skew_ms": 10_000})
    assert abs(answer["server_time_ms"] - now_ms() - 10_000) < 1000
    status, body, _ = await bare.signed("GET", "/fapi/v3/account")
    assert (status, body["code"]) == (400, -1021)
    _, body, _ = await bare.get("/fapi/v1/time")
    assert (await bare.signed("GET", "/fapi/v3/account", timestamp=body["serverTime"]))[0] == 200


async def test_an_unknown_path_is_told(bare: Bare) -> None:
    status, body, _ = await bare.get("/fapi/v1/nothing")
    assert (status, body["code"]) == (404, -5000)


async def test_used_weight_is_told_and_adds_up() -> None:
    async with venue() as (simulator, bare):
        open_window(simulator, bare)
        _, _, first = await bare.get("/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=1000)
        _, _, second = await bare.get("/fapi/v1/depth", symbol="BTCUSDT", limit=1000)
        assert (first["X-MBX-USED-WEIGHT-1M"], second["X-MBX-USED-WEIGHT-1M"]) == ("5", "25")


async def test_order_counts_are_told() -> None:
    async with venue() as (simulator, bare):
        _, _, first = await bare.limit("BUY", below(simulator))
        assert (first["X-MBX-ORDER-COUNT-10S"], first["X-MBX-ORDER-COUNT-1M"]) == ("1", "1")


async def test_too_much_weight_is_answered_429_with_retry_after_and_then_418() -> None:
    """F16: who goes on after the refusal is banned, for everything."""
    async with venue(server=ServerRules(weight_per_minute=3, ban_after=2)) as (simulator, bare):
        open_window(simulator, bare)
        answers = [await bare.get("/fapi/v1/ping") for _ in range(7)]
        assert [status for status, _, _ in answers] == [200, 200, 200, 429, 429, 418, 418]
        assert all(body["code"] == -1003 and int(headers["Retry-After"]) > 0 for _, body, headers in answers[3:])
        assert (await bare.signed("GET", "/fapi/v3/account"))[0] == 418
        statistics = simulator.ledger()["statistics"]
        assert (statistics["http_429"], statistics["http_418"]) == (2, 3)


async def test_too_many_orders_are_refused_and_not_placed() -> None:
    async with venue(server=ServerRules(orders_per_10s=2)) as (simulator, bare):
        open_window(simulator, bare)
        answers = [await bare.limit("BUY", below(simulator)) for _ in range(4)]
        assert [(status, body.get("code")) for status, body, _ in answers] == [(200, None)] * 2 + [(429, -1015)] * 2
        assert len(simulator.engine.open_orders("sim-key")) == 2


async def test_cancels_pass_when_orders_are_used_up() -> None:
    async with venue(server=ServerRules(orders_per_10s=1, orders_per_minute=1)) as (simulator, bare):
        open_window(simulator, bare)
        _, placed, _ = await bare.limit("BUY", below(simulator))
        assert (await bare.limit("BUY", below(simulator)))[0] == 429
        status, _, _ = await bare.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=placed["orderId"])
        assert status == 200


async def test_the_keys_permissions_are_told(bare: Bare) -> None:
    """F34: what a credential check reads before the first order."""
    _, body, _ = await bare.signed("GET", "/sapi/v1/account/apiRestrictions")
    assert (body["enableFutures"], body["enableWithdrawals"]) == (True, False)
