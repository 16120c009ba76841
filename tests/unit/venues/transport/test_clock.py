"""The venue's clock: an offset that is known is no failure; one that can't be measured, or that jumps, is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from opensqt.model.errors import ExchangeError, RateLimited, Unreachable
from opensqt.venues.health import Health
from opensqt.venues.transport import clock
from opensqt.venues.transport.clock import VenueClock, rejection_reason


class Rig:
    """A venue's clock beside ours, both set by the test."""

    def __init__(self) -> None:
        self.wall_ms = 1_700_000_000_000
        self.monotonic_s = 100.0
        self.offset_ms = 0
        self.takes_ms = [10]
        self.error: ExchangeError | None = None
        self.client = SimpleNamespace(clock_offset_ms=0)
        self.health = Health("binance")
        self.clock = VenueClock(self.ask, self.client, self.health, window_ms=5_000, interval_s=60)

    async def ask(self) -> int:
        if self.error is not None:
            raise self.error
        took_ms = self.takes_ms[0] if len(self.takes_ms) == 1 else self.takes_ms.pop(0)
        self.wall_ms += took_ms
        return self.wall_ms - took_ms // 2 + self.offset_ms

    def pass_by(self, seconds: float) -> None:
        self.wall_ms += round(seconds * 1000)
        self.monotonic_s += seconds

    @property
    def trouble(self) -> str:
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
        (5_000, 0, "the venue took 5000 ms to tell its time; a signed request may be 5000 ms old"),
        (20, 5_000, "jumped by 5000 ms since it was measured last; trusted when it is found there again"),
    ],
)
def test_a_measurement_is_trusted_that_is_quick_and_near_the_last(took_ms: int, moved_ms: int, reason: str) -> None:
    """F24: a clock that drifts or jumps does not stop trading unnoticed."""
    assert rejection_reason(took_ms, moved_ms, 5_000) == reason


@pytest.mark.parametrize("offset_ms", [-86_400_000, -3_000, 3_000, 86_400_000])
async def test_a_clock_that_is_off_is_signed_by_and_is_no_failure(rig: Rig, offset_ms: int) -> None:
    """F24: however far it is, when it is found so at the start."""
    rig.offset_ms = offset_ms
    await rig.clock.measure()
    assert (rig.client.clock_offset_ms, rig.trouble, rig.clock.due) == (offset_ms, "", False)


async def test_the_quickest_answer_tells_the_offset(rig: Rig) -> None:
    rig.takes_ms = [900, 20, 6_000]
    rig.offset_ms = 700
    await rig.clock.measure()
    assert (rig.client.clock_offset_ms, rig.trouble) == (700, "")


async def test_a_clock_that_jumps_is_trusted_when_it_is_found_there_again(rig: Rig) -> None:
    """F24: requests are signed by what was measured all the while."""
    await rig.clock.measure()
    rig.offset_ms = 90_000
    await rig.clock.measure()
    assert (rig.client.clock_offset_ms, rig.clock.due) == (90_000, True)
    assert rig.trouble.startswith("jumped by 90000 ms")
    await rig.clock.measure()
    assert (rig.trouble, rig.clock.due) == ("", False)


async def test_a_clock_that_can_not_be_asked_is_told_and_asked_again_soon(rig: Rig) -> None:
    """F24: a clock that drifts or jumps does not stop trading unnoticed.
    F31: health never says yes while a part is dead.
    """
    await rig.clock.measure()
    rig.error = Unreachable("gone")
    with pytest.raises(Unreachable):
        await rig.clock.measure()
    assert (rig.trouble, rig.clock.due) == ("the venue's clock could not be asked: gone", True)


async def test_a_limit_that_is_used_up_says_nothing_about_the_clock_until_it_is_old(rig: Rig) -> None:
    """F24: a clock that drifts or jumps does not stop trading unnoticed."""
    await rig.clock.measure()
    rig.pass_by(61)
    rig.error = RateLimited("no room")
    with pytest.raises(RateLimited):
        await rig.clock.measure()
    assert (rig.trouble, rig.clock.due) == ("", True)
    rig.pass_by(120)
    assert rig.trouble == "not measured for 181 s"


async def test_a_clock_of_ours_that_is_set_has_the_venues_measured_again(rig: Rig) -> None:
    """F24: or one that slept, with the machine."""
    await rig.clock.measure()
    assert not rig.clock.due
    rig.wall_ms += 3_000
    assert rig.clock.due
