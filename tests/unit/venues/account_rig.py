"""All of an adapter but its sockets: the venue's parser and requests and the account's state, fed with payloads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from copy import deepcopy
from decimal import Decimal
from functools import cache
from typing import Any

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, AccountNotice, Position, PositionMode
from opensqt.model.errors import OrderNotFound
from opensqt.model.order import Fill, OrderUpdate
from opensqt.venues.account.queries import AccountQueries
from opensqt.venues.account.state import AccountState
from opensqt.venues.events import AccountModeChange, BalanceChange, FillsPending
from opensqt.venues.factory import venue_type
from tests.unit.venues.okx import test_parse as okx

VENUES = ("binance", "bitget", "bybit", "gate", "okx")
IDS = {"okx": "BTC-USDT-SWAP", "gate": "BTC_USDT"}
LATER_MS = 4_000_000_000_000
Row = dict[str, Any]


@cache
def client(name: str) -> Any:
    return venue_type(name).make_client(VenueSettings(name=name))  # type: ignore[arg-type]


class Answers:
    """The venue: answers queries of trades and orders with the rows that a test sets, and others with nothing."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.trades: list[Row] = []
        self.orders: list[Row] = []
        self.asked: list[str] = []

    async def send(self, endpoint: str, params: Any = None, **_: Any) -> Any:
        self.asked.append(endpoint)
        if params and "fromId" in params:
            # The page after the last one.
            return []
        of_trades = any(word in endpoint for word in ("Fills", "Trades", "ExecutionList"))
        rows = deepcopy(self.trades if of_trades else self.orders if "Order" in endpoint else [])
        if endpoint.endswith(("GetOrder", "OrdersOrderId", "OrderDetail", "TradeOrder")):
            if not rows:
                raise OrderNotFound("no such order")
            return {"data": rows if self._name == "okx" else rows[0]} if self._name in ("okx", "bitget") else rows[0]
        if self._name in ("binance", "gate"):
            return rows
        if self._name == "bybit":
            return {"result": {"list": rows, "nextPageCursor": ""}}
        return {"data": rows if self._name == "okx" else {"fillList": rows, "entrustedList": rows}}


class AccountRig:
    """One account of a venue, whose events are applied as the adapter applies them."""

    def __init__(self, name: str, mode: PositionMode = PositionMode.ONE_WAY) -> None:
        self.name = name
        self.answers = Answers(name)
        settings = VenueSettings(name=name, symbols=("BTCUSDT",))  # type: ignore[arg-type]
        venue: Any = venue_type(name)(settings, client(name), self.answers)  # type: ignore[arg-type]
        market_id = IDS.get(name, "BTCUSDT")
        venue.rules, venue.rules_by_id = {"BTCUSDT": okx.rules()}, {market_id: okx.rules()}
        venue.market_id = lambda _symbol: market_id
        venue.symbols = {"BTCUSDT": "BTCUSDT"}
        venue.open_orders, venue.positions, venue.account = self._nothing, self._nothing, self._account
        venue.position_mode, venue.load_position_mode = mode, self._modes
        venue.observe_market_time(LATER_MS)
        self.venue = venue
        self.balance = Account(
            asset="USDT", wallet_balance=Decimal(0), unrealized_pnl=Decimal(0), available_balance=Decimal(0)
        )
        self.state = AccountState(venue)
        self.queries = AccountQueries(venue, self.state)
        self._seen = 0

    async def start(self) -> AccountRig:
        await self.state.load()
        self._reader = self.state.orders.subscribe()
        await anext(self._reader)
        self._seen = self.state.orders.sequence
        return self

    async def feed(self, *frames: Mapping[str, Any]) -> list[OrderUpdate]:
        """Apply frames, query what they leave open, and return what was published."""
        pending: list[str] = []
        for frame in frames:
            for event in list(self.venue.parse(deepcopy(frame)) or ()):
                if isinstance(event, OrderUpdate):
                    self.state.apply_order(event.order, event.fill)
                elif isinstance(event, Fill):
                    pending += [] if self.state.apply_fill(event) else [event.symbol]
                elif isinstance(event, FillsPending):
                    pending.append(event.symbol)
                elif isinstance(event, Position):
                    self.state.apply_position(event)
                elif isinstance(event, AccountNotice):
                    self.state.apply_notice(event)
                elif isinstance(event, AccountModeChange):
                    self.state.apply_account_mode(event.mode)
                elif isinstance(event, BalanceChange):
                    self.state.apply_balance(event)
        for symbol in dict.fromkeys(pending):
            await self.state.query_fills(symbol)
        return await self.published()

    async def published(self) -> list[OrderUpdate]:
        """The updates since the last call."""
        if self.state.orders.sequence == self._seen:
            return []
        self._seen = self.state.orders.sequence
        async with asyncio.timeout(30):
            return list((await anext(self._reader)).updates)

    async def fills(self, *frames: Mapping[str, Any]) -> list[Fill]:
        """The fills that were published."""
        return [update.fill for update in await self.feed(*frames) if update.fill is not None]

    async def _nothing(self, _symbol: str = "") -> list[Any]:
        return []

    async def _account(self) -> Account:
        return self.balance

    async def _modes(self) -> None:
        """The modes stay as they are."""
