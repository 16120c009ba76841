"""A local order book: complete up to its sequence, or invalid with a reason."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.model.market import MAX_DEPTH
from opensqt.venues.events import BookUpdate
from opensqt.venues.market.book import LocalBook

Levels = dict[int, int]


def levels(found: Levels) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((Decimal(price), Decimal(quantity)) for price, quantity in found.items())


def frame(last: int, bids: Levels | None = None, asks: Levels | None = None, **more: Any) -> BookUpdate:
    return BookUpdate(
        symbol="BTCUSDT",
        bids=levels(bids or {}),
        asks=levels(asks or {}),
        last=last,
        event_time_ms=last,
        received_ns=last,
        **more,
    )


def snapshot(last: int, bids: Levels, asks: Levels, **more: Any) -> BookUpdate:
    return frame(last, bids, asks, snapshot=True, **more)


def book(*, window: int = 1000, sends_entering_levels: bool = True) -> LocalBook:
    return LocalBook(window=window, sends_entering_levels=sends_entering_levels, checksum=lambda bids, _asks: len(bids))


def synced() -> LocalBook:
    found = book()
    found.handle(snapshot(10, {99: 1, 98: 2}, {101: 1, 102: 2}))
    return found


def sides(of: LocalBook, depth: int = 50) -> tuple[Levels, Levels]:
    return tuple({int(p): int(q) for p, q in side.best(depth)} for side in (of.bids, of.asks))  # type: ignore[return-value]


def test_a_book_is_invalid_until_its_first_snapshot() -> None:
    found = book()
    found.handle(frame(11, {99: 5}, previous=10))
    assert not found.valid


def test_changes_replace_add_and_remove_levels_best_first() -> None:
    found = synced()
    found.handle(frame(12, {99: 0, 97: 3}, {101: 7, 103: 1}, previous=10))
    assert found.valid
    assert found.bids.best(50) == levels({98: 2, 97: 3})
    assert found.asks.best(2) == levels({101: 7, 102: 2})


def test_a_hole_in_the_sequence_makes_the_book_invalid_at_once() -> None:
    """F14: a book with a hole in it is not traded on."""
    found = synced()
    found.handle(frame(13, {99: 5}, previous=12))
    assert "12" in found.invalid_reason


def test_a_repeated_and_a_late_change_are_ignored() -> None:
    found = synced()
    found.handle(frame(12, {99: 5}, previous=10))
    for old in (frame(12, {99: 9}, previous=10), frame(9, {99: 1}, previous=8)):
        found.handle(old)
    assert found.valid
    assert sides(found)[0] == {99: 5, 98: 2}


def test_a_queried_snapshot_takes_the_changes_that_came_meanwhile() -> None:
    found = book()
    for change in (frame(11, {99: 1}, previous=9), frame(14, {99: 4}, previous=11), frame(15, {98: 0}, previous=14)):
        found.handle(change)
    found.join(snapshot(12, {99: 2, 98: 2}, {101: 1}))
    assert (found.valid, found.sequence) == (True, 15)
    assert sides(found) == ({99: 4}, {101: 1})


def test_only_the_first_change_after_a_queried_snapshot_may_overlap_it() -> None:
    found = book()
    found.join(snapshot(12, {99: 2}, {101: 1}))
    found.handle(frame(14, {99: 4}, previous=11))
    assert found.valid
    found.handle(frame(16, {99: 6}, previous=13))
    assert not found.valid


def test_a_queried_snapshot_that_is_older_than_the_changes_is_not_used() -> None:
    """F14: a book with a hole in it is not traded on."""
    found = book()
    found.handle(frame(20, {99: 1}, previous=18))
    found.join(snapshot(12, {99: 2}, {101: 1}))
    assert not found.valid
    found.join(snapshot(19, {99: 3}, {101: 1}))
    assert (found.valid, sides(found)[0]) == (True, {99: 1})


def test_changes_that_wait_with_a_hole_between_them_are_of_no_use() -> None:
    """F14: a book with a hole in it is not traded on."""
    found = book()
    for change in (frame(11, {99: 1}, previous=10), frame(15, {98: 1}, previous=14)):
        found.handle(change)
    found.join(snapshot(11, {99: 2}, {101: 1}))
    assert not found.valid
    found.join(snapshot(14, {99: 2}, {101: 1}))
    assert (found.valid, found.sequence) == (True, 15)


def test_a_snapshot_of_the_stream_ends_an_invalid_state() -> None:
    found = synced()
    found.handle(frame(13, {99: 5}, previous=12))
    found.handle(snapshot(1, {50: 1}, {51: 1}))
    assert (found.valid, found.sequence, sides(found)) == (True, 1, ({50: 1}, {51: 1}))


def test_a_sequence_that_begins_anew_continues_the_book_it_names() -> None:
    """OKX lets seqId restart after maintenance; prevSeqId still names the change before."""
    found = synced()
    found.handle(frame(3, {99: 5}, previous=10))
    found.handle(frame(5, {98: 0}, previous=3))
    assert (found.valid, found.sequence, sides(found)[0]) == (True, 5, {99: 5})


def test_a_wrong_checksum_makes_the_book_invalid() -> None:
    """F14: a book with a hole in it is not traded on."""
    found = synced()
    found.handle(frame(12, {97: 1}, checksum=3))
    assert found.valid
    found.handle(frame(14, {96: 1}, checksum=9))
    assert "checksum" in found.invalid_reason


def test_a_crossed_book_is_invalid() -> None:
    found = synced()
    found.handle(frame(12, {101: 1}, previous=10))
    assert "not below the ask" in found.invalid_reason


def test_a_sequence_without_previous_numbers_must_not_go_back() -> None:
    found = synced()
    found.handle(frame(12, {99: 4}))
    found.handle(frame(12, {99: 9}))
    assert (found.valid, sides(found)[0][99]) == (True, 4)
    found.handle(frame(11, {99: 9}))
    assert not found.valid


def test_what_is_beyond_a_full_snapshot_is_not_known_until_the_next_one() -> None:
    """F14: a book with a hole in it is not traded on: levels that were never sent may stand between."""
    found = book(sends_entering_levels=False)
    bids = {1000 - step: 1 for step in range(MAX_DEPTH + 1)}
    asks = {1001 + step: 1 for step in range(MAX_DEPTH + 1)}
    found.join(snapshot(10, bids, asks, limit=MAX_DEPTH + 1))
    found.handle(frame(11, {900: 7, 1000: 0}, previous=10))
    assert found.valid
    assert 900 not in sides(found)[0]
    found.handle(frame(12, {999: 0}, previous=11))
    assert "left the levels" in found.invalid_reason


def test_a_book_that_runs_low_takes_a_snapshot_without_becoming_invalid() -> None:
    found = book(sends_entering_levels=False)
    deep = {1000 - step: 1 for step in range(100)}
    found.join(snapshot(10, deep, {1001: 1}, limit=100))
    assert not found.runs_low
    found.handle(frame(11, dict.fromkeys(range(970, 1001), 0), previous=10))
    found.handle(frame(12, {969: 7}, previous=11))
    assert (found.valid, found.runs_low) == (True, True)
    found.join(snapshot(11, {969 - step: 1 for step in range(100)}, {1001: 1}, limit=100))
    assert (found.valid, found.runs_low, found.sequence) == (True, False, 12)
    assert found.bids.best(1) == levels({969: 7})


def test_a_snapshot_that_is_older_than_a_valid_book_changes_nothing() -> None:
    found = synced()
    found.join(snapshot(5, {1: 1}, {2: 1}))
    assert (found.valid, found.sequence) == (True, 10)


def test_a_snapshot_with_fewer_levels_than_it_could_have_is_the_whole_side() -> None:
    found = book(sends_entering_levels=False)
    found.join(snapshot(10, {99: 1}, {101: 1}, limit=100))
    found.handle(frame(11, {50: 2}, previous=10))
    assert (found.valid, sides(found)[0]) == (True, {99: 1, 50: 2})


def test_a_level_that_left_the_window_is_forgotten() -> None:
    """The venue reports no changes of it any more."""
    found = book(window=2)
    found.handle(snapshot(10, {99: 1, 98: 1}, {101: 1}))
    found.handle(frame(11, {100: 1}, previous=10))
    assert sides(found)[0] == {100: 1, 99: 1}


CHANGE = st.tuples(st.integers(1, 40), st.integers(0, 3))


@given(st.lists(st.lists(CHANGE, min_size=1, max_size=5), min_size=1, max_size=40), st.data())
def test_a_book_under_lost_changes_is_the_venues_or_invalid(steps: list[list[tuple[int, int]]], data: Any) -> None:
    """F14: whatever is lost, the book equals the venue's state at its sequence, or is marked invalid."""
    truth, states = {50: 1}, {0: {50: 1}}
    found = book()
    found.handle(snapshot(0, truth, {60: 1}))
    for number, changes in enumerate(steps, start=1):
        truth = {price: quantity for price, quantity in (truth | dict(changes)).items() if quantity}
        states[number] = dict(truth)
        if data.draw(st.booleans(), label="lost"):
            continue
        found.handle(frame(number, dict(changes), previous=number - 1))
        if not found.valid and data.draw(st.booleans(), label="snapshot"):
            at = data.draw(st.integers(0, number), label="of")
            found.join(snapshot(at, states[at], {60: 1}))
        if found.valid:
            assert sides(found)[0] == dict(sorted(states[found.sequence].items(), reverse=True))


@pytest.mark.parametrize("depth", [1, 2])
def test_a_depth_is_the_best_levels(depth: int) -> None:
    assert list(sides(synced(), depth)[1]) == [101, 102][:depth]
