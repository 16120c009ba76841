"""`opensqt record` writes what a connector's streams have, and a replay of its files is that market again."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import signal
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest
from pyarrow import parquet
from pydantic import SecretStr
from rich.console import Console

from opensqt.cli import record
from opensqt.client.exchange import RemoteExchange
from opensqt.config.connector import ConnectorServerSettings
from opensqt.config.remote import RemoteSettings
from opensqt.config.venue import VenueSettings
from opensqt.connector.server import Connector
from opensqt.model.errors import ConfigError
from opensqt.model.order import Side
from opensqt.recordings import BookReset, RecordedLevel, Trade, open_file
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.market.market import open_market
from opensqt.simulator.market.symbols import symbol_at
from opensqt.simulator.settings import AccountSettings
from opensqt.venues.factory import create_exchange
from tests.service.connector_rig import Venue, rig
from tests.support import eventually, start

SYMBOL = "XRPUSDT"
MINUTE_MS = 60_000


def _rows(folder: Path, what: str) -> list:
    return [row for path in sorted(folder.glob(f"{SYMBOL}-{what}-*.parquet")) for row in open_file(path).rows()]


def _bars(trades: list[Trade]) -> list[tuple]:
    minutes: dict[int, list[Trade]] = {}
    for trade in trades:
        minutes.setdefault(trade.time_ns // 1_000_000 // MINUTE_MS * MINUTE_MS, []).append(trade)
    return [
        (at, t[0].price, max(x.price for x in t), min(x.price for x in t), t[-1].price, sum(x.quantity for x in t))
        for at, t in minutes.items()
    ]


def _last_book(rows: list) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    book: dict[Side, dict[Decimal, Decimal]] = {side: {} for side in Side}
    for row in rows:
        if isinstance(row, BookReset):
            book = {side: {} for side in Side}
        elif isinstance(row, RecordedLevel):
            book[row.side].pop(row.price, None)
            if row.quantity:
                book[row.side][row.price] = row.quantity
    return book[Side.BUY], book[Side.SELL]


async def test_a_recording_is_the_market_and_its_replay_is_the_recording(tmp_path: Path) -> None:
    """Every trade once with price, quantity and side; the replay has the same bars, book and funding rate."""
    account = AccountSettings()
    # Bybit, because Binance reports the trades of one order at one price as one.
    market = SimulatorSettings(
        exchange="bybit", port=0, symbols=(symbol_at(SYMBOL, Decimal("0.62")),), speed=Decimal(5), past_minutes=5
    )
    async with Simulator(market) as simulator:
        simulator.engine.set_funding_rate(SYMBOL, Decimal("0.000123"))
        venue = VenueSettings(
            name="bybit",
            api_key=SecretStr(account.key),
            secret=SecretStr(account.secret),
            base_url=simulator.url,
            symbols=(SYMBOL,),
        )
        connector_settings = ConnectorServerSettings(port=0, metrics_port=None)
        async with Connector(create_exchange(venue), connector_settings, journal=":memory:") as connector:
            flags = ("--address", connector.address, "--symbol", SYMBOL, "--out", str(tmp_path / "new"), "--json")
            async with start("opensqt.cli", "record", *flags, "--file-minutes", "0.05", "--depth", "10") as process:
                await eventually(lambda: len(list((tmp_path / "new").glob("*.parquet"))) >= 4)
                process.send(signal.SIGINT)
                assert await process.wait() == 0, process.output
        made = list(simulator.engine.trades(SYMBOL, limit=5_000))
    result = {each["what"]: each for each in json.loads(process.stdout)}
    assert {what: each["gaps"] for what, each in result.items()} == {"trades": [], "depth": [], "funding": []}
    assert not list((tmp_path / "new").glob("*.part"))
    trades = _rows(tmp_path / "new", "trades")
    assert result["trades"]["rows"] == len(trades) > 20
    seen = [(row.time_ns // 1_000_000, row.price, row.quantity, row.side) for row in trades]
    expected = [
        (each.time_ms, each.price, each.quantity, Side.SELL if each.buyer_is_maker else Side.BUY) for each in made
    ]
    begin = expected.index(seen[0])
    assert seen == expected[begin : begin + len(seen)]

    replay = SimulatorSettings(replays={SYMBOL: (tmp_path / "new",)}, symbols=(), clock="manual")
    again = open_market(replay)
    ours, theirs = again.engine.symbol(SYMBOL), market.symbols[0]
    assert (ours.price_step, ours.min_quantity, ours.min_notional, ours.max_leverage) == (
        *(theirs.price_step, theirs.min_quantity, theirs.min_notional, theirs.max_leverage),
    )
    again.step(max(trades[-1].time_ns, _rows(tmp_path / "new", "depth")[-1].time_ns) // 1_000_000 + 1)
    candles = [bar for bar in again.engine.candles(SYMBOL, "1m") if bar.trades]
    assert [(b.open_time_ms, b.open, b.high, b.low, b.close, b.volume) for b in candles] == _bars(trades)
    book = again.engine.book(SYMBOL)
    assert (dict(book.bids), dict(book.asks)) == _last_book(_rows(tmp_path / "new", "depth"))
    assert again.engine.mark(SYMBOL).funding_rate == _rows(tmp_path / "new", "funding")[-1].rate


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (("--symbol", "NOSUCH"), "--symbol NOSUCH: .* does not trade it"),
        (("--symbol", "BTCUSDT", "--out", "/dev/null/x"), "--out: /dev/null/x: Not a directory"),
    ],
)
async def test_what_cant_be_recorded_is_refused_at_once(tmp_path: Path, flags: tuple[str, ...], complaint: str) -> None:
    """Before the first row, with the option and its value."""
    parser = argparse.ArgumentParser()
    record.add_arguments(parser)
    options = parser.parse_args(["--out", str(tmp_path), *flags])
    async with rig() as running, RemoteExchange(RemoteSettings(base_url=running.connector.address)) as remote:
        with pytest.raises(ConfigError, match=complaint):
            await record.run(remote, options, Console(file=io.StringIO()))


async def test_what_was_missed_is_reported_and_marked(tmp_path: Path) -> None:
    """A connector that was away leaves a gap in each table; what comes again is recorded once."""
    output = io.StringIO()
    parser = argparse.ArgumentParser()
    record.add_arguments(parser)
    options = parser.parse_args(["--symbol", "BTCUSDT", "--out", str(tmp_path)])
    settings = ConnectorServerSettings(port=0, metrics_port=None, drain_s=0)

    def trade_until(venue: Venue, condition: Callable[[], bool]) -> Awaitable[bool]:
        def traded() -> bool:
            venue.add_trade("BTCUSDT", Decimal(100), Decimal(1), Side.SELL)
            return condition()

        return eventually(traded)

    venue = Venue()
    async with Connector(venue, settings, journal=":memory:") as connector:
        remote = RemoteExchange(RemoteSettings(base_url=connector.address, retry_scale=0))
        await remote.start()
        running = asyncio.create_task(record.run(remote, options, Console(file=output, width=200)))
        await trade_until(venue, lambda: bool(list(tmp_path.glob("BTCUSDT-trades-*.part"))))
    await eventually(lambda: "BTCUSDT trades interrupted: " in output.getvalue())
    again = settings.model_copy(update={"port": int(connector.address.rpartition(":")[2])})
    venue = Venue()
    async with Connector(venue, again, journal=":memory:"):
        await trade_until(venue, lambda: "gap in BTCUSDT trades: updates may be missing between" in output.getvalue())
        running.cancel()
        await asyncio.wait({running})
        await remote.close()
    (path,) = tuple(tmp_path.glob("BTCUSDT-trades-*.parquet"))  # noqa: ASYNC240 - nothing else runs now
    table = parquet.read_table(path).to_pydict()
    assert table["gap"].count(True) == 1
    assert table["gap"].index(True) > 0
    assert f"BTCUSDT trades: {len(table['gap'])} rows in 1 file, 1 gap" in output.getvalue()
