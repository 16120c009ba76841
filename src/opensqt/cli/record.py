"""`opensqt record`: writes trades, order books and funding rates of a connector to Parquet files."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from opensqt.cli import connection
from opensqt.cli import options as shared
from opensqt.model.errors import ConfigError, ConnectorUnavailable, ExchangeError, StreamOverflow
from opensqt.model.exchange import Exchange
from opensqt.model.stream import Stream
from opensqt.model.venue import Capabilities, SymbolRules
from opensqt.recordings.capture import BookCapture, Capture, FundingCapture, RecordingGap, TradeCapture
from opensqt.recordings.parquet_files import ParquetFiles
from opensqt.service.program import EXIT_OK

TABLES = ("trades", "depth", "funding")
_FLUSH_S = 5.0
_REPORT_S = 60.0
_AGAIN_S = 2.0
"""Delay before a stream that was lost is subscribed to again."""
_EXAMPLES = """examples:
  opensqt record --symbol XRPUSDT --out recordings                        until Ctrl-C
  opensqt record --symbol BTCUSDT --symbol XRPUSDT --what trades --out recordings --duration 3600
  opensqt demo --symbol XRPUSDT --replay recordings                       play it

A new file begins every 15 minutes (--file-minutes); one that is not complete is called .part. The folder, or its
files, are what --replay and opensqt backtest --data take. docs/recordings.md has the columns.
"""


@dataclass(slots=True)
class _Table:
    """One table of one symbol."""

    symbol: str
    what: str
    capture: Capture[Any]
    files: ParquetFiles
    subscribe: Callable[[], Stream[Any]]
    reported: int = 0
    """Gaps that were reported."""

    @property
    def name(self) -> str:
        return f"{self.symbol} {self.what}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = """\
Records trades, the best levels of the order book, and funding rates from a connector. Trades that were missed are
reported, and marked in the file. Exit code 0: it ended by Ctrl-C or --duration, and all files are complete."""
    parser.epilog = f"{_EXAMPLES}\n{connection.ENVIRONMENT}"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    connection.add_address(parser)
    parser.add_argument(
        "--symbol", action="append", required=True, type=str.upper, help="symbol to record; repeat it for more"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="folder of the files")
    parser.add_argument(
        "--what", action="append", choices=TABLES, help="only this; repeat it for more (default: all that there is)"
    )
    parser.add_argument(
        "--depth", type=_count, default=20, metavar="N", help="levels of each side of the book (default: %(default)s)"
    )
    parser.add_argument(
        "--file-minutes", type=_seconds, default=15.0, metavar="M", help="minutes in one file (default: 15)"
    )
    parser.add_argument("--duration", type=_seconds, metavar="S", help="stop after S seconds (default: Ctrl-C)")
    shared.add_json(parser)


async def run(exchange: Exchange, options: argparse.Namespace, console: Console) -> int:
    """Record until cancelled, or for the duration; the files are complete when it ends.

    Raises:
        ConfigError: A symbol or a table is not there, or a file can't be written.
        ExchangeError: The connector refuses a stream.
    """
    tables = await _tables(exchange, options)
    for table in tables:
        console.print(f"recording {table.name} to {options.out}", highlight=False, soft_wrap=True)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(options.duration), asyncio.TaskGroup() as tasks:
                for table in tables:
                    tasks.create_task(_read(table, console), name=f"record {table.name}")
                tasks.create_task(_flush(tables), name="flush")
                tasks.create_task(_report(tables, console), name="report")
    except* (ConfigError, ExchangeError) as failures:
        raise failures.exceptions[0] from None
    finally:
        for table in tables:
            table.files.close()
        _summarize(tables, options, console)
    return EXIT_OK


async def _tables(exchange: Exchange, options: argparse.Namespace) -> list[_Table]:
    info = await exchange.get_exchange_info()
    there = {
        "trades": info.capabilities.public_trades,
        "depth": bool(info.capabilities.order_book_depth),
        "funding": info.capabilities.mark_price,
    }
    for what in options.what or ():
        if not there[what]:
            raise ConfigError(f"--what {what}: {info.name} has no stream of it; expected one of {_named(there)}")
    for symbol in options.symbol:
        if info.rules(symbol) is None:
            raise ConfigError(f"--symbol {symbol}: {info.name} does not trade it")
    wanted = [what for what in TABLES if there[what] and what in (options.what or TABLES)]
    if not wanted:
        raise ConfigError(f"{info.name} has no streams of trades, order books and mark prices")
    symbols = tuple(dict.fromkeys(options.symbol))
    tables = [_table(exchange, info.capabilities, options, symbol, what) for symbol in symbols for what in wanted]
    for rules in info.symbols:
        if rules.symbol in symbols:
            _write_rules(options.out, rules)
    return tables


def _write_rules(folder: Path, rules: SymbolRules) -> None:
    """Write the venue's rules of a symbol as a file of `--rules`, which a replay of the folder finds."""
    bounds = {
        "max_quantity": rules.max_quantity,
        "max_market_quantity": rules.max_market_quantity,
        "max_leverage": None if rules.max_leverage is None else int(rules.max_leverage),
    }
    row: dict[str, object] = {
        "symbol": rules.symbol,
        "price_step": rules.price_step,
        "quantity_step": rules.quantity_step,
        "min_quantity": rules.min_quantity,
        "min_notional": rules.min_notional,
        **{name: bound for name, bound in bounds.items() if bound is not None},
    }
    text = {name: format(value, "f") if isinstance(value, Decimal) else value for name, value in row.items()}
    (folder / f"{rules.symbol}-rules.json").write_text(json.dumps({"symbols": [text]}) + "\n", encoding="utf-8")


