"""Bybit's private stream: login, and the account's events as frames; events of one moment share a frame."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any

import orjson

from opensqt.simulator.dialects.base import World
from opensqt.simulator.dialects.bybit import formats
from opensqt.simulator.dialects.bybit.account import write_position
from opensqt.simulator.dialects.bybit.conditional_formats import conditional
from opensqt.simulator.dialects.bybit.fill_details import FillDetails
from opensqt.simulator.dialects.bybit.subscriptions import PRIVATE
from opensqt.simulator.engine.events import (
    AccountChanged,
    ConditionalChanged,
    Event,
    FundingPaid,
    OrderChanged,
    SettingsChanged,
)
from opensqt.simulator.engine.order import SimFill, SimOrder
from opensqt.simulator.sockets import Socket

_ROWS_PER_FRAME = 50


@dataclass(slots=True)
class _UnsentEvents:
    """Events of an account that were not sent yet. Of an order or a position only the last state is sent."""

    executions: list[dict[str, Any]] = field(default_factory=list)
    conditional: list[dict[str, Any]] = field(default_factory=list)
    orders: dict[str, SimOrder] = field(default_factory=dict)
    positions: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    wallet: dict[str, Any] | None = None
    time_ms: int = 0


class PrivateStreams:
    """All connections that subscribed to an account."""

    def __init__(self, world: World, fill_details: FillDetails) -> None:
        self._subscriptions = world.subscriptions
        self._engine = world.engine
        self._fill_details = fill_details
        self._pending: dict[str, _UnsentEvents] = {}

    def subscribe(self, socket: Socket, kind: str, name: str) -> bool:
        """Subscribe a logged-in connection to one kind of its account's events; return whether that is new."""
        topic = _topic(socket.state["account"], kind)
        if not self._subscriptions.subscribe(socket, topic):
            return False
        # Frames carry the name of the subscription: `order`, or `order.linear`.
        socket.state["names"][kind] = name
        socket.channels[PRIVATE[kind]] += 1
        return True

    def unsubscribe(self, socket: Socket, kind: str) -> bool:
        """End a subscription; return whether there was one."""
        if not self._subscriptions.unsubscribe(socket, _topic(socket.state["account"], kind)):
            return False
        socket.channels[PRIVATE[kind]] -= 1
        return True

    def publish(self, event: Event) -> None:
        """Handle an event of the engine; it is sent when the engine has published all events that belong to it."""
        if isinstance(event, ConditionalChanged):
            pending = self._of(event.account, event.time_ms)
            rules = self._engine.symbol(event.conditional.symbol)
            pending.conditional.append({"category": formats.CATEGORY, **conditional(event.conditional, rules)})
            if event.conditional.wanted.slot:
                for position in self._engine.positions(event.account, event.conditional.symbol):
                    self._add_position(event.account, pending, position)
        elif isinstance(event, OrderChanged):
            self._fill_details.record(event)
            self._take_order(event)
        elif isinstance(event, AccountChanged):
            pending = self._of(event.account, event.time_ms)
            pending.wallet = formats.wallet(event.balance)
            for position in event.positions:
                self._add_position(event.account, pending, position)
        elif isinstance(event, FundingPaid):
            pending = self._of(event.account, event.time_ms)
            row = formats.funding(event, self._engine.symbol(event.symbol))
            pending.executions.append({"category": formats.CATEGORY, **row})
        elif isinstance(event, SettingsChanged):
            pending = self._of(event.account, event.time_ms)
            for position in self._engine.positions(event.account, event.symbol):
                self._add_position(event.account, pending, position)

    def flush(self) -> None:
        """Send all pending events."""
        for account, pending in list(self._pending.items()):
            del self._pending[account]
            self._send(account, "execution", pending.time_ms, pending.executions)
            rows = pending.conditional + [
                {
                    "category": formats.CATEGORY,
                    **formats.order(order, self._engine.symbol(order.symbol), self._fills(order)),
                }
                for order in pending.orders.values()
            ]
            self._send(account, "order", pending.time_ms, rows)
            self._send(account, "position", pending.time_ms, list(pending.positions.values()))
            self._send(account, "wallet", pending.time_ms, [pending.wallet] if pending.wallet else [])

    def _fills(self, order: SimOrder) -> list[SimFill]:
        if not order.filled_quantity:
            return []
        return self._engine.fills(order.account, order.symbol, order_id=order.order_id)

    def _take_order(self, event: OrderChanged) -> None:
        pending = self._of(event.account, event.time_ms)
        order, rules = event.order, self._engine.symbol(event.order.symbol)
        pending.orders[order.order_id] = order
        if event.fill is not None:
            note = self._fill_details.of(event.account, order.symbol, order.order_id, event.fill.trade_id)
            row = formats.execution(event.fill, order, note, rules)
            profit = {"execPnl": format(event.fill.realized_pnl, "f")}
            pending.executions.append({"category": formats.CATEGORY, **row, **profit})

    def _add_position(self, account: str, pending: _UnsentEvents, position: Any) -> None:
        row = write_position(self._engine, account, position)
        row["entryPrice"] = row.pop("avgPrice")
        pending.positions[position.symbol, position.position_side] = {"category": formats.CATEGORY, **row}

    def _of(self, account: str, time_ms: int) -> _UnsentEvents:
        if account not in self._pending:
            self._pending[account] = _UnsentEvents()
            asyncio.get_running_loop().call_soon(self.flush)
        pending = self._pending[account]
        pending.time_ms = time_ms
        return pending

    def _send(self, account: str, kind: str, time_ms: int, rows: list[Any]) -> None:
        listeners = list(self._subscriptions.subscribers(_topic(account, kind)))
        for start in range(0, len(rows) if listeners else 0, _ROWS_PER_FRAME):
            message = {"id": uuid.uuid4().hex, "creationTime": time_ms, "data": rows[start : start + _ROWS_PER_FRAME]}
            for socket in listeners:
                frame = {"topic": socket.state["names"][kind], **message}
                socket.send(orjson.dumps(frame), PRIVATE[kind])


def _topic(account: str, kind: str) -> str:
    return f"{account} {kind}"
