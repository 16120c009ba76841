"""Two batches as one: the newest of each key, or the newest of many keys with a gap."""

from __future__ import annotations

from typing import Any

from opensqt.model.stream import Batch
from opensqt.streams.conflation import KEYS, LIMITS, merged
from opensqt.wire.options import STREAM_KINDS

Update = tuple[str, int]


def batch(sequence: int, *updates: Update, **marks: Any) -> Batch[Update]:
    return Batch(updates=updates, epoch="e1", sequence=sequence, **marks)


def key(update: Update) -> str:
    return update[0]


def test_every_kind_of_stream_has_a_key_or_says_that_it_has_none() -> None:
    assert KEYS.keys() == set(STREAM_KINDS)
    assert LIMITS.keys() <= KEYS.keys()


def test_what_does_not_fit_is_left_out_oldest_first_and_is_a_gap() -> None:
    """F7: no update vanishes between two reads of a stream, or a gap is reported."""
    found = merged(batch(3, ("a", 1), ("b", 2), ("c", 3)), batch(5, ("d", 4), ("e", 5)), key, 3)
    assert found == batch(5, ("c", 3), ("d", 4), ("e", 5), gap=True)


def test_what_fits_is_no_gap() -> None:
    found = merged(batch(2, ("a", 1), ("b", 2)), batch(3, ("a", 3)), key, 2)
    assert found == batch(3, ("b", 2), ("a", 3))
