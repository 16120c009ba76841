"""Bybit's private stream: login, and the account's events as frames, several of one moment in one frame."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any

import orjson

from opensqt.simulator.dialects.base import World
from opensqt.simulator.dialects.bybit import formats
from opensqt.simulator.dialects.bybit.notes import Notes
from opensqt.simulator.dialects.bybit.topics import PRIVATE
from opensqt.simulator.engine.events import AccountChanged, Event, FundingPaid, OrderChanged, SettingsChanged
from opensqt.simulator.engine.order import SimOrder
from opensqt.simulator.sockets import Socket

_ROWS_PER_FRAME = 50


@dataclass(slots=True)
class _News:
    """What happened to an account and was not told yet. Of an order or a position only the last state is told."""

    executions: list[dict[str, Any]] = field(default_factory=list)
    orders: dict[str, SimOrder] = field(default_factory=dict)
    positions: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    wallet: dict[str, Any] | None = None
    time_ms: int = 0


class PrivateStream:
    """All connections that listen to an account."""

    def __init__(self, world: World, notes: Notes) -> None:
        self._hub = world.hub
        self._engine = world.engine
        self._notes = notes
        self._news: dict[str, _News] = {}

    def subscribe(self, socket: Socket, kind: str, name: str) -> bool:
        """Let a connection that is logged in hear one kind of its account's events; say whether that is new."""
        topic = _topic(socket.state["account"], kind)
        if not self._hub.subscribe(socket, topic):
            return False
        # Frames bear the name that was asked for: `order`, or `order.linear`.
        socket.state["names"][kind] = name
        socket.channels[PRIVATE[kind]] += 1
        return True

    def unsubscribe(self, socket: Socket, kind: str) -> bool:
        """End that; say whether it did hear it."""
        if not self._hub.unsubscribe(socket, _topic(socket.state["account"], kind)):
            return False
        socket.channels[PRIVATE[kind]] -= 1
        return True

    def publish(self, event: Event) -> None:
        """Take an event of the engine; it is told when the engine has done all that belongs to it."""
        if isinstance(event, OrderChanged):
            self._notes.take(event)
            self._take_order(event)
        elif isinstance(event, AccountChanged):
            news = self._of(event.account, event.time_ms)
            news.wallet = formats.wallet(event.balance)
            for position in event.positions:
                self._take_position(news, position)
        elif isinstance(event, FundingPaid):
            news = self._of(event.account, event.time_ms)
            row = formats.funding(event, self._engine.symbol(event.symbol))
            news.executions.append({"category": formats.CATEGORY, **row})
        elif isinstance(event, SettingsChanged):
            news = self._of(event.account, event.time_ms)
            for position in self._engine.positions(event.account, event.symbol):
                self._take_position(news, position)

    def flush(self) -> None:
        """Tell all that was not told yet."""
        for account, news in list(self._news.items()):
            del self._news[account]
            self._send(account, "execution", news.time_ms, news.executions)
            rows = [
                {"category": formats.CATEGORY, **formats.order(order, self._engine.symbol(order.symbol))}
                for order in news.orders.values()
            ]
            self._send(account, "order", news.time_ms, rows)
            self._send(account, "position", news.time_ms, list(news.positions.values()))
            self._send(account, "wallet", news.time_ms, [news.wallet] if news.wallet else [])

    def _take_order(self, event: OrderChanged) -> None:
        news = self._of(event.account, event.time_ms)
        order, rules = event.order, self._engine.symbol(event.order.symbol)
        news.orders[order.order_id] = order
        if event.fill is not None:
            note = self._notes.of(event.account, order.symbol, order.order_id, event.fill.trade_id)
            row = formats.execution(event.fill, order, note, rules)
            profit = {"execPnl": format(event.fill.realized_pnl, "f")}
            news.executions.append({"category": formats.CATEGORY, **row, **profit})

    def _take_position(self, news: _News, position: Any) -> None:
        row = formats.position(position, self._engine.symbol(position.symbol))
        row["entryPrice"] = row.pop("avgPrice")
        news.positions[position.symbol, position.position_side] = {"category": formats.CATEGORY, **row}

    def _of(self, account: str, time_ms: int) -> _News:
        if account not in self._news:
            self._news[account] = _News()
            asyncio.get_running_loop().call_soon(self.flush)
        news = self._news[account]
        news.time_ms = time_ms
        return news

    def _send(self, account: str, kind: str, time_ms: int, rows: list[Any]) -> None:
        listeners = list(self._hub.listeners(_topic(account, kind)))
        for start in range(0, len(rows) if listeners else 0, _ROWS_PER_FRAME):
            message = {"id": uuid.uuid4().hex, "creationTime": time_ms, "data": rows[start : start + _ROWS_PER_FRAME]}
            for socket in listeners:
                frame = {"topic": socket.state["names"][kind], **message}
                socket.send(orjson.dumps(frame), PRIVATE[kind])


def _topic(account: str, kind: str) -> str:
    return f"{account} {kind}"
