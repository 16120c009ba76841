"""`opensqt summary`: what a market maker earned on one day, from its database."""

from __future__ import annotations

import argparse
import os
from datetime import date

from opensqt.cli import options as shared
from opensqt.cli.as_json import print_json
from opensqt.config.market_maker import load_settings

_EXAMPLES = """examples:
  opensqt summary --config configs/config.yaml                     yesterday, UTC
  opensqt summary --config configs/config.yaml --day 2026-11-28
  opensqt summary --config configs/config.yaml --json

The market maker need not run. Exit code 0; 2: the database can't be opened.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = "Shows what a market maker earned and paid on one day."
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    shared.add_config(parser)
    parser.add_argument("--day", type=_day, metavar="YYYY-MM-DD", help="UTC (default: yesterday)")
    shared.add_symbol(parser)
    shared.add_json(parser)


async def run(options: argparse.Namespace) -> int:
    """Print the summary and return the exit code.

    Raises:
        ConfigError: The database can't be opened, or the symbol is none of the settings.
    """
    from opensqt.market_maker.alerts.daily import read_summary, yesterday
    from opensqt.market_maker.alerts.summary import summaries_text, total_of
    from opensqt.market_maker.store.store import Store

    settings = load_settings(options.config, environ=os.environ)
    symbols = shared.chosen_symbols(settings.symbols, options.symbol)
    day = options.day or yesterday()
    store = await Store.open(settings.app.database_url)
    try:
        summaries = [await read_summary(store, symbol, day) for symbol in symbols]
    finally:
        await store.close()
    if options.json:
        several = {"symbols": {one.symbol: one for one in summaries}, "total": total_of(summaries)}
        print_json(several if len(summaries) > 1 else summaries[0])
    else:
        print(f"{', '.join(symbols)}, {day.isoformat()} (UTC), amounts in quote\n{summaries_text(summaries)}")
    return 0


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a day such as 2026-11-28") from None
