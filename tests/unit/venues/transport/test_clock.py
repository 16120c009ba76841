"""The venue's clock: a known offset is no failure; an offset that can't be measured, or that jumps, is one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from opensqt.model.errors import ExchangeError, RateLimited, Unreachable
from opensqt.venues.health import Health
from opensqt.venues.transport import clock
from opensqt.venues.transport.clock import VenueClock, rejection_reason


class Rig:
    """A venue's clock and the local one, both set by the test."""

    def __init__(self) -> None:
        self.wall_ms = 1_700_000_000_000
        self.monotonic_s = 100.0
        self.offset_ms = 0
        self.takes_ms = [10]
        self.error: ExchangeError | None = None
        self.client = SimpleNamespace(clock_offset_ms=0)
        self.health = Health("binance")
        self.clock = VenueClock(self.query_time, self.client, self.health, window_ms=5_000, interval_s=60)

    async def query_time(self) -> int:
        if self.error is not None:
            raise self.error
        took_ms = self.takes_ms[0] if len(self.takes_ms) == 1 else self.takes_ms.pop(0)
        self.wall_ms += took_ms
        return self.wall_ms - took_ms // 2 + self.offset_ms

    def pass_by(self, seconds: float) -> None:
        self.wall_ms += round(seconds * 1000)
        self.monotonic_s += seconds

    @property
    def failure(self) -> str:
        return next((check.reason for check in self.health.evaluate().checks if not check.ok), "")


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    rig = Rig()
    monkeypatch.setattr(clock, "now_ms", lambda: rig.wall_ms)
    monkeypatch.setattr(
        clock, "time", SimpleNamespace(time=lambda: rig.wall_ms / 1000, monotonic=lambda: rig.monotonic_s)
    )
    return rig


@pytest.mark.parametrize(
    ("took_ms", "moved_ms", "reason"),
    [
        (20, 0, ""),
        (4_999, 4_999, ""),
        (5_000, 0, "the query for the venue's time took 5000 ms; a signed request may be 5000 ms old"),
        (20, 5_000, "jumped by 5000 ms since the last measurement; trusted when the next one confirms it"),
    ],
)
def test_a_quick_measurement_near_the_last_one_is_trusted(took_ms: int, moved_ms: int, reason: str) -> None:
    """F24: a clock that drifts or jumps does not stop trading unnoticed."""
    assert rejection_reason(took_ms, moved_ms, 5_000) == reason


@pytest.mark.parametrize("offset_ms", [-86_400_000, -3_000, 3_000, 86_400_000])
async def test_a_clock_offset_is_corrected_for_and_is_no_failure(rig: Rig, offset_ms: int) -> None:
    """F24: an offset of any size, when it is measured at the start."""
    rig.offset_ms = offset_ms
    await rig.clock.measure()
    assert (rig.client.clock_offset_ms, rig.failure, rig.clock.due) == (offset_ms, "", False)


async def test_the_quickest_response_gives_the_offset(rig: Rig) -> None:
    rig.takes_ms = [900, 20, 6_000]
    rig.offset_ms = 700
    await rig.clock.measure()
    assert (rig.client.clock_offset_ms, rig.failure) == (700, "")


async def test_a_clock_that_jumps_is_trusted_when_the_next_measurement_confirms_it(rig: Rig) -> None:
    """F24: requests are signed with the newest measurement in the meantime."""
    await rig.clock.measure()
    rig.offset_ms = 90_000
    await rig.clock.measure()
    assert (rig.client.clock_offset_ms, rig.clock.due) == (90_000, True)
    assert rig.failure.startswith("jumped by 90000 ms")
    await rig.clock.measure()
    assert (rig.failure, rig.clock.due) == ("", False)


async def test_a_clock_that_can_not_be_queried_is_reported_and_due_again(rig: Rig) -> None:
    """F24: a clock that drifts or jumps does not stop trading unnoticed.
    F31: health never says yes while a part is dead.
    """
    await rig.clock.measure()
    rig.error = Unreachable("gone")
    with pytest.raises(Unreachable):
        await rig.clock.measure()
    assert (rig.failure, rig.clock.due) == ("the venue's time could not be queried: gone", True)


async def test_a_used_up_limit_is_no_clock_failure_until_the_measurement_is_stale(rig: Rig) -> None:
    """F24: a clock that drifts or jumps does not stop trading unnoticed."""
    await rig.clock.measure()
    rig.pass_by(61)
    rig.error = RateLimited("no capacity")
    with pytest.raises(RateLimited):
        await rig.clock.measure()
    assert (rig.failure, rig.clock.due) == ("", True)
    rig.pass_by(120)
    assert rig.failure == "not measured for 181 s"


async def test_a_measurement_is_due_after_the_local_clock_was_set(rig: Rig) -> None:
    """F24: the same holds after the machine slept."""
    await rig.clock.measure()
    assert not rig.clock.due
    rig.wall_ms += 3_000
    assert rig.clock.due
