"""Gate's private channels: the account's orders, trades, positions and balance as frames."""

from __future__ import annotations

from collections import deque
from typing import Any

from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import World
from opensqt.simulator.dialects.gate import conditional_formats, formats, frames, unified
from opensqt.simulator.dialects.gate.contracts import Contracts
from opensqt.simulator.dialects.gate.security import Security
from opensqt.simulator.engine.events import (
    AccountChanged,
    AccountReason,
    ConditionalChanged,
    Event,
    Execution,
    OrderChanged,
    SettingsChanged,
)
from opensqt.simulator.engine.order import SimFill, SimOrder
from opensqt.simulator.settings import SymbolSettings
from opensqt.simulator.sockets import Socket

_FINE = {
    "futures.orders": "orders",
    "futures.autoorders": "orders",
    "futures.usertrades": "orders",
    "futures.positions": "positions",
    "futures.balances": "account",
}
_ALL = "!all"
_OPEN_AS = {Execution.NEW: "_new"}


class PrivateStreams:
    """The private streams: every subscription carries its own signature."""

    def __init__(self, world: World, contracts: Contracts, security: Security) -> None:
        self._subscriptions = world.subscriptions
        self._engine = world.engine
        self._settings = world.settings
        self._contracts = contracts
        self._security = security
        self._fills: dict[str, deque[SimFill]] = {}

    def serves(self, channel: str) -> bool:
        """Return whether a channel is private."""
        return channel in _FINE

    def topics(self, channel: str, payload: list[str], account: str) -> list[str] | str:
        """Read a subscription's payload, or return what is wrong with it."""
        if not payload or payload[0] != str(self._security.user(account)):
            return "invalid argument: user id"
        if channel == "futures.balances":
            return [_topic(channel, account, _ALL)]
        names = payload[1:]
        unknown = [name for name in names if name != _ALL and name not in self._contracts.by_name]
        if unknown or not names:
            return f"unknown contract {', '.join(unknown)}"
        return [_topic(channel, account, name) for name in names]

    def subscribe(self, socket: Socket, channel: str, topic: str) -> None:
        """Subscribe a connection to a topic."""
        if self._subscriptions.subscribe(socket, topic):
            if not socket.state["private"]:
                socket.state["private"] = True
                socket.mark_private()
            socket.channels[_FINE[channel]] += 1

    def unsubscribe(self, socket: Socket, channel: str, topic: str) -> None:
        """End a subscription."""
        if self._subscriptions.unsubscribe(socket, topic):
            socket.channels[_FINE[channel]] -= 1

    def publish(self, event: Event) -> None:
        """Handle an event of the engine."""
        if isinstance(event, OrderChanged):
            self._order_changed(event)
        elif isinstance(event, ConditionalChanged):
            found, rules = event.conditional, self._engine.symbol(event.conditional.symbol)
            user = self._security.user(event.account)
            self._send(
                event.account,
                "futures.autoorders",
                formats.contract(rules),
                event.time_ms,
                lambda sizes: [conditional_formats.streamed(found, rules, user, sizes)],
            )
        elif isinstance(event, AccountChanged):
            self._account_changed(event)
        elif isinstance(event, SettingsChanged):
            self._positions(event.account, event.symbol, event.time_ms)

    def _order_changed(self, event: OrderChanged) -> None:
        rules, fill = self._engine.symbol(event.order.symbol), event.fill
        name = formats.contract(rules)
        if fill is not None:
            self._fills.setdefault(event.account, deque(maxlen=16)).append(fill)
            self._send(
                event.account,
                "futures.usertrades",
                name,
                event.time_ms,
                lambda sizes: [_trade(fill, rules, sizes)],
            )
        self._send(
            event.account,
            "futures.orders",
            name,
            event.time_ms,
            lambda sizes: [self._order(event, rules, sizes)],
        )

    def _order(self, event: OrderChanged, rules: SymbolSettings, sizes: formats.Sizes) -> dict[str, Any]:
        order: SimOrder = event.order
        row = formats.order(order, rules, self._security.user(event.account), self._settings, sizes)
        row |= {
            "id_string": order.order_id,
            "user": str(row["user"]),
            "create_time": order.created_ms // 1000,
            "create_time_ms": order.created_ms,
            "update_time": order.updated_ms,
            "finish_time": order.updated_ms // 1000,
            "finish_time_ms": order.updated_ms,
            "finish_as": formats.finish_as(order) or _OPEN_AS.get(event.execution, "_update"),
        }
        return row | {name: formats.number(row[name]) for name in ("price", "fill_price", "mkfr", "tkfr")}

    def _account_changed(self, event: AccountChanged) -> None:
        rows = self._balances(event)
        if self._engine.account_mode(event.account) == unified.CLASSIC:
            # The futures account of a unified account has no balance that could change.
            self._send(event.account, "futures.balances", _ALL, event.time_ms, lambda _sizes: rows)
        for view in event.positions:
            self._positions(event.account, view.symbol, event.time_ms)

    def _balances(self, event: AccountChanged) -> list[dict[str, Any]]:
        """Write the changes of the balance, one after the other; a fill changes it by its fee and by its profit."""
        symbol = event.positions[0].symbol if event.positions else ""
        parts = [("fund" if event.reason is AccountReason.FUNDING else "pnl", event.balance_change)]
        fills = self._fills.pop(event.account, None) if event.reason is not AccountReason.FUNDING else None
        if fills:
            fee = -sum((fill.fee for fill in fills), decimals.ZERO)
            rest = event.balance_change - fee
            parts = [("fee", fee), ("pnl", rest)] if rest else [("fee", fee)]
        balance = event.balance.wallet_balance - event.balance_change
        rows = []
        for kind, change in parts:
            balance += change
            rows.append(
                {
                    "balance": formats.number(decimals.exact(balance)),
                    "change": formats.number(decimals.exact(change)),
                    "text": formats.contract(self._engine.symbol(symbol)) if symbol else "-",
                    "time": event.time_ms // 1000,
                    "time_ms": event.time_ms,
                    "type": kind,
                    "user": str(self._security.user(event.account)),
                    "currency": event.balance.asset.lower(),
                }
            )
        return rows

    def _positions(self, account: str, symbol: str, time_ms: int) -> None:
        rules = self._engine.symbol(symbol)
        views = self._engine.positions(account, symbol)
        user = self._security.user(account)

        def result(sizes: formats.Sizes) -> list[dict[str, Any]]:
            return [
                formats.position(view, rules, user, 0, sizes)
                | {"user": str(user), "time": time_ms // 1000, "time_ms": time_ms}
                for view in views
            ]

        self._send(account, "futures.positions", formats.contract(rules), time_ms, result)

    def _send(self, account: str, channel: str, name: str, time_ms: int, result: Any) -> None:
        for topic in dict.fromkeys((_topic(channel, account, name), _topic(channel, account, _ALL))):
            listeners = self._subscriptions.subscribers(topic)
            if listeners:
                frames.send(listeners, _FINE[channel], channel, time_ms, result)


def _trade(fill: SimFill, rules: SymbolSettings, sizes: formats.Sizes) -> dict[str, Any]:
    row = formats.trade(fill, rules, sizes)
    del row["close_size"]
    return row | {
        "id": fill.trade_id,
        "create_time": fill.time_ms // 1000,
        "create_time_ms": fill.time_ms,
        "fee": formats.number(row["fee"]),
        "point_fee": 0,
    }


def _topic(channel: str, account: str, name: str) -> str:
    return f"{channel} {account} {name}"
