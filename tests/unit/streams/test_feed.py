"""One log, many readers: nothing is lost in silence, and nobody waits for anybody."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from dataclasses import dataclass
from decimal import Decimal

import pytest

from opensqt.model.errors import StreamOverflow, Unreachable
from opensqt.model.market import Price
from opensqt.model.stream import Cursor
from opensqt.streams.feed import Feed, FeedReader


@dataclass(frozen=True)
class Update:
    key: str
    number: int
    closed: bool = False


def feed(
    *, conflate: bool = False, capacity: int = 100, conflate_above: int = 10, limit: int | None = None
) -> Feed[Update]:
    return Feed(
        key=lambda update: update.key,
        conflate=conflate,
        keep=lambda update: not update.closed,
        capacity=capacity,
        conflate_above=conflate_above,
        snapshot_limit=limit,
    )


def updates(first: int, last: int, key: str = "a") -> list[Update]:
    return [Update(key, number) for number in range(first, last + 1)]


async def numbers(reader: FeedReader[Update], until: int) -> list[int]:
    seen: list[int] = []
    async for batch in reader:
        seen += [update.number for update in batch.updates]
        if seen and seen[-1] >= until:
            return seen
    raise AssertionError(f"ended at {seen}")


async def is_waiting(reader: FeedReader[Update]) -> bool:
    """Whether a read finds nothing."""
    reading = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    done = reading.done()
    reading.cancel()
    await asyncio.wait([reading])
    return not done


async def test_a_burst_reaches_three_readers_in_order_though_one_sleeps() -> None:
    """F7: no update vanishes between two reads of a stream, or a gap is reported."""
    topic = feed(capacity=2000)
    topic.publish(updates(0, 0))
    awake = [asyncio.create_task(numbers(topic.subscribe(), 1000)) for _ in range(2)]
    sleeper = topic.subscribe()
    await anext(sleeper)
    await asyncio.sleep(0)
    for number in range(1, 1001):
        topic.publish([Update("a", number)])
        if number % 7 == 0:
            await asyncio.sleep(0)
    assert await numbers(sleeper, 1000) == list(range(1, 1001))
    for task in awake:
        assert await task == list(range(1001))


async def test_what_queued_meanwhile_comes_as_one_batch() -> None:
    topic = feed()
    reader = topic.subscribe()
    topic.replace((), gap=False)
    await anext(reader)
    topic.publish(updates(1, 2))
    topic.publish(updates(3, 3))
    batch = await anext(reader)
    assert [update.number for update in batch.updates] == [1, 2, 3]
    assert batch.sequence == 3


async def test_nothing_is_read_before_there_is_a_snapshot() -> None:
    topic = feed()
    reader = topic.subscribe()
    assert await is_waiting(reader)
    topic.replace((), gap=False)
    assert (await anext(reader)).snapshot


async def test_the_first_batch_is_the_newest_of_each_kept_key() -> None:
    topic = feed()
    topic.publish([Update("a", 1), Update("b", 2), Update("a", 3), Update("c", 4), Update("c", 5, closed=True)])
    batch = await anext(topic.subscribe())
    assert [(update.key, update.number) for update in batch.updates] == [("b", 2), ("a", 3)]
    assert (batch.snapshot, batch.gap, batch.sequence) == (True, False, 5)


async def test_a_reader_that_comes_back_gets_exactly_what_it_missed() -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    topic = feed()
    topic.publish(updates(1, 3))
    place = (await anext(topic.subscribe())).cursor
    topic.publish(updates(4, 6))
    batch = await anext(topic.subscribe(cursor=place))
    assert [update.number for update in batch.updates] == [4, 5, 6]
    assert (batch.snapshot, batch.gap) == (False, False)


async def test_a_reader_that_missed_nothing_is_told_so_at_once() -> None:
    topic = feed()
    topic.publish(updates(1, 3))
    batch = await anext(topic.subscribe(cursor=Cursor(topic.epoch, 3)))
    assert (batch.updates, batch.snapshot, batch.gap, batch.sequence) == ((), False, False, 3)


@pytest.mark.parametrize(
    "cursor",
    [Cursor("another epoch", 3), Cursor("this", 10_000), Cursor("this", 1)],
    ids=["another epoch", "ahead of the feed", "before the log"],
)
async def test_a_place_that_cannot_be_resumed_is_told_as_a_gap(cursor: Cursor) -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    topic = feed(capacity=5)
    topic.publish(updates(1, 20))
    if cursor.epoch == "this":
        cursor = Cursor(topic.epoch, cursor.sequence)
    batch = await anext(topic.subscribe(cursor=cursor))
    assert (batch.snapshot, batch.gap) == (True, True)
    assert [update.number for update in batch.updates] == [20]


async def test_lost_continuity_is_told_in_a_new_epoch() -> None:
    topic = feed()
    topic.publish(updates(1, 3))
    reader = topic.subscribe()
    old = await anext(reader)
    topic.replace([Update("a", 9)], gap=True)
    batch = await anext(reader)
    assert (batch.snapshot, batch.gap, batch.updates) == (True, True, (Update("a", 9),))
    assert batch.epoch != old.epoch


async def test_a_snapshot_set_without_a_gap_disturbs_no_reader() -> None:
    topic = feed()
    topic.publish(updates(1, 1))
    reader = topic.subscribe()
    await anext(reader)
    topic.replace([Update("a", 1), Update("b", 1)], gap=False)
    assert await is_waiting(reader)
    assert len((await anext(topic.subscribe())).updates) == 2


async def test_a_reader_that_falls_off_a_loss_free_log_is_ended_and_told() -> None:
    """F28: a slow reader harms no other and its memory is bounded."""
    topic = feed(capacity=5)
    topic.replace((), gap=False)
    reader = topic.subscribe()
    await anext(reader)
    topic.publish(updates(1, 6))
    with pytest.raises(StreamOverflow, match="6 updates behind; the log holds 5"):
        await anext(reader)
    assert topic.readers == 0
    with pytest.raises(StopAsyncIteration):
        await anext(reader)


async def test_a_slow_reader_of_a_conflating_feed_gets_the_newest_of_each_key() -> None:
    """F28: a slow reader harms no other and its memory is bounded."""
    topic = feed(conflate=True, conflate_above=10)
    topic.replace((), gap=False)
    reader = topic.subscribe()
    await anext(reader)
    topic.publish([Update("a", number) for number in range(50)] + [Update("b", 1)])
    batch = await anext(reader)
    assert batch.updates == (Update("a", 49), Update("b", 1))
    assert (batch.sequence, batch.snapshot) == (51, False)


async def test_a_reader_that_keeps_up_is_never_conflated() -> None:
    topic = feed(conflate=True, conflate_above=10)
    topic.replace((), gap=False)
    reader = topic.subscribe()
    await anext(reader)
    topic.publish(updates(1, 10))
    assert len((await anext(reader)).updates) == 10


async def test_conflation_that_passes_over_a_forgotten_key_tells_a_gap() -> None:
    topic = feed(conflate=True, conflate_above=3, limit=2)
    topic.replace((), gap=False)
    reader = topic.subscribe()
    await anext(reader)
    topic.publish([Update(key, 1) for key in "abcde"])
    batch = await anext(reader)
    assert [update.key for update in batch.updates] == ["d", "e"]
    assert batch.gap


async def test_the_snapshot_may_leave_out_what_moved_an_update() -> None:
    topic = Feed[Update](key=lambda update: update.key, conflate=False, remember=lambda update: Update(update.key, 0))
    reader = topic.subscribe()
    topic.publish([Update("a", 7)])
    assert (await anext(reader)).updates == (Update("a", 0),)
    topic.publish([Update("a", 8)])
    assert (await anext(reader)).updates == (Update("a", 8),)


async def test_a_filter_passes_only_what_is_wanted_and_wakes_for_nothing_else() -> None:
    topic = feed()
    topic.publish([Update("a", 1), Update("b", 1)])
    reader = topic.subscribe(where=lambda update: update.key == "b")
    assert (await anext(reader)).updates == (Update("b", 1),)
    topic.publish([Update("a", 2)])
    assert await is_waiting(reader)
    topic.publish([Update("b", 2)])
    batch = await anext(reader)
    assert (batch.updates, batch.sequence) == ((Update("b", 2),), 4)


async def test_a_read_that_is_given_up_loses_nothing() -> None:
    topic = feed()
    topic.replace((), gap=False)
    reader = topic.subscribe()
    await anext(reader)
    assert await is_waiting(reader)
    topic.publish(updates(1, 2))
    assert len((await anext(reader)).updates) == 2


async def test_closing_a_reader_ends_its_pending_read() -> None:
    topic = feed()
    reader = topic.subscribe()
    reading = asyncio.create_task(anext(reader, None))
    await asyncio.sleep(0)
    await reader.aclose()
    await reader.aclose()
    assert await reading is None
    assert topic.readers == 0


async def test_closing_the_feed_ends_every_reader_with_the_reason() -> None:
    topic = feed()
    topic.replace((), gap=False)
    early = topic.subscribe()
    await anext(early)
    topic.close(Unreachable("gone"))
    for reader in (early, topic.subscribe()):
        with pytest.raises(Unreachable, match="gone"):
            await anext(reader)
    assert topic.readers == 0


async def test_readers_that_left_are_forgotten() -> None:
    """F26: memory does not grow with subscriptions that end."""
    topic = feed()
    topic.replace((), gap=False)
    gone = []
    for _ in range(1000):
        reader = topic.subscribe()
        await anext(reader)
        gone.append(weakref.ref(reader))
        await reader.aclose()
        del reader
    gc.collect()
    assert topic.readers == 0
    assert [one for one in gone if one() is not None] == []


async def test_a_stopped_reader_costs_no_memory() -> None:
    """F28: a slow reader harms no other and its memory is bounded."""
    topic = feed(capacity=10)
    reader = topic.subscribe()
    topic.publish(updates(1, 10_000))
    kept = [one for one in gc.get_objects() if isinstance(one, Update)]
    assert len(kept) <= 11
    assert topic.readers == 1
    await reader.aclose()


async def test_readers_that_forward_updates_share_one_encoding_of_each() -> None:
    """F28: ten clients must not cost ten encodings, nor ten copies."""
    topic = feed()
    topic.publish(updates(1, 3))
    made: list[int] = []

    def encode(update: Update) -> bytes:
        made.append(update.number)
        return str(update.number).encode()

    cursor = Cursor(topic.epoch, 0)
    readers = [topic.subscribe(cursor=cursor) for _ in range(10)]
    batches = [await anext(reader.entries) for reader in readers]
    read = [[(entry.number, entry.encode(encode)) for entry in batch.updates] for batch in batches]
    assert read == [[(1, b"1"), (2, b"2"), (3, b"3")]] * 10
    assert made == [1, 2, 3]


async def test_the_snapshot_and_the_log_share_an_entry() -> None:
    topic = feed()
    topic.publish(updates(1, 1))
    fresh, back = topic.subscribe(), topic.subscribe(cursor=Cursor(topic.epoch, 0))
    snapshot, resumed = await anext(fresh.entries), await anext(back.entries)
    assert snapshot.updates[0] is resumed.updates[0]


async def test_a_reader_with_a_limit_overflows_there_though_the_log_holds_more() -> None:
    """F28: a slow reader harms no other and its memory is bounded."""
    topic = feed(capacity=100)
    topic.publish(updates(1, 1))
    stream = topic.subscribe()
    reader = stream.entries
    reader.limit = 5
    assert (await anext(reader)).snapshot
    topic.publish(updates(2, 6))
    assert len((await anext(reader)).updates) == 5
    topic.publish(updates(7, 12))
    with pytest.raises(StreamOverflow, match="6 updates behind; the log holds 5"):
        await anext(reader)
    assert topic.readers == 0


async def test_a_reader_with_a_limit_resumes_no_further_back() -> None:
    """F7: no update vanishes between two reads of a stream, or a gap is reported."""
    topic = feed(capacity=100)
    topic.publish(updates(1, 20))
    stream = topic.subscribe(cursor=Cursor(topic.epoch, 10))
    reader = stream.entries
    reader.limit = 5
    batch = await anext(reader)
    assert (batch.snapshot, batch.gap) == (True, True)


async def test_a_batch_says_how_old_its_newest_update_is() -> None:
    topic: Feed[Price] = Feed(key=lambda one: one.symbol, conflate=True)
    hour_ago = time.time_ns() - 3600 * 10**9
    topic.publish([Price(symbol="BTCUSDT", bid=Decimal(1), ask=Decimal(2), received_ns=hour_ago)])
    assert (await anext(topic.subscribe())).age_s >= 3600


async def test_a_batch_of_what_has_no_time_of_receipt_is_new() -> None:
    topic = feed()
    topic.publish(updates(1, 3))
    assert (await anext(topic.subscribe())).age_s == 0
