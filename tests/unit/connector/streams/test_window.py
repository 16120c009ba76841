"""A stream goes no further ahead of its reader than its window allows."""

from __future__ import annotations

import asyncio

import pytest

from opensqt.connector.streams.window import SendWindow
from opensqt.model.errors import InvalidRequest
from opensqt.model.stream import Cursor
from opensqt.streams.feed import Feed


def place(sequence: int) -> Cursor:
    return Cursor("e1", sequence)


async def has_room(window: SendWindow) -> bool:
    waiting = asyncio.ensure_future(window.room())
    await asyncio.sleep(0)
    waiting.cancel()
    return waiting.done() and not waiting.cancelled()


async def test_one_response_is_on_its_way_until_it_is_received() -> None:
    """F28: what a reader does not read stays in the one log that all share."""
    window = SendWindow()
    assert await has_room(window)
    window.sent(place(1), 1)
    assert not await has_room(window)
    window.acknowledge(received=1, read=0)
    assert await has_room(window)


async def test_an_empty_response_waits_for_its_acknowledgement_too() -> None:
    window = SendWindow()
    window.sent(place(7), 0)
    assert not await has_room(window)
    window.acknowledge(received=1, read=1)
    assert await has_room(window)


async def test_a_loss_free_stream_goes_ahead_by_so_many_updates() -> None:
    window = SendWindow(updates=3)
    window.sent(place(2), 2)
    assert await has_room(window)
    window.sent(place(4), 2)
    assert not await has_room(window)
    window.acknowledge(received=1, read=1)
    assert await has_room(window)


@pytest.mark.parametrize(("received", "read"), [(2, 0), (0, 1), (1, 2), (2**64 - 1, 0)])
def test_what_was_not_sent_can_not_be_acknowledged(received: int, read: int) -> None:
    window = SendWindow()
    window.sent(place(1), 1)
    with pytest.raises(InvalidRequest, match="expected"):
        window.acknowledge(received=received, read=read)


def test_an_acknowledgement_never_goes_back() -> None:
    window = SendWindow()
    window.sent(place(1), 1)
    window.acknowledge(received=1, read=1)
    with pytest.raises(InvalidRequest, match="received 0: expected 1 to 1"):
        window.acknowledge(received=0, read=0)


async def test_the_backlog_of_a_reader_is_what_its_program_has_not_read() -> None:
    feed: Feed[int] = Feed(key=lambda number: number, conflate=True)
    stream, window = feed.subscribe(), SendWindow()
    window.attach(stream.entries)
    feed.publish([1])
    window.sent((await anext(stream)).cursor, 1)
    window.acknowledge(received=1, read=1)
    feed.publish([2, 3])
    window.sent((await anext(stream)).cursor, 2)
    assert stream.behind == 2
    feed.publish([4])
    window.acknowledge(received=2, read=1)
    assert stream.behind == 3
    window.acknowledge(received=2, read=2)
    assert stream.behind == 1


def test_a_client_has_something_unread_from_the_oldest_response_that_its_program_has_not_read() -> None:
    window = SendWindow()
    assert window.since is None
    window.sent(place(1), 1)
    first = window.since
    assert first is not None
    window.acknowledge(received=1, read=0)
    window.sent(place(2), 1)
    assert window.since == first
    window.acknowledge(received=2, read=1)
    second = window.since
    assert second is not None
    assert second > first
    window.acknowledge(received=2, read=2)
    assert window.since is None
