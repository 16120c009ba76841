"""Recordings of one market in every format, as the programs of others write them, and its bars to compare with."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow
from pyarrow import feather, parquet

from opensqt.model.order import Side

START_MS = 1_735_689_600_000
"""2025-01-01, from which on Binance's spot archive has microseconds."""
MINUTE_MS = 60_000
STEP = Decimal("0.1")


@dataclass(frozen=True)
class Source:
    """One bar of the source."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    @property
    def prices(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        return self.open, self.high, self.low, self.close

    @property
    def quote(self) -> Decimal:
        return self.volume * sum(self.prices) / 4


@dataclass(frozen=True)
class SourceTrade:
    """One trade of the source."""

    time_us: int
    price: Decimal
    quantity: Decimal
    side: Side


def bars(count: int = 40) -> list[Source]:
    """Bars of a coin of 62 cents, of a step of 0.0001, with volumes in steps of 0.1."""
    chance, price, made = random.Random(7), Decimal("0.6200"), []
    for n in range(count):
        close = price + Decimal(chance.randint(-40, 40)) / 10_000
        high = max(price, close) + Decimal(chance.randint(0, 15)) / 10_000
        low = min(price, close) - Decimal(chance.randint(0, 15)) / 10_000
        volume = Decimal(chance.randint(4, 90_000)) / 10
        made.append(Source(START_MS + n * MINUTE_MS, price, high, low, close, volume))
        price = close
    return made


def trades(count: int = 300) -> list[SourceTrade]:
    """Trades of the same coin, some within one millisecond."""
    chance, price, time_us, made = random.Random(11), Decimal("0.6200"), START_MS * 1000 + 250, []
    for _ in range(count):
        side = chance.choice((Side.BUY, Side.SELL))
        price += Decimal(chance.randint(-3, 3)) / 10_000
        made.append(SourceTrade(time_us, price, Decimal(chance.randint(1, 5_000)) / 10, side))
        time_us += chance.choice((0, 300, 90_000, 2_500_000))
    return made


def bars_of(made: Iterable[SourceTrade]) -> list[tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal]]:
    """Open time, prices and volume of the minutes with trades."""
    minutes: dict[int, list[SourceTrade]] = {}
    for trade in made:
        minutes.setdefault(trade.time_us // 1000 // MINUTE_MS * MINUTE_MS, []).append(trade)
    return [
        (open_ms, t[0].price, max(x.price for x in t), min(x.price for x in t), t[-1].price, sum(x.quantity for x in t))
        for open_ms, t in minutes.items()
    ]


def _lines(rows: Iterable[Iterable[object]], header: str = "") -> bytes:
    text = [",".join(format(cell, "f") if isinstance(cell, Decimal) else str(cell) for cell in row) for row in rows]
    return "\n".join([*([header] if header else []), *text, ""]).encode()


def _zip(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def _binance_row(bar: Source, unit: int) -> list[object]:
    close_ms = bar.open_ms + MINUTE_MS - 1
    return [
        bar.open_ms * unit,
        *bar.prices,
        bar.volume,
        close_ms * unit,
        bar.quote,
        5,
        bar.volume / 2,
        bar.quote / 2,
        0,
    ]


def _plain(made: Sequence[Source], unit: Decimal) -> bytes:
    rows = [[Decimal(bar.open_ms) * unit, *bar.prices, bar.volume] for bar in made]
    return _lines(rows, "timestamp,open,high,low,close,base_volume")


def _frame(made: Sequence[Source], unit: str) -> pyarrow.Table:
    """A table as pandas gives it to pyarrow for Freqtrade: times with their zone, floats."""
    factor = {"ms": 1, "us": 1_000, "ns": 1_000_000}[unit]
    columns = {"date": pyarrow.array([bar.open_ms * factor for bar in made], pyarrow.timestamp(unit, tz="UTC"))}
    for name in ("open", "high", "low", "close", "volume"):
        columns[name] = pyarrow.array([float(getattr(bar, name)) for bar in made], pyarrow.float64())
    return pyarrow.table(columns)


def _arrow_file(write: Callable[[io.BytesIO], None]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def bar_files(made: Sequence[Source]) -> dict[str, bytes]:
    """Every format of bars: file name and content."""
    freqtrade = [[bar.open_ms, *map(float, bar.prices), float(bar.volume)] for bar in made]
    header = (
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
        "taker_buy_volume,taker_buy_quote_volume,ignore"
    )
    return {
        "seconds.csv": _plain(made, Decimal("0.001")),
        "milliseconds.csv": _plain(made, Decimal(1)),
        "microseconds.csv": _plain(made, Decimal(1_000)),
        "nanoseconds.csv": _plain(made, Decimal(1_000_000)),
        "binance-spot-2025.csv": _lines(_binance_row(bar, 1_000) for bar in made),
        "binance-spot-2024.zip": _zip("XRPUSDT-1m.csv", _lines(_binance_row(bar, 1) for bar in made)),
        "binance-futures.csv.gz": gzip.compress(_lines((_binance_row(bar, 1) for bar in made), header)),
        "bybit.csv": _lines(
            ([bar.open_ms, *bar.prices, bar.volume, bar.quote] for bar in made),
            "startTime,open,high,low,close,volume,turnover".replace("startTime", "start_at"),
        ),
        "XRP_USDT_USDT-1m-futures.feather": _arrow_file(
            lambda to: feather.write_feather(_frame(made, "ms"), to, compression="lz4", compression_level=9)
        ),
        "nanoseconds.feather": _arrow_file(lambda to: feather.write_feather(_frame(made, "ns"), to)),
        "XRP_USDT-1m.parquet": _arrow_file(lambda to: parquet.write_table(_frame(made, "us"), to)),
        "XRP_USDT-1m.json": json.dumps(freqtrade, separators=(",", ":")).encode(),
        "XRP_USDT-1m.json.gz": gzip.compress(json.dumps(freqtrade).encode()),
    }


def npz(records: Sequence[tuple[int, int, int, float, float]], *, kind: str = "data") -> bytes:
    """An array of hftbacktest's events: ev, exch_ts, local_ts, px, qty, as numpy writes it."""
    fields = [("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8"), ("px", "<f8"), ("qty", "<f8")]
    fields += [("order_id", "<u8"), ("ival", "<i8"), ("fval", "<f8")]
    described = f"{{'descr': {fields}, 'fortran_order': False, 'shape': ({len(records)},), }}"
    described += " " * (-(len(described) + 11) % 64) + "\n"
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(described)) + described.encode()
    return _zip(f"{kind}.npy", head + b"".join(struct.pack("<QqqddQqd", *each, 0, 0, 0.0) for each in records))


