"""Several symbols in one process: each trades, and what is wrong with one of them does not concern the others."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from opensqt.model.order import OrderType, Side, TimeInForce
from opensqt.simulator.engine.order import NewOrder
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


def write_settings(
    made: Chain, symbols: list[dict[str, Any]], *, risk_control: Mapping[str, Any] | None = None, **shared: Any
) -> Path:
    """Write a settings file with these entries of `trading.symbols`."""
    settings = {
        "risk_control": dict(risk_control or {}),
        "app": {"database_url": f"sqlite:///{made.folder}/grids.db"},
        "exchanges": {"remote": {"base_url": made.connector.address}, "binance": {"fee_rate": str(FEE)}},
        "trading": {**SHARED, **shared, "symbols": symbols},
        "telemetry": {"metrics_port": 0},
    }
    path = made.folder / "grids.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


@asynccontextmanager
async def trading(
    made: Chain, symbols: list[dict[str, Any]], *, arguments: Sequence[str] = (), **shared: Any
) -> AsyncIterator[Process]:
    """Run a market maker with these entries of `trading.symbols`."""
    path = write_settings(made, symbols, **shared)
    async with start("opensqt.market_maker", "--config", str(path), *arguments, cwd=made.folder) as process:
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
        assert any(
            problem.startswith("DOGEUSDT: does not trade: trading.symbol: DOGEUSDT is not traded")
            for problem in problems
        )
        assert any(problem.startswith("XRPUSDT: does not trade: safety check: order_quantity") for problem in problems)
        assert not any(problem.startswith("BTCUSDT") for problem in problems)
        maker.send(signal.SIGTERM)
        assert await maker.wait() == 1, maker.output
        assert made.open_orders == []


async def test_the_limit_over_all_symbols_counts_the_entries_of_the_others(tmp_path: Path) -> None:
    """Each symbol used the whole room with resting orders: 10 and 10 entries of 100 where 1,200 were allowed in all."""
    limit = Decimal(1200)
    risk = {"wallet_exposure_limit_total": "0.12"}
    ether = {**ETHER, "order_quantity": "100"}
    async with (
        chain(tmp_path, symbols=SYMBOLS, server=PLENTY) as made,
        trading(made, [{"symbol": "BTCUSDT"}, ether], risk_control=risk) as maker,
    ):
        most: list[Decimal] = []
        made.sim.engine.subscribe(lambda event: most.append(may_be_held(made)))
        await maker.ready()
        await eventually(lambda: fills(made, "BTCUSDT") >= 5 and fills(made, "ETHUSDT") >= 2)
        assert open_orders(made, "BTCUSDT")
        assert open_orders(made, "ETHUSDT")

        async def counted() -> bool:
            grids = (await in_thread(get, maker, "/status"))["grids"].values()
            return all(Decimal(grid["risk"]["other_entries"]) > 0 for grid in grids)

        # A grid that is laid anew after a fill has no entries for a moment.
        await eventually(counted, what="each counts the other's entries")
        assert limit * Decimal("0.8") < max(most) <= limit * Decimal("1.01"), "the wallet changes a little"
        maker.send(signal.SIGTERM)
        assert await maker.wait() == 0, maker.output


async def test_a_grid_that_another_program_takes_over_stops_alone(tmp_path: Path) -> None:
    """F42: its orders of that symbol are refused, and it cancels none; the other symbol trades on."""
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


async def test_commands_go_to_one_symbol_or_to_all(tmp_path: Path) -> None:
    """pause and resume to all when none is named, also to one that does not trade; what is not safe asks for a name."""
    wrong = {"symbol": "XRPUSDT", "order_quantity": "0.01"}
    entries = [{"symbol": "BTCUSDT"}, ETHER, wrong]
    async with chain(tmp_path, symbols=SYMBOLS, server=PLENTY) as made, trading(made, entries) as maker:
        await maker.ready()
        await eventually(lambda: fills(made, "BTCUSDT") >= 2 and fills(made, "ETHUSDT") >= 2)

        code, out, error = await opensqt(made, "pause", "--symbol", "ETHUSDT")
        assert (code, out) == (0, "paused: exits only\n"), error
        await eventually(lambda: buys(made, "ETHUSDT") == 0)
        assert buys(made, "BTCUSDT") > 0
        code, out, error = await opensqt(made, "pause")
        assert (code, len(out.splitlines())) == (0, 3), error
        await eventually(lambda: buys(made, "BTCUSDT") == 0)
        code, out, error = await opensqt(made, "resume")
        assert code == 0, error
        await eventually(lambda: buys(made, "BTCUSDT") > 0 and buys(made, "ETHUSDT") > 0)

        for command in (("set", "trading.order_quantity=150"), ("reset", "breaker"), ("set", "--symbol", "NOUSDT")):
            code, _, error = await opensqt(made, *command)
            assert (code, "BTCUSDT, ETHUSDT, XRPUSDT" in error) == (2, True), (command, error)
        code, _, error = await opensqt(made, "set", "--symbol", "ETHUSDT", "alerts.per_hour=3")
        assert (code, "belongs to the whole process" in error) == (2, True), error
        code, _, error = await opensqt(made, "reset", "--symbol", "XRPUSDT", "breaker")
        assert (code, "XRPUSDT does not trade now: safety check" in error) == (2, True), error
        changed = await as_json(made, "set", "--symbol", "ETHUSDT", "trading.order_quantity=150", "--yes")
        assert changed["changes"] == [{"key": "trading.order_quantity", "before": "60", "after": "150"}]

        status = await as_json(made, "status", code=1)
        assert list(status["grids"]) == ["BTCUSDT", "ETHUSDT", "XRPUSDT"]
        one = await as_json(made, "status", "--symbol", "ETHUSDT")
        assert (one["symbol"], one["control"]["overrides"]) == ("ETHUSDT", {"trading.order_quantity": "150"})
        code, out, _ = await opensqt(made, "status")
        assert code == 1
        assert max(map(len, out.splitlines())) <= 80
        assert len(out.splitlines()) <= 24
        report = await as_json(made, "doctor", code=None)
        assert sum(finding["name"] == "symbol" for finding in report["findings"]) == 3
        # The settings of the one that does not trade are mended: it begins without a restart of the process.
        write_settings(made, [{"symbol": "BTCUSDT"}, ETHER, {**wrong, "order_quantity": "60", "price_interval": "0.2"}])
        maker.send(signal.SIGHUP)
        await eventually(lambda: open_orders(made, "XRPUSDT"))
        status = await as_json(made, "status", code=None)
        assert status["grids"]["XRPUSDT"]["phase"] == "RUNNING"
        assert status["grids"]["ETHUSDT"]["control"]["overrides"] == {"trading.order_quantity": "150"}
        maker.send(signal.SIGTERM)
        assert await maker.wait() == 0, maker.output

        day = ("--day", datetime.now(UTC).date().isoformat())
        summary = await as_json(made, "summary", *day)
        each = [Decimal(one["total"]) for one in summary["symbols"].values()]
        assert (Decimal(summary["total"]["total"]), len(each)) == (sum(each), 3)
        assert (await as_json(made, "summary", *day, "--symbol", "ETHUSDT"))["symbol"] == "ETHUSDT"
        code, _, error = await opensqt(made, "export", "--what", "fills", "--out", "fills.csv")
        assert (code, "expected one of BTCUSDT, ETHUSDT" in error) == (2, True), error
        code, out, error = await opensqt(made, "export", "--what", "fills", "--out", "f.csv", "--symbol", "ETHUSDT")
        assert (code, f"{fills(made, 'ETHUSDT')} rows" in out) == (0, True), error


async def test_take_venue_follows_the_position_of_one_of_several(tmp_path: Path) -> None:
    """F48: closed by hand while the process was stopped: the change is shown and made for that symbol only."""
    entries = [{"symbol": "BTCUSDT"}, ETHER]
    async with chain(tmp_path, symbols=SYMBOLS, server=PLENTY) as made:
        async with trading(made, entries) as maker:
            await maker.ready()
            await eventually(lambda: position(made, "BTCUSDT") > 0)
            await eventually(lambda: stands_still_with_a_position(made, "ETHUSDT"))
            maker.send(signal.SIGTERM)
            assert await maker.wait() == 0, maker.output
        close = NewOrder(
            symbol="ETHUSDT",
            side=Side.SELL,
            quantity=position(made, "ETHUSDT"),
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.GTC,
            client_order_id="byhand",
        )
        made.sim.engine.place(ACCOUNT, close)
        made.sim.market.resume("ETHUSDT")
        async with trading(made, entries, arguments=("--take-venue",)) as maker:
            assert await maker.wait() == 2
            assert "name one symbol with --symbol: BTCUSDT, ETHUSDT" in maker.output
        async with trading(made, entries, arguments=("--take-venue", "--symbol", "ETHUSDT")) as maker:
            assert await maker.wait() == 0, maker.output
            assert "drop level" in maker.output
        assert made.open_orders == []
        async with trading(made, entries, arguments=("--take-venue", "--symbol", "ETHUSDT", "--yes")) as maker:
            await maker.ready()
            await eventually(lambda: buys(made, "ETHUSDT") and buys(made, "BTCUSDT"))
            assert (await in_thread(get, maker, "/status?symbol=ETHUSDT"))["halted"] == ""
            maker.send(signal.SIGTERM)
            assert await maker.wait() == 0, maker.output


def stands_still_with_a_position(made: Chain, name: str) -> bool:
    """Stop the market while something is held, so that it is still held when the process has ended."""
    made.sim.market.pause(name)
    if position(made, name) > 0:
        return True
    made.sim.market.resume(name)
    return False


async def opensqt(made: Chain, command: str, *arguments: str) -> tuple[int, str, str]:
    given = (command, "--config", str(made.folder / "grids.yaml"), *arguments)
    async with start("opensqt.cli", *given, env={"COLUMNS": "80"}, cwd=made.folder) as process:
        code = await process.wait()
    return code, process.stdout.decode(), process.stderr.decode()


async def as_json(made: Chain, *arguments: str, code: int | None = 0) -> Any:
    ended, out, error = await opensqt(made, *arguments, "--json")
    assert code is None or ended == code, (out, error)
    return json.loads(out)


def buys(made: Chain, name: str) -> int:
    return sum(order.side is Side.BUY for order in made.sim.engine.open_orders(ACCOUNT, name))


def may_be_held(made: Chain) -> Decimal:
    """What all positions are worth when every open entry fills, quote."""
    engine, worth = made.sim.engine, Decimal(0)
    for name in ("BTCUSDT", "ETHUSDT"):
        worth += sum((view.quantity * view.mark_price for view in engine.positions(ACCOUNT, name)), Decimal(0))
        for order in engine.open_orders(ACCOUNT, name):
            worth += Decimal(0) if order.reduce_only else order.remaining * (order.price or Decimal(0))
    return worth


def position(made: Chain, name: str) -> Decimal:
    held = [one for one in made.account["positions"] if one["symbol"] == name]
    return sum((Decimal(one["quantity"]) for one in held), Decimal(0))


async def _problem(maker: Process, name: str) -> bool:
    problems = (await in_thread(get, maker, "/status"))["problems"]
    return any(problem.startswith(f"{name}: ") and "is traded by" in problem for problem in problems)


def text(process: Process, path: str) -> str:
    with urllib.request.urlopen(f"http://{process.address}{path}", timeout=5) as answer:
        found: str = answer.read().decode()
        return found
