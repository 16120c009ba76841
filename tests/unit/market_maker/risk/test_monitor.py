"""The risk monitor: when volume and price are an alarm, and when it is over."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from opensqt.market_maker.risk.monitor import VolumeMonitor
from opensqt.market_maker.risk.settings import MonitorSettings
from opensqt.model.market import Candle

MINUTE = 60_000
SETTINGS = MonitorSettings(symbols=("AUSDT", "BUSDT", "CUSDT"), average_window=5, recovery_threshold=2)


def candle(symbol: str, minute: int, *, volume: int = 10, close: int = 100, closed: bool = True) -> Candle:
    price = Decimal(close)
    return Candle(
        symbol=symbol,
        interval="1m",
        open_time_ms=minute * MINUTE,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(volume),
        closed=closed,
    )


class Tape:
    """Candles of all symbols, minute by minute."""

    def __init__(self, **changes: object) -> None:
        self.monitor = VolumeMonitor(replace(SETTINGS, **changes))
        self.minute = 0
        for _ in range(5):
            self.close()

    def close(self, **symbols: dict[str, int]) -> VolumeMonitor:
        """Close one minute, as normal except for the symbols given."""
        self.minute += 1
        for name in list(self.monitor.watched):
            self.show(name, **symbols.get(name[0], {}))
        return self.monitor

    def show(self, name: str, *, closed: bool = True, **shape: int) -> VolumeMonitor:
        self.monitor.on_candles([candle(name, self.minute, closed=closed, **shape)], self.minute * MINUTE)
        return self.monitor


FALL = {"volume": 200, "close": 90}
RISE = {"volume": 10, "close": 110}


def test_all_symbols_in_alarm_are_an_alarm_and_two_of_three_are_none() -> None:
    tape = Tape()
    assert not tape.close(A=FALL, B=FALL).reason
    assert tape.close(A=FALL, B=FALL, C=FALL).reason == ""
    fresh = Tape()
    reason = fresh.close(A=FALL, B=FALL, C=FALL).reason
    assert reason == "volume over 3 x average and price under its average: AUSDT, BUSDT, CUSDT"


def test_any_takes_one_symbol() -> None:
    assert Tape(any_symbol=True).close(B=FALL).reason.endswith(": BUSDT")


@pytest.mark.parametrize("shape", [{"volume": 200, "close": 110}, {"volume": 10, "close": 90}])
def test_volume_and_price_have_to_show_it_together(shape: dict[str, int]) -> None:
    assert Tape(any_symbol=True).close(A=shape).reason == ""


def test_the_current_candle_is_part_of_its_averages() -> None:
    """PARITY 4: of 5 candles with 4 of 10, one of 61 is 3 x its average of 20.2, and one of 59 is not."""
    assert not Tape(any_symbol=True).close(A={"volume": 59, "close": 90}).reason
    assert not Tape(any_symbol=True).close(A={"volume": 60, "close": 90}).reason
    assert Tape(any_symbol=True).close(A={"volume": 61, "close": 90}).reason


def test_a_forming_candle_is_judged_at_once() -> None:
    tape = Tape(any_symbol=True)
    tape.minute += 1
    assert tape.show("AUSDT", volume=200, close=90, closed=False).reason


def test_a_forming_candle_that_arrives_after_the_closed_one_changes_nothing() -> None:
    tape = Tape(any_symbol=True)
    assert not tape.show("AUSDT", volume=200, close=90, closed=False).reason


def test_the_alarm_is_over_when_enough_symbols_have_closed_above_average_with_normal_volume() -> None:
    tape = Tape()
    tape.close(A=FALL, B=FALL, C=FALL)
    tape.minute += 1
    assert tape.show("AUSDT", **RISE).reason, "one is not enough"
    tape.show("BUSDT", **RISE, closed=False)
    assert tape.monitor.reason, "a candle that is not closed proves no recovery"
    assert tape.show("BUSDT", **RISE).reason == ""


def test_a_recovery_on_high_volume_is_none() -> None:
    tape = Tape()
    tape.close(A=FALL, B=FALL, C=FALL)
    assert tape.close(A={"volume": 900, "close": 110}, B={"volume": 900, "close": 110}).reason


def test_the_threshold_is_at_most_the_symbols_that_are_watched() -> None:
    """Of three symbols two are not at the venue: the third one's recovery ends the alarm."""
    tape = Tape(recovery_threshold=3)
    tape.monitor.on_missing("AUSDT", "not traded at binance")
    tape.monitor.on_missing("BUSDT", "not traded at binance")
    assert tape.close(C=FALL).reason
    assert tape.close(C=RISE).reason == ""
    assert tape.monitor.missing == {"AUSDT": "not traded at binance", "BUSDT": "not traded at binance"}


def test_a_symbol_without_candles_for_three_intervals_is_not_counted() -> None:
    tape = Tape()
    tape.minute += 5
    assert tape.show("AUSDT", **FALL).reason.endswith(": AUSDT")


def test_an_alarm_stays_while_nothing_is_known() -> None:
    """F3: candles that don't arrive prove no recovery."""
    tape = Tape()
    tape.close(A=FALL, B=FALL, C=FALL)
    tape.monitor.on_time((tape.minute + 60) * MINUTE)
    assert tape.monitor.reason


def test_too_few_candles_are_no_alarm() -> None:
    monitor = VolumeMonitor(replace(SETTINGS, any_symbol=True))
    for minute in range(3):
        monitor.on_candles([candle("AUSDT", minute)], minute * MINUTE)
    monitor.on_candles([candle("AUSDT", 3, **FALL)], 3 * MINUTE)
    assert not monitor.reason


def test_a_reset_ends_the_alarm() -> None:
    tape = Tape()
    tape.close(A=FALL, B=FALL, C=FALL)
    tape.monitor.reset()
    tape.monitor.on_time(tape.minute * MINUTE)
    assert tape.monitor.reason == ""
