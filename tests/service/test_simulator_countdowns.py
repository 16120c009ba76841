"""The venues' own countdowns on the simulator, each by its protocol: bounds, answers, scope, and what is told."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from opensqt.simulator import Simulator
from opensqt.simulator.settings import AccountSettings
from tests.service import bybit_clients, okx_clients, venue_clients
from tests.service.bybit_clients import bybit
from tests.service.test_simulator_gate_access import ROOT, Gate
from tests.service.venue_clients import below, settings
from tests.support import eventually

MANUAL = {"clock": "manual"}
BTC_SWAP = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "limit", "sz": "1"}
PROTECTION = "/v5/order/disconnected-cancel-all"


def still(simulator: Simulator) -> None:
    """Let nobody else trade."""
    for rules in simulator.engine.symbols():
        simulator.market.pause(rules.symbol)


def ended(simulator: Simulator) -> list[tuple[str, str]]:
    orders = simulator.ledger()["accounts"]["sim-key"]["orders"]
    return [(one["status"], one["closing_reason"]) for one in orders]


async def test_binance_cancels_the_symbols_orders_and_its_stream_tells() -> None:
    """F46: orders outlive the machine."""
    async with venue_clients.venue(**MANUAL) as (simulator, bare):
        still(simulator)
        stream = await bare.user_stream()
        await bare.limit("BUY", below(simulator))
        path = "/fapi/v1/countdownCancelAll"
        status, body, _ = await bare.signed("POST", path, symbol="BTCUSDT", countdownTime=10_000)
        assert (status, body) == (200, {"symbol": "BTCUSDT", "countdownTime": "10000"})
        await bare.signed("POST", path, symbol="ETHUSDT", countdownTime=1_000)
        await simulator.advance(9_999)
        assert ended(simulator) == [("OPEN", "NONE")]
        await simulator.advance(1)
        assert ended(simulator) == [("CANCELED", "COUNTDOWN")]
        while (told := await venue_clients.until(stream, "ORDER_TRADE_UPDATE"))["o"]["X"] != "CANCELED":
            pass
        assert told["o"]["x"] == "CANCELED"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"symbol": "BTCUSDT"}, -1102),
        ({"symbol": "NOPE", "countdownTime": 1}, -1121),
        ({"symbol": "BTCUSDT", "countdownTime": -1}, -1130),
        ({"countdownTime": 1}, -1102),
    ],
)
async def test_binance_refuses_a_bad_countdown(given: dict[str, Any], code: int) -> None:
    async with venue_clients.venue() as (_, bare):
        status, body, _ = await bare.signed("POST", "/fapi/v1/countdownCancelAll", **given)
        assert (status, body["code"]) == (400, code)


async def test_okx_cancels_the_orders_of_a_tag_and_tells_the_source() -> None:
    """F30: somebody else's orders are not canceled."""
    path = "/api/v5/trade/cancel-all-after"
    async with okx_clients.venue(**MANUAL) as (simulator, bare):
        still(simulator)
        price = str(below(simulator))
        for tag in ("mine", ""):
            _, body = await bare.signed("POST", "/api/v5/trade/order", {**BTC_SWAP, "px": price, "tag": tag})
            assert body["code"] == "0"
        _, body = await bare.signed("POST", path, {"timeOut": "10", "tag": "mine"})
        due_ms = simulator.engine.now_ms() + 10_000
        assert body["data"][0] == {"triggerTime": str(due_ms), "tag": "mine", "ts": str(due_ms - 10_000)}
        await simulator.advance(10_000)
        assert ended(simulator) == [("CANCELED", "COUNTDOWN"), ("OPEN", "NONE")]
        gone = simulator.engine.orders("sim-key")[0]
        _, body = await bare.signed("GET", f"/api/v5/trade/order?instId=BTC-USDT-SWAP&ordId={gone.order_id}")
        assert [(row["state"], row["cancelSource"], row["tag"]) for row in body["data"]] == [("canceled", "20", "mine")]
        _, body = await bare.signed("POST", path, {"timeOut": "0", "tag": "mine"})
        assert body["data"][0]["triggerTime"] == "0"


@pytest.mark.parametrize(
    "given", [{"timeOut": "9"}, {"timeOut": "121"}, {"timeOut": "x"}, {"timeOut": "10", "tag": "-"}]
)
async def test_okx_refuses_a_bad_countdown(given: dict[str, str]) -> None:
    async with okx_clients.venue() as (_, bare):
        _, body = await bare.signed("POST", "/api/v5/trade/cancel-all-after", given)
        assert body["code"] == "51000"


