"""The limits on losses: of the UTC day, and from the peak."""

from __future__ import annotations

from decimal import Decimal

from opensqt.market_maker.risk.losses import DAY_MS, LossLimits
from opensqt.market_maker.risk.settings import LossSettings

DAY = 20_000
SETTINGS = LossSettings(day=Decimal("0.05"), peak=Decimal("0.1"))


def at(hours: float, *, day: int = DAY) -> int:
    return day * DAY_MS + int(hours * 3_600_000)


def losses(*samples: tuple[int, float], settings: LossSettings = SETTINGS) -> LossLimits:
    made = LossLimits(settings)
    for equity, hours in samples:
        made.on_equity(Decimal(equity), at(hours))
    return made


def test_a_loss_of_the_day_stops_entries_until_midnight_utc() -> None:
    made = losses((1000, 1), (951, 2))
    assert made.triggered() == {}
    made.on_equity(Decimal(949), at(3))
    assert made.triggered()["daily_loss"].startswith("loss of the day 51.00 of 1000.00, daily_loss_limit 0.05")
    made.on_equity(Decimal(1000), at(23))
    assert "daily_loss" in made.triggered(), "a recovery does not end it"
    made.on_time(at(0, day=DAY + 1))
    assert made.triggered() == {}
    assert made.day_start == 1000


def test_a_loss_over_midnight_belongs_to_the_new_day() -> None:
    """The day starts with the last equity of the day before, not with the first one that is seen."""
    made = losses((1000, 23.9))
    made.on_equity(Decimal(940), at(0.1, day=DAY + 1))
    assert "daily_loss" in made.triggered()


def test_a_fall_from_the_peak_stops_entries_until_a_reset() -> None:
    made = losses((1000, 1), (1500, 2), (1425, 3), settings=LossSettings(peak=Decimal("0.1")))
    assert made.triggered() == {}
    made.on_equity(Decimal(1340), at(4))
    assert "equity 1340.00 is 160.00 below its peak 1500.00" in made.triggered()["peak_loss"]
    made.on_time(at(1, day=DAY + 5))
    made.on_equity(Decimal(1500), at(1, day=DAY + 5))
    assert "peak_loss" in made.triggered()
    made.reset()
    assert made.triggered() == {}
    assert made.peak == 1500


def test_day_peak_and_reasons_survive_a_restart() -> None:
    made = losses((1000, 1), (1500, 2), (1300, 3))
    again = LossLimits(SETTINGS)
    again.restore(made.stored())
    assert again.triggered() == made.triggered()
    assert set(again.triggered()) == {"peak_loss"}
    again.on_equity(Decimal(940), at(4))
    assert "loss of the day 60.00 of 1000.00" in again.triggered()["daily_loss"]


def test_a_limit_that_was_switched_off_stops_nothing_after_a_restart() -> None:
    made = losses((1000, 1), (500, 2))
    again = LossLimits(LossSettings())
    again.restore(made.stored())
    assert again.triggered() == {}


def test_zero_is_no_limit() -> None:
    assert losses((1000, 1), (1, 2), settings=LossSettings()).triggered() == {}
