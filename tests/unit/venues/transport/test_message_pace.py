"""How quickly messages follow each other over one connection."""

from __future__ import annotations

import asyncio

from opensqt.venues.transport.message_pace import MessagePace


class Connection:
    """Notes when each message is sent, on a clock that only waiting moves."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.sent: list[tuple[int, float]] = []
        self.pace = MessagePace(self.take, clock=lambda: self.now_s, sleep=self.sleep)

    async def take(self, message: int) -> None:
        self.sent.append((message, self.now_s))

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


async def test_a_few_messages_are_sent_at_once() -> None:
    connection = Connection()
    await asyncio.gather(*(connection.pace.send(number) for number in range(6)))
    assert connection.sent == [(number, 100.0) for number in range(6)]


async def test_no_second_has_ten_messages_and_their_order_is_kept() -> None:
    connection = Connection()
    await asyncio.gather(*(connection.pace.send(number) for number in range(100)))
    assert [number for number, _ in connection.sent] == list(range(100))
    times = [at for _, at in connection.sent]
    assert all(later - earlier > 1.0 for earlier, later in zip(times, times[9:], strict=False))


async def test_a_pause_makes_room_again() -> None:
    connection = Connection()
    for number in range(8):
        await connection.pace.send(number)
    connection.now_s += 1.5
    for number in range(8, 16):
        await connection.pace.send(number)
    assert {at for _, at in connection.sent[8:]} == {101.5}
