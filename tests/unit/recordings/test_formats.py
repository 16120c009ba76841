"""Every format is read to the unit, and a bad row is refused by its place."""

from __future__ import annotations

import json
import random
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow
import pytest
from pyarrow import feather, parquet

from opensqt.model.errors import ConfigError
from opensqt.model.order import Side
from opensqt.recordings import Bar, BookReset, Content, FundingRate, RecordedLevel, Trade, VolumeAsset, open_file
from opensqt.recordings.cells import exact, shortest_single
from tests.unit.recordings import made

BARS, TRADES = made.bars(), made.trades()
BAR_FILES, TRADE_FILES = made.bar_files(BARS), made.trade_files(TRADES)


@pytest.mark.parametrize("name", BAR_FILES)
def test_bars_of_every_format_are_those_of_the_source(tmp_path: Path, name: str) -> None:
    """Times in s, ms, us and ns are told apart by their size, prices and base volume are exact."""
    recorded = open_file(made.write(tmp_path, name, BAR_FILES[name]))
    rows = list(recorded.rows())
    assert recorded.content is Content.BARS
    assert not recorded.volume_assumed
    assert rows == [Bar(bar.open_ms * 1_000_000, *bar.prices, bar.volume) for bar in BARS]


@pytest.mark.parametrize("name", TRADE_FILES)
def test_trades_of_every_format_are_those_of_the_source(tmp_path: Path, name: str) -> None:
    """Price, quantity and the taker's side are exact; times are as fine as the format has them."""
    rows = list(open_file(made.write(tmp_path, name, TRADE_FILES[name])).rows())
    assert [(row.price, row.quantity, row.side) for row in rows if isinstance(row, Trade)] == [
        (trade.price, trade.quantity, trade.side) for trade in TRADES
    ]
    assert [row.time_ns // 1_000_000 for row in rows] == [trade.time_us // 1000 for trade in TRADES]


@pytest.mark.parametrize("volume", [None, VolumeAsset.BASE, VolumeAsset.QUOTE])
def test_a_volume_of_which_nothing_says_what_it_counts_is_reported(tmp_path: Path, volume: VolumeAsset | None) -> None:
    """What is assumed is said; what a flag says is taken."""
    path = made.write(tmp_path, "bars.csv", b"timestamp,open,high,low,close,volume\n1735689600000,2,2,2,2,100\n")
    recorded = open_file(path, volume=volume)
    assert recorded.volume_assumed is (volume is None)
    (bar,) = recorded.rows()
    assert isinstance(bar, Bar)
    assert bar.volume == (100 if volume is VolumeAsset.BASE else 50)


def test_floats_are_their_shortest_decimals(tmp_path: Path) -> None:
    """A price that was written as 0.1 is 0.1, in double and in single precision."""
    assert exact(0.1 + 0.2) == Decimal("0.30000000000000004")
    assert shortest_single(pyarrow.scalar(0.1, pyarrow.float32()).as_py()) == 0.1
    columns = {name: pyarrow.array([0.6213], pyarrow.float32()) for name in ("open", "high", "low", "close")}
    table = pyarrow.table({"timestamp": [1_735_689_600], **columns, "base_volume": [Decimal("12.50")]})
    path = tmp_path / "single.parquet"
    parquet.write_table(table, path)
    (bar,) = open_file(path).rows()
    assert bar == Bar(made.START_MS * 1_000_000, *[Decimal("0.6213")] * 4, Decimal("12.5"))


@pytest.mark.parametrize("text", ["1735689600", "1735689600000", "1735689600000000", "1735689600000000000"])
@pytest.mark.parametrize("cut", ["{}1", "-{}", "0.{}"])
def test_a_time_of_no_known_size_is_refused_with_its_row(tmp_path: Path, text: str, cut: str) -> None:
    """A time is never scaled by a guess: outside of the years 2001 to 2286 it is refused."""
    wrong = cut.format(text)
    path = made.write(tmp_path, "bars.csv", f"timestamp,open,high,low,close,base_volume\n{wrong},2,2,2,2,1\n".encode())
    with pytest.raises(ConfigError, match=rf"bars.csv: line 2: timestamp '{wrong}': expected epoch .*10, 13, 16 or 19"):
        list(open_file(path).rows())


@pytest.mark.parametrize(
    ("name", "columns", "complaint"),
    [
        ("a.parquet", {"close": [1.0, None]}, "a.parquet: row 2: close 'None': expected a number above zero"),
        ("a.feather", {"volume": [1.0, float("nan")]}, "a.feather: row 2: volume 'nan': expected a number of zero or"),
        ("a.feather", {"high": [1.0, 0.9]}, "a.feather: row 2: high '0.9': expected at least open and close"),
        (
            "a.parquet",
            {"date": [1735689600000, 1735689600000]},
            "a.parquet: row 2: date '1735689600000': expected a time",
        ),
        ("a.parquet", {"date": ["now", "then"]}, "a.parquet: row 1: date 'now': expected UTC like"),
    ],
)
def test_a_malformed_row_of_a_table_names_file_row_column_and_value(tmp_path, name, columns, complaint) -> None:
    """Every bad row is refused with its place."""
    usual = {each: [1.0, 1.0] for each in ("open", "high", "low", "close", "volume")}
    table = pyarrow.table({"date": [1735689600000, 1735689660000]} | usual | columns)
    path = tmp_path / name
    (parquet.write_table if name.endswith("parquet") else feather.write_feather)(table, path)
    with pytest.raises(ConfigError) as error:
        list(open_file(path).rows())
    assert complaint in str(error.value)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([[1735689600000, 1, 1, 1, 1, 1], [1735689660000, 1, 1, 1]], "row 2: expected date, open"),
        ([[1735689600000, 1, 1, 1, 1, -1]], "row 1: volume '-1': expected a number of zero or above"),
        ([[1735689600000, 1, 1, 1, 1, 1], 5], "row 2: can't be read as a JSON list of lists"),
        ([], "expected at least one row"),
    ],
)
def test_a_malformed_row_of_json_names_file_and_row(tmp_path, rows, complaint) -> None:
    """Every bad row is refused with its place."""
    path = made.write(tmp_path, "XRP_USDT-1m.json", json.dumps(rows).encode())
    with pytest.raises(ConfigError, match=r"XRP_USDT-1m\.json: ") as error:
        list(open_file(path).rows())
    assert complaint in str(error.value)


