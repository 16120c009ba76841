"""When a fault of the script happens, and when it does not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from opensqt.simulator.faults import Armed, Fault, FaultKind, FaultScript


class Time:
    def __init__(self) -> None:
        self.now_ms = 0


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def script(time: Time) -> FaultScript:
    return FaultScript(lambda: time.now_ms, seed=1)


def fault(**fields: Any) -> Fault:
    return Fault.model_validate(fields)


def error_faults(script: FaultScript, operation: str, count: int) -> list[bool]:
    return [script.plan_request(operation).outcome_fault is not None for _ in range(count)]


def test_a_fault_happens_once_by_default(script: FaultScript) -> None:
    script.add(fault(kind="error_before"))
    assert error_faults(script, "time", 3) == [True, False, False]


def test_a_fault_happens_times_times_after_those_it_skips(script: FaultScript) -> None:
    script.add(fault(kind="error_before", times=2, skip=1))
    assert error_faults(script, "time", 5) == [False, True, True, False, False]


def test_zero_times_is_without_end(script: FaultScript) -> None:
    script.add(fault(kind="error_before", times=0))
    assert all(error_faults(script, "time", 100))


def test_a_fault_that_lasts_happens_always_until_its_time_is_over(script: FaultScript, time: Time) -> None:
    script.add(fault(kind="error_before", for_ms=1000))
    assert error_faults(script, "time", 2) == [True, True]
    time.now_ms = 1000
    assert error_faults(script, "time", 1) == [False]


def test_probability_is_kept_and_repeatable() -> None:
    def hits() -> list[bool]:
        script = FaultScript(lambda: 0, seed=5)
        script.add(fault(kind="error_before", probability="0.1"))
        return error_faults(script, "time", 2000)

    first = hits()
    assert 150 < sum(first) < 250
    assert first == hits()


def test_a_fault_concerns_only_its_operation(script: FaultScript) -> None:
    script.add(fault(kind="error_before", on="cancel_order", times=0))
    assert error_faults(script, "place_order", 1) == [False]
    assert error_faults(script, "cancel_order", 1) == [True]


def test_the_first_fault_that_ends_a_request_wins_and_the_second_is_not_used_up(script: FaultScript) -> None:
    script.add(fault(kind="drop_reply"), fault(kind="error_after"))
    plans = [script.plan_request("time") for _ in range(2)]
    kinds = [plan.outcome_fault.kind for plan in plans if plan.outcome_fault]
    assert kinds == [FaultKind.DROP_REPLY, FaultKind.ERROR_AFTER]


def test_delays_add_up_next_to_an_error(script: FaultScript) -> None:
    script.add(
        fault(kind="delay", delay_ms=10), fault(kind="delay", delay_ms=5, before=False), fault(kind="unreachable")
    )
    plan = script.plan_request("time")
    assert (plan.delay_before_ms, plan.delay_after_ms) == (10, 5)
    assert plan.outcome_fault is not None


@pytest.mark.parametrize(
    ("named", "matches", "expected"),
    [
        ("any", "price", True),
        ("market", "price", True),
        ("market", "orders", False),
        ("private", "orders", True),
        ("private", "account+positions", True),
        ("positions", "account+positions", True),
        ("orders", "account+positions", False),
        ("kline", "price", False),
    ],
)
def test_a_channel_is_met_by_its_fine_names(named: str, matches: str, expected: bool) -> None:
    assert fault(kind="mute", channel=named).concerns_channel(matches) is expected


def test_a_mute_lasts_until_it_is_cleared(script: FaultScript) -> None:
    script.add(fault(kind="mute", channel="price"))
    assert [len(script.take_frame_faults("price")) for _ in range(3)] == [1, 1, 1]
    script.clear()
    assert script.take_frame_faults("price") == []
    assert script.has_frame_faults is False


def test_a_frame_is_compared_with_no_fault_that_is_over(script: FaultScript, time: Time) -> None:
    """A long run adds thousands of faults, and each frame of it would be compared with all of them."""
    script.add(fault(kind="mute", for_ms=1_000))
    assert script.has_frame_faults
    time.now_ms += 1_000
    script.add(fault(kind="drop_reply"))
    assert not script.has_frame_faults
    assert len(script.listing()) == 2


def test_an_action_is_reported_when_added_and_counted_when_executed(script: FaultScript) -> None:
    reported: list[Armed] = []
    script.watch(reported.append)
    script.add(fault(kind="cut", times=2), fault(kind="mute"))
    (cut,) = reported
    assert [script.try_action(cut) for _ in range(3)] == [True, True, False]


def test_a_cleared_action_does_not_happen_again(script: FaultScript) -> None:
    reported: list[Armed] = []
    script.watch(reported.append)
    script.add(fault(kind="cut", times=5))
    script.clear()
    assert script.try_action(reported[0]) is False


def test_orders_are_hidden_as_long_as_the_longest_fault_says(script: FaultScript) -> None:
    assert script.hidden_ms() == 0
    script.add(fault(kind="hide_orders", for_ms=3000), fault(kind="hide_orders", for_ms=500))
    assert script.hidden_ms() == 3000


def test_the_listing_tells_hits_and_whether_a_fault_is_over(script: FaultScript) -> None:
    script.add(fault(kind="error_before", on="time"))
    script.plan_request("time")
    assert script.listing() == [{"kind": "error_before", "on": "time", "hits": 1, "active": False}]


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": "cut", "channel": "everywhere"}, "channel"),
        ({"kind": "delay"}, "delay_ms"),
        ({"kind": "refuse"}, "code"),
        ({"kind": "hide_orders"}, "for_ms"),
        ({"kind": "cut", "times": 0}, "for_ms"),
        ({"kind": "mute", "probability": "2"}, "probability"),
        ({"kind": "mute", "unknown": 1}, "unknown"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        fault(**fields)


def test_a_code_may_be_written_as_a_number() -> None:
    assert fault(kind="refuse", code=-2019).code == "-2019"
