"""Who may trade: one holder at a time, and a number that keeps the holders of before out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opensqt.connector.orders.claims import Claims
from opensqt.connector.orders.journal import ClaimRecord
from opensqt.model.errors import InvalidRequest, TradingClaimed
from opensqt.model.venue import ClaimRequest

FIRST = ClaimRequest(symbol="BTCUSDT", strategy="SQ1", holder="one", description="maker on a, pid 1")
SECOND = replace(FIRST, holder="two", description="maker on b, pid 2")
TTL_MS = 60_000


def take(claims: Claims, asked: ClaimRequest, client: str = "maker", ttl_ms: int = TTL_MS) -> ClaimRecord:
    return claims.take(asked, client, ttl_ms=ttl_ms, now_ms=1)


def allowed(
    claims: Claims, number: int, *, client: str = "maker", order: str = "SQ1B1", symbol: str = "BTCUSDT"
) -> bool:
    return claims.refusal(symbol, order, number, client) is None


def test_the_first_holder_gets_number_1_and_keeps_it_by_renewing() -> None:
    claims = Claims()
    assert take(claims, FIRST).number == 1
    claims.pass_time(59)
    assert take(claims, replace(FIRST, number=1)).number == 1
    claims.pass_time(59)
    assert [record.number for record, _ in claims.held] == [1]


def test_a_second_program_is_refused_with_the_name_of_the_first() -> None:
    claims = Claims()
    take(claims, FIRST)
    with pytest.raises(TradingClaimed, match=r"BTCUSDT by strategy SQ1 is traded by maker on a, pid 1 \(client maker"):
        take(claims, SECOND)
    with pytest.raises(TradingClaimed):
        take(claims, FIRST, client="another")
    assert allowed(claims, 1)


def test_who_takes_over_raises_the_number_and_the_first_one_is_out() -> None:
    claims = Claims()
    take(claims, FIRST)
    assert take(claims, replace(SECOND, take_over=True)).number == 2
    assert not allowed(claims, 1)
    assert allowed(claims, 2)
    with pytest.raises(TradingClaimed):
        take(claims, replace(FIRST, number=1))
    with pytest.raises(TradingClaimed):  # to take over is for who has no number: the first one must start anew for it
        take(claims, replace(FIRST, number=1, take_over=True))


def test_a_paused_holder_that_wakes_up_after_its_claim_ended_and_was_given_up_again_is_out() -> None:
    claims = Claims()
    take(claims, FIRST)
    claims.pass_time(60)
    assert take(claims, SECOND).number == 2
    take(claims, replace(SECOND, number=2), ttl_ms=0)
    assert not allowed(claims, 1)
    with pytest.raises(TradingClaimed, match="whose claim ended; claim it anew"):
        take(claims, replace(FIRST, number=1))
    assert take(claims, FIRST).number == 3


def test_a_holder_whose_claim_ended_gets_it_back_with_its_number_when_nobody_had_it_meanwhile() -> None:
    claims = Claims()
    take(claims, FIRST)
    assert [record.symbol for record in claims.pass_time(60)] == ["BTCUSDT"]
    assert not allowed(claims, 1)
    assert take(claims, replace(FIRST, number=1)).number == 1
    assert allowed(claims, 1)


def test_the_same_holder_after_a_restart_gets_it_at_once_with_a_higher_number() -> None:
    claims = Claims()
    take(claims, FIRST)
    assert take(claims, FIRST).number == 2
    assert not allowed(claims, 1)


def test_only_orders_of_the_symbol_and_strategy_need_the_number() -> None:
    claims = Claims()
    take(claims, FIRST)
    assert not allowed(claims, 0)
    assert allowed(claims, 0, symbol="ETHUSDT")
    assert allowed(claims, 0, order="CLI1")
    assert not allowed(claims, 1, client="another")


def test_where_nobody_claims_orders_need_no_number() -> None:
    claims = Claims()
    assert allowed(claims, 0)
    take(claims, FIRST)
    take(claims, replace(FIRST, number=1), ttl_ms=0)
    assert claims.held == []
    assert allowed(claims, 0)
    assert not allowed(claims, 1)


@pytest.mark.parametrize("strategy", ["S", "SQ1X"])
def test_a_strategy_whose_orders_would_be_those_of_another_is_refused(strategy: str) -> None:
    claims = Claims()
    take(claims, FIRST)
    with pytest.raises(TradingClaimed):
        take(claims, replace(SECOND, strategy=strategy, take_over=True))
    take(claims, replace(SECOND, strategy="SQ2"))


def test_only_the_newest_number_gives_a_claim_up() -> None:
    claims = Claims()
    take(claims, FIRST)
    take(claims, replace(SECOND, take_over=True))
    with pytest.raises(TradingClaimed):
        take(claims, replace(FIRST, number=1), ttl_ms=0)
    with pytest.raises(InvalidRequest, match=r"claim\.number 0"):
        take(claims, SECOND, ttl_ms=0)
    assert allowed(claims, 2)


def test_a_restart_of_the_connector_keeps_holder_and_number() -> None:
    claims, again = Claims(), Claims()
    record = take(claims, replace(FIRST, take_over=True))
    again.restore([record])
    assert allowed(again, 1)
    with pytest.raises(TradingClaimed):
        take(again, SECOND)
    ended = Claims()
    ended.restore([replace(record, ttl_ms=0)])
    assert take(ended, SECOND).number == 2


@pytest.mark.parametrize(
    ("changed", "ttl_ms", "named"),
    [
        ({"strategy": ""}, TTL_MS, "claim.strategy"),
        ({"strategy": "SQ-1"}, TTL_MS, "claim.strategy"),
        ({"strategy": "TOOLONG12"}, TTL_MS, "claim.strategy"),
        ({"holder": ""}, TTL_MS, "claim.holder"),
        ({"holder": "x" * 65}, TTL_MS, "claim.holder"),
        ({"description": "a\nb"}, TTL_MS, "claim.description"),
        ({}, 999, "ttl_ms 999"),
        ({}, 3_600_001, "ttl_ms 3600001"),
    ],
)
def test_bad_input_is_named(changed: dict[str, str], ttl_ms: int, named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        take(Claims(), replace(FIRST, **changed), ttl_ms=ttl_ms)
