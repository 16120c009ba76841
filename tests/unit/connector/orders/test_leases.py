from __future__ import annotations

import pytest

from opensqt.connector.orders.journal import LeaseRecord
from opensqt.connector.orders.leases import Leases
from opensqt.model.errors import InvalidRequest


@pytest.fixture
def leases() -> Leases:
    leases = Leases()
    leases.renew("maker", 5_000)
    return leases


def test_a_lease_lasts_its_ttl_from_each_renewal(leases: Leases) -> None:
    assert leases.pass_time(4) == []
    assert leases.renew("maker", 5_000) is False
    assert leases.pass_time(4) == []
    assert leases.left_s("maker") == 1
    assert leases.pass_time(1) == ["maker"]
    assert leases.left_s("maker") is None


def test_a_lease_ends_once(leases: Leases) -> None:
    assert leases.pass_time(6) == ["maker"]
    assert leases.pass_time(600) == []


def test_each_client_has_its_own_lease_and_one_without_is_never_touched(leases: Leases) -> None:
    leases.renew("taker", 60_000)
    assert leases.pass_time(6) == ["maker"]
    assert [leases.refusal(client) is None for client in ("maker", "taker", "nobody")] == [False, True, True]
    assert leases.held == 1


def test_after_its_end_a_client_places_nothing_until_it_renews_and_its_old_orders_are_gone(leases: Leases) -> None:
    leases.pass_time(6)
    ended = leases.refusal("maker")
    leases.renew("maker", 5_000)
    canceling = leases.refusal("maker")
    leases.canceled("maker")
    assert ended is not None
    assert ended.message == "client maker: its lease ended; send a heartbeat before new orders"
    assert canceling is not None
    assert canceling.retry_after_s == 1
    assert leases.refusal("maker") is None


def test_that_the_orders_are_gone_does_not_open_trading_without_a_renewal(leases: Leases) -> None:
    leases.pass_time(6)
    leases.canceled("maker")
    assert leases.refusal("maker") is not None


def test_the_renewal_after_an_end_says_so_and_the_next_one_does_not(leases: Leases) -> None:
    leases.pass_time(6)
    assert leases.renew("maker", 5_000) is True
    assert leases.renew("maker", 5_000) is False


def test_a_renewed_lease_ends_again_though_its_old_orders_are_still_there(leases: Leases) -> None:
    leases.pass_time(6)
    leases.renew("maker", 5_000)
    assert leases.pass_time(5) == ["maker"]
    assert leases.canceling == ["maker"]


def test_a_lease_that_was_given_up_does_not_end(leases: Leases) -> None:
    assert leases.renew("maker", 0) is False
    assert leases.pass_time(600) == []
    assert leases.refusal("maker") is None
    assert leases.record("maker") is None


def test_giving_up_an_ended_lease_opens_trading_once_the_orders_are_gone(leases: Leases) -> None:
    leases.pass_time(6)
    assert leases.renew("maker", 0) is True
    assert leases.refusal("maker") is not None
    leases.canceled("maker")
    assert leases.refusal("maker") is None
    assert leases.record("maker") is None


@pytest.mark.parametrize("ttl_ms", [-1, 1, 999, 3_600_001])
def test_a_ttl_out_of_bounds_is_refused_and_changes_nothing(leases: Leases, ttl_ms: int) -> None:
    with pytest.raises(InvalidRequest, match=f"ttl_ms {ttl_ms}: expected 1000 to 3600000, or 0 to give the lease up"):
        leases.renew("maker", ttl_ms)
    assert leases.left_s("maker") == 5


@pytest.mark.parametrize("renewed", [None, 0, 7_000])
def test_a_restart_knows_what_was_and_gives_each_held_lease_its_whole_ttl_anew(leases: Leases, renewed) -> None:
    leases.renew("taker", 2_000)
    leases.pass_time(1)
    leases.renew("dead", 1_000)
    leases.pass_time(1)
    if renewed is not None:
        leases.renew("dead", renewed)
    restored = Leases()
    restored.restore([record for name in ("maker", "taker", "dead") if (record := leases.record(name))])
    assert (restored.left_s("maker"), restored.canceling) == (5, leases.canceling)
    assert restored.left_s("dead") == (7 if renewed else None)
    assert (restored.refusal("dead") is None) == (leases.refusal("dead") is None)
    assert restored.refusal("dead") is not None


def test_a_record_is_what_the_journal_holds(leases: Leases) -> None:
    leases.pass_time(6)
    assert leases.record("maker") == LeaseRecord(client="maker", ttl_ms=5_000, ended=True, canceling=True)