def _table(exchange: Exchange, can: Capabilities, options: argparse.Namespace, symbol: str, what: str) -> _Table:
    capture: Capture[Any]
    subscribe: Callable[[], Stream[Any]]
    if what == "trades":
        capture, subscribe = TradeCapture(), partial(exchange.subscribe_trades, symbol)
    elif what == "depth":
        levels = min(options.depth, can.order_book_depth)
        capture, subscribe = BookCapture(), partial(exchange.subscribe_order_book, symbol, levels)
    else:
        capture, subscribe = FundingCapture(), partial(exchange.subscribe_mark_price, symbol)
    files = ParquetFiles(options.out, f"{symbol}-{what}", capture.columns, options.file_minutes * 60)
    return _Table(symbol, what, capture, files, subscribe)


async def _read(table: _Table, console: Console) -> None:
    while True:
        try:
            async with table.subscribe() as stream:
                async for batch in stream:
                    table.files.add(table.capture.rows(batch), datetime.now(UTC))
                    for gap in table.capture.gaps[table.reported :]:
                        table.reported += 1
                        console.print(f"gap in {table.name}: {_describe(gap)}", highlight=False, soft_wrap=True)
        except (ConnectorUnavailable, StreamOverflow) as error:
            table.capture.interrupt()
            console.print(f"{table.name} interrupted: {error.message}", highlight=False, soft_wrap=True)
            await asyncio.sleep(_AGAIN_S)


async def _flush(tables: Sequence[_Table]) -> None:
    while True:
        await asyncio.sleep(_FLUSH_S)
        for table in tables:
            table.files.flush()


async def _report(tables: Sequence[_Table], console: Console) -> None:
    while True:
        await asyncio.sleep(_REPORT_S)
        counts = ", ".join(f"{table.name} {table.files.count}" for table in tables)
        console.print(f"{datetime.now(UTC):%H:%M:%S} UTC rows: {counts}", highlight=False, soft_wrap=True)


def _summarize(tables: Sequence[_Table], options: argparse.Namespace, console: Console) -> None:
    for table in tables:
        files = f"{len(table.files.written)} files" if len(table.files.written) != 1 else "1 file"
        gaps = len(table.capture.gaps)
        text = f"{table.name}: {table.files.count} rows in {files}, {gaps or 'no'} gap{'s' * (gaps != 1)}"
        console.print(text, highlight=False, soft_wrap=True)
    if options.json:
        result = [
            {
                "symbol": table.symbol,
                "what": table.what,
                "rows": table.files.count,
                "files": [str(path) for path in table.files.written],
                "gaps": [{"after_ms": gap.after_ms, "until_ms": gap.until_ms} for gap in table.capture.gaps],
            }
            for table in tables
        ]
        print(json.dumps(result))


def _describe(gap: RecordingGap) -> str:
    until = _time(gap.until_ms)
    return f"updates may be missing between {_time(gap.after_ms)} and {until}" if gap.after_ms else f"before {until}"


def _time(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"


def _named(there: dict[str, bool]) -> str:
    return ", ".join(what for what, has in there.items() if has) or "none"


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number above zero")
    return count


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above zero")
    return seconds
