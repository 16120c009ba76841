"""What a halt refuses, whom it lets pass, how it renews and how it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opensqt.connector.orders.halts import MOST_HALTS, Halts
from opensqt.connector.orders.journal import HaltRecord
from opensqt.model.errors import InvalidRequest

ACCOUNT = HaltRecord(halt_id="all", client="risk", reason="margin call", since_ms=7)
BITCOIN = HaltRecord(halt_id="btc", client="risk", symbol="BTCUSDT", ttl_ms=5_000)


@pytest.fixture
def halts() -> Halts:
    return Halts()


def test_nothing_is_refused_without_a_halt(halts: Halts) -> None:
    assert halts.refusal("BTCUSDT") is None


def test_a_halt_of_a_symbol_concerns_no_other(halts: Halts) -> None:
    halts.put(BITCOIN)
    assert (halts.refusal("BTCUSDT") is None, halts.refusal("ETHUSDT") is None) == (False, True)


def test_a_refusal_says_who_halted_trading_why_and_what_ends_it(halts: Halts) -> None:
    halts.put(ACCOUNT)
    refusal = halts.refusal("BTCUSDT")
    assert str(refusal) == "trading is halted by risk (all): margin call; `opensqt resume` lifts it"
    assert refusal is not None
    assert (refusal.reason, refusal.symbol) == ("TRADING_HALTED", "BTCUSDT")


def test_two_calls_that_cancel_all_of_a_symbol_halt_it_until_both_are_done(halts: Halts) -> None:
    with halts.passing("BTCUSDT"):
        with halts.passing("BTCUSDT"):
            assert halts.refusal("BTCUSDT") is not None
        assert halts.refusal("BTCUSDT") is not None
        assert halts.refusal("ETHUSDT") is None
    assert halts.refusal("BTCUSDT") is None


def test_a_halt_ends_when_it_is_lifted(halts: Halts) -> None:
    halts.put(ACCOUNT)
    halts.lift("all")
    halts.lift("all")
    assert halts.refusal("BTCUSDT") is None


def test_a_halt_with_a_time_ends_unless_it_is_renewed(halts: Halts) -> None:
    halts.put(BITCOIN)
    assert halts.pass_time(4) == []
    halts.put(replace(BITCOIN, since_ms=9_999))
    assert halts.pass_time(4) == []
    assert halts.pass_time(4) == [BITCOIN]
    assert halts.refusal("BTCUSDT") is None


def test_a_halt_without_a_time_never_ends_by_itself(halts: Halts) -> None:
    halts.put(ACCOUNT)
    assert halts.pass_time(1e9) == []
    assert halts.refusal("BTCUSDT") is not None


def test_a_halt_of_an_earlier_run_lasts_its_whole_time_anew(halts: Halts) -> None:
    halts.restore([ACCOUNT, BITCOIN])
    assert halts.pass_time(4) == []
    assert [record for record, _ in halts.standing()] == [ACCOUNT, BITCOIN]


def test_who_waits_at_the_gate_is_woken_by_each_halt_and_by_none_after_it_left(halts: Halts) -> None:
    woken: list[str] = []
    with halts.watch(lambda: woken.append("x")):
        halts.put(BITCOIN)
        with halts.passing("ETHUSDT"):
            assert len(woken) == 2
    halts.put(ACCOUNT)
    assert len(woken) == 2


def test_an_id_applies_to_the_symbols_of_its_own_halt_only(halts: Halts) -> None:
    halts.put(BITCOIN)
    assert halts.applies_to("btc", "BTCUSDT")
    assert not halts.applies_to("btc", "ETHUSDT")
    assert not halts.applies_to("all", "BTCUSDT")
    assert not halts.applies_to("", "BTCUSDT")


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (replace(BITCOIN, halt_id=""), "halt_id"),
        (replace(BITCOIN, halt_id="a b"), "halt_id"),
        (replace(BITCOIN, ttl_ms=999), "ttl_ms 999: expected 1000 to 3600000"),
        (replace(BITCOIN, ttl_ms=-1), "ttl_ms"),
        (replace(BITCOIN, reason="x" * 201), "reason"),
        (replace(BITCOIN, reason="two\nlines"), "reason"),
        (replace(ACCOUNT, symbol="BTCUSDT"), "in use for a halt of another client or symbol"),
        (replace(ACCOUNT, client="maker"), "in use for a halt of another client or symbol"),
    ],
)
def test_a_halt_that_makes_no_sense_is_told_what_was_expected(halts: Halts, wrong: HaltRecord, text: str) -> None:
    halts.put(ACCOUNT)
    with pytest.raises(InvalidRequest, match=text):
        halts.check(wrong)


def test_halts_are_bounded_in_number(halts: Halts) -> None:
    """F26: their memory does not grow with what clients ask for."""
    for number in range(MOST_HALTS):
        halts.put(replace(BITCOIN, halt_id=f"n{number}"))
    halts.check(replace(BITCOIN, halt_id="n1"))
    with pytest.raises(InvalidRequest, match="lift some of them first"):
        halts.check(replace(BITCOIN, halt_id="more"))
