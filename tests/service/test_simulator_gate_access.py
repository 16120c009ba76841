"""Who the simulated Gate lets in: keys, signatures, timestamps, late orders and limits, with its own labels."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from opensqt.simulator import ServerRules, Simulator
from tests.service.venue_clients import below, settings

ROOT = "/api/v4/futures/usdt"


class Gate:
    """Gate's REST with nothing in between."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self.simulator = simulator
        self._session = session
        self.key = "sim-key"
        self.secret = "sim-secret"
        self.skew_s = 0
        self.more: dict[str, str] = {}

    async def call(self, method: str, path: str, query: str = "", body: Any = None) -> tuple[int, Any, Any]:
        text = orjson.dumps(body).decode() if body is not None else ""
        timestamp = str(int(time.time()) + self.skew_s)
        content = hashlib.sha512(text.encode()).hexdigest()
        signed = f"{method}\n{path}\n{query}\n{content}\n{timestamp}"
        sign = hmac.new(self.secret.encode(), signed.encode(), hashlib.sha512).hexdigest()
        headers = {"KEY": self.key, "SIGN": sign, "Timestamp": timestamp, "Content-Type": "application/json"}
        headers = {name: value for name, value in (headers | self.more).items() if value}
        url = f"{self.simulator.url}{path}{'?' + query if query else ''}"
        async with self._session.request(method, url, data=text or None, headers=headers) as response:
            return response.status, await response.json(), response.headers

    async def place(self) -> tuple[int, Any, Any]:
        price = str(below(self.simulator))
        return await self.call("POST", f"{ROOT}/orders", body={"contract": "BTC_USDT", "size": 10, "price": price})


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    rules = ServerRules(weight_per_minute=36, orders_per_10s=3)
    started = settings(exchange="gate", past_minutes=10, server=rules)
    async with Simulator(started) as simulator, aiohttp.ClientSession() as session:
        yield Gate(simulator, session)


async def test_a_signed_call_is_let_in_and_told_what_is_left(gate: Gate) -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    status, body, headers = await gate.call("GET", f"{ROOT}/accounts")
    assert (status, body["total"], body["user"]) == (200, "10000", 20000001)
    assert (headers["X-Gate-RateLimit-Limit"], headers["X-Gate-RateLimit-Requests-Remain"]) == ("3", "2")


async def test_an_order_is_created_and_its_size_is_a_number_unless_asked_otherwise(gate: Gate) -> None:
    """F11: contracts are never taken for coins."""
    status, body, _ = await gate.place()
    assert (status, body["size"], body["text"]) == (201, 10, "api")
    gate.more = {"X-Gate-Size-Decimal": "1"}
    _, (told,), _ = await gate.call("GET", f"{ROOT}/orders", "status=open")
    assert told["size"] == "10"


@pytest.mark.parametrize(
    ("wrong", "status", "label"),
    [
        ({"key": "another"}, 401, "INVALID_KEY"),
        ({"secret": "another"}, 401, "INVALID_SIGNATURE"),
        ({"skew_s": -61}, 403, "REQUEST_EXPIRED"),
        ({"skew_s": 62}, 403, "REQUEST_EXPIRED"),
        ({"more": {"SIGN": ""}}, 401, "MISSING_REQUIRED_HEADER"),
        ({"more": {"x-gate-exptime": "1700000000000"}}, 403, "REQUEST_EXPIRED"),
    ],
)
async def test_who_does_not_sign_right_is_refused(gate: Gate, wrong: dict[str, Any], status: int, label: str) -> None:
    for name, value in wrong.items():
        setattr(gate, name, value)
    answered, body, _ = await gate.place()
    assert (answered, body["label"]) == (status, label)
    assert gate.simulator.engine.orders("sim-key") == []


async def test_an_endpoint_is_limited_by_itself_and_says_when_it_resets(gate: Gate) -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    clock = gate.simulator.market.clock
    clock.skew_ms = 500 - clock.server_ms() % 10_000  # no window ends within the test
    answers = [await gate.call("GET", f"{ROOT}/accounts") for _ in range(4)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 429]
    _, body, headers = answers[-1]
    assert body["label"] == "TOO_MANY_REQUESTS"
    assert int(headers["X-Gate-RateLimit-Reset-Timestamp"]) * 1000 > clock.server_ms()
    assert (await gate.call("GET", f"{ROOT}/positions"))[0] == 200


async def test_orders_are_limited_and_cancels_still_pass(gate: Gate) -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    clock = gate.simulator.market.clock
    clock.skew_ms = 100 - clock.server_ms() % 1_000
    (_, placed, _), (status, refused, _) = await gate.place(), await gate.place()
    assert (status, refused["label"]) == (429, "TOO_MANY_REQUESTS")
    assert (await gate.call("DELETE", f"{ROOT}/orders/{placed['id']}"))[0] == 200


@pytest.mark.parametrize(("method", "path"), [("GET", f"{ROOT}/nothing"), ("PUT", f"{ROOT}/positions/BTC_USDT")])
async def test_what_is_not_served_is_not_found(gate: Gate, method: str, path: str) -> None:
    status, body, _ = await gate.call(method, path)
    assert (status, body["label"]) == (404, "NOT_FOUND")
