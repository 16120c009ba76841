from __future__ import annotations

import pytest

from opensqt.connector.orders.journal import LeaseRecord
from opensqt.connector.orders.leases import Leases
from opensqt.model.errors import InvalidRequest


def renew(leases: Leases, client: str, ttl_ms: int, *, number: int = 0, now_ms: int = 1_000) -> bool:
    return leases.renew(client, ttl_ms, number=number, now_ms=now_ms)


@pytest.fixture
def leases() -> Leases:
    leases = Leases()
    renew(leases, "maker", 5_000)
    return leases


def test_a_lease_lasts_its_ttl_from_each_renewal(leases: Leases) -> None:
    assert leases.pass_time(4) == []
    assert renew(leases, "maker", 5_000) is False
    assert leases.pass_time(4) == []
    assert leases.left_s("maker") == 1
    assert leases.pass_time(1) == ["maker"]
    assert leases.left_s("maker") is None


def test_a_lease_ends_once(leases: Leases) -> None:
    assert leases.pass_time(6) == ["maker"]
    assert leases.pass_time(600) == []


def test_each_client_has_its_own_lease_and_one_without_is_never_touched(leases: Leases) -> None:
    renew(leases, "taker", 60_000)
    assert leases.pass_time(6) == ["maker"]
    assert [leases.refusal(client) is None for client in ("maker", "taker", "nobody")] == [False, True, True]
    assert leases.held == 1


def test_after_its_end_a_client_places_nothing_until_it_renews_and_its_old_orders_are_gone(leases: Leases) -> None:
    leases.pass_time(6)
    ended = leases.refusal("maker")
    renew(leases, "maker", 5_000)
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
    assert renew(leases, "maker", 5_000) is True
    assert renew(leases, "maker", 5_000) is False


def test_a_renewed_lease_ends_again_though_its_old_orders_are_still_there(leases: Leases) -> None:
    leases.pass_time(6)
    renew(leases, "maker", 5_000)
    assert leases.pass_time(5) == ["maker"]
    assert leases.canceling == ["maker"]


def test_a_lease_that_was_given_up_does_not_end(leases: Leases) -> None:
    assert renew(leases, "maker", 0) is False
    assert leases.pass_time(600) == []
    assert leases.refusal("maker") is None
    assert leases.record("maker") is None


def test_giving_up_an_ended_lease_opens_trading_once_the_orders_are_gone(leases: Leases) -> None:
    leases.pass_time(6)
    assert renew(leases, "maker", 0) is True
    assert leases.refusal("maker") is not None
    leases.canceled("maker")
    assert leases.refusal("maker") is None
    assert (leases.held, leases.guarded, leases.canceling) == (0, frozenset(), [])


@pytest.mark.parametrize("ttl_ms", [-1, 1, 999, 3_600_001])
def test_a_ttl_out_of_bounds_is_refused_and_changes_nothing(leases: Leases, ttl_ms: int) -> None:
    with pytest.raises(InvalidRequest, match=f"ttl_ms {ttl_ms}: expected 1000 to 3600000, or 0 to give the lease up"):
        renew(leases, "maker", ttl_ms)
    assert leases.left_s("maker") == 5


@pytest.mark.parametrize("renewed", [None, 0, 7_000])
def test_a_restart_knows_what_was_and_gives_each_held_lease_its_whole_ttl_anew(leases: Leases, renewed) -> None:
    renew(leases, "taker", 2_000)
    leases.pass_time(1)
    renew(leases, "dead", 1_000)
    leases.pass_time(1)
    if renewed is not None:
        renew(leases, "dead", renewed)
    restored = Leases()
    restored.restore([record for name in ("maker", "taker", "dead") if (record := leases.record(name))])
    assert (restored.left_s("maker"), restored.canceling) == (5, leases.canceling)
    assert restored.left_s("dead") == (7 if renewed else None)
    assert (restored.refusal("dead") is None) == (leases.refusal("dead") is None)
    assert restored.refusal("dead") is not None


def test_a_record_is_what_the_journal_holds(leases: Leases) -> None:
    leases.pass_time(6)
    assert leases.record("maker") == LeaseRecord(
        client="maker", ttl_ms=5_000, ended=True, canceling=True, number=1_000, ended_number=1_000
    )


def test_with_its_number_the_end_of_a_lease_is_reported_until_its_response_has_arrived(leases: Leases) -> None:
    """The response that says so may be lost, and the client would trade on as if its orders were there."""
    first = leases.number("maker")
    assert renew(leases, "maker", 5_000, number=first) is False
    leases.pass_time(6)
    assert [renew(leases, "maker", 5_000, number=first) for _ in range(3)] == [True, True, True]
    second = leases.number("maker")
    assert second > first
    assert renew(leases, "maker", 5_000, number=second) is False


def test_each_program_of_a_client_learns_of_the_end(leases: Leases) -> None:
    """Two programs under one name share a lease: the one that renews first must not hide its end from the other."""
    number = leases.number("maker")
    leases.pass_time(6)
    assert renew(leases, "maker", 5_000, number=number) is True
    assert renew(leases, "maker", 5_000, number=number) is True


def test_the_end_is_known_after_the_lease_was_given_up_and_after_a_restart(leases: Leases) -> None:
    number = leases.number("maker")
    leases.pass_time(6)
    assert renew(leases, "maker", 0, number=number) is True
    leases.canceled("maker")
    record = leases.record("maker")
    assert record is not None
    again = Leases()
    again.restore([record])
    assert (again.refusal("maker"), again.guards("maker"), again.held) == (None, False, 0)
    assert renew(again, "maker", 0, number=number) is True
    assert renew(again, "maker", 5_000, number=number) is True


def test_a_lease_that_was_given_up_did_not_end_however_often_it_is_given_up(leases: Leases) -> None:
    number = leases.number("maker")
    assert [renew(leases, "maker", 0, number=number) for _ in range(2)] == [False, False]
    assert leases.record("maker") is None
    assert renew(leases, "maker", 5_000, number=number) is False


def test_numbers_rise_when_the_clock_is_set_back(leases: Leases) -> None:
    number = leases.number("maker")
    leases.pass_time(6)
    renew(leases, "maker", 5_000, number=number, now_ms=1)
    assert leases.number("maker") == number + 1


def test_a_lease_of_a_version_without_numbers_is_reported_once() -> None:
    leases = Leases()
    leases.restore([LeaseRecord(client="maker", ttl_ms=5_000)])
    leases.pass_time(6)
    assert [renew(leases, "maker", 5_000) for _ in range(2)] == [True, False]
    assert leases.number("maker") == 1_000
