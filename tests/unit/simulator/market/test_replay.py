"""Recordings are played as they were recorded, and a bad file says where it is bad."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.model.errors import ConfigError
from opensqt.model.order import OrderStatus, Side
from opensqt.simulator.engine.events import SimTrade
from opensqt.simulator.engine.order import NewOrder
from opensqt.simulator.ledger import ledger
from opensqt.simulator.market.market import Market, open_market
from opensqt.simulator.settings import SimulatorSettings

KEY, SYMBOL = "sim-key", "BTCUSDT"
BARS = """timestamp,open,high,low,close,volume
2022-01-01 00:00:00.000000,46000.0,46100.0,45950.0,46050.0,2300000
2022-01-01 00:01:00.000000,46050.0,46060.0,45900.0,45910.0,4600000
2022-01-01 00:02:00.000000,45910.0,46000.0,45905.0,45990.0,920000
"""
TRADES = """id,price,qty,quote_qty,time,is_buyer_maker
1,39432.50,0.010,394.325,1610064000278,true
2,39439.40,0.004,157.7576,1610064000310,false
3,39400.00,0.500,19700,1610064001000,true
4,39410.00,0.0004,15.764,1610064002000,false
5,39410.00,0.0016,63.056,1610064003000,false
"""
MIDNIGHT_MS = 1_640_995_200_000


def _file(folder: Path, text: str, name: str = "recording.csv") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def _market(path: Path, **more) -> Market:
    return open_market(SimulatorSettings(**{"replay": path, "clock": "manual", "replay_history": 0, **more}))


def _trades(market: Market) -> list[SimTrade]:
    seen: list[SimTrade] = []
    market.engine.subscribe(
        lambda event: seen.append(event) if isinstance(event, SimTrade) and event.symbol == SYMBOL else None
    )
    return seen


@pytest.mark.parametrize("name", ["bars.csv", "bars.csv.gz"])
def test_the_candles_of_a_replay_are_the_recorded_bars(tmp_path, name):
    market = _market(_file(tmp_path, BARS, name))
    market.advance(180_000)
    bars = market.engine.candles(SYMBOL, "1m", limit=4)[:3]
    assert [(bar.open, bar.high, bar.low, bar.close) for bar in bars] == [
        (46000, 46100, 45950, 46050),
        (46050, 46060, 45900, 45910),
        (45910, 46000, 45905, 45990),
    ]
    assert bars[0].open_time_ms == MIDNIGHT_MS
    assert abs(sum(bar.quote_volume for bar in bars) - 7_820_000) < 7_820


def test_a_rising_bar_goes_by_its_low_first_and_a_falling_one_by_its_high(tmp_path):
    market = _market(_file(tmp_path, BARS))
    seen = _trades(market)
    market.advance(120_000)
    rising = [trade.price for trade in seen if trade.time_ms < MIDNIGHT_MS + 60_000]
    falling = [trade.price for trade in seen if trade.time_ms >= MIDNIGHT_MS + 60_000]
    assert rising.index(Decimal(45950)) < rising.index(Decimal(46100))
    assert falling.index(Decimal(46060)) < falling.index(Decimal(45900))


def test_recorded_trades_are_made_again(tmp_path):
    market = _market(_file(tmp_path, TRADES))
    seen = _trades(market)
    market.advance(10_000)
    made = [(trade.price, trade.buyer_is_maker, trade.time_ms) for trade in seen]
    assert (Decimal("39432.50"), True, 1610064000278) in made
    assert (Decimal("39439.40"), False, 1610064000310) in made
    assert sum(trade.quantity for trade in seen) == Decimal("0.516")


def test_trades_of_less_than_a_step_are_added_up(tmp_path):
    market = _market(_file(tmp_path, TRADES))
    seen = _trades(market)
    market.advance(10_000)
    assert [trade.quantity for trade in seen if trade.price == 39410] == [Decimal("0.002")]


def test_public_trade_files_without_a_header_are_known(tmp_path):
    market = _market(_file(tmp_path, TRADES.partition("\n")[2]))
    seen = _trades(market)
    market.advance(10_000)
    assert sum(trade.quantity for trade in seen) == Decimal("0.516")


def test_an_order_that_the_recording_trades_through_fills_at_its_price(tmp_path):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    market = _market(_file(tmp_path, BARS))
    order = market.engine.place(
        KEY, NewOrder(symbol=SYMBOL, side=Side.BUY, quantity=Decimal("0.001"), price=Decimal(45960))
    )
    market.advance(60_000)
    now = market.engine.find(KEY, SYMBOL, order_id=order.order_id)
    assert (now.status, now.average_price) == (OrderStatus.FILLED, 45960)


def test_an_order_that_the_recording_never_reaches_does_not_fill(tmp_path):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    market = _market(_file(tmp_path, BARS))
    order = market.engine.place(
        KEY, NewOrder(symbol=SYMBOL, side=Side.BUY, quantity=Decimal("0.001"), price=Decimal("45899.9"))
    )
    market.advance(600_000)
    assert market.engine.find(KEY, SYMBOL, order_id=order.order_id).filled_quantity == 0


def test_an_order_at_the_recorded_price_waits_for_the_volume_ahead_of_it(tmp_path):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    market = _market(_file(tmp_path, TRADES))
    market.advance(0)
    best = market.engine.best(SYMBOL)
    order = market.engine.place(KEY, NewOrder(symbol=SYMBOL, side=Side.BUY, quantity=Decimal("0.001"), price=best.bid))
    assert best.bid_quantity > Decimal("0.5")
    market.send_outside_order(SYMBOL, Side.SELL, best.bid_quantity)
    assert market.engine.find(KEY, SYMBOL, order_id=order.order_id).filled_quantity == 0
    market.send_outside_order(SYMBOL, Side.SELL, Decimal("0.001"))
    assert market.engine.find(KEY, SYMBOL, order_id=order.order_id).status is OrderStatus.FILLED


def test_after_the_end_it_is_finished_and_quotes_stand_still(tmp_path):
    market = _market(_file(tmp_path, BARS))
    market.advance(100_000)
    assert not market.finished
    market.advance(100_000)
    assert market.finished
    still = [market.engine.book(symbol).bids for symbol in ("BTCUSDT", "ETHUSDT")]
    market.advance(60_000)
    assert [market.engine.book(symbol).bids for symbol in ("BTCUSDT", "ETHUSDT")] == still


def test_a_replay_starts_at_the_recordings_own_time_and_price(tmp_path):
    market = _market(_file(tmp_path, TRADES))
    assert market.engine.now_ms() == 1610064000278
    assert market.engine.last_price(SYMBOL) == Decimal("39432.50")


def test_the_first_bars_of_a_long_recording_are_the_past(tmp_path):
    rows = [f"2022-01-01 00:{n:02}:00,{46000 + n},{46010 + n},{45990 + n},{46001 + n},1000000" for n in range(50)]
    market = _market(_file(tmp_path, "\n".join([BARS.splitlines()[0], *rows])), replay_history=100)
    bars = market.engine.candles(SYMBOL, "1m")
    assert [bar.open for bar in bars[:5]] == [46000 + n for n in range(5)]
    assert market.engine.now_ms() == MIDNIGHT_MS + 5 * 60_000


def test_same_recording_and_same_requests_give_the_same_ledger(tmp_path):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""

    def play() -> dict:
        market = _market(_file(tmp_path, BARS))
        for price in (45955, 45990, 46020):
            order = NewOrder(symbol=SYMBOL, side=Side.BUY, quantity=Decimal("0.1"), price=Decimal(price))
            market.engine.place(KEY, order)
            market.advance(45_000)
        return ledger(market.engine, finished=market.finished)

    assert play() == play()


def test_a_paused_replay_lets_its_trades_go_by(tmp_path):
    market = _market(_file(tmp_path, BARS))
    market.advance(0)
    market.pause(SYMBOL)
    seen = _trades(market)
    market.advance(120_000)
    assert seen == []
    market.resume(SYMBOL)
    market.advance(60_000)
    assert {trade.price for trade in seen} >= {Decimal(46000), Decimal(45990)}


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("46050.0,46060.0", "x,46060.0", "line 3: open 'x': expected a number above zero"),
        ("46050.0,46060.0", "46050.0,-1", "line 3: high '-1': expected a number above zero"),
        ("46050.0,46060.0", "46050.0,46040.0", "line 3: high '46040.0': expected at least open and close"),
        (",45905.0", ",45950.0", "line 4: low '45950.0': expected at most open and close"),
        (",4600000", ",nan", "line 3: volume 'nan': expected a number of zero or above"),
        (
            "2022-01-01 00:02",
            "2022-01-01 00:01",
            "line 4: timestamp '2022-01-01 00:01:00.000000': expected a time after",
        ),
        ("2022-01-01 00:02:00.000000", "soon", "line 4: timestamp 'soon': expected UTC like"),
        (",45990.0,920000", "", "line 4: expected 6 columns"),
        ("timestamp,open", "when,open", "line 1: 'when,open,high,low,close,volume': expected the columns"),
    ],
)
def test_a_malformed_bar_names_file_line_column_and_value(tmp_path, old, new, complaint):
    path = _file(tmp_path, BARS.replace(old, new))
    with pytest.raises(ConfigError) as error:
        _market(path, replay_history=10)
    assert str(error.value).startswith(f"{path}: {complaint}")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("39439.40", "abc", "line 3: price 'abc'"),
        ("0.004", "0", "line 3: qty '0'"),
        ("1610064001000", "1610063001000", "line 4: time '1610063001000': expected a time not before"),
        ("1610064001000", "noon", "line 4: time 'noon': expected UTC like"),
        ("000310,false", "000310,maybe", "line 3: is_buyer_maker 'maybe': expected true or false"),
    ],
)
def test_a_malformed_trade_names_file_line_column_and_value(tmp_path, old, new, complaint):
    path = _file(tmp_path, TRADES.replace(old, new))
    with pytest.raises(ConfigError) as error:
        _market(path).advance(10_000)
    assert str(error.value).startswith(f"{path}: {complaint}")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "expected at least one row"),
        (b"timestamp,open,high,low,close,volume\n", "expected at least one row"),
        (b"\x1f\x8bnot gzip at all", "can't be read as CSV text"),
        (b"\xff\xfe\x00\x01\n", "can't be read as CSV text"),
    ],
)
def test_a_file_that_is_not_a_recording_is_refused(tmp_path, content, complaint):
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=complaint):
        _market(path)


def test_a_missing_file_is_refused_with_its_path(tmp_path):
    with pytest.raises(ConfigError, match=r"missing.csv: can't be read: No such file"):
        _market(tmp_path / "missing.csv")


def test_a_start_time_and_a_recording_exclude_each_other(tmp_path):
    with pytest.raises(ConfigError, match="start_ms 5: expected none with a recording"):
        _market(_file(tmp_path, BARS), start_ms=5)


def test_a_recorded_symbol_without_rules_gets_them_from_the_recording(tmp_path):
    market = _market(_file(tmp_path, BARS), replay_symbol="XRPUSDT")
    assert [rules.symbol for rules in market.engine.symbols()] == ["BTCUSDT", "ETHUSDT", "XRPUSDT"]
    assert market.engine.symbol("XRPUSDT").price_step == 1


def test_a_recording_whose_prices_are_a_few_steps_belongs_to_another_symbol(tmp_path):
    path = _file(tmp_path, BARS.partition("\n")[0] + "\n1640995200000,0.62,0.63,0.61,0.62,500\n")
    with pytest.raises(
        ConfigError, match=r"price 0\.\d+: expected at least 20 price steps of BTCUSDT.*--replay-symbol"
    ):
        _market(path)


def test_a_recording_played_fast_moves_the_other_symbols_rarely_but_far(tmp_path):
    """F27: memory does not grow with time."""
    market = _market(_file(tmp_path, BARS), speed=600)
    market.advance(170_000)
    assert 10 < len(list(market.engine.trades("ETHUSDT", limit=5000))) < 3_000
