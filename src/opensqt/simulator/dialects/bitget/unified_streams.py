"""The private channels of Bitget's unified account (v3): order, fill, position and account.

https://www.bitget.com/api-doc/uta/websocket/private/Order-Channel
"""

from __future__ import annotations

from typing import Any

import orjson

from opensqt.simulator.dialects.base import World
from opensqt.simulator.dialects.bitget import strategy, unified_formats
from opensqt.simulator.engine.events import AccountChanged, ConditionalChanged, Event, OrderChanged
from opensqt.simulator.sockets import Socket

PATH = "/v3/ws/private"
_STRATEGY = "strategy-order"
TOPICS = {"order": "orders", "fill": "orders", "position": "positions", "account": "account", _STRATEGY: "orders"}
"""The topics, with their names in a fault script."""
_ACTIONS = {"order": "snapshot", "fill": "snapshot", "position": "update", "account": "update", _STRATEGY: "snapshot"}
"""What the venue calls an event; the first frame of positions and of the account is a snapshot."""


class UnifiedStreams:
    """Sends the account's events to the connections that are logged in to it."""

    def __init__(self, world: World) -> None:
        self._subscriptions = world.subscriptions
        self._engine = world.engine

    def subscribe(self, socket: Socket, account: str, topic: str) -> None:
        """Subscribe a connection to a topic of its account; positions and assets are sent at once."""
        if not self._subscriptions.subscribe(socket, _name(account, topic)):
            return
        fault_name = TOPICS[topic]
        socket.channels[fault_name] += 1
        if topic == "position":
            held = [view for view in self._engine.positions(account) if view.quantity]
            rows = [unified_formats.streamed_position(view, self._engine.symbol(view.symbol)) for view in held]
            socket.send(self._frame(topic, rows, "snapshot"), fault_name)
        elif topic == "account":
            socket.send(self._frame(topic, self._assets(account), "snapshot"), fault_name)

    def unsubscribe(self, socket: Socket, account: str, topic: str) -> None:
        """End a subscription."""
        if self._subscriptions.unsubscribe(socket, _name(account, topic)):
            socket.channels[TOPICS[topic]] -= 1

    def publish(self, event: Event) -> None:
        """Handle an event of the engine."""
        if isinstance(event, OrderChanged):
            order, rules = event.order, self._engine.symbol(event.order.symbol)
            fills = self._engine.fills(order.account, order.symbol, order_id=order.order_id)
            leverage = self._engine.leverage(order.account, order.symbol)
            if event.fill is not None:
                self._send(event.account, "fill", [unified_formats.streamed_fill(event.fill, rules, order)])
            self._send(event.account, "order", [unified_formats.streamed_order(order, rules, fills, leverage)])
        elif isinstance(event, ConditionalChanged) and event.conditional.wanted.kind in strategy.KINDS:
            found = event.conditional
            content = strategy.row(found, self._engine.symbol(found.symbol))
            self._send(event.account, _STRATEGY, [content | {"category": content["category"].lower()}])
        elif isinstance(event, AccountChanged):
            rows = [
                unified_formats.streamed_position(view, self._engine.symbol(view.symbol)) for view in event.positions
            ]
            if rows:
                self._send(event.account, "position", rows)
            self._send(event.account, "account", self._assets(event.account))

    def _assets(self, account: str) -> list[dict[str, Any]]:
        found = unified_formats.assets(self._engine.balance(account))
        return [
            {
                "totalEquity": found["accountEquity"],
                "unrealisedPnL": found["unrealisedPnl"],
                **{name: found[name] for name in ("effEquity", "imr", "mmr", "mgnRatio", "positionMgnRatio")},
                "coin": found["assets"],
            }
        ]

    def _send(self, account: str, topic: str, rows: list[dict[str, Any]]) -> None:
        listeners = self._subscriptions.subscribers(_name(account, topic))
        if not listeners:
            return
        frame = self._frame(topic, rows, _ACTIONS[topic])
        for socket in listeners:
            socket.send(frame, TOPICS[topic])

    def _frame(self, topic: str, rows: list[dict[str, Any]], action: str) -> bytes:
        arg = {"instType": "UTA", "topic": topic} | ({"symbol": "default"} if topic == _STRATEGY else {})
        return orjson.dumps({"action": action, "arg": arg, "data": rows, "ts": self._engine.now_ms()})


def _name(account: str, topic: str) -> str:
    return f"{account}|unified {topic}"