@pytest.mark.parametrize("end", [b"", b"[1735689660000, 1, 1"])
def test_json_that_does_not_end_is_refused(tmp_path: Path, end: bytes) -> None:
    """A file that was cut is not taken as a shorter one."""
    path = made.write(tmp_path, "cut.json", b"[[1735689600000, 1, 1, 1, 1, 1]," + end)
    with pytest.raises(ConfigError, match=r"cut\.json: row 2: can't be read"):
        list(open_file(path).rows())


def test_a_cut_archive_is_refused(tmp_path: Path) -> None:
    """A file that was cut is not taken as a shorter one."""
    path = made.write(tmp_path, "cut.csv.gz", BAR_FILES["binance-futures.csv.gz"][:-9])
    with pytest.raises(ConfigError, match=r"cut.csv.gz: can't be read"):
        list(open_file(path).rows())


def test_a_coin_margined_archive_is_refused(tmp_path: Path) -> None:
    """Its volume is in contracts and its quote volume in coins: the header alone would not tell."""
    row = "1591258320000,9640.7,9642.4,9640.6,9642.0,206,1591258379999,2.13660389,48,119,1.23424865,0\n"
    path = made.write(tmp_path, "coin.csv", row.encode())
    with pytest.raises(ConfigError, match=r"line 1: quote_volume '2.13660389': expected .* quote, the quantity times"):
        list(open_file(path).rows())


def test_trades_of_a_coin_margined_contract_count_coins(tmp_path: Path) -> None:
    """Their qty is contracts; without a header the quote notional tells that they are not coins."""
    header, row = "id,price,qty,base_qty,time,is_buyer_maker\n", "1,50000.0,10,0.02,1735689600000,true\n"
    (trade,) = open_file(made.write(tmp_path, "coin.csv", (header + row).encode())).rows()
    assert isinstance(trade, Trade)
    assert trade.quantity == Decimal("0.02")
    with pytest.raises(ConfigError, match=r"line 1: quote_qty '0.02': expected .* quote, the quantity times"):
        list(open_file(made.write(tmp_path, "bare.csv", row.encode())).rows())


