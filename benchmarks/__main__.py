"""Measures what OpenSQT costs, each result beside its floor, and says what met its goal.

python -m benchmarks                              everything, about ten minutes
python -m benchmarks --suite gateway --quick      the connector, in two minutes, with more noise
python -m benchmarks --suite gateway --row place --profile
python -m benchmarks --suite frames --venue binance --kind price --repeats 5
python -m benchmarks --suite engine --other ../main      the market maker's decisions, beside another build's
python -m benchmarks --suite against --other ../main     this build beside another one, in one run
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# Read by gRPC when it is first imported: servers are started from here while channels are open.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from benchmarks.engine import suite as engine
from benchmarks.frames import suite as frames
from benchmarks.gateway import against
from benchmarks.gateway import suite as gateway
from opensqt.telemetry import logging

SUITES = {"gateway": gateway.run, "frames": frames.run, "engine": engine.run, "against": against.run}
"""All but the last run without being named: it needs another checkout."""
RESULTS = Path(__file__).with_name("results")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites. A goal that is missed is no failure of the command."""
    parser = argparse.ArgumentParser(
        prog="benchmarks",
        description=(__doc__ or "").split("\n\n")[0],
        epilog=(__doc__ or "").split("\n\n")[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--suite", action="append", choices=SUITES, help="one of them, repeatable (default: gateway, frames, engine)"
    )
    parser.add_argument("--quick", action="store_true", help="short runs: what is measured is real, but noisier")
    parser.add_argument("--profile", action="store_true", help="show instead where the time is spent")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON (default: %(default)s)")
    gateway.add_arguments(parser)
    frames.add_arguments(parser)
    against.add_arguments(parser)
    options = parser.parse_args(arguments)
    logging.configure("ERROR", service="benchmarks")
    options.results.mkdir(parents=True, exist_ok=True)
    for name in options.suite or ("gateway", "frames", "engine"):
        SUITES[name](options, options.results / f"{name}.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
