"""The order of settings and orders: no order is on its way while a setting that it depends on changes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from opensqt.model.errors import Unreachable

_EVERY_SYMBOL = ""


class SettingsGate:
    """Holds back the orders of a symbol while its leverage or a mode changes, and such changes while orders are sent.

    Changes are made one after the other, in the order in which they came. A change that waits for the responses of
    orders in flight already holds back the next orders, so that a busy symbol can't keep it waiting.

    Args:
        wait_s: How long an order waits for a change at most.
    """

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._one_change = asyncio.Lock()
        self._changing: str | None = None
        """The symbol of the change, or all symbols; None while there is none."""
        self._sending: Counter[str] = Counter()
        """Requests in flight that place orders, by symbol."""
        self._opened = asyncio.Event()
        self._answered = asyncio.Event()

    @asynccontextmanager
    async def sending(self, symbols: Collection[str]) -> AsyncIterator[bool]:
        """Wait until no setting of the symbols changes, and hold back changes while the block runs.

        Yields:
            Whether it waited, so that a setting may be another one than before.

        Raises:
            Unreachable: The change takes too long; nothing was sent.
        """
        held_back = self._holds_back(symbols)
        if held_back:
            try:
                async with asyncio.timeout(self._wait_s):
                    while self._holds_back(symbols):
                        await self._opened.wait()
            except TimeoutError:
                what = self._changing or "the account"
                raise Unreachable(f"a setting of {what} is being changed; nothing was sent") from None
        self._sending.update(symbols)
        try:
            yield held_back
        finally:
            self._sending.subtract(symbols)
            self._answered.set()

    @asynccontextmanager
    async def changing(self, symbol: str = _EVERY_SYMBOL) -> AsyncIterator[None]:
        """Hold back the orders of a symbol, or all, while the block runs; it begins when none of them is in flight."""
        async with self._one_change:
            self._changing = symbol
            self._opened.clear()
            try:
                while self._in_flight(symbol):
                    self._answered.clear()
                    await self._answered.wait()
                yield
            finally:
                self._changing = None
                self._opened.set()

    def _holds_back(self, symbols: Collection[str]) -> bool:
        return self._changing is not None and (self._changing == _EVERY_SYMBOL or self._changing in symbols)

    def _in_flight(self, symbol: str) -> bool:
        return bool(+self._sending) if symbol == _EVERY_SYMBOL else self._sending[symbol] > 0