@pytest.mark.parametrize(
    "header",
    [
        "Open time,Open,High,Low,Close,Volume,Quote asset volume",
        "startTime,openPrice,highPrice,lowPrice,closePrice,volume,turnover",
        "\ufeffdate, open, high, low, close, base_volume, quote_volume",
    ],
)
def test_columns_are_known_by_the_names_that_the_venues_use(tmp_path: Path, header: str) -> None:
    """As in the tables of the venues' documents, in camel case, with blanks and with a byte order mark."""
    path = made.write(tmp_path, "bars.csv", f"{header}\n1735689600000,1.1,1.3,1.0,1.2,50,57.5\n".encode())
    assert [row for row in open_file(path).rows() if isinstance(row, Bar)] == [
        Bar(made.START_MS * 1_000_000, *map(Decimal, ("1.1", "1.3", "1.0", "1.2", "50")))
    ]


def test_a_file_with_its_newest_row_first_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """Venues answer with the newest bar first, and people write that to files."""
    text = "timestamp,open,high,low,close,base_volume\n1735689660000,2,2,2,2,1\n1735689600000,2,2,2,2,1\n"
    with pytest.raises(ConfigError, match=r"line 3: timestamp .*: expected a time after .*; sort the file by its time"):
        list(open_file(made.write(tmp_path, "down.csv", text.encode())).rows())


def test_a_flag_says_what_the_volume_of_json_counts(tmp_path: Path) -> None:
    """Freqtrade's is base; another program's, of the same form, is what its user says."""
    path = made.write(tmp_path, "XRP_USDT-1m.json", b"[[1735689600000,2,2,2,2,100]]")
    volumes = [row.volume for flag in (None, VolumeAsset.QUOTE) for row in open_file(path, volume=flag).rows()]
    assert volumes == [100, 50]


def test_a_file_of_several_symbols_is_refused(tmp_path: Path) -> None:
    """Prices of two symbols are never played as those of one."""
    path = made.write(
        tmp_path, "both.csv", TARDIS.replace("XRPUSDT,1735689600200000", "ADAUSDT,1735689600200000").encode()
    )
    with pytest.raises(
        ConfigError, match=r"both.csv: line 4: symbol 'ADAUSDT': expected XRPUSDT, as in the rows before"
    ):
        list(open_file(path).rows())


def test_an_inverse_contract_of_bybit_is_refused(tmp_path: Path) -> None:
    """Its size is in dollars."""
    header = "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional"
    row = "1577836800.5,BTCUSD,Buy,100,7000.5,PlusTick,a,1.4e6,0.01428,100"
    path = made.write(tmp_path, "BTCUSD.csv", f"{header}\n{row}\n".encode())
    with pytest.raises(ConfigError, match=r"line 2: homenotional '0.01428': expected 100, the size"):
        list(open_file(path).rows())


TARDIS = """exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount
bybit,XRPUSDT,1735689600000001,1735689600000100,true,bid,0.6200,500
bybit,XRPUSDT,1735689600000001,1735689600000100,true,ask,0.6202,400
bybit,XRPUSDT,1735689600200000,1735689600200100,false,bid,0.6201,300
bybit,XRPUSDT,1735689600300000,1735689600300100,false,bid,0.6200,0
bybit,XRPUSDT,1735689609000000,1735689609000100,true,bid,0.6190,200
bybit,XRPUSDT,1735689609000000,1735689609000100,true,ask,0.6193,100
"""


def test_a_snapshot_of_tardis_voids_the_book_before_it(tmp_path: Path) -> None:
    """The gap rule: a snapshot after changes means that the feed was interrupted."""
    rows = list(open_file(made.write(tmp_path, "incremental_book_L2.csv", TARDIS.encode())).rows())
    assert [type(row) for row in rows] == [
        BookReset,
        RecordedLevel,
        RecordedLevel,
        RecordedLevel,
        RecordedLevel,
        BookReset,
        RecordedLevel,
        RecordedLevel,
    ]
    assert rows[2] == RecordedLevel(1735689600000100_000, Side.SELL, Decimal("0.6202"), Decimal(400))
    assert rows[4] == RecordedLevel(1735689600300100_000, Side.BUY, Decimal("0.6200"), Decimal(0))


