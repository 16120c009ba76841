"""Bitget's wire protocol as it is spoken bare: logins, subscriptions, heartbeats, limits and faults."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest

from opensqt.simulator import Simulator
from opensqt.simulator.faults import Fault
from opensqt.simulator.settings import ServerRules
from tests.service.venue_clients import settings

FUTURES = "USDT-FUTURES"
ACCOUNTS = "/api/v2/mix/account/accounts"
ORDERS = {"instType": FUTURES, "channel": "orders", "instId": "default"}
TICKER = {"instType": FUTURES, "channel": "ticker", "instId": "BTCUSDT"}


def signed(text: str) -> str:
    return base64.b64encode(hmac.new(b"sim-secret", text.encode(), hashlib.sha256).digest()).decode()


class Bare:
    """The venue with nothing in between."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def get(self, path: str, **headers: str) -> tuple[int, Any, Any]:
        now = str(int(time.time() * 1000))
        sent = {"ACCESS-KEY": "sim-key", "ACCESS-PASSPHRASE": "sim-pass", "ACCESS-TIMESTAMP": now}
        sent |= {"ACCESS-SIGN": signed(f"{now}GET{path}"), **headers}
        kept = {name: value for name, value in sent.items() if value}
        async with self.session.get(self.url + path, headers=kept) as response:
            return response.status, await response.json(), response.headers

    async def listen(self, access: str) -> aiohttp.ClientWebSocketResponse:
        return await self.session.ws_connect(f"{self.url}/v2/ws/{access}")


@asynccontextmanager
async def venue(**more: Any) -> AsyncIterator[tuple[Simulator, Bare]]:
    simulated = Simulator(settings(exchange="bitget", clock="manual", past_minutes=60, **more))
    async with simulated, aiohttp.ClientSession() as session:
        yield simulated, Bare(simulated.url, session)


async def ask(socket: aiohttp.ClientWebSocketResponse, operation: str, *args: dict[str, str]) -> Any:
    await socket.send_json({"op": operation, "args": args})
    return await socket.receive_json(timeout=60)


def login(timestamp: str | None = None, **more: str) -> dict[str, str]:
    timestamp = timestamp or str(int(time.time()))
    sign = signed(f"{timestamp}GET/user/verify")
    return {"apiKey": "sim-key", "passphrase": "sim-pass", "timestamp": timestamp, "sign": sign, **more}


async def test_every_answer_has_the_envelope() -> None:
    async with venue() as (_, bare):
        status, body, headers = await bare.get(f"{ACCOUNTS}?productType={FUTURES}")
        assert (status, body["code"], body["msg"], body["data"][0]["accountEquity"]) == (
            200,
            "00000",
            "success",
            "10000",
        )
        assert (body["requestTime"] > 0, headers["x-mbx-used-remain-limit"]) == (True, "9")
        status, body, _ = await bare.get("/api/v2/mix/nothing")
        assert (status, body["code"], body["data"]) == (404, "40404", None)


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("ACCESS-KEY", "", "40001"),
        ("ACCESS-KEY", "other", "40006"),
        ("ACCESS-SIGN", "", "40003"),
        ("ACCESS-SIGN", "bm9wZQ==", "40009"),
        ("ACCESS-PASSPHRASE", "", "40011"),
        ("ACCESS-PASSPHRASE", "wrong", "40012"),
        ("ACCESS-TIMESTAMP", "soon", "40005"),
        ("ACCESS-TIMESTAMP", "1600000000000", "40008"),
        ("paptrading", "2", "40020"),
    ],
)
async def test_a_bad_header_is_refused_with_its_code(header: str, value: str, code: str) -> None:
    async with venue() as (_, bare):
        status, body, _ = await bare.get(f"{ACCOUNTS}?productType={FUTURES}", **{header: value})
        assert (status, body["code"]) == (400, code)


async def test_a_login_in_seconds_or_milliseconds_opens_the_private_channels() -> None:
    async with venue() as (_, bare):
        for now in (int(time.time()), int(time.time() * 1000)):
            async with await bare.listen("private") as socket:
                assert await ask(socket, "login", login(str(now))) == {"event": "login", "code": 0}
                assert await ask(socket, "subscribe", ORDERS) == {"event": "subscribe", "arg": ORDERS}


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("apiKey", "other", 30011),
        ("passphrase", "wrong", 30012),
        ("timestamp", "soon", 30013),
        ("timestamp", "1600000000", 30014),
        ("sign", "bm9wZQ==", 30015),
    ],
)
async def test_a_bad_login_is_refused_with_its_code(field: str, value: str, code: int) -> None:
    async with venue() as (_, bare), await bare.listen("private") as socket:
        answer = await ask(socket, "login", login(**{field: value}))
        assert (answer["event"], answer["code"]) == ("error", code)


