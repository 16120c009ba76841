"""Another process: a simulated venue without limits, so that what is measured is not how long it makes callers wait."""

from __future__ import annotations

import argparse
import asyncio
import sys
from decimal import Decimal
from pathlib import Path

import uvloop

from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.settings import AccountSettings, ServerRules
from opensqt.telemetry import logging

_NO_LIMIT = 1_000_000_000


def main() -> int:
    """Serve until the standard input ends."""
    parser = argparse.ArgumentParser(prog="benchmarks.gateway.market")
    parser.add_argument("venue")
    parser.add_argument("--still", action="store_true", help="nobody else trades")
    parser.add_argument("--speed", type=Decimal, default=Decimal(1), help="market seconds in one real second")
    parser.add_argument("--replay", type=Path, help="a recording to play")
    parser.add_argument("--open-orders", type=int, default=200, help="how many orders may be open (default: 200)")
    options = parser.parse_args()
    logging.configure("WARNING", service="exchange-simulator", style="json")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options))
    return 0


async def _serve(options: argparse.Namespace) -> None:
    symbols = tuple(
        symbol.model_copy(update={"max_open_orders": options.open_orders}) for symbol in SimulatorSettings().symbols
    )
    settings = SimulatorSettings(
        exchange=options.venue,
        symbols=symbols,
        port=0,
        speed=options.speed,
        replay=options.replay,
        accounts=(AccountSettings(balance=Decimal(1_000_000)),),
        server=ServerRules(
            weight_per_minute=_NO_LIMIT,
            orders_per_10s=_NO_LIMIT,
            orders_per_minute=_NO_LIMIT,
            messages_per_second=_NO_LIMIT,
        ),
    )
    async with Simulator(settings) as simulator:
        if options.still:
            for rules in simulator.engine.symbols():
                simulator.market.pause(rules.symbol)
        print(f"market ready on {simulator.address}", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    sys.exit(main())
