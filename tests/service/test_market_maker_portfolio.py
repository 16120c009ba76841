"""Several symbols in one process: each trades, and what is wrong with one of them does not concern the others."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from opensqt.simulator.settings import ServerRules, SymbolSettings
from tests.service.grid_rig import ACCOUNT, FEE, Chain, chain, get
from tests.support import Process, eventually, start
from tests.support.blocking import in_thread

SHARED = {"price_interval": "5", "order_quantity": "100", "reconcile_interval": "2", "position_safety_check": "20"}
ETHER = {"symbol": "ETHUSDT", "price_interval": "0.5", "order_quantity": "60"}


def symbol(name: str, price: str) -> SymbolSettings:
    return SymbolSettings.model_validate(
        {
            "symbol": name,
            "base_asset": name.removesuffix("USDT"),
            "price_step": "0.01",
            "quantity_step": "0.001",
            "min_quantity": "0.001",
            "start_price": price,
        }
    )


PLENTY = ServerRules(weight_per_minute=100_000)
"""Each grid compares itself with the venue every two seconds here."""
SYMBOLS = (symbol("BTCUSDT", "45000"), symbol("ETHUSDT", "2000"), symbol("XRPUSDT", "1000"))


@asynccontextmanager
async def trading(made: Chain, symbols: list[dict[str, Any]], **shared: Any) -> AsyncIterator[Process]:
    """Run a market maker with these entries of `trading.symbols`."""
    settings = {
        "app": {"database_url": f"sqlite:///{made.folder}/grids.db"},
        "exchanges": {"remote": {"base_url": made.connector.address}, "binance": {"fee_rate": str(FEE)}},
        "trading": {**SHARED, **shared, "symbols": symbols},
        "telemetry": {"metrics_port": 0},
    }
    path = made.folder / "grids.yaml"
    path.write_text(yaml.safe_dump(settings))
    async with start("opensqt.market_maker", "--config", str(path), cwd=made.folder) as process:
        yield process


def fills(made: Chain, name: str) -> int:
    return len(made.sim.engine.fills(ACCOUNT, name))


def open_orders(made: Chain, name: str) -> int:
    return len(made.sim.engine.open_orders(ACCOUNT, name))


async def test_each_symbol_is_traded_with_its_own_settings_over_one_connection(tmp_path: Path) -> None:
    """One lease, one connection, one database; levels, amounts and figures of each symbol are its own."""
    async with (
        chain(tmp_path, symbols=SYMBOLS, server=PLENTY) as made,
        trading(made, [{"symbol": "BTCUSDT"}, ETHER]) as maker,
    ):
        await maker.ready()
        await eventually(lambda: fills(made, "BTCUSDT") >= 3 and fills(made, "ETHUSDT") >= 3)
        status = await in_thread(get, maker, "/status")
        ether = await in_thread(get, maker, "/status?symbol=ETHUSDT")
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            await in_thread(get, maker, "/status?symbol=XRPUSDT")
        refused.value.close()
        assert (status["symbols"], status["problems"]) == (["BTCUSDT", "ETHUSDT"], [])
        assert (ether["interval"], status["grids"]["BTCUSDT"]["interval"]) == ("0.5", "5")
        whole = sum(Decimal(grid["fees"]) for grid in status["grids"].values())
        assert Decimal(status["totals"]["fees"]) == whole > 0
        metrics = await in_thread(text, maker, "/metrics")
        assert 'market_maker_orders_active{symbol="BTCUSDT"}' in metrics
        assert metrics.count("# TYPE market_maker_orders_active gauge") == 1
        maker.send(signal.SIGTERM)
        assert await maker.wait() == 0, maker.output
        assert made.open_orders == []
        assert made.account["duplicate_client_order_ids"] == []


async def test_a_symbol_that_can_not_be_traded_does_not_keep_the_others_from_it(tmp_path: Path) -> None:
    """The process begins with those that can trade, and says which one does not and why."""
    unknown, wrong = {"symbol": "DOGEUSDT"}, {"symbol": "XRPUSDT", "order_quantity": "0.01"}
    entries = [{"symbol": "BTCUSDT"}, unknown, wrong]
    async with chain(tmp_path, symbols=SYMBOLS, server=PLENTY) as made, trading(made, entries) as maker:
        await maker.ready()
        await eventually(lambda: fills(made, "BTCUSDT") >= 3)
        problems = (await in_thread(get, maker, "/status"))["problems"]
        assert any(problem.startswith("DOGEUSDT: trading.symbol: DOGEUSDT is not traded") for problem in problems)
        assert any(problem.startswith("XRPUSDT: safety check: order_quantity") for problem in problems)
        assert not any(problem.startswith("BTCUSDT") for problem in problems)
        maker.send(signal.SIGTERM)
        assert await maker.wait() == 1, maker.output
        assert made.open_orders == []


async def test_a_grid_that_another_program_takes_over_stops_alone(tmp_path: Path) -> None:
    """F42: the orders of that symbol are refused and cancelled; the other symbol trades on."""
    async with (
        chain(tmp_path, symbols=SYMBOLS, server=PLENTY) as made,
        trading(made, [{"symbol": "BTCUSDT"}, ETHER]) as maker,
    ):
        await maker.ready()
        await eventually(lambda: fills(made, "BTCUSDT") and fills(made, "ETHUSDT"))
        other = {"OPENSQT__TRADING__SYMBOL": "ETHUSDT", "OPENSQT__TRADING__PRICE_INTERVAL": "0.5"}
        database = {"OPENSQT__APP__DATABASE_URL": f"sqlite:///{tmp_path}/other.db"}
        # The position of the first one is explained by none of the second one's levels.
        adopts = {"OPENSQT__APP__ADOPT_POSITION": "levels"}
        async with made.maker("--take-over", **other, **database, **adopts) as second:
            await second.ready()
            await eventually(lambda: _problem(maker, "ETHUSDT"), what="the first one says who trades")
            before = fills(made, "BTCUSDT")
            await eventually(lambda: fills(made, "BTCUSDT") > before)
            assert open_orders(made, "ETHUSDT") > 0
        maker.send(signal.SIGTERM)
        assert await maker.wait() == 1, maker.output
        assert made.account["duplicate_client_order_ids"] == []


async def _problem(maker: Process, name: str) -> bool:
    problems = (await in_thread(get, maker, "/status"))["problems"]
    return any(problem.startswith(f"{name}: ") and "is traded by" in problem for problem in problems)


def text(process: Process, path: str) -> str:
    with urllib.request.urlopen(f"http://{process.address}{path}", timeout=5) as answer:
        found: str = answer.read().decode()
        return found
