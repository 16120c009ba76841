"""Each client has an outbox of its own; what may be replaced is, what may not be lost is not."""

from __future__ import annotations

import asyncio

import pytest

from opensqt.live_server.broadcast import Hub
from opensqt.live_server.messages import Message


def number(value: int) -> Message:
    return Message("price", value, "price")


def event(value: int) -> Message:
    return Message("trade_event", value)


async def test_a_client_gets_the_snapshot_and_then_what_is_published():
    hub = Hub()
    outbox = hub.join([event(1)])
    hub.publish([event(2)])
    assert await outbox.take() == [b'{"type":"trade_event","data":1}', b'{"type":"trade_event","data":2}']


async def test_only_the_newest_price_waits_for_a_slow_client():
    hub = Hub()
    outbox = hub.join([])
    await outbox.take()
    hub.publish(number(value) for value in range(1000))
    assert await outbox.take() == [number(999).encode()]


async def test_every_event_waits_for_a_slow_client_in_order():
    hub = Hub(limit=1000)
    outbox = hub.join([])
    hub.publish(event(value) for value in range(1000))
    assert await outbox.take() == [event(value).encode() for value in range(1000)]


async def test_a_client_that_is_full_is_told_to_go_and_holds_nothing():
    """F28: its memory is bounded, and nothing is left out in silence."""
    hub = Hub(limit=10)
    outbox = hub.join([])
    hub.publish(event(value) for value in range(11))
    assert outbox.overflowed.is_set()
    assert len(outbox) == 0
    hub.publish([event(99)])
    assert len(outbox) == 0


async def test_prices_never_fill_an_outbox():
    hub = Hub(limit=10)
    outbox = hub.join([])
    hub.publish(number(value) for value in range(1000))
    assert not outbox.overflowed.is_set()


async def test_a_large_snapshot_does_not_use_up_the_room_for_events():
    hub = Hub(limit=2)
    outbox = hub.join([event(value) for value in range(50)])
    hub.publish([event(50), event(51)])
    assert not outbox.overflowed.is_set()


async def test_a_message_is_encoded_once_for_all_clients(monkeypatch: pytest.MonkeyPatch):
    hub = Hub()
    outboxes = [hub.join([]) for _ in range(100)]
    encoded = []
    encode = Message.encode
    monkeypatch.setattr(Message, "encode", lambda self: encoded.append(self) or encode(self))
    hub.publish([event(1)])
    texts = [(await outbox.take())[-1] for outbox in outboxes]
    assert len(encoded) == 1
    assert all(text is texts[0] for text in texts)


async def test_a_client_that_left_gets_nothing():
    hub = Hub()
    outbox = hub.join([])
    await outbox.take()
    hub.leave(outbox)
    hub.leave(outbox)
    hub.publish([event(1)])
    assert (len(outbox), len(hub)) == (0, 0)


async def test_taking_waits_until_there_is_something():
    hub = Hub()
    outbox = hub.join([])
    await outbox.take()
    taking = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    assert not taking.done()
    hub.publish([event(1)])
    assert await taking == [event(1).encode()]