def test_funding_rates_of_tardis_are_those_that_have_changed(tmp_path: Path) -> None:
    """A row without a rate is of something else, such as open interest."""
    header = (
        "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,predicted_funding_rate,mark_price"
    )
    rows = "bybit,XRPUSDT,1,1735689600000001,,0.0001,,0.62\nbybit,XRPUSDT,1,1735689600000002,,,,0.62\n"
    path = made.write(tmp_path, "derivative_ticker.csv", f"{header}\n{rows}".encode())
    recorded = open_file(path)
    assert recorded.content is Content.FUNDING
    assert list(recorded.rows()) == [FundingRate(1_735_689_600_000_001_000, Decimal("0.0001"))]


def test_events_of_hftbacktest_are_those_of_the_exchange(tmp_path: Path) -> None:
    """An event that only the client sees is not one; a clear voids prices up to its own; unknown events are passed."""
    ns, exchange, client = made.START_MS * 1_000_000, 1 << 31, 1 << 30
    records = [
        (3 | made.BOTH | made.BUY, ns, ns + 9, 0.61, 0.0),
        (4 | made.BOTH | made.BUY, ns, ns + 9, 0.6199, 20.5),
        (1 | exchange | made.SELL, ns + 10, ns + 30, 0.6202, 7.0),
        (1 | client | made.SELL, ns + 5, ns + 30, 0.6202, 7.0),
        (3 | made.BOTH, ns + 20, ns + 40, 0.0, 0.0),
        (10 | made.BOTH | made.BUY, ns + 30, ns + 40, 0.62, 1.0),
        (2 | made.BOTH | made.SELL, ns + 40, ns + 50, 0.62, 0.3),
    ]
    rows = list(open_file(made.write(tmp_path, "events.npz", made.npz(records))).rows())
    assert rows == [
        BookReset(ns, Side.BUY, Decimal("0.61")),
        RecordedLevel(ns, Side.BUY, Decimal("0.6199"), Decimal("20.5")),
        RecordedLevel(ns + 10, Side.SELL, Decimal("0.6202"), Decimal(7)),
        BookReset(ns + 20),
        Trade(ns + 40, Decimal("0.62"), Decimal("0.3"), Side.SELL),
    ]


@pytest.mark.parametrize("columns_first", [False, True])
@pytest.mark.parametrize("name", ["events.npz", "events.npy"])
def test_tables_of_hftbacktest_1_are_read_in_either_order(tmp_path: Path, name: str, columns_first: bool) -> None:
    """Six columns of floats in C's or Fortran's order; an event without the exchange's time is the client's alone."""
    us = float(made.START_MS * 1_000)
    table = [
        (3, us, us + 9, 1, 0.61, 0.0),
        (4, us, us + 9, 1, 0.6199, 20.5),
        (1, us + 10, us + 30, -1, 0.6202, 7.0),
        (2, -1, us + 40, -1, 0.62, 0.3),
        (2, us + 40, us + 50, -1, 0.62, 0.3),
        (101, us + 41, us + 50, 1, 0.0, 0.0),
    ]
    ns = made.START_MS * 1_000_000
    rows = list(open_file(made.write(tmp_path, name, made.npy_table(table, columns_first, name))).rows())
    assert rows == [
        BookReset(ns, Side.BUY, Decimal("0.61")),
        RecordedLevel(ns, Side.BUY, Decimal("0.6199"), Decimal("20.5")),
        RecordedLevel(ns + 10_000, Side.SELL, Decimal("0.6202"), Decimal(7)),
        Trade(ns + 40_000, Decimal("0.62"), Decimal("0.3"), Side.SELL),
    ]