def npy_table(rows: Sequence[tuple[float, ...]], columns_first: bool, name: str) -> bytes:
    """A table of floats as numpy writes it, in Fortran's order if its columns are first; packed for an npz."""
    described = f"{{'descr': '<f8', 'fortran_order': {columns_first}, 'shape': ({len(rows)}, {len(rows[0])}), }}"
    described += " " * (-(len(described) + 11) % 64) + "\n"
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(described)) + described.encode()
    cells = zip(*rows, strict=True) if columns_first else rows
    array = head + b"".join(struct.pack(f"<{len(each)}d", *each) for each in map(tuple, cells))
    return _zip("data.npy", array) if name.endswith(".npz") else array


BOTH, BUY, SELL = 3 << 30, 1 << 29, 1 << 28


def trade_files(made: Sequence[SourceTrade]) -> dict[str, bytes]:
    """Every format of trades: file name and content."""

    def maker(trade: SourceTrade) -> bool:
        return trade.side is Side.SELL

    header = "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional"
    records = [
        (
            2 | BOTH | (BUY if t.side is Side.BUY else SELL),
            t.time_us * 1000,
            t.time_us * 1000 + 5,
            float(t.price),
            float(t.quantity),
        )
        for t in made
    ]
    frame = pyarrow.table(
        {
            "timestamp": [t.time_us // 1000 for t in made],
            "id": [str(n) for n in range(len(made))],
            "type": [None] * len(made),
            "side": [t.side.value.lower() for t in made],
            "price": [float(t.price) for t in made],
            "amount": [float(t.quantity) for t in made],
            "cost": [float(t.price * t.quantity) for t in made],
        }
    )
    return {
        "binance-futures-trades.csv": _lines(
            (
                [n, t.price, t.quantity, t.price * t.quantity, t.time_us // 1000, str(maker(t)).lower()]
                for n, t in enumerate(made)
            ),
            "id,price,qty,quote_qty,time,is_buyer_maker",
        ),
        "binance-spot-trades-2025.csv": _lines(
            [n, t.price, t.quantity, t.price * t.quantity, t.time_us, maker(t), True] for n, t in enumerate(made)
        ),
        "binance-futures-aggTrades.csv": _lines(
            ([n, t.price, t.quantity, n, n, t.time_us // 1000, str(maker(t)).lower()] for n, t in enumerate(made)),
            "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
        ),
        "binance-spot-aggTrades-2025.csv": _lines(
            [n, t.price, t.quantity, n, n, t.time_us, maker(t), True] for n, t in enumerate(made)
        ),
        "bybit-linear.csv.gz": gzip.compress(
            _lines(
                (
                    [
                        *(Decimal(t.time_us) / 1_000_000, "XRPUSDT", t.side.value.title(), t.quantity, t.price),
                        *("PlusTick", f"id-{n}", t.quantity * t.price * 10**8, t.quantity, t.quantity * t.price),
                    ]
                    for n, t in enumerate(made)
                ),
                header,
            )
        ),
        "bybit-spot.csv": _lines(
            ([n, t.time_us // 1000, t.price, t.quantity, t.side.value.lower(), 0] for n, t in enumerate(made)),
            "id,timestamp,price,volume,side,rpi",
        ),
        "tardis-trades.csv.gz": gzip.compress(
            _lines(
                (
                    [
                        "binance-futures",
                        "XRPUSDT",
                        t.time_us - 3_000,
                        t.time_us,
                        n,
                        t.side.value.lower(),
                        t.price,
                        t.quantity,
                    ]
                    for n, t in enumerate(made)
                ),
                "exchange,symbol,timestamp,local_timestamp,id,side,price,amount",
            )
        ),
        "hftbacktest.npz": npz(records),
        "XRP_USDT-trades.json": json.dumps(
            [
                [
                    *(t.time_us // 1000, str(n), None, t.side.value.lower()),
                    *map(float, (t.price, t.quantity, t.quantity)),
                ]
                for n, t in enumerate(made)
            ]
        ).encode(),
        "XRP_USDT-trades.feather": _arrow_file(lambda to: feather.write_feather(frame, to)),
        "XRP_USDT-trades.parquet": _arrow_file(lambda to: parquet.write_table(frame, to)),
    }


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path
