"""Each client has an outbox of its own; what may be replaced is, what may not be lost is not."""

from __future__ import annotations

import asyncio

import pytest

from opensqt.live_server.broadcast import Broadcaster
from opensqt.live_server.messages import PageMessage


def number(value: int) -> PageMessage:
    return PageMessage("price", value, "price")


def event(value: int) -> PageMessage:
    return PageMessage("trade_event", value)


async def test_a_client_gets_the_snapshot_and_then_what_is_published():
    broadcaster = Broadcaster()
    outbox = broadcaster.join([event(1)])
    broadcaster.publish([event(2)])
    assert await outbox.drain() == [b'{"type":"trade_event","data":1}', b'{"type":"trade_event","data":2}']


async def test_only_the_newest_price_waits_for_a_slow_client():
    broadcaster = Broadcaster()
    outbox = broadcaster.join([])
    await outbox.drain()
    broadcaster.publish(number(value) for value in range(1000))
    assert await outbox.drain() == [number(999).encode()]


async def test_every_event_waits_for_a_slow_client_in_order():
    broadcaster = Broadcaster(limit=1000)
    outbox = broadcaster.join([])
    broadcaster.publish(event(value) for value in range(1000))
    assert await outbox.drain() == [event(value).encode() for value in range(1000)]


async def test_a_client_that_is_full_is_told_to_go_and_holds_nothing():
    """F28: its memory is bounded, and nothing is left out in silence."""
    broadcaster = Broadcaster(limit=10)
    outbox = broadcaster.join([])
    broadcaster.publish(event(value) for value in range(11))
    assert outbox.overflowed.is_set()
    assert len(outbox) == 0
    broadcaster.publish([event(99)])
    assert len(outbox) == 0


async def test_prices_never_fill_an_outbox():
    broadcaster = Broadcaster(limit=10)
    outbox = broadcaster.join([])
    broadcaster.publish(number(value) for value in range(1000))
    assert not outbox.overflowed.is_set()


async def test_a_large_snapshot_does_not_use_up_the_room_for_events():
    broadcaster = Broadcaster(limit=2)
    outbox = broadcaster.join([event(value) for value in range(50)])
    broadcaster.publish([event(50), event(51)])
    assert not outbox.overflowed.is_set()


async def test_a_message_is_encoded_once_for_all_clients(monkeypatch: pytest.MonkeyPatch):
    broadcaster = Broadcaster()
    outboxes = [broadcaster.join([]) for _ in range(100)]
    encoded = []
    encode = PageMessage.encode
    monkeypatch.setattr(PageMessage, "encode", lambda self: encoded.append(self) or encode(self))
    broadcaster.publish([event(1)])
    texts = [(await outbox.drain())[-1] for outbox in outboxes]
    assert len(encoded) == 1
    assert all(text is texts[0] for text in texts)


async def test_a_client_that_left_gets_nothing():
    broadcaster = Broadcaster()
    outbox = broadcaster.join([])
    await outbox.drain()
    broadcaster.leave(outbox)
    broadcaster.leave(outbox)
    broadcaster.publish([event(1)])
    assert (len(outbox), len(broadcaster)) == (0, 0)


async def test_taking_waits_until_there_is_something():
    broadcaster = Broadcaster()
    outbox = broadcaster.join([])
    await outbox.drain()
    taking = asyncio.create_task(outbox.drain())
    await asyncio.sleep(0)
    assert not taking.done()
    broadcaster.publish([event(1)])
    assert await taking == [event(1).encode()]
