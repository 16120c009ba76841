"""`make chaos`: the marathon as a command."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from functools import partial
from pathlib import Path

from rich.console import Console

from opensqt.telemetry.logging import configure
from opensqt.venues.factory import VENUES
from tests.chaos.marathon import report
from tests.chaos.marathon.run import Settings, marathon
from tests.chaos.marathon.script import Rhythm

_EXAMPLES = """\
examples:
  make chaos                                             ten minutes on binance, a kill every 30 s
  make chaos ARGS="--duration 60 --kill-every 10 --exchange okx --seed 3"
  make chaos ARGS="--summary out.json --folder chaos"    keeps logs and histories there, whatever the verdict

exit codes: 0 every view equals the ledger, 1 something differs, 2 usage
"""


def main() -> int:
    """Run one marathon and answer the exit code."""
    options = _parser().parse_args()
    rhythm = Rhythm(fault_s=options.fault_every, kill_s=options.kill_every)
    settings = Settings(venue=options.exchange, seed=options.seed, duration_s=options.duration, rhythm=rhythm)
    console = Console()
    configure("ERROR", service="chaos")
    # What clients log of a connector that is gone would bury the progress; their books have it.
    logging.disable(logging.CRITICAL)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="opensqt-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    verdict = asyncio.run(marathon(settings, folder, partial(report.progress, console=console)))
    report.tell(verdict, settings, console)
    if options.summary:
        options.summary.write_text(report.summary(verdict, settings))
    if options.folder or not verdict.passed:
        report.keep(verdict, folder)
        console.print(f"logs and histories are in {folder}", soft_wrap=True)
    return 0 if verdict.passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make chaos",
        description="Eight clients of one connector under faults and kills; each one's view is held to the ledger.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = Settings()
    parser.add_argument("--duration", type=float, default=default.duration_s, metavar="S", help="(%(default)s s)")
    parser.add_argument("--exchange", choices=sorted(VENUES), default=default.venue, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=default.seed, help="of market and script (%(default)s)")
    parser.add_argument("--kill-every", type=float, default=default.rhythm.kill_s, metavar="S", help="(%(default)s s)")
    parser.add_argument(
        "--fault-every", type=float, default=default.rhythm.fault_s, metavar="S", help="on average (%(default)s s)"
    )
    parser.add_argument(
        "--folder", type=Path, help="where logs and histories are kept (a temporary one, when it fails)"
    )
    parser.add_argument("--summary", type=Path, metavar="FILE", help="write the result in JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
