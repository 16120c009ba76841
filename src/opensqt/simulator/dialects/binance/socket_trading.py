"""Binance's WebSocket API: orders, account and prices by requests over one connection.

https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-api-general-info
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply, Params, Route
from opensqt.simulator.dialects.binance.security import Security
from opensqt.simulator.faults import ANSWERS
from opensqt.simulator.socket_requests import SocketRequest
from opensqt.simulator.sockets import Socket

PATH = "/ws-fapi/v1"
_CONNECTION_WEIGHT = 5
_METHODS = {
    "order.place": ("POST", "/fapi/v1/order"),
    "order.modify": ("PUT", "/fapi/v1/order"),
    "order.cancel": ("DELETE", "/fapi/v1/order"),
    "order.status": ("GET", "/fapi/v1/order"),
    "algoOrder.place": ("POST", "/fapi/v1/algoOrder"),
    "algoOrder.cancel": ("DELETE", "/fapi/v1/algoOrder"),
    "account.balance": ("GET", "/fapi/v2/balance"),
    "v2/account.balance": ("GET", "/fapi/v3/balance"),
    "account.status": ("GET", "/fapi/v2/account"),
    "v2/account.status": ("GET", "/fapi/v3/account"),
    "account.position": ("GET", "/fapi/v2/positionRisk"),
    "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
    "userDataStream.start": ("POST", "/fapi/v1/listenKey"),
    "userDataStream.ping": ("PUT", "/fapi/v1/listenKey"),
    "userDataStream.stop": ("DELETE", "/fapi/v1/listenKey"),
    "ticker.price": ("GET", "/fapi/v2/ticker/price"),
    "ticker.book": ("GET", "/fapi/v1/ticker/bookTicker"),
    "depth": ("GET", "/fapi/v1/depth"),
}
"""The methods, and the endpoint of REST that each one is."""
_SESSION = ("session.logon", "session.status", "session.logout")
_NOT_OF_THE_ENDPOINT = ("apiKey", "returnRateLimits")


class SocketTrading:
    """Requests of clients over the WebSocket API."""

    def __init__(self, dialect: Dialect, security: Security) -> None:
        self._dialect = dialect
        self._security = security
        self._requests = dialect.world.requests
        self._clock = dialect.engine.clock

    def connect(self, socket: Socket, params: Params) -> None:
        """Handle a new connection."""
        call = Call(
            Route("GET", PATH, "any", _nothing, _CONNECTION_WEIGHT, security="none"), {}, "", "", {}, socket.address
        )
        self._security.admit(call)
        shown = params.get("returnRateLimits", "true") != "false"
        socket.state.update(entry=True, rate_limits=shown, since_ms=self._clock.server_ms())
        socket.channels[ANSWERS] += 1

    def receive(self, socket: Socket, text: str) -> None:
        """Handle one request."""
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        # Numbers are signed as the client wrote them.
        params = json.loads(text, parse_float=str).get("params", {}) if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(params, dict):
            socket.reply(self._refusal(None, ErrorReply(400, "-1135", "Invalid JSON Request")))
            return
        number, method = message.get("id"), str(message.get("method", ""))
        given = {str(name): _text(value) for name, value in params.items() if value is not None}
        shown = given.get("returnRateLimits", "true" if socket.state["rate_limits"] else "false") != "false"
        if method in _SESSION:
            self._session(socket, method, given, number)
            return
        route = self._dialect.route(*_METHODS[method]) if method in _METHODS else None
        if route is None:
            socket.reply(self._refusal(number, ErrorReply(400, "-5000", f"Method {method[:60]} is invalid")))
            return
        call = self._call(socket, route, given)

        def execute() -> bytes:
            self._dialect.admit(call)
            content = {"id": number, "status": 200, "result": self._dialect.content(call)}
            return orjson.dumps(content | self._limits(call, shown=shown))

        def refuse(error: ErrorReply) -> bytes:
            return self._refusal(number, error, **self._limits(call, shown=shown))

        request = SocketRequest(
            call=call,
            execute=execute,
            refuse=refuse,
            fault_error=self._dialect.fault_error,
            send=socket.answer,
        )
        self._requests.take(socket, request)

    def _session(self, socket: Socket, method: str, given: Params, number: Any) -> None:
        """Answer with the state of the session; logging on takes a kind of key that no account here has."""
        if method == "session.logon":
            call = self._call(socket, Route("GET", PATH, "login", _nothing, 2), given)

            def execute() -> bytes:
                self._dialect.admit(call)
                raise ErrorReply(400, "-4056", "HMAC_SHA256 API key is not supported.")

            request = SocketRequest(
                call=call,
                execute=execute,
                refuse=lambda error: self._refusal(number, error),
                fault_error=self._dialect.fault_error,
                send=socket.reply,
            )
            self._requests.take(socket, request)
            return
        result = {
            "apiKey": None,
            "authorizedSince": None,
            "connectedSince": socket.state["since_ms"],
            "returnRateLimits": socket.state["rate_limits"],
            "serverTime": self._clock.server_ms(),
        }
        socket.reply(orjson.dumps({"id": number, "status": 200, "result": result}))

    def _call(self, socket: Socket, route: Route, given: Params) -> Call:
        """Return the request as REST has it: what is signed are the parameters in the order of their names."""
        return Call(
            route=route,
            params={name: value for name, value in given.items() if name not in _NOT_OF_THE_ENDPOINT},
            query="&".join(f"{name}={given[name]}" for name in sorted(given)),
            body="",
            headers={"X-MBX-APIKEY": given.get("apiKey", "")},
            address=socket.address,
            path=route.path,
        )

    def _limits(self, call: Call, *, shown: bool) -> dict[str, Any]:
        return {"rateLimits": self._security.rate_limits(call)} if shown else {}

    def _refusal(self, number: Any, error: ErrorReply, **limits: Any) -> bytes:
        content: dict[str, Any] = {"code": int(error.code), "msg": error.message}
        if error.retry_after_s is not None:
            now = self._clock.server_ms()
            content["data"] = {"serverTime": now, "retryAfter": now + error.retry_after_s * 1000}
        return orjson.dumps({"id": number, "status": error.status, "error": content, **limits})


def _nothing(_call: Call) -> None:
    return None


def _text(value: Any) -> str:
    """Write a parameter as it is signed."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
