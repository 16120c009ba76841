"""What waits for a reader of a stream: conflated by key where the newest is enough, whole where nothing may be lost."""

from __future__ import annotations

from typing import Any

import pytest

from opensqt.client.pending import PendingBatches
from opensqt.model.errors import StreamOverflow
from opensqt.model.stream import Batch

Update = tuple[str, int]


def batch(sequence: int, *updates: Update, **marks: Any) -> Batch[Update]:
    return Batch(updates=updates, epoch="e1", sequence=sequence, **marks)


def conflating() -> PendingBatches[Update]:
    return PendingBatches(lambda update: update[0])


def test_a_single_batch_is_handed_over_as_it_came() -> None:
    pending, one = conflating(), batch(2, ("a", 1), ("a", 2))
    pending.add(one)
    assert pending.take() is one
    assert not pending


def test_of_what_waits_the_newest_of_each_key_is_kept_oldest_first() -> None:
    pending = conflating()
    pending.add(batch(2, ("a", 1), ("b", 2)))
    pending.add(batch(3, ("a", 3)))
    assert pending.take() == batch(3, ("b", 2), ("a", 3))


def test_changes_after_a_snapshot_are_part_of_it() -> None:
    pending = conflating()
    pending.add(batch(1, ("a", 1), ("b", 1), snapshot=True))
    pending.add(batch(2, ("b", 2)))
    assert pending.take() == batch(2, ("a", 1), ("b", 2), snapshot=True)


def test_a_snapshot_stands_for_all_before_it_and_a_gap_stays_marked() -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    pending = conflating()
    pending.add(batch(1, ("a", 1), gap=True))
    pending.add(batch(9, ("b", 9), snapshot=True))
    assert pending.take() == batch(9, ("b", 9), snapshot=True, gap=True)


def test_a_loss_free_stream_keeps_every_update_in_order() -> None:
    pending: PendingBatches[Update] = PendingBatches(None)
    pending.add(batch(1, ("a", 1)))
    pending.add(batch(3, ("a", 2), ("a", 3)))
    assert pending.take() == batch(3, ("a", 1), ("a", 2), ("a", 3))


@pytest.mark.parametrize("marks", [{"snapshot": True}, {"gap": True}, {"snapshot": True, "gap": True}])
def test_a_loss_free_stream_never_merges_across_a_snapshot_or_a_gap(marks: dict[str, bool]) -> None:
    """F6: an order that ended before the gap is still told."""
    pending: PendingBatches[Update] = PendingBatches(None)
    given = [batch(1, ("a", 1)), batch(2, ("b", 2), **marks)]
    for one in given:
        pending.add(one)
    assert [pending.take() for _ in given] == given


def test_a_loss_free_stream_says_when_its_reader_is_too_far_behind() -> None:
    """F28: memory is bounded, and the reader learns of it."""
    pending: PendingBatches[Update] = PendingBatches(None, capacity=3)
    pending.add(batch(3, ("a", 1), ("a", 2), ("a", 3)))
    with pytest.raises(StreamOverflow, match="more than 3"):
        pending.add(batch(4, ("a", 4)))
    pending.take()
    pending.add(batch(4, ("a", 4)))


def test_of_updates_that_do_not_replace_each_other_the_newest_are_kept_and_the_loss_is_a_gap() -> None:
    """F7: no update vanishes between two reads of a stream, or a gap is reported."""
    pending = PendingBatches[Update](lambda update: update[0], limit=2)
    pending.add(batch(2, ("a", 1), ("b", 2)))
    assert not pending.take().gap
    for number in range(3, 8):
        pending.add(batch(number, (str(number), number)))
    assert pending.take() == batch(7, ("6", 6), ("7", 7), gap=True)
