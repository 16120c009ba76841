"""`opensqt backtest`: the settings of a market maker on recorded data, in each mode that is asked for."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from opensqt.cli import options as shared
from opensqt.config.market_maker import MarketMakerSettings, load_settings
from opensqt.model.errors import ConfigError
from opensqt.service import program

if TYPE_CHECKING:
    from opensqt.simulator.settings import SimulatorSettings

_MODES = ("long", "short", "neutral")
_DAY_MS = 86_400_000
_WIDTH = 120
"""Of the table where the output is no terminal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command to *parser*."""
    parser.description = """\
Runs the market maker's own engine against the simulator's matching engine, in one process and on the clock of the
data. The same data, settings and seed give the same result. Exit code 1: the grid's own sums are not the ledger's."""
    parser.epilog = """\
examples:
  opensqt backtest --config configs/config.yaml --data btc-perp-1m-2022-01.csv.gz
  opensqt backtest --config grid.yaml --data trades.csv --json result.json
  opensqt backtest --config grid.yaml --data bars.csv.gz --mode long --mode short --risk off --risk on
  opensqt backtest --config grid.yaml --symbol XRPUSDT --data XRP_USDT_USDT-5m-futures.feather    rules: derived
  opensqt backtest --days 1 --seed 7                      a day of the generated market
"""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings of the market maker (default: the defaults)"
    )
    parser.add_argument("--symbol", type=str.upper, help="symbol to trade (default: the settings' trading.symbol)")
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="recorded bars, trades or book of the symbol; repeat it to play trades and book together",
    )
    shared.add_recording(parser)
    parser.add_argument(
        "--days", type=Decimal, help="days of the market to play (default: the whole recording, or one)"
    )
    parser.add_argument(
        "--balance", type=Decimal, default=Decimal(10_000), help="USDT at the start (default: %(default)s)"
    )
    parser.add_argument(
        "--mode", action="append", choices=_MODES, help="grid_mode; repeat it to compare (default: the settings')"
    )
    parser.add_argument("--risk", action="append", choices=("on", "off"), help="risk control; repeat it to compare")
    parser.add_argument("--seed", type=int, default=7, help="seed of the other participants (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")


def run(options: argparse.Namespace, console: Console) -> int:
    """Run the command and return the exit code."""
    # The simulator and the engine are imported by this command only: the others start in half the time.
    from opensqt.backtest import report
    from opensqt.backtest.run import Backtest, Result

    results: list[Result] = []
    for settings in _variants(options):
        backtest = Backtest(settings, _market(options, settings))
        for note in backtest.notes if not results else ():
            console.print(note, highlight=False, soft_wrap=True)
        results.append(backtest.run(_until_ms(options, backtest.start_ms)))
    console.print(report.table(results))
    for line in report.stops(results):
        console.print(line, highlight=False, soft_wrap=True)
    if options.json:
        options.json.write_text(json.dumps(report.as_json(results), indent=2) + "\n", encoding="utf-8")
    differences = [difference for result in results for difference in result.differences]
    for difference in differences:
        console.print(f"error: {difference}", soft_wrap=True)
    return program.EXIT_FAILURE if differences else program.EXIT_OK


def _variants(options: argparse.Namespace) -> Iterator[MarketMakerSettings]:
    """Yield the settings of each mode that is asked for, each with the risk control as asked for."""
    for mode in options.mode or [None]:
        for risk in options.risk or [None]:
            changed = {"trading.grid_mode": mode, "risk_control.enabled": None if risk is None else risk == "on"}
            changed["trading.symbol"] = options.symbol
            yield load_settings(options.config, environ=os.environ, flags=changed)


def terminal() -> Console:
    """Return the console of the command: wide enough for the table where the output is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


def _market(options: argparse.Namespace, settings: MarketMakerSettings) -> SimulatorSettings:
    from opensqt.recordings import VolumeAsset
    from opensqt.simulator.market.rules_file import read_rules
    from opensqt.simulator.settings import AccountSettings, SimulatorSettings

    for path in options.data:
        if not path.exists():
            raise ConfigError(f"--data: {path}: no such file or folder")
    if options.json is not None and not options.json.absolute().parent.is_dir():
        raise ConfigError(f"--json: {options.json.parent}: no such folder")
    for name, value in (("balance", options.balance), ("days", options.days)):
        if value is not None and not (value.is_finite() and value > 0):
            raise ConfigError(f"--{name} {value}: expected a number above zero")
    symbol = settings.trading.symbol
    known = {each.symbol: each for each in SimulatorSettings().symbols}
    known |= read_rules(options.rules) if options.rules is not None else {}
    return SimulatorSettings(
        seed=options.seed,
        replays={symbol: tuple(options.data)} if options.data else {},
        replay_symbol=symbol,
        replay_volume=VolumeAsset(options.volume) if options.volume else None,
        symbols=tuple(known.values()),
        start_ms=None if options.data else 1_700_000_000_000,
        accounts=(AccountSettings(balance=options.balance),),
        maker_fee=settings.exchanges.binance.fee_rate,
    )


def _until_ms(options: argparse.Namespace, start_ms: int) -> int | None:
    days = options.days or (None if options.data else Decimal(1))
    return None if days is None else start_ms + int(days * _DAY_MS)
