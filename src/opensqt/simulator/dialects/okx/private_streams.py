"""OKX's private channels: an account's orders, positions and balance as frames."""

from __future__ import annotations

from typing import Any

from opensqt.simulator.dialects.base import ErrorReply, World
from opensqt.simulator.dialects.okx import formats
from opensqt.simulator.dialects.okx.account import AccountData
from opensqt.simulator.dialects.okx.conditional import ConditionalTrading
from opensqt.simulator.dialects.okx.frames import Sender
from opensqt.simulator.dialects.okx.instruments import Instruments, divided, plain
from opensqt.simulator.dialects.okx.subscriptions import Subscription
from opensqt.simulator.dialects.okx.trading import Trading
from opensqt.simulator.engine.events import (
    AccountChanged,
    AccountReason,
    ConditionalChanged,
    Event,
    Execution,
    OrderChanged,
)
from opensqt.simulator.engine.order import SimOrder
from opensqt.simulator.sockets import Socket

_EVERY_MS = 5_000
"""Interval at which balance and positions are sent even without a change."""
_NOT_AMENDED = {"amendResult": "", "reqId": ""}
_EVENT_TYPES = {
    AccountReason.ORDER: "filled",
    AccountReason.FUNDING: "funding_fee",
    AccountReason.LIQUIDATION: "liquidation",
}


class PrivateStreams:
    """Subscriptions to private channels; a connection belongs to the account that it signed in with."""

    def __init__(
        self, world: World, instruments: Instruments, account: AccountData, trading: Trading, algo: ConditionalTrading
    ) -> None:
        self._engine = world.engine
        self._monotonic_ms = world.monotonic_ms
        self._instruments = instruments
        self._account = account
        self._trading = trading
        self._algo = algo
        self._sender = Sender(world)
        self._channels: dict[str, tuple[str, Subscription]] = {}
        self._due_ms = 0

    def subscribe(self, socket: Socket, channel: Subscription) -> None:
        """Subscribe a connection to a channel of its account, and send it the current state, except for orders."""
        account = socket.state["account"]
        topic = f"{account}|{channel.topic}"
        if not self._sender.subscribe(socket, topic, channel) or channel.silent:
            return
        self._channels[topic] = (account, channel)
        if channel.name not in ("orders", "orders-algo"):
            rows = self._standing(account, channel)
            self._sender.send_to(socket, channel, rows, eventType="snapshot", curPage=1, lastPage=True)

    def unsubscribe(self, socket: Socket, channel: Subscription) -> None:
        """End a subscription."""
        self._sender.unsubscribe(socket, f"{socket.state['account']}|{channel.topic}", channel)

    def publish(self, event: Event) -> None:
        """Handle an event of the engine."""
        if isinstance(event, OrderChanged):
            for topic, channel in self._of(event.account, "orders"):
                if channel.symbol in ("", event.order.symbol):
                    self._sender.send(topic, channel, [self._order(event)])
        elif isinstance(event, ConditionalChanged):
            for topic, channel in self._of(event.account, "orders-algo"):
                if channel.symbol in ("", event.conditional.symbol):
                    self._sender.send(topic, channel, [self._algo.write(event.conditional)])
        elif isinstance(event, AccountChanged):
            self._publish_account(event)

    def report_failed_amendment(self, order: SimOrder, request_id: str, error: ErrorReply) -> None:
        """Send an order that stays as it was, because its amendment failed after it was acknowledged."""
        unchanged = OrderChanged(
            account=order.account, order=order, execution=Execution.NEW, fill=None, time_ms=self._engine.now_ms()
        )
        failed = {"amendResult": "-1", "reqId": request_id, "code": error.code, "msg": error.message}
        for topic, channel in self._of(order.account, "orders"):
            if channel.symbol in ("", order.symbol):
                self._sender.send(topic, channel, [self._order(unchanged) | failed])

    def tick(self) -> None:
        """Send balance and positions at intervals."""
        for topic in [topic for topic in self._channels if not self._sender.has_subscribers(topic)]:
            del self._channels[topic]
        now = self._monotonic_ms()
        if now < self._due_ms:
            return
        self._due_ms = now + _EVERY_MS
        for topic, (account, channel) in self._channels.items():
            if channel.name in ("account", "positions") and not channel.only_changes:
                self._sender.send(topic, channel, self._standing(account, channel), eventType="interval_update")

    def _of(self, account: str, name: str) -> list[tuple[str, Subscription]]:
        return [
            (topic, channel)
            for topic, (owner, channel) in self._channels.items()
            if owner == account and channel.name == name
        ]

    def _publish_account(self, event: AccountChanged) -> None:
        row = self._account.write_balance(event.account, event.balance, event.time_ms)
        for topic, channel in self._of(event.account, "account"):
            self._sender.send(topic, channel, [row], eventType="event_update", curPage=1, lastPage=True)
        for topic, channel in self._of(event.account, "positions"):
            rows = [
                formats.position(each, self._instruments.by_symbol[each.symbol], event.time_ms)
                for each in event.positions
                if channel.symbol in ("", each.symbol)
            ]
            if rows:
                self._sender.send(topic, channel, rows, eventType="event_update", curPage=1, lastPage=True)
        for topic, channel in self._of(event.account, "balance_and_position"):
            self._sender.send(topic, channel, [self._both(event)])

    def _standing(self, account: str, channel: Subscription) -> list[Any]:
        if channel.name == "account":
            return [self._account.balance(account)]
        now = str(self._engine.now_ms())
        held = [row for row in self._account.held(account) if self._matches(channel, row)]
        if channel.name == "positions":
            return held
        balance = self._engine.balance(account)
        cash = {"ccy": balance.asset, "cashBal": plain(balance.wallet_balance), "uTime": now}
        return [{"pTime": now, "eventType": "snapshot", "balData": [cash], "posData": held, "trades": []}]

    def _matches(self, channel: Subscription, row: dict[str, Any]) -> bool:
        swap = self._instruments.by_symbol.get(channel.symbol)
        return swap is None or row["instId"] == swap.inst_id

    def _order(self, event: OrderChanged) -> dict[str, Any]:
        order, fill = event.order, event.fill
        swap = self._instruments.by_symbol[order.symbol]
        row = self._trading.write(order)
        if fill is None:
            # An earlier fill is not reported again with a later change.
            row |= {"fillPx": "", "fillSz": "0", "fillTime": "", "tradeId": "", **formats.NO_EXECUTION}
        else:
            row |= formats.execution(fill, swap)
        notional = order.quantity * (order.price if order.price is not None else order.average_price)
        more = {"notionalUsd": divided(notional), "lastPx": swap.price(self._engine.last_price(order.symbol))}
        amended = event.execution is Execution.AMENDED
        result = {"amendResult": "0", "reqId": order.amend_text} if amended else _NOT_AMENDED
        return row | more | result | {"code": "0", "msg": ""}

    def _both(self, event: AccountChanged) -> dict[str, Any]:
        now = str(event.time_ms)
        cash = {"ccy": event.balance.asset, "cashBal": plain(event.balance.wallet_balance), "uTime": now}
        positions = [
            formats.position(each, self._instruments.by_symbol[each.symbol], event.time_ms) for each in event.positions
        ]
        kind = _EVENT_TYPES[event.reason]
        return {"pTime": now, "eventType": kind, "balData": [cash], "posData": positions, "trades": []}
