"""What is recorded is what the streams had, once, with its gaps; the files read back as the same rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pyarrow import parquet

from opensqt.model.errors import ConfigError
from opensqt.model.market import MarkPrice, OrderBook, PublicTrade
from opensqt.model.order import Side
from opensqt.model.stream import Batch
from opensqt.recordings import BookReset, Content, FundingRate, RecordedLevel, Trade, open_file
from opensqt.recordings.capture import BookCapture, FundingCapture, RecordingGap, TradeCapture
from opensqt.recordings.parquet_files import ParquetFiles

SYMBOL = "XRPUSDT"
MS = 1_735_689_600_000
NOW = datetime(2025, 1, 1, tzinfo=UTC)


def _batch(*updates, snapshot: bool = False, gap: bool = False) -> Batch:
    return Batch(updates=updates, epoch="a", sequence=1, snapshot=snapshot, gap=gap)


def _trade(number: int, at: int = 0, price: str = "0.62", side: Side = Side.BUY) -> PublicTrade:
    return PublicTrade(
        symbol=SYMBOL,
        trade_id=str(number),
        price=Decimal(price),
        quantity=Decimal(number),
        side=side,
        event_time_ms=MS + (at or number),
        received_ns=(MS + number) * 1_000_000 + 7_000,
    )


def _book(at: int, bids: dict[str, str], asks: dict[str, str], invalid: str = "") -> OrderBook:
    sides = [tuple((Decimal(p), Decimal(q)) for p, q in side.items()) for side in (bids, asks)]
    times = {"event_time_ms": MS + at, "received_ns": (MS + at) * 1_000_000}
    return OrderBook(symbol=SYMBOL, bids=sides[0], asks=sides[1], invalid_reason=invalid, **times)


def _mark(at: int, rate: str | None, mark: str = "0.62") -> MarkPrice:
    rated = None if rate is None else Decimal(rate)
    return MarkPrice(symbol=SYMBOL, mark=Decimal(mark), funding_rate=rated, event_time_ms=MS + at)


def _written(folder: Path, name: str, capture, *batches: Batch) -> Path:
    files = ParquetFiles(folder, name, capture.columns, 900)
    for batch in batches:
        files.add(capture.rows(batch), NOW)
    files.close()
    (path,) = files.written
    return path


def test_trades_are_recorded_once_and_without_those_from_before(tmp_path: Path) -> None:
    """A snapshot at the start is from before it; one after a gap fills in what it has, and the gap is marked."""
    capture = TradeCapture()
    batches = (
        _batch(_trade(1), _trade(2), snapshot=True),
        _batch(_trade(3, price="0.6201"), _trade(4, side=Side.SELL)),
        _batch(_trade(4), _trade(8, price="0.00000001"), snapshot=True, gap=True),
        _batch(_trade(9)),
    )
    path = _written(tmp_path, "XRPUSDT-trades", capture, *batches)
    table = parquet.read_table(path).to_pydict()
    assert (table["id"], table["gap"]) == (["3", "4", "8", "9"], [False, False, True, False])
    assert capture.gaps == [RecordingGap(after_ms=MS + 4, until_ms=MS + 8)]
    recorded = open_file(path)
    assert recorded.content is Content.TRADES
    assert list(recorded.rows()) == [
        Trade((MS + 3) * 1_000_000, Decimal("0.6201"), Decimal(3), Side.BUY),
        Trade((MS + 4) * 1_000_000, Decimal("0.62"), Decimal(4), Side.SELL),
        Trade((MS + 8) * 1_000_000, Decimal("0.00000001"), Decimal(8), Side.BUY),
        Trade((MS + 9) * 1_000_000, Decimal("0.62"), Decimal(9), Side.BUY),
    ]


def test_a_time_that_goes_back_is_that_of_the_row_before(tmp_path: Path) -> None:
    """Rows are in order, and the time of receipt is beside them."""
    path = _written(tmp_path, "XRPUSDT-trades", TradeCapture(), _batch(_trade(5), _trade(6, at=2)))
    assert [row.time_ns for row in open_file(path).rows()] == [(MS + 5) * 1_000_000] * 2
    assert parquet.read_table(path)["received"].cast("int64").to_pylist() == [(MS + n) * 1_000 + 7 for n in (5, 6)]


def test_a_book_is_recorded_as_its_changes(tmp_path: Path) -> None:
    """First whole, then what changed, removed prices as zero; a book that was invalid begins again, with a gap."""
    capture = BookCapture()
    batches = (
        _batch(_book(0, {"0.62": "5", "0.61": "6"}, {"0.63": "7"}), snapshot=True),
        _batch(
            _book(1, {"0.62": "5", "0.60": "8"}, {"0.63": "9"}), _book(2, {"0.62": "5", "0.60": "8"}, {"0.63": "9"})
        ),
        _batch(_book(3, {}, {}, invalid="hole")),
        _batch(_book(4, {"0.62": "5"}, {"0.64": "1"})),
    )
    path = _written(tmp_path, "XRPUSDT-depth", capture, *batches)

    def level(at: int, side: Side, price: str, quantity: str) -> RecordedLevel:
        return RecordedLevel((MS + at) * 1_000_000, side, Decimal(price), Decimal(quantity))

    assert list(open_file(path).rows()) == [
        BookReset(MS * 1_000_000),
        level(0, Side.BUY, "0.62", "5"),
        level(0, Side.BUY, "0.61", "6"),
        level(0, Side.SELL, "0.63", "7"),
        level(1, Side.BUY, "0.61", "0"),
        level(1, Side.BUY, "0.60", "8"),
        level(1, Side.SELL, "0.63", "9"),
        BookReset((MS + 4) * 1_000_000),
        level(4, Side.BUY, "0.62", "5"),
        level(4, Side.SELL, "0.64", "1"),
    ]
    assert capture.gaps == [RecordingGap(after_ms=MS + 1, until_ms=MS + 4)]


def test_funding_rates_are_recorded_when_something_changes(tmp_path: Path) -> None:
    """A venue that reports no rate has no row, and what repeats itself is written once."""
    batches = (_batch(_mark(0, None), _mark(1, "0.0001")), _batch(_mark(2, "0.0001"), _mark(3, "-0.00025")))
    path = _written(tmp_path, "XRPUSDT-funding", FundingCapture(), *batches)
    assert list(open_file(path).rows()) == [
        FundingRate((MS + 1) * 1_000_000, Decimal("0.0001")),
        FundingRate((MS + 3) * 1_000_000, Decimal("-0.00025")),
    ]


@pytest.mark.parametrize("capture", [TradeCapture(), BookCapture(), FundingCapture()])
def test_what_is_missed_before_the_first_row_is_no_gap(capture) -> None:
    """A recording begins with its first row."""
    capture.interrupt()
    updates = {TradeCapture: _trade(1), BookCapture: _book(0, {"1": "1"}, {}), FundingCapture: _mark(0, "0.1")}
    (row,) = capture.rows(_batch(updates[type(capture)]))
    assert row["gap"] is False
    assert list(capture.gaps) == []


def test_a_new_file_begins_after_its_time_and_takes_its_name_when_it_is_complete(tmp_path: Path) -> None:
    """A killed program leaves a .part, and the files before it."""
    capture = TradeCapture()
    files = ParquetFiles(tmp_path / "new", "XRPUSDT-trades", capture.columns, 60)
    for n in range(3):
        files.add(capture.rows(_batch(_trade(n + 1))), NOW + timedelta(seconds=40 * n))
        files.flush()
    first, part = sorted((tmp_path / "new").iterdir())
    assert first.name == "XRPUSDT-trades-20250101T000000.000Z.parquet"
    assert part.name == "XRPUSDT-trades-20250101T000120.000Z.parquet.part"
    assert len(list(open_file(first).rows())) == 2
    with pytest.raises(ConfigError, match=r"\.part: can't be read"):
        open_file(part)
    files.close()
    files.close()
    assert (files.count, len(files.written)) == (3, 2)


def test_a_folder_that_cant_be_made_is_refused(tmp_path: Path) -> None:
    """The error names the option and the folder."""
    made = tmp_path / "file"
    made.write_text("")
    with pytest.raises(ConfigError, match=r"--out: .*file/deeper: "):
        ParquetFiles(made / "deeper", "a", TradeCapture.columns, 60)
