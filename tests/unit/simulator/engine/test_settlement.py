"""Funding at its hours, and time that only goes forward."""

from __future__ import annotations

from decimal import Decimal

from opensqt.model.order import Side
from opensqt.simulator.engine.events import AccountChanged, AccountReason, FundingPaid

KEY = "sim-key"
HOUR_MS = 3_600_000


def _go_long(venue, quantity: str) -> None:
    venue.outside(Side.SELL, quantity, "45000")
    venue.buy(quantity)


def test_a_long_position_pays_funding_at_a_positive_rate(venue):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    _go_long(venue, "0.1")
    before = venue.engine.balance(KEY).wallet_balance
    venue.engine.advance(venue.clock.market_ms() + 8 * HOUR_MS)
    paid = Decimal("0.1") * 45000 * Decimal("0.0001")
    assert venue.engine.balance(KEY).wallet_balance == before - paid
    assert venue.engine.balance(KEY).funding == -paid


def test_funding_is_paid_once_at_each_round_of_eight_hours(venue):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    _go_long(venue, "0.1")
    for _ in range(49):
        venue.engine.advance(venue.engine.now_ms() + HOUR_MS)
    venue.engine.publish()
    times = [paid.time_ms for paid in venue.published(FundingPaid)]
    assert len(times) == 6
    assert all(time_ms % (8 * HOUR_MS) == 0 for time_ms in times)


def test_who_holds_nothing_pays_nothing(venue):
    venue.engine.advance(venue.engine.now_ms() + 24 * HOUR_MS)
    assert venue.engine.funding_payments(KEY) == []


def test_funding_is_published_with_the_new_balance(venue):
    _go_long(venue, "0.1")
    venue.engine.advance(venue.engine.now_ms() + 8 * HOUR_MS)
    venue.engine.publish()
    event = venue.published(AccountChanged)[-1]
    assert event.reason is AccountReason.FUNDING
    assert event.balance.wallet_balance == venue.engine.balance(KEY).wallet_balance


def test_time_never_goes_back(venue):
    venue.engine.advance(venue.engine.now_ms() + 5_000)
    later = venue.engine.now_ms()
    venue.engine.advance(later - 1_000)
    assert venue.engine.now_ms() == later


def test_a_request_happens_at_the_clocks_time(venue):
    venue.clock.advance(1234)
    assert venue.buy("0.1", "44000").created_ms == venue.clock.market_ms()
