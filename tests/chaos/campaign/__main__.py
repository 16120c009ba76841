"""`make chaos-maker`: the campaign as a command."""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import sys
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.table import Table

from opensqt.telemetry.logging import configure
from opensqt.venues.factory import VENUES
from tests.chaos.campaign.run import Campaign, Outcome, Settings, campaign

MODES = ("long", "short", "neutral")
RECORDED = {"price_interval": "25", "order_quantity": "50", "position_safety_check": "20"}
"""For a recorded month: levels that its fall can be carried with."""
_LINE_EVERY_S = 10.0
_EXAMPLES = """\
examples:
  make chaos-maker                                                      200 and 50 kills in each mode
  make chaos-maker ARGS="--mode long --kills 20 --connector-kills 5"
  make chaos-maker ARGS="--replay btc-perp-1m-2022-01.csv.gz --speed 900"

exit codes: 0 everything equals the ledger, 1 something differs, 2 usage
"""


def main() -> int:
    """Run the campaigns one after the other and return the exit code."""
    options = _parser().parse_args()
    configure("ERROR", service="chaos")
    logging.disable(logging.CRITICAL)
    console = Console(width=None if sys.stdout.isatty() else 140)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="opensqt-campaign-"))
    table = Table(title=f"campaign on {options.exchange}, seed {options.seed}", title_justify="left")
    for heading in ("mode", "kills", "median s", "max s", "orders", "fills", "duplicates", "differences"):
        table.add_column(heading, justify="left" if heading == "mode" else "right")
    passed = True
    for mode in options.mode or MODES:
        settings = _settings(options, mode)
        own = folder / mode
        own.mkdir(parents=True, exist_ok=True)
        outcome = asyncio.run(_watched(settings, own, console))
        passed = passed and outcome.passed
        table.add_row(mode, *_row(outcome))
        console.print(f"{mode}: {outcome.figures}")
        for difference in outcome.differences:
            console.print(f"[red]{mode}: {difference}[/]", soft_wrap=True)
    console.print(table)
    if not passed:
        console.print(f"logs and databases are in {folder}", soft_wrap=True)
    return 0 if passed else 1


def _settings(options: argparse.Namespace, mode: str) -> Settings:
    return Settings(
        venue=options.exchange,
        mode=mode,
        seed=options.seed,
        replay=options.replay,
        speed=options.speed,
        maker_kills=options.kills,
        connector_kills=options.connector_kills,
        trading=RECORDED if options.replay else {},
    )


async def _watched(settings: Settings, folder: Path, console: Console) -> Outcome:
    lines: list[asyncio.Task[None]] = []

    def watch(run: Campaign) -> None:
        lines.append(asyncio.create_task(_lines(run, console)))

    try:
        return await campaign(settings, folder, watch)
    finally:
        for line in lines:
            line.cancel()


async def _lines(run: Campaign, console: Console) -> None:
    whole = run.settings.maker_kills + run.settings.connector_kills
    while True:
        await asyncio.sleep(_LINE_EVERY_S)
        fills, faults = len(run.ledger.account["fills"]), run.outcome.faults
        console.print(f"{run.settings.mode}: {run.kills} of {whole} kills, {faults} faults, {fills} fills")


def _row(outcome: Outcome) -> Sequence[str]:
    seconds = [second for several in outcome.recovery_s.values() for second in several] or [0.0]
    figures = outcome.figures
    return (
        str(figures["kills of the maker"] + figures["kills of the connector"]),
        f"{statistics.median(seconds):.2f}",
        f"{max(seconds):.2f}",
        str(figures["orders"]),
        str(figures["fills"]),
        str(figures["duplicate orders"]),
        str(len(outcome.differences)),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make chaos-maker",
        description="A market maker under faults, killed with its connector again and again, is held to the ledger.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = Settings()
    parser.add_argument("--mode", action="append", choices=MODES, help="repeatable (default: all three)")
    parser.add_argument("--kills", type=int, default=default.maker_kills, help="of the market maker (%(default)s)")
    parser.add_argument("--connector-kills", type=int, default=default.connector_kills, help="(%(default)s)")
    parser.add_argument("--exchange", choices=sorted(VENUES), default=default.venue, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=default.seed, help="of market, faults and kills (%(default)s)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="recorded trades or bars in place of the generator")
    parser.add_argument("--speed", type=Decimal, default=default.speed, help="market seconds in a second (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where logs and databases are kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
