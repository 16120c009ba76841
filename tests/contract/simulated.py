"""Adapters, each on a simulator of its venue with a manual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
from pydantic import SecretStr

from opensqt.config.venue import VenueSettings
from opensqt.model.account import PositionMode
from opensqt.model.order import Order, Side
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.settings import AccountSettings
from opensqt.testing.contract.bench import SYMBOL, Open, Opened
from opensqt.venues.factory import create_exchange

_CLOSED_STATES = {
    "binance": "SETTLING",
    "bitget": "maintain",
    "bybit": "Settling",
    "gate": "in_delisting",
    "okx": "suspend",
}
"""Each venue's term for a state in which only orders that close a position are accepted."""
_NEVER_H = 24 * 36_500
"""Hours; the intervals begin with the epoch, so that the first one ends in 2069."""


class SimulatorMarket:
    """Moves a simulator on a manual clock, by its own endpoints."""

    def __init__(self, url: str, session: aiohttp.ClientSession, closed_state: str) -> None:
        self._url = url
        self._session = session
        self._closed_state = closed_state

    async def hit(self, order: Order, quantity: Decimal) -> None:
        await self._trade(order.side.opposite, quantity, order.price)

    async def tick(self) -> None:
        await self._trade(Side.BUY, Decimal("0.001"), None)

    async def next_minute(self) -> None:
        await self._post("clock", {"advance_ms": 60_000})

    async def stop_trading(self) -> None:
        await self._post("symbols", {"symbol": SYMBOL, "state": self._closed_state})

    async def pay_funding(self, rate: Decimal) -> None:
        await self._post("funding", {"symbol": SYMBOL, "rate": str(rate)})

    async def _trade(self, side: Side, quantity: Decimal, price: Decimal | None) -> None:
        body = {
            "symbol": SYMBOL,
            "side": side,
            "quantity": str(quantity),
            "price": None if price is None else str(price),
        }
        answer = await self._post("market", body)
        assert answer["filled"] == format(quantity, "f"), answer

    async def _post(self, what: str, body: dict[str, Any]) -> Any:
        async with self._session.post(f"{self._url}/_sim/{what}", json=body) as response:
            answer = await response.json()
            assert response.status == 200, answer
            return answer


def simulated(venue: str, account_mode: str = "") -> Open:
    """Return the opener of a venue's adapter on its simulator, with an account of a mode that is not the usual one."""

    @asynccontextmanager
    async def on_a_simulator(mode: PositionMode) -> AsyncIterator[Opened]:
        account = AccountSettings(position_mode=mode, account_mode=account_mode)
        # The clock is stepped by whole minutes: the market moves every 7 s of them, not every 70 ms.
        venue_settings = SimulatorSettings(
            exchange=venue,
            port=0,
            clock="manual",
            move_interval_ms=7_000,
            past_minutes=10,
            accounts=(account,),
            # The venue's own hour of funding would pay once more in a test that runs across it.
            funding_interval_h=_NEVER_H,
        )
        async with Simulator(venue_settings) as simulator, aiohttp.ClientSession() as session:
            settings = VenueSettings(
                name=venue,
                api_key=SecretStr(account.key),
                secret=SecretStr(account.secret),
                passphrase=SecretStr(account.passphrase),
                base_url=simulator.url,
                symbols=(SYMBOL,),
                # A market that does not move repeats nothing: an update that is lost between snapshot and subscription
                # would be noticed only after the default of 10 s, which suits a moving one.
                stale_after_s=1,
                rules_interval_s=1,
            )
            yield create_exchange(settings), SimulatorMarket(simulator.url, session, _CLOSED_STATES[venue])

    return on_a_simulator
