"""The pace of the messages over one connection."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

_MESSAGES = 8
_WINDOW_S = 1.25
"""Binance cuts a connection that sends more than ten messages a second, pongs included; the others allow more. Messages
may reach it closer together than they were sent, by the quarter of a second."""


class MessagePace:
    """Lets a few messages pass at once, and no more than that in any window.

    After a reconnect many subscriptions are renewed at once.

    Args:
        send: Sends a message.
        clock: Returns seconds.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        send: Callable[[Any], Awaitable[None]],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._send = send
        self._clock = clock
        self._sleep = sleep
        self._sending = asyncio.Lock()
        self._sent_s: deque[float] = deque(maxlen=_MESSAGES)

    async def send(self, message: Any) -> None:
        """Send a message as soon as the pace allows it; the order is kept."""
        async with self._sending:
            while len(self._sent_s) == _MESSAGES and (wait_s := self._sent_s[0] + _WINDOW_S - self._clock()) > 0:
                await self._sleep(wait_s)
            self._sent_s.append(self._clock())
            await self._send(message)
