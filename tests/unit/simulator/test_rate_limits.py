"""How much may be asked in a window, and what comes after."""

from __future__ import annotations

from opensqt.simulator.rate_limits import AddressLimiter, FixedWindow, Refusal


def test_a_window_counts_until_its_limit() -> None:
    window = FixedWindow(3, 1000)
    assert [window.count("a", 1, 500) for _ in range(4)] == [True, True, True, False]
    assert window.used("a", 999) == 4


def test_a_new_window_starts_at_a_whole_multiple_of_its_length() -> None:
    window = FixedWindow(1, 1000)
    assert window.count("a", 1, 900)
    assert window.remaining_ms(900) == 100
    assert window.used("a", 1000) == 0
    assert window.count("a", 1, 1000)


def test_keys_do_not_share_a_window() -> None:
    window = FixedWindow(1, 1000)
    assert window.count("a", 1, 0)
    assert window.count("b", 1, 0)


def test_a_gate_refuses_then_bans_who_goes_on() -> None:
    address_limiter = AddressLimiter(FixedWindow(1, 1000), ban_after=2, ban_ms=5000)
    answers = [address_limiter.admit("a", 1, 100) for _ in range(5)]
    assert answers == [None, Refusal(900), Refusal(900), Refusal(5000, banned=True), Refusal(5000, banned=True)]


def test_a_ban_ends_and_the_next_lasts_twice_as_long() -> None:
    address_limiter = AddressLimiter(FixedWindow(1, 1000), ban_after=0, ban_ms=5000)
    assert [address_limiter.admit("a", 1, 0), address_limiter.admit("a", 1, 0)] == [None, Refusal(5000, banned=True)]
    assert address_limiter.admit("a", 1, 5000) is None
    assert address_limiter.admit("a", 1, 5000) == Refusal(10_000, banned=True)


def test_who_waits_for_the_next_window_is_not_banned() -> None:
    """F16: obeying Retry-After is enough."""
    address_limiter = AddressLimiter(FixedWindow(1, 1000), ban_after=2, ban_ms=5000)
    for start_ms in range(0, 10_000, 1000):
        assert address_limiter.admit("a", 1, start_ms) is None
        assert address_limiter.admit("a", 1, start_ms) == Refusal(1000)
