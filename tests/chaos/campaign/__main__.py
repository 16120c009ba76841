"""`make chaos-maker`: the campaign as a command."""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.table import Table

from opensqt.model.errors import ConfigError
from opensqt.telemetry.logging import configure
from opensqt.venues.factory import VENUES
from tests.chaos.campaign.recording import Recorded
from tests.chaos.campaign.run import Campaign, Outcome, Settings, campaign

MODES = ("long", "short", "neutral")
RECORDED = {"price_interval": "25", "order_quantity": "150"}
"""For a recorded month of BTCUSDT: levels that are filled in parts, and whose fall can be carried."""
_LINE_EVERY_S = 10.0
_EXAMPLES = """\
examples:
  make chaos-maker                                                      200 and 50 kills in each mode, about 25 minutes
  make chaos-maker ARGS="--mode long --kills 20 --connector-kills 5"
  make chaos-maker ARGS="--replay btc-perp-1m-2022-01.csv.gz"           on recorded bars, which last for all kills

exit codes: 0 everything equals the ledger, 1 something differs, 2 usage
"""


def main() -> int:
    """Run the campaigns, all modes at once, and return the exit code."""
    options = _parser().parse_args()
    configure("ERROR", service="chaos")
    logging.disable(logging.CRITICAL)
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        options.replay = Recorded.read(options.replay) if options.replay else None
    except ConfigError as error:
        console.print(f"error: {error}", soft_wrap=True)
        return 2
    folder = options.folder or Path(tempfile.mkdtemp(prefix="opensqt-campaign-"))
    modes = options.mode or MODES
    outcomes = asyncio.run(_all(options, modes, folder, console))
    for mode, outcome in zip(modes, outcomes, strict=True):
        console.print(f"{mode}: {outcome.figures}", soft_wrap=True)
        for difference in outcome.differences:
            console.print(f"[red]{mode}: {difference}[/]", soft_wrap=True)
    console.print(_table(options, dict(zip(modes, outcomes, strict=True))))
    if all(outcome.passed for outcome in outcomes):
        return 0
    console.print(f"logs and databases are in {folder}", soft_wrap=True)
    return 1


async def _all(options: argparse.Namespace, modes: Sequence[str], folder: Path, console: Console) -> list[Outcome]:
    async with asyncio.TaskGroup() as group:
        tasks = []
        for mode in modes:
            own = folder / mode
            own.mkdir(parents=True, exist_ok=True)
            tasks.append(group.create_task(_watched(_settings(options, mode), own, console)))
    return [task.result() for task in tasks]


def _table(options: argparse.Namespace, outcomes: Mapping[str, Outcome]) -> Table:
    table = Table(title=f"campaign on {options.exchange}, seed {options.seed}", title_justify="left")
    table.add_column("")
    for mode in outcomes:
        table.add_column(mode, justify="right")
    for name, cells in _ROWS.items():
        table.add_row(name, *map(cells, outcomes.values()))
    return table


def _seconds(what: str) -> Callable[[Outcome], str]:
    def cell(outcome: Outcome) -> str:
        seconds = outcome.recovery_s[what]
        return f"{statistics.median(seconds):.2f}, {max(seconds):.2f}" if seconds else "-"

    return cell


def _figure(name: str) -> Callable[[Outcome], str]:
    return lambda outcome: str(outcome.figures.get(name, "-"))


_ROWS: Mapping[str, Callable[[Outcome], str]] = {
    "market from": _figure("from"),
    "market to": _figure("to"),
    "kills of the maker": _figure("kills of the maker"),
    "  seconds to recover: median, maximum": _seconds("maker"),
    "kills of the connector": _figure("kills of the connector"),
    "  seconds to recover: median, maximum ": _seconds("connector"),
    **{
        name: _figure(name)
        for name in (
            "kills in a start",
            "faults",
            "starts that failed",
            "orders",
            "fills",
            "position",
            "fees",
            "funding",
            "realized profit",
            "duplicate orders",
            "orphans",
        )
    },
    "differences from the ledger": lambda outcome: str(len(outcome.differences)) if outcome.differences else "equal",
}


def _settings(options: argparse.Namespace, mode: str) -> Settings:
    return Settings(
        venue=options.exchange,
        mode=mode,
        seed=options.seed,
        replay=options.replay,
        speed=options.speed,
        maker_kills=options.kills,
        connector_kills=options.connector_kills,
        within_s=options.minutes * 60 if options.minutes else None,
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
    parser.add_argument("--minutes", type=float, help="end after so long, with the kills that there were (no limit)")
    parser.add_argument("--exchange", choices=sorted(VENUES), default=default.venue, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=default.seed, help="of market, faults and kills (%(default)s)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="recorded trades or bars in place of the generator")
    parser.add_argument("--speed", type=Decimal, help="market seconds in a second (1; a recording lasts for all kills)")
    parser.add_argument("--folder", type=Path, help="where logs and databases are kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