async def test_gate_cancels_the_contracts_orders() -> None:
    """F46: orders outlive the machine."""
    started = settings(exchange="gate", past_minutes=10, **MANUAL)
    async with Simulator(started) as simulator, aiohttp.ClientSession() as session:
        still(simulator)
        gate = Gate(simulator, session)
        await gate.place()
        asked = {"timeout": 5, "contract": "BTC_USDT"}
        status, body, _ = await gate.call("POST", f"{ROOT}/countdown_cancel_all", body=asked)
        assert (status, body) == (200, {"triggerTime": str(simulator.engine.now_ms() + 5_000)})
        await gate.call("POST", f"{ROOT}/countdown_cancel_all", body={"timeout": 30})
        await simulator.advance(5_000)
        assert ended(simulator) == [("CANCELED", "COUNTDOWN")]


@pytest.mark.parametrize("given", [{"timeout": 4}, {"timeout": -1}, {}, {"timeout": 5, "contract": "NO_USDT"}])
async def test_gate_refuses_a_bad_countdown(given: dict[str, Any]) -> None:
    started = settings(exchange="gate", past_minutes=10)
    async with Simulator(started) as simulator, aiohttp.ClientSession() as session:
        status, _, _ = await Gate(simulator, session).call("POST", f"{ROOT}/countdown_cancel_all", body=given)
        assert status == 400


async def test_bybit_cancels_when_the_last_protected_connection_stays_lost() -> None:
    """F46: orders outlive the machine."""
    async with bybit(**MANUAL) as (simulator, bare):
        still(simulator)
        await bare.limit("Buy", below(simulator))
        first = await bare.listen("order.linear", "dcp.future", private=True)
        second = await bare.listen("dcp.future", private=True)
        _, body, _ = await bare.post(PROTECTION, product="DERIVATIVES", timeWindow=40)
        assert body["retCode"] == 0
        await first.close()
        await eventually(lambda: len(simulator.subscriptions.sockets) == 1)
        await simulator.advance(60_000)
        assert ended(simulator) == [("OPEN", "NONE")]
        await second.close()
        await eventually(lambda: not simulator.subscriptions.sockets)
        watching = await bare.listen("order.linear", private=True)
        await simulator.advance(39_999)
        assert ended(simulator) == [("OPEN", "NONE")]
        await simulator.advance(1)
        assert ended(simulator) == [("CANCELED", "COUNTDOWN")]
        (told,) = (await bybit_clients.until(watching, "order.linear"))["data"]
        assert (told["orderStatus"], told["cancelType"]) == ("Cancelled", "CancelByDCP")


async def test_bybit_cancels_nothing_after_a_reconnect_or_an_unsubscribe() -> None:
    async with bybit(**MANUAL) as (simulator, bare):
        still(simulator)
        await bare.limit("Buy", below(simulator))
        socket = await bare.listen("dcp.future", private=True)
        await socket.close()
        await eventually(lambda: not simulator.subscriptions.sockets)
        await simulator.advance(9_000)
        socket = await bare.listen("dcp.future", private=True)
        await simulator.advance(60_000)
        await socket.send_json({"op": "unsubscribe", "args": ["dcp.future"]})
        assert (await socket.receive_json(timeout=60))["success"] is True
        await socket.close()
        await eventually(lambda: not simulator.subscriptions.sockets)
        await simulator.advance(60_000)
        assert ended(simulator) == [("OPEN", "NONE")]


async def test_bybit_protects_no_account_that_it_has_not_enabled() -> None:
    async with bybit(accounts=(AccountSettings(disconnect_protection=False),), **MANUAL) as (simulator, bare):
        still(simulator)
        _, body, _ = await bare.get("/v5/account/query-dcp-info")
        assert body["result"] == {"dcpInfos": []}
        await bare.limit("Buy", below(simulator))
        socket = await bare.listen("dcp.future", private=True)
        await socket.close()
        await eventually(lambda: not simulator.subscriptions.sockets)
        await simulator.advance(60_000)
        assert ended(simulator) == [("OPEN", "NONE")]


async def test_bybit_tells_the_windows_and_refuses_bad_ones() -> None:
    async with bybit() as (_, bare):
        for window in (2, 301):
            assert (await bare.post(PROTECTION, product="DERIVATIVES", timeWindow=window))[1]["retCode"] == 10001
        await bare.post(PROTECTION, product="DERIVATIVES", timeWindow=3)
        _, body, _ = await bare.get("/v5/account/query-dcp-info")
        rows = {row["product"]: (row["dcpStatus"], row["timeWindow"]) for row in body["result"]["dcpInfos"]}
        assert rows == {"DERIVATIVES": ("ON", "3"), "SPOT": ("ON", "10"), "OPTIONS": ("ON", "10")}
