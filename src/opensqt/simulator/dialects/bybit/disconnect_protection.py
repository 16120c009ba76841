"""Bybit's disconnection protection (DCP): orders are canceled when an account's private connections stay lost.

https://bybit-exchange.github.io/docs/v5/order/dcp and https://bybit-exchange.github.io/docs/v5/websocket/private/dcp
"""

from __future__ import annotations

from typing import Any

from opensqt.simulator.dialects.base import Call, Route, World
from opensqt.simulator.dialects.bybit import errors, parameters
from opensqt.simulator.engine.countdowns import CountdownScope
from opensqt.simulator.sockets import Socket

TOPICS = {"dcp.future": "DERIVATIVES", "dcp.spot": "SPOT", "dcp.option": "OPTIONS"}
"""The topics that count a connection in, with the product that each protects."""
_FUTURE = "dcp.future"
_WINDOW_S = range(3, 301)
_DEFAULT_WINDOW_S = 10


class DisconnectProtection:
    """The windows of the accounts, and the connections that they are counted from.

    Only a connection that subscribed to a `dcp` topic counts. The window begins when the last of an account's is lost,
    and ends when one subscribes again. Of the products only the derivatives trade here.
    """

    def __init__(self, world: World) -> None:
        self._engine = world.engine
        self._subscriptions = world.subscriptions
        self._enabled = {account.key for account in world.settings.accounts if account.disconnect_protection}
        self._windows_s: dict[tuple[str, str], int] = {}

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        return [
            Route("POST", "/v5/order/disconnected-cancel-all", "countdown", self._set_window),
            Route("GET", "/v5/account/query-dcp-info", "countdown", self._query),
        ]

    def status(self, account: str) -> dict[str, Any]:
        """Return the fields of the account's information."""
        enabled = account in self._enabled
        return {"dcpStatus": "ON" if enabled else "OFF", "timeWindow": self._window_s(account, "OPTIONS")}

    def subscribe(self, socket: Socket, name: str) -> bool:
        """Count a logged-in connection in, which ends a window that runs; return whether the subscription is new."""
        account = socket.state["account"]
        if not self._subscriptions.subscribe(socket, _topic(account, name)):
            return False
        if name == _FUTURE:
            self._engine.stop_countdown(CountdownScope(account=account))
        return True

    def unsubscribe(self, socket: Socket, name: str) -> None:
        """Count a connection in no longer. Only the loss of a connection begins a window."""
        self._subscriptions.unsubscribe(socket, _topic(socket.state["account"], name))

    def disconnected(self, socket: Socket) -> None:
        """Begin the window of an account whose last counted connection is lost."""
        account = socket.state.get("account", "")
        listeners = set(self._subscriptions.subscribers(_topic(account, _FUTURE)))
        if listeners == {socket} and account in self._enabled:
            window_ms = self._window_s(account, TOPICS[_FUTURE]) * 1000
            self._engine.start_countdown(CountdownScope(account=account), window_ms)

    def _set_window(self, call: Call) -> Any:
        product = parameters.choice(call.params, "product", {name: name for name in TOPICS.values()}, "OPTIONS")
        window_s = parameters.integer(call.params, "timeWindow")
        if window_s is None or window_s not in _WINDOW_S:
            raise errors.parameter("params error: timeWindow invalid")
        if not call.ignored and call.account in self._enabled:
            self._windows_s[call.account, product] = window_s
        return {}

    def _query(self, call: Call) -> Any:
        """Return the windows; an account for which the venue has not enabled the protection gets an empty list."""
        if call.account not in self._enabled:
            return {"dcpInfos": []}
        rows = [
            {"product": product, "dcpStatus": "ON", "timeWindow": str(self._window_s(call.account, product))}
            for product in TOPICS.values()
        ]
        return {"dcpInfos": rows}

    def _window_s(self, account: str, product: str) -> int:
        return self._windows_s.get((account, product), _DEFAULT_WINDOW_S)


def _topic(account: str, name: str) -> str:
    return f"{account} {name}"
