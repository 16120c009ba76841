"""`opensqt export`: writes the market maker's history to a file."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opensqt.cli import options as shared
from opensqt.config.market_maker import load_settings
from opensqt.model.errors import ConfigError

HISTORIES = ("fills", "orders", "funding", "equity", "markouts")
FORMATS = ("csv", "parquet")
_EXAMPLES = """examples:
  opensqt export --config configs/config.yaml --what fills --out fills.csv
  opensqt export --config configs/config.yaml --what equity --format parquet --out equity.parquet
  opensqt export --config configs/config.yaml --what funding --since 2026-11-01 --until 2026-12-01 --out november.csv

The database is that of app.database_url; a market maker may trade with it meanwhile. Amounts are exact: plain digits
in CSV, decimal128 in Parquet. Times are UTC. docs/grid.md has the columns.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = "Writes fills, orders, funding payments, equity by minute or markouts of a market maker."
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    shared.add_config(parser)
    shared.add_json(parser)
    parser.add_argument("--what", required=True, choices=HISTORIES, help="history to write")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FILE", help="file to write; replaced if it is there"
    )
    parser.add_argument("--format", choices=FORMATS, default="csv", help="format of the file (default: %(default)s)")
    parser.add_argument("--symbol", type=str.upper, default="", help="the grid's (default: that of the settings)")
    parser.add_argument(
        "--since", type=_time_ms, default=0, metavar="TIME", help="first time, e.g. 2026-11-01 or 2026-11-01T12:00Z"
    )
    parser.add_argument("--until", type=_time_ms, metavar="TIME", help="time before which the last row is")


async def run(options: argparse.Namespace) -> int:
    """Write the file, say how many rows it has, and return the exit code.

    Raises:
        ConfigError: The database or the file can't be used.
    """
    from opensqt.cli.export_file import write_csv, write_parquet
    from opensqt.market_maker.store.history import columns, read_history
    from opensqt.market_maker.store.store import Store

    settings = load_settings(options.config, environ=os.environ)
    url = settings.app.database_url
    # Also of a symbol that the settings have no more.
    symbol = options.symbol or shared.one_symbol(settings.symbols, "")
    if url.startswith("sqlite:///") and not os.path.isfile(url.removeprefix("sqlite:///")):  # noqa: ASYNC240 - nothing else runs in this command
        raise ConfigError(f"app.database_url: {url.removeprefix('sqlite:///')} is no database file")
    store = await Store.open(url)
    try:

        def batches() -> AsyncIterator[Sequence[Mapping[str, Any]]]:
            return read_history(store, options.what, symbol, since_ms=options.since, until_ms=options.until)

        write = write_parquet if options.format == "parquet" else write_csv
        count = await write(options.out, columns(options.what), batches)
    finally:
        await store.close()
    if options.json:
        print(json.dumps({"file": str(options.out), "what": options.what, "symbol": symbol, "rows": count}))
    else:
        print(f"{options.out}: {count} rows of {options.what}, {symbol}")
    return 0


def _time_ms(text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a UTC time such as 2026-11-01 or 2026-11-01T12:00Z"
        ) from None
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
