"""`exchange-simulator`: a simulated venue on this machine, to rehearse on before money is at risk."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from pydantic import ValidationError

from opensqt.config.load import load
from opensqt.model.errors import ConfigError
from opensqt.service import program
from opensqt.simulator.dialects import DIALECTS
from opensqt.simulator.faults import Fault, FaultFile
from opensqt.simulator.market.rules_file import read_rules, trading_of
from opensqt.simulator.market.symbols import chosen_symbols, recorded_files
from opensqt.simulator.settings import SimulatorSettings
from opensqt.simulator.simulator import Simulator
from opensqt.simulator.unsupported import count, document, table
from opensqt.telemetry import logging

_log = logging.get_logger("simulator")
_ALL = "all"
_LAST_PORT = 65535
_NO_SETTINGS = ("faults", "unsupported", "symbol", "rules", "replay", "replay_symbol", "volume")
"""The options that are no settings by themselves."""
_EXAMPLES = """\
examples:
  exchange-simulator --exchange binance --port 9400 --seed 7
  exchange-simulator --exchange all    # all venues in alphabetical order: the first on 9400, the next on 9401, ...
  exchange-simulator --replay btc-perp-1m-2022-01.csv.gz --speed 600
  exchange-simulator --replay XRPUSDT=XRP_USDT_USDT-5m-futures.feather     # Freqtrade's; the rules are derived
  exchange-simulator --replay trades.csv.gz --replay incremental_book_L2.csv.gz --replay-symbol SOLUSDT    # Tardis'
  exchange-simulator --symbol XRPUSDT@0.62 --symbol 1000PEPEUSDT@0.011     # generated from a price
  exchange-simulator --faults faults.json
  curl -s localhost:9400/_sim          # the base URLs to give to a client
  curl -s localhost:9400/_sim/unsupported   # what of the venue is not simulated
  curl -s localhost:9400/_sim/ledger   # orders, fills and balances of every account

A client signs in with key sim-key, secret sim-secret (passphrase sim-pass where the venue has one): 10,000 USDT.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator from the command line and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        logging.configure(os.environ.get("LOG_LEVEL", "INFO"), service="exchange-simulator")
        venues = _venues(options)
        if options.unsupported:
            tables = document() if len(venues) > 1 else table(venues[0].exchange)
            print(tables, end="")  # noqa: T201 - the answer to who asks
            return 0
        faults = load(FaultFile, options.faults, environ={}).faults if options.faults else []
    except ConfigError as error:
        return program.report_failure(error)
    return program.run(lambda stop: serve(venues, faults, stop))


async def serve(venues: Sequence[SimulatorSettings], faults: Sequence[Fault], stop: asyncio.Event) -> None:
    """Serve every venue until *stop* is set; print on stdout when all are ready, with the address of each."""
    async with AsyncExitStack() as stack:
        simulators = [await stack.enter_async_context(Simulator(settings)) for settings in venues]
        for simulator in simulators:
            simulator.faults.add(*faults)
            whose = f" ({simulator.settings.exchange})" if len(simulators) > 1 else ""
            ready = f"exchange-simulator ready on {simulator.address}{whose}"
            print(ready, flush=True)  # noqa: T201 - the contract with who waits
            exchange = simulator.settings.exchange
            absent = count(DIALECTS[exchange].inputs)
            _log.info("not simulated", exchange=exchange, count=absent, listed=f"{simulator.url}/_sim/unsupported")
        running = [asyncio.create_task(simulator.run(stop)) for simulator in simulators]
        try:
            await asyncio.gather(*running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="exchange-simulator",
        description="A real matching engine behind a venue's wire protocol, on this machine.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = SimulatorSettings()
    known = ", ".join(sorted(DIALECTS))
    parser.add_argument(
        "--exchange", default=default.exchange, help=f"venue to simulate: {known}, or all (default: %(default)s)"
    )
    parser.add_argument("--host", default=default.host, help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", default=default.port, help="port; 0 takes a free one; with all: the first port (default: %(default)s)"
    )
    parser.add_argument("--seed", default=default.seed, help="seed of the generated market (default: %(default)s)")
    parser.add_argument(
        "--symbol",
        action="append",
        default=[],
        metavar="SYMBOL[@PRICE]",
        help="symbol that trades, with a price where it has no rules; repeat it for more (default: BTCUSDT, ETHUSDT)",
    )
    parser.add_argument("--rules", type=Path, metavar="FILE", help="rules of symbols, YAML or JSON; docs/recordings.md")
    parser.add_argument(
        "--replay",
        action="append",
        default=[],
        metavar="[SYMBOL=]FILE",
        help="recorded bars, trades or book to play instead; repeat it for more symbols, or for trades and book of one",
    )
    parser.add_argument(
        "--replay-symbol", help="symbol of a recording without one (default: the one --symbol, or BTCUSDT)"
    )
    parser.add_argument(
        "--volume", choices=("base", "quote"), help="what the column volume of bars counts (default: by the format)"
    )
    parser.add_argument("--speed", default=default.speed, help="market seconds in one real second (default: 1)")
    parser.add_argument(
        "--move-interval-ms",
        help="market time between two moves of a generated symbol (default: 70, and 5000 beside a recording)",
    )
    parser.add_argument(
        "--start-ms", help="market time of a generated market at the start, UTC epoch milliseconds (default: now)"
    )
    parser.add_argument(
        "--clock", default=default.clock, help="live, held (POST /_sim/clock starts it) or manual (it steps it)"
    )
    parser.add_argument("--unsupported", action="store_true", help="print what of the venue is not simulated, and end")
    parser.add_argument("--faults", type=Path, help='fault script, JSON or YAML: {"faults": [{"kind": "cut"}]}')
    return parser


def _venues(options: argparse.Namespace) -> list[SimulatorSettings]:
    """Return the settings of each venue to serve, with consecutive ports in alphabetical order."""
    first = _settings(options)
    if first.exchange != _ALL:
        return [first]
    names = sorted(DIALECTS)
    if first.port + len(names) - 1 > _LAST_PORT:
        raise ConfigError(
            f"--port {first.port}: expected at most {_LAST_PORT + 1 - len(names)}, for {len(names)} venues"
        )
    return [
        first.model_copy(update={"exchange": name, "port": first.port + place if first.port else 0})
        for place, name in enumerate(names)
    ]


def _settings(options: argparse.Namespace) -> SimulatorSettings:
    given = {name: value for name, value in vars(options).items() if name not in _NO_SETTINGS and value is not None}
    chosen = [each.upper().partition("@")[0] for each in options.symbol]
    usual = options.replay_symbol or (chosen[0] if len(chosen) == 1 else SimulatorSettings().replay_symbol)
    given["replays"] = recorded_files(options.replay, usual)
    given["replay_symbol"] = usual
    given["replay_volume"] = options.volume
    known = {rules.symbol: rules for rules in SimulatorSettings().symbols}
    if options.rules is not None:
        own = read_rules(options.rules)
        known |= own
        given["symbols"] = tuple(trading_of(options.rules, own, given["replays"])) if not options.symbol else ()
    if options.symbol:
        given["symbols"] = chosen_symbols(options.symbol, known, given["replays"])
    try:
        return SimulatorSettings.model_validate(given)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = str(problem["loc"][0])
        expected = problem["msg"].replace("Input should be", "expected", 1)
        raise ConfigError(f"--{name.replace('_', '-')} {given.get(name)}: {expected}") from None


if __name__ == "__main__":
    sys.exit(main())
