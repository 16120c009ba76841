"""When a countdown is renewed, when it is late, and when it may still run at the venue."""

from __future__ import annotations

from opensqt.connector.orders.countdowns import LATE_REQUEST_S, TROUBLE_KEPT_S, Countdown

NOW_MS = 1_700_000_000_000


def armed(sent_s: float = 100.0) -> Countdown:
    countdown = Countdown("BTCUSDT", 30)
    countdown.armed(sent_s, NOW_MS)
    return countdown


def test_it_is_armed_from_when_it_was_sent_and_renewed_each_third() -> None:
    countdown = armed()
    assert countdown.until_ms == NOW_MS + 30_000
    assert [countdown.is_armed(at) for at in (100, 129.9, 130)] == [True, True, False]
    assert [countdown.is_due(at) for at in (109.9, 110)] == [False, True]


def test_it_is_late_when_two_renewals_have_failed() -> None:
    countdown = armed()
    assert not countdown.is_late(110.1)
    assert countdown.is_late(120.1)
    assert Countdown("BTCUSDT", 30).is_late(0)


def test_a_failed_renewal_leaves_it_armed_and_is_tried_again_soon() -> None:
    countdown = armed()
    countdown.failed(110, 111, "503", may_arrive=False)
    assert countdown.is_armed(111)
    assert [countdown.is_due(at) for at in (111.5, 112)] == [False, True]
    countdown.armed(112, NOW_MS + 12_000)
    assert (countdown.trouble, countdown.failures) == ("", 0)


def test_one_that_was_not_renewed_in_time_has_run_out() -> None:
    assert not Countdown("BTCUSDT", 30).ran_out(1_000)
    assert [armed().ran_out(at) for at in (129, 130)] == [False, True]


def test_a_stopped_one_is_forgotten_at_once() -> None:
    countdown = armed()
    assert not countdown.is_forgettable(101)
    countdown.stopping()
    assert not countdown.is_armed(101)
    assert countdown.may_run(101)
    countdown.stopped(101)
    assert not countdown.may_run(101)
    assert countdown.is_forgettable(101)


def test_one_whose_arming_may_arrive_late_is_stopped_again() -> None:
    """F30: somebody else's orders are not canceled: a late request would start it when nobody renews it."""
    countdown = Countdown("BTCUSDT", 30)
    countdown.failed(100, 110, "no response", may_arrive=True)
    countdown.stopped(111)
    assert countdown.may_run(112)
    assert [countdown.is_due(at) for at in (120, 121)] == [False, True]
    assert not countdown.may_run(100 + LATE_REQUEST_S)


def test_one_that_was_stopped_can_be_armed_at_once_though_it_will_be_stopped_again() -> None:
    countdown = Countdown("BTCUSDT", 30)
    countdown.failed(100, 110, "no response", may_arrive=True)
    assert not countdown.may_be_armed(110.5)
    countdown.stopped(111)
    assert countdown.may_be_armed(111)
    countdown.armed(111, NOW_MS)
    assert [countdown.may_be_armed(at) for at in (111.1, 121)] == [False, True]


def test_one_that_could_not_be_armed_is_reported_for_a_while() -> None:
    countdown = Countdown("BTCUSDT", 30)
    countdown.failed(100, 100, "refused", may_arrive=False)
    assert not countdown.may_run(100)
    assert [countdown.is_forgettable(100 + at) for at in (1, TROUBLE_KEPT_S + 1)] == [False, True]


def test_one_of_an_earlier_run_may_run_for_what_is_left_of_it() -> None:
    countdown = Countdown("BTCUSDT", 30)
    countdown.adopt(12, 100)
    assert [countdown.may_run(at) for at in (111, 112)] == [True, False]
    assert not countdown.is_armed(100)