def test_a_long_table_in_fortrans_order_is_read_in_parts(tmp_path: Path) -> None:
    """Rows of several parts come together again."""
    us = float(made.START_MS * 1_000)
    table = [(2, us + n, us + n, 1, 1 + n, 2 + n) for n in range(10_000)]
    rows = list(open_file(made.write(tmp_path, "a.npz", made.npy_table(table, True, "a.npz"))).rows())
    assert [(row.price, row.quantity) for row in rows if isinstance(row, Trade)] == [(r[4], r[5]) for r in table]


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        ((2 | made.BOTH, 1_735_689_600_000_000, 0, 1.0, 1.0), "row 2: exch_ts '1735689600000000': expected epoch nano"),
        ((2 | made.BOTH, 10**18, 0, 1.0, 1.0), "row 2: exch_ts '1000000000000000000': expected a time not before"),
        ((2 | made.BOTH, 10**19 - 1, 0, float("nan"), 1.0), "row 2: px 'nan': expected a number of zero or above"),
        ((2 | made.BOTH, 10**19 - 1, 0, 1.0, 0.0), "row 2: qty '0.0': expected a number above zero"),
        ((1 | made.BOTH, 10**19 - 1, 0, 1.0, 1.0), "row 2: ev '3221225473': expected the flag of a side"),
    ],
)
def test_a_malformed_event_names_file_row_field_and_value(tmp_path, record, complaint) -> None:
    """Every bad row is refused with its place."""
    record = (record[0], min(record[1], 2**63 - 1), *record[2:])
    good = (2 | made.BOTH, made.START_MS * 1_000_000, 0, 1.0, 1.0)
    with pytest.raises(ConfigError) as error:
        list(open_file(made.write(tmp_path, "events.npz", made.npz([good, record]))).rows())
    assert complaint in str(error.value)


def _damaged(content: bytes, chance: random.Random) -> bytes:
    """Cut a file, change or remove some bytes, or write in it what breaks parsers."""
    at = chance.randrange(len(content))
    match chance.randrange(4):
        case 0:
            return content[:at]
        case 1:
            return content[:at] + bytes(chance.randrange(256) for _ in range(4)) + content[at + 4 :]
        case 2:
            return content[:at] + content[at + chance.randint(1, 30) :]
    pieces = (
        b",",
        b"\n",
        b'"',
        b"[",
        b"]",
        b"nan",
        b"1e999999",
        b"-",
        b"\0",
        b"Infinity",
        b"9" * 5_000,
        b"null",
        b"\xff",
    )
    return content[:at] + chance.choice(pieces) + content[at + 1 :]


@pytest.mark.parametrize("name", [*BAR_FILES, *TRADE_FILES])
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, name: str) -> None:
    """Whatever is in it, the end is an error that names the file, or rows of usual numbers in order."""
    chance, content = random.Random(name), {**BAR_FILES, **TRADE_FILES}[name]
    path = tmp_path / name
    for _ in range(25):
        # A table of Arrow is only cut: what it takes for lengths is read by a library in C.
        cut = name.endswith((".feather", ".parquet", ".arrow"))
        path.write_bytes(content[: chance.randrange(len(content))] if cut else _damaged(content, chance))
        last_ns, refusal = 0, str(path)
        try:
            for row in open_file(path).rows():
                assert row.time_ns >= last_ns
                last_ns = row.time_ns
        except ConfigError as error:
            refusal = str(error)
        assert str(path) in refusal


def test_without_pyarrow_its_formats_name_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other formats need nothing more than the program."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        ConfigError, match=r"a\.parquet: pyarrow, .* not installed; pip install 'opensqt\[recordings\]'"
    ):
        open_file(made.write(tmp_path, "a.parquet", BAR_FILES["XRP_USDT-1m.parquet"]))


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.npz", made.npz([], kind="data")[:-30], "can't be read"),
        ("a.npy", b"\x93NUMPY\x01\x00\x10\x00not a dictionary", "expected a structured array"),
        ("a.parquet", b"PAR1 and no more", "can't be read"),
        ("a.feather", b"ARROW1\x00\x00 and no more", "can't be read"),
        ("a.feather", b"FEA1....", "expected Feather of version 2"),
        ("a.csv", b"", "expected at least one row"),
        ("a.csv", b"a,b,c\n1,2,3\n", "line 1: 'a,b,c': expected the columns"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    """The error names the file and what was expected."""
    path = made.write(tmp_path, name, content)
    with pytest.raises(ConfigError) as error:
        list(open_file(path).rows())
    assert str(error.value).startswith(f"{path}: ")
    assert complaint in str(error.value)
