"""Binance's user data stream: listen keys with their lifetime, and the account's events as frames."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import orjson

from opensqt.model.account import MarginMode
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import Call, Route, World
from opensqt.simulator.dialects.binance import errors, formats
from opensqt.simulator.dialects.binance.conditional import client_id
from opensqt.simulator.dialects.binance.market_streams import send
from opensqt.simulator.engine.conditional import ConditionalChange, SimConditional
from opensqt.simulator.engine.events import (
    AccountChanged,
    AccountReason,
    ConditionalChanged,
    Event,
    Execution,
    MarginCall,
    OrderChanged,
    PositionView,
    SettingsChanged,
)
from opensqt.simulator.engine.order import RefusalReason, SimFill, SimOrder, is_liquidation
from opensqt.simulator.settings import SymbolSettings
from opensqt.simulator.sockets import Socket

ORDERS = "orders"
ACCOUNT = "account+positions"
_REASON = {AccountReason.ORDER: "ORDER", AccountReason.FUNDING: "FUNDING_FEE", AccountReason.LIQUIDATION: "ORDER"}
_ALGO_STATUSES: dict[ConditionalChange, tuple[str, ...]] = {
    ConditionalChange.ACTIVATED: (),
    ConditionalChange.AMENDED: (),
    ConditionalChange.TRIGGERED: ("TRIGGERING", "TRIGGERED"),
    ConditionalChange.REJECTED: ("TRIGGERING", "REJECTED"),
}
_REJECTIONS = {
    RefusalReason.REDUCE_ONLY.value: "Reduce Only reject",
    RefusalReason.INSUFFICIENT_MARGIN.value: "Margin is insufficient",
}
_EXECUTION = {Execution.CUT: "AMENDMENT", Execution.AMENDED: "AMENDMENT"}


@dataclass(slots=True)
class _ListenKey:
    key: str
    account: str
    made_with: str
    expires_ms: int


class PrivateStreams:
    """The private streams: one listen key for each API key of an account, and all connections subscribed to it."""

    def __init__(self, world: World) -> None:
        self._subscriptions = world.subscriptions
        self._engine = world.engine
        self._clock = world.engine.clock
        self._now_ms = world.monotonic_ms
        self._life_ms = world.settings.server.listen_key_life_ms
        self._may_sign = world.keys
        self._named_events = world.settings.server.user_stream_events
        self._keys: dict[str, _ListenKey] = {}

    def routes(self) -> list[Route]:
        """Return the endpoints of the listen key."""
        path = "/fapi/v1/listenKey"
        return [
            Route("POST", path, "listen_key", self._create, security="key"),
            Route("PUT", path, "listen_key", self._keep_alive, security="key"),
            Route("DELETE", path, "listen_key", self._delete, security="key"),
        ]

    def has_listen_key(self, key: str) -> bool:
        """Return whether a text is a listen key that is alive."""
        return self._maker_of(key) in self._may_sign

    def subscribe(self, socket: Socket, key: str) -> None:
        """Subscribe a connection to an account."""
        if self._subscriptions.subscribe(socket, key):
            socket.state["key"] = self._maker_of(key)
            socket.channels.update((ORDERS, *ACCOUNT.split("+")))

    def unsubscribe(self, socket: Socket, key: str) -> None:
        """End a subscription."""
        if self._subscriptions.unsubscribe(socket, key):
            socket.channels.subtract((ORDERS, *ACCOUNT.split("+")))

    def tick(self) -> None:
        """Expire the keys that were not kept alive."""
        now = self._now_ms()
        for held in [held for held in self._keys.values() if now >= held.expires_ms]:
            self._expire(held, 1)

    def expire_all(self, copies: int) -> None:
        """Expire every key now."""
        for held in list(self._keys.values()):
            self._expire(held, copies)

    def publish(self, event: Event) -> None:
        """Handle an event of the engine."""
        if isinstance(event, OrderChanged):
            if event.fill is not None:
                self._send(event.account, ORDERS, _trade_lite(event.fill, self._engine.symbol(event.order.symbol)))
            self._send(event.account, ORDERS, self._order_update(event))
            if not event.order.status.is_open and event.order.conditional_id:
                found = self._engine.conditional.find(event.account, conditional_id=event.order.conditional_id)
                self._send_algo(found, "FINISHED", event.time_ms)
        elif isinstance(event, ConditionalChanged):
            for status in _ALGO_STATUSES.get(event.change, (event.change.value,)):
                self._send_algo(event.conditional, status, event.time_ms)
        elif isinstance(event, AccountChanged):
            self._send(event.account, ACCOUNT, self._account_update(event))
        elif isinstance(event, SettingsChanged) and event.margin_mode_changed:
            rows = [self._position(position) for position in self._engine.positions(event.account, event.symbol)]
            update = {"m": "MARGIN_TYPE_CHANGE", "B": [], "P": rows}
            self._send(
                event.account, ACCOUNT, {"e": "ACCOUNT_UPDATE", "E": event.time_ms, "T": event.time_ms, "a": update}
            )
        elif isinstance(event, SettingsChanged):
            change = {"s": event.symbol, "l": event.leverage}
            message = {"e": "ACCOUNT_CONFIG_UPDATE", "E": event.time_ms, "T": event.time_ms, "ac": change}
            self._send(event.account, ACCOUNT, message)
        elif isinstance(event, MarginCall):
            self._send(event.account, ACCOUNT, self._margin_call(event))

    def _create(self, call: Call) -> Any:
        held = self._keys.get(call.key)
        if held is None:
            held = self._keys[call.key] = _ListenKey(secrets.token_hex(32), call.account, call.key, 0)
        held.expires_ms = self._now_ms() + self._life_ms
        return {"listenKey": held.key}

    def _keep_alive(self, call: Call) -> Any:
        held = self._keys.get(call.key)
        named = call.params.get("listenKey")
        if held is None or (named and named != held.key):
            raise errors.unknown_listen_key()
        if not call.ignored:
            held.expires_ms = self._now_ms() + self._life_ms
        return {"listenKey": held.key}

    def _delete(self, call: Call) -> Any:
        held = self._keys.get(call.key)
        named = call.params.get("listenKey")
        if held is None or (named and named != held.key):
            raise errors.unknown_listen_key()
        if not call.ignored:
            del self._keys[call.key]
        return {}

    def _expire(self, held: _ListenKey, copies: int) -> None:
        frame = {"e": "listenKeyExpired", "E": self._clock.server_ms(), "listenKey": held.key}
        for _ in range(copies):
            send(self._subscriptions.subscribers(held.key), held.key, ACCOUNT, orjson.dumps(frame))
        self._keys.pop(held.made_with, None)

    def _maker_of(self, key: str) -> str:
        """Return the API key that a listen key was made with; empty if the listen key is not alive."""
        return next((held.made_with for held in self._keys.values() if held.key == key), "")

    def _send(self, account: str, channel: str, message: dict[str, Any]) -> None:
        for held in [held for held in self._keys.values() if held.account == account]:
            listeners = [
                socket
                for socket in self._subscriptions.subscribers(held.key)
                if self._delivers(socket.state["events"], message["e"])
            ]
            if listeners:
                send(listeners, held.key, channel, orjson.dumps(message))

    def _delivers(self, events: frozenset[str], kind: str) -> bool:
        """Return whether a connection gets an event, by the events that its address names."""
        if (self._named_events == "needed" and not events) or (self._named_events == "unknown" and events):
            return False
        return not events or kind in events

    def _send_algo(self, found: SimConditional, status: str, time_ms: int) -> None:
        order = None
        if found.order_id and status in ("TRIGGERED", "FINISHED"):
            order = self._engine.find(found.account, found.symbol, order_id=found.order_id)
        update = _algo(found, status, order, self._engine.symbol(found.symbol))
        self._send(found.account, ORDERS, {"e": "ALGO_UPDATE", "T": time_ms, "E": time_ms, "o": update})

    def _order_update(self, event: OrderChanged) -> dict[str, Any]:
        rules = self._engine.symbol(event.order.symbol)
        order = _order(event.order, rules)
        order["x"] = _EXECUTION.get(event.execution, event.execution.value)
        if event.fill is not None:
            order |= _execution(event.fill, rules)
        return {"e": "ORDER_TRADE_UPDATE", "E": event.time_ms, "T": event.time_ms, "o": order}

    def _account_update(self, event: AccountChanged) -> dict[str, Any]:
        # `bc` is the change that neither profit nor commission made; an order makes no such change.
        change = event.balance_change if event.reason is AccountReason.FUNDING else decimals.ZERO
        wallet = decimals.exact(event.balance.wallet_balance)
        # Funding of a position under cross margin is sent without the position.
        hidden = MarginMode.CROSS if event.reason is AccountReason.FUNDING else None
        positions = [position for position in event.positions if position.margin_mode is not hidden]
        return {
            "e": "ACCOUNT_UPDATE",
            "E": event.time_ms,
            "T": event.time_ms,
            "a": {
                "m": _REASON[event.reason],
                "B": [{"a": event.balance.asset, "wb": wallet, "cw": wallet, "bc": decimals.exact(change)}],
                "P": [self._position(position) for position in positions],
            },
        }

    def _position(self, position: PositionView) -> dict[str, Any]:
        rules = self._engine.symbol(position.symbol)
        return {
            "s": position.symbol,
            "pa": decimals.quantity(position.quantity, rules),
            "ep": decimals.rounded(position.entry_price),
            "bep": decimals.rounded(position.entry_price),
            "cr": decimals.rounded(position.realized_pnl),
            "up": decimals.rounded(position.unrealized_pnl),
            "mt": position.margin_mode.value.lower(),
            "iw": "0",
            "ps": position.position_side.value,
        }

    def _margin_call(self, event: MarginCall) -> dict[str, Any]:
        rows = [
            {
                "s": position.symbol,
                "ps": position.position_side.value,
                "pa": decimals.quantity(position.quantity, self._engine.symbol(position.symbol)),
                "mt": "CROSSED",
                "iw": "0",
                "mp": decimals.rounded(position.mark_price),
                "up": decimals.rounded(position.unrealized_pnl),
                "mm": decimals.rounded(position.maintenance_margin),
            }
            for position in event.positions
        ]
        wallet = decimals.exact(event.balance.wallet_balance)
        return {"e": "MARGIN_CALL", "E": event.time_ms, "cw": wallet, "p": rows}


def _order(order: SimOrder, rules: SymbolSettings) -> dict[str, Any]:
    return {
        "s": order.symbol,
        "c": order.client_order_id,
        "S": order.side.value,
        "o": "LIQUIDATION" if is_liquidation(order) else order.order_type.value,
        "f": formats.time_in_force(order),
        "q": decimals.quantity(order.quantity, rules),
        "p": decimals.price(order.price, rules),
        "ap": decimals.rounded(order.average_price),
        "sp": order.details.get("stopPrice", "0"),
        "x": "",
        "X": formats.status(order),
        "i": int(order.order_id),
        "l": "0",
        "z": decimals.quantity(order.filled_quantity, rules),
        "L": "0",
        "T": order.updated_ms,
        "t": 0,
        "b": "0",
        "a": "0",
        "m": False,
        "R": order.reduce_only,
        "wt": order.details.get("workingType", "CONTRACT_PRICE"),
        "ot": order.details.get("type", order.order_type.value),
        "ps": order.position_side.value,
        "cp": order.details.get("closePosition") == "true",
        "rp": "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": "EXPIRE_MAKER",
        "pm": order.details.get("priceMatch", "NONE"),
        "gtd": int(order.details.get("goodTillDate", "0")),
        "er": formats.expiry_reason(order),
    }


def _algo(found: SimConditional, status: str, order: SimOrder | None, rules: SymbolSettings) -> dict[str, Any]:
    wanted, trigger = found.wanted, found.wanted.triggers[0]
    return {
        "caid": client_id(found),
        "aid": int(found.conditional_id),
        "at": "CONDITIONAL",
        "o": wanted.kind,
        "s": found.symbol,
        "S": wanted.side.value,
        "ps": wanted.position_side.value,
        "f": wanted.details["timeInForce"],
        "q": decimals.quantity(wanted.quantity, rules),
        "X": status,
        "ai": order.order_id if order is not None else "",
        "ap": decimals.rounded(order.average_price) if order is not None else "0.00000",
        "aq": decimals.quantity(order.filled_quantity, rules) if order is not None else "0.00000",
        "act": order.order_type.value if order is not None else "0",
        "tp": decimals.price(trigger.price, rules),
        "p": decimals.price(trigger.order_price, rules),
        "V": "EXPIRE_MAKER",
        "wt": wanted.details["workingType"],
        "pm": "NONE",
        "cp": wanted.close_position,
        "pP": False,
        "R": wanted.reduce_only,
        "tt": found.triggered_ms,
        "gtd": int(wanted.details["goodTillDate"]),
        "rm": _REJECTIONS.get(found.reason, ""),
        **({"cr": wanted.details["callbackRate"]} if trigger.trail is not None else {}),
    }


def _execution(fill: SimFill, rules: SymbolSettings) -> dict[str, Any]:
    return {
        "l": decimals.quantity(fill.quantity, rules),
        "L": decimals.price(fill.price, rules),
        "n": decimals.exact(fill.fee),
        "N": fill.fee_asset,
        "T": fill.time_ms,
        "t": int(fill.trade_id),
        "m": fill.is_maker,
        "rp": decimals.exact(fill.realized_pnl),
    }


def _trade_lite(fill: SimFill, rules: SymbolSettings) -> dict[str, Any]:
    return {
        "e": "TRADE_LITE",
        "E": fill.time_ms,
        "T": fill.time_ms,
        "s": fill.symbol,
        "q": decimals.quantity(fill.quantity, rules),
        "p": decimals.price(fill.price, rules),
        "m": fill.is_maker,
        "c": fill.client_order_id,
        "S": fill.side.value,
        "L": decimals.price(fill.price, rules),
        "l": decimals.quantity(fill.quantity, rules),
        "t": int(fill.trade_id),
        "i": int(fill.order_id),
    }
