"""A symbol leaves the state in which it trades: the venue's own words, and what it still accepts then."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from opensqt.model.order import OrderType, Side
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.engine.order import NewOrder, RefusalReason, Refused

# The endpoint that lists the symbols, the path to its rows, and the fields of ETHUSDT in one state.
# https://developers.binance.com/docs/derivatives/usds-margined-futures/common-definition (contract status)
# https://www.bitget.com/api-doc/contract/market/Get-All-Symbols-Contracts (symbolStatus)
# https://www.gate.com/docs/developers/apiv4/en/#futures (status, in_delisting)
# https://www.okx.com/docs-v5/en/#public-data-rest-api-get-instruments (state)
# https://bybit-exchange.github.io/docs/v5/enum#status (status)
WORDS = [
    ("binance", "/fapi/v1/exchangeInfo", ("symbols",), "SETTLING", {"status": "SETTLING"}),
    ("binance", "/fapi/v1/exchangeInfo", ("symbols",), "PENDING_TRADING", {"status": "PENDING_TRADING"}),
    (
        "bitget",
        "/api/v2/mix/market/contracts?productType=USDT-FUTURES",
        ("data",),
        "maintain",
        {"symbolStatus": "maintain"},
    ),
    ("gate", "/api/v4/futures/usdt/contracts", (), "in_delisting", {"status": "trading", "in_delisting": True}),
    ("gate", "/api/v4/futures/usdt/contracts", (), "delisting", {"status": "delisting", "in_delisting": True}),
    ("okx", "/api/v5/public/instruments?instType=SWAP", ("data",), "rebase", {"state": "rebase"}),
    (
        "bybit",
        "/v5/market/instruments-info?category=linear&status=Settling",
        ("result", "list"),
        "Settling",
        {"status": "Settling"},
    ),
]


async def rows_of(http: aiohttp.ClientSession, address: str, path: tuple[str, ...]) -> list[dict[str, Any]]:
    async with http.get(address) as answer:
        found: Any = await answer.json()
    for name in path:
        found = found[name]
    return list(found)


def is_ether(row: dict[str, Any]) -> bool:
    name = str(row.get("symbol") or row.get("instId") or row.get("name"))
    return name.replace("-", "").replace("_", "").startswith("ETHUSDT")


@pytest.mark.parametrize(("venue", "address", "path", "state", "fields"), WORDS)
async def test_a_state_is_listed_in_the_venues_own_words(
    venue: str, address: str, path: tuple[str, ...], state: str, fields: dict[str, Any]
) -> None:
    async with (
        Simulator(SimulatorSettings(exchange=venue, port=0)) as simulator,
        aiohttp.ClientSession(simulator.url) as http,
    ):
        async with http.post("/_sim/symbols", json={"symbol": "ETHUSDT", "state": state}) as answer:
            assert await answer.json() == {"symbol": "ETHUSDT", "state": state, "trades": False}
        (row,) = filter(is_ether, await rows_of(http, address, path))
        assert {name: row[name] for name in fields} == fields


async def test_bybit_lists_a_symbol_under_its_state_only() -> None:
    address = "/v5/market/instruments-info?category=linear"
    async with (
        Simulator(SimulatorSettings(exchange="bybit", port=0)) as simulator,
        aiohttp.ClientSession(simulator.url) as http,
    ):
        simulator.engine.set_listing_state("ETHUSDT", "Closed")
        names = [row["symbol"] for row in await rows_of(http, address, ("result", "list"))]
        closed = [row["symbol"] for row in await rows_of(http, f"{address}&status=Closed", ("result", "list"))]
        assert (names, closed) == (["BTCUSDT"], ["ETHUSDT"])


@pytest.mark.parametrize(("venue", "address", "path"), sorted({word[:3] for word in WORDS}))
async def test_an_unlisted_symbol_is_in_no_list(venue: str, address: str, path: tuple[str, ...]) -> None:
    async with (
        Simulator(SimulatorSettings(exchange=venue, port=0)) as simulator,
        aiohttp.ClientSession(simulator.url) as http,
    ):
        async with http.post("/_sim/symbols", json={"symbol": "ETHUSDT", "state": "unlisted"}) as answer:
            assert answer.status == 200
        assert not list(filter(is_ether, await rows_of(http, address, path)))


async def test_a_state_that_the_venue_does_not_have_is_refused() -> None:
    async with (
        Simulator(SimulatorSettings(exchange="okx", port=0)) as simulator,
        aiohttp.ClientSession(simulator.url) as http,
        http.post("/_sim/symbols", json={"symbol": "ETHUSDT", "state": "SETTLING"}) as answer,
    ):
        error = {"error": "state 'SETTLING': expected one of live, suspend, rebase, preopen, test, unlisted"}
        assert (answer.status, await answer.json()) == (400, error)


async def test_only_an_order_that_closes_is_accepted_until_the_symbol_trades_again() -> None:
    async with Simulator(SimulatorSettings(port=0)) as simulator:
        engine = simulator.engine

        def order(side: Side, *, reduce_only: bool = False) -> NewOrder:
            return NewOrder(
                symbol="ETHUSDT",
                side=side,
                quantity=Decimal(1),
                order_type=OrderType.MARKET,
                reduce_only=reduce_only,
            )

        engine.place("sim-key", order(Side.BUY))
        engine.set_listing_state("ETHUSDT", "SETTLING")
        with pytest.raises(Refused) as refused:
            engine.place("sim-key", order(Side.BUY))
        assert refused.value.reason is RefusalReason.SYMBOL_STATE
        engine.place("sim-key", order(Side.SELL, reduce_only=True))
        engine.set_listing_state("ETHUSDT", "")
        engine.place("sim-key", order(Side.BUY))
