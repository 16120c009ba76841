"""A refusal of the simulator has the class in ccxt that it has at the venue, by the recipe of the documentation."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest

from opensqt.simulator import Simulator
from tests.service.ccxt_venues import UNPACED
from tests.service.venue_clients import below, settings

EXAMPLE = Path(__file__).parents[2] / "examples" / "ccxt_on_simulator.py"
SYMBOL = "BTC/USDT:USDT"
CLIENTS = {"binance": "binanceusdm", "bitget": "bitget", "bybit": "bybit", "gate": "gate", "okx": "okx"}
BINANCE = {
    "-2019": ({"amount": 5}, "InsufficientFunds"),
    "-4164": ({"amount": 0.001, "price": 1000}, "InvalidOrder"),
    "-2022": ({"params": {"reduceOnly": True}}, "InvalidOrder"),
    "-5022": ({"side": "sell", "price": 44_000, "params": {"postOnly": True}}, "OrderNotFillable"),
}


def recipe() -> Any:
    spec = importlib.util.spec_from_file_location("ccxt_on_simulator", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def binance() -> AsyncIterator[tuple[Simulator, Any]]:
    module = recipe()
    simulated = Simulator(settings(clock="manual", server=UNPACED))
    async with simulated, ccxt.pro.binanceusdm({**module.KEYS, "enableRateLimit": False}) as exchange:
        yield simulated, module.on_simulator(exchange, simulated.url)


@pytest.mark.parametrize("code", BINANCE)
async def test_binance_s_futures_errors_have_their_classes(binance: tuple[Simulator, Any], code: str) -> None:
    """The class is that of ccxt's table for futures, exactly, not a class above it."""
    simulator, exchange = binance
    change, name = BINANCE[code]
    order = {"type": "limit", "side": "buy", "amount": 0.01, "price": float(below(simulator))} | change
    with pytest.raises(ccxt.BaseError, match=code) as refused:
        await exchange.create_order(SYMBOL, **order)
    assert type(refused.value).__name__ == name
    assert ccxt.binanceusdm().exceptions["linear"]["exact"][code] is type(refused.value)


@pytest.mark.parametrize("venue", CLIENTS)
async def test_the_example_shows_too_large_an_order_as_insufficient_funds(
    venue: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Simulator(settings(exchange=venue, clock="manual", server=UNPACED)) as simulator:
        await recipe().main(CLIENTS[venue], simulator.url)
    assert capsys.readouterr().out.startswith("InsufficientFunds: ")
