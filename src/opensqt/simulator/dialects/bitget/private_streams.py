"""Bitget's private channels: orders, fills, positions and balance of the account that is logged in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from opensqt.simulator.dialects.base import World
from opensqt.simulator.dialects.bitget import conditional_formats, formats
from opensqt.simulator.dialects.bitget.parameters import PRODUCT_TYPE
from opensqt.simulator.dialects.bitget.subscriptions import Subscription, parse
from opensqt.simulator.engine.events import AccountChanged, ConditionalChanged, Event, OrderChanged
from opensqt.simulator.sockets import Socket


def _channel(name: str) -> Subscription:
    found = parse({"instType": PRODUCT_TYPE, "channel": name})
    if found is None:
        raise LookupError(name)
    return found


_ORDERS, _PLANS, _FILL, _POSITIONS, _ACCOUNT = (
    _channel(name) for name in ("orders", "orders-algo", "fill", "positions", "account")
)


class PrivateStreams:
    """Sends the account's events to the connections that are logged in to it."""

    def __init__(self, world: World) -> None:
        self._subscriptions = world.subscriptions
        self._engine = world.engine

    def subscribe(self, socket: Socket, account: str, channel: Subscription) -> None:
        """Subscribe a connection to a channel of its account; balance and positions are sent at once."""
        if not self._subscriptions.subscribe(socket, _topic(account, channel)):
            return
        socket.channels[channel.fault_name] += 1
        if channel.kind == "positions":
            socket.send(self._frame(channel, self._positions(account)), channel.fault_name)
        elif channel.kind == "account":
            socket.send(self._frame(channel, self._balance(account)), channel.fault_name)

    def unsubscribe(self, socket: Socket, account: str, channel: Subscription) -> None:
        """End a subscription."""
        if self._subscriptions.unsubscribe(socket, _topic(account, channel)):
            socket.channels[channel.fault_name] -= 1

    def publish(self, event: Event) -> None:
        """Handle an event of the engine."""
        if isinstance(event, OrderChanged):
            self._send_order(event)
        elif isinstance(event, ConditionalChanged):
            found = event.conditional
            rules = self._engine.symbol(found.symbol)
            self._send(event.account, _PLANS, lambda: [conditional_formats.streamed(found, rules)])
        elif isinstance(event, AccountChanged):
            self._send(event.account, _POSITIONS, lambda: self._positions(event.account))
            self._send(event.account, _ACCOUNT, lambda: self._balance(event.account))

    def _send_order(self, event: OrderChanged) -> None:
        order, fill = event.order, event.fill
        rules = self._engine.symbol(order.symbol)

        def row() -> list[dict[str, Any]]:
            fills = self._engine.fills(order.account, order.symbol, order_id=order.order_id)
            leverage = self._engine.leverage(order.account, order.symbol)
            return [formats.streamed_order(order, rules, leverage=leverage, fills=fills, fill=fill)]

        self._send(event.account, _ORDERS, row)
        if fill is not None:
            self._send(event.account, _FILL, lambda: [formats.streamed_trade(fill, order, rules)])

    def _positions(self, account: str) -> list[dict[str, Any]]:
        """Return all positions that are not flat; a missing one is flat."""
        equity = self._engine.balance(account).margin_balance
        return [
            formats.streamed_position(position, self._engine.symbol(position.symbol), equity)
            for position in self._engine.positions(account)
            if position.quantity
        ]

    def _balance(self, account: str) -> list[dict[str, Any]]:
        return [formats.streamed_account(self._engine.balance(account))]

    def _send(self, account: str, channel: Subscription, rows: Callable[[], list[dict[str, Any]]]) -> None:
        listeners = self._subscriptions.subscribers(_topic(account, channel))
        if not listeners:
            return
        frame = self._frame(channel, rows())
        for socket in listeners:
            socket.send(frame, channel.fault_name)

    def _frame(self, channel: Subscription, rows: list[dict[str, Any]]) -> bytes:
        message = {"action": "snapshot", "arg": channel.arg, "data": rows, "ts": self._engine.now_ms()}
        return orjson.dumps(message)


def _topic(account: str, channel: Subscription) -> str:
    return f"{account}|{channel.name}"