@pytest.mark.parametrize(
    ("access", "arg", "code"),
    [
        ("private", ORDERS, 30004),
        ("public", ORDERS, 30004),
        ("private", TICKER, 30016),
        ("public", TICKER | {"instId": "NOPEUSDT"}, 30001),
        ("public", TICKER | {"channel": "dance"}, 30001),
        ("public", TICKER | {"instType": "SPOT"}, 30001),
    ],
)
async def test_a_subscription_that_cannot_be_is_refused(access: str, arg: dict[str, str], code: int) -> None:
    async with venue() as (_, bare), await bare.listen(access) as socket:
        answer = await ask(socket, "subscribe", arg)
        assert (answer["event"], answer["code"], answer["arg"]) == ("error", code, arg)


@pytest.mark.parametrize(("message", "code"), [("{", 30003), ('{"op":"dance"}', 30003), ('{"op":"subscribe"}', 30016)])
async def test_a_message_that_makes_no_sense_is_refused(message: str, code: int) -> None:
    async with venue() as (_, bare), await bare.listen("public") as socket:
        await socket.send_str(message)
        assert (await socket.receive_json(timeout=60))["code"] == code


async def test_a_subscription_is_acknowledged_and_then_tells_how_things_stand() -> None:
    async with venue() as (simulator, bare), await bare.listen("public") as socket:
        assert await ask(socket, "subscribe", TICKER) == {"event": "subscribe", "arg": TICKER}
        frame = await socket.receive_json(timeout=60)
        best = simulator.engine.best("BTCUSDT")
        assert (frame["action"], frame["arg"], frame["data"][0]["bidPr"]) == ("snapshot", TICKER, str(best.bid))
        assert await ask(socket, "unsubscribe", TICKER) == {"event": "unsubscribe", "arg": TICKER}
        assert list(simulator.subscriptions.topics()) == []


async def test_a_text_ping_is_answered_in_text() -> None:
    async with venue() as (_, bare), await bare.listen("public") as socket:
        await socket.send_str("ping")
        assert await socket.receive_str(timeout=10) == "pong"


async def test_a_connection_that_sends_no_ping_is_cut() -> None:
    async with venue(server=ServerRules(pong_within_ms=200)) as (_, bare), await bare.listen("public") as socket:
        assert (await socket.receive(timeout=10)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


async def test_a_connection_that_says_too_much_is_cut() -> None:
    async with venue() as (_, bare), await bare.listen("public") as socket:
        for _ in range(11):
            await socket.send_str("ping")
        kinds = [(await socket.receive(timeout=10)).type for _ in range(11)]
        assert kinds[-1] in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


async def test_an_address_that_asks_too_much_in_a_minute_is_shut_out_for_five() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    async with venue(server=ServerRules(weight_per_minute=3)) as (simulator, bare):
        clock = simulator.market.clock
        clock.skew_ms = 1000 - clock.server_ms() % 60_000
        answers = [await bare.get("/api/v2/public/time") for _ in range(5)]
        assert [(status, body["code"]) for status, body, _ in answers] == [(200, "00000")] * 3 + [(429, "429")] * 2
        assert answers[-1][2]["Retry-After"] == "300"


async def test_the_faults_of_requests_speak_the_venues_language() -> None:
    async with venue() as (simulator, bare):
        told = []
        for kind in ("timeout_unknown", "rate_limited", "banned", "error_before"):
            simulator.faults.add(Fault(kind=kind, on="account"))
            status, body, _ = await bare.get(f"{ACCOUNTS}?productType={FUTURES}")
            told.append((status, body["code"]))
        assert told == [(400, "40010"), (429, "429"), (429, "429"), (503, "40015")]


async def test_a_batch_of_cancels_and_a_cancel_of_everything_are_two_operations() -> None:
    async with venue() as (simulator, bare):
        for more in ({"orderIdList": [{"orderId": "1"}]}, {}):
            body = orjson.dumps({"productType": FUTURES, "symbol": "BTCUSDT", **more}).decode()
            path, now = "/api/v2/mix/order/batch-cancel-orders", str(int(time.time() * 1000))
            headers = {"ACCESS-KEY": "sim-key", "ACCESS-PASSPHRASE": "sim-pass", "ACCESS-TIMESTAMP": now}
            headers |= {"ACCESS-SIGN": signed(f"{now}POST{path}{body}"), "Content-Type": "application/json"}
            async with bare.session.post(bare.url + path, data=body, headers=headers) as response:
                answer = await response.json()
                assert answer["code"] == ("00000" if more else "22001")
        assert simulator.ledger()["statistics"]["requests"] == {"batch_cancel": 1, "cancel_all": 1}


async def test_addresses_are_told() -> None:
    async with venue() as (_, bare):
        async with bare.session.get(f"{bare.url}/_sim") as response:
            told = await response.json()
        assert (told["exchange"], told["rest"]["base"]) == ("bitget", bare.url)
        assert told["ws"]["private"].endswith("/v2/ws/private")
