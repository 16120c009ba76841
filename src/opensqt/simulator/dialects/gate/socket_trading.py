"""Gate's orders over a WebSocket: event `api` of the futures channels, after a login; an order is answered twice.

https://www.gate.com/docs/developers/futures/ws/en/#websocket-api
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply, Params, Route
from opensqt.simulator.dialects.gate import errors
from opensqt.simulator.dialects.gate.security import Security
from opensqt.simulator.faults import ANSWERS
from opensqt.simulator.socket_requests import SocketRequest
from opensqt.simulator.sockets import Socket

EVENT = "api"
_ROOT = "/api/v4/futures/usdt"
_LOGIN = "futures.login"
_OF_THE_PATH = ("order_id", "contract")
_LIMITS = {
    "X-Gate-RateLimit-Requests-Remain": "x_gate_ratelimit_requests_remain",
    "X-Gate-RateLimit-Limit": "x_gate_ratelimit_limit",
}
_RESET = "X-Gate-RateLimit-Reset-Timestamp"


@dataclass(frozen=True, slots=True)
class _RequestChannel:
    """One channel of requests, and the endpoint of REST that it is."""

    method: str
    path: str
    in_query: bool = False
    """REST has the parameters in its query."""
    acknowledged: bool = False
    """A first answer says that the request was taken."""


_CHANNELS = {
    "futures.order_place": _RequestChannel("POST", "orders", acknowledged=True),
    "futures.order_batch_place": _RequestChannel("POST", "batch_orders", acknowledged=True),
    "futures.order_cancel": _RequestChannel("DELETE", "orders/{order_id}", in_query=True),
    "futures.order_cancel_ids": _RequestChannel("POST", "batch_cancel_orders"),
    "futures.order_cancel_cp": _RequestChannel("DELETE", "orders", in_query=True),
    "futures.order_amend": _RequestChannel("PUT", "orders/{order_id}"),
    "futures.order_list": _RequestChannel("GET", "orders", in_query=True),
    "futures.order_status": _RequestChannel("GET", "orders/{order_id}", in_query=True),
}


class SocketTrading:
    """Order requests of clients that are logged in."""

    def __init__(self, dialect: Dialect, security: Security) -> None:
        self._dialect = dialect
        self._security = security
        self._requests = dialect.world.requests
        self._clock = dialect.engine.clock

    def receive(self, socket: Socket, message: dict[str, Any], text: str) -> None:
        """Handle one request of event `api`."""
        channel, payload = str(message.get("channel", "")), message.get("payload")
        fields = payload if isinstance(payload, dict) else {}
        head = _AnswerHead(socket, channel, str(fields.get("req_id", "")))
        if channel == _LOGIN:
            self._login(head, fields, _raw(text))
        elif channel in _CHANNELS:
            self._trade(head, _CHANNELS[channel], fields)
        else:
            error = ErrorReply(400, "INVALID_PARAM_VALUE", f"unknown channel {channel[:40]}")
            socket.reply(head.frame(error.status, _errs(error)))

    def _login(self, head: _AnswerHead, fields: dict[str, Any], signed: str) -> None:
        socket = head.socket

        def execute() -> bytes:
            key = self._security.login(fields, signed)
            account = self._dialect.world.keys[key].account
            if "trader" not in socket.state:
                socket.channels[ANSWERS] += 1
            if not socket.state["private"]:
                socket.state["private"] = True
                socket.mark_private()
            socket.state.update(key=key, trader=account)
            return head.frame(200, {"result": {"api_key": key, "uid": str(self._security.user(account))}})

        self._take(head, Call(Route("", "", "login", _nothing), {}, "", "", {}, socket.address), execute, socket.reply)

    def _trade(self, head: _AnswerHead, channel: _RequestChannel, fields: dict[str, Any]) -> None:
        socket = head.socket
        parameter, header = _json(fields.get("req_param", {})), fields.get("req_header")
        named = _without_settle(parameter)
        call = self._call(socket, channel, named, header if isinstance(header, dict) else {})

        def execute() -> bytes:
            if not head.number:
                raise errors.missing("req_id")
            if "trader" not in socket.state:
                raise ErrorReply(400, "AUTHENTICATION_FAILED", "Not login")
            self._security.admit_over_socket(call)
            if channel.acknowledged:
                echo = {"req_id": head.number, "req_header": header, "req_param": parameter}
                socket.answer(head.frame(200, {"result": echo}, call, ack=True))
            more = {"ack": False} if channel.acknowledged else {}
            return head.frame(200, {"result": self._dialect.content(call)}, call, **more)

        self._take(head, call, execute, socket.answer)

    def _take(self, head: _AnswerHead, call: Call, execute: Callable[[], bytes], send: Callable[[bytes], None]) -> None:
        request = SocketRequest(
            call=call,
            execute=execute,
            refuse=lambda error: head.frame(error.status, _errs(error), call),
            fault_error=self._dialect.fault_error,
            send=send,
        )
        self._requests.take(head.socket, request)

    def _call(self, socket: Socket, channel: _RequestChannel, named: Any, header: dict[str, Any]) -> Call:
        """Return the request as REST has it."""
        params: Params = {str(name): str(value) for name, value in named.items()} if isinstance(named, dict) else {}
        path = f"{_ROOT}/{channel.path.replace('{order_id}', quote(params.get('order_id', ''), safe='') or '-')}"
        route = self._dialect.route(channel.method, path)
        if route is None:
            raise LookupError(path)
        in_path = route.arguments(path) or {}
        if in_path and isinstance(named, dict):
            named = {name: value for name, value in named.items() if name not in _OF_THE_PATH}
            params = {name: value for name, value in params.items() if name not in _OF_THE_PATH}
        return Call(
            route=route,
            params={**(params if channel.in_query else {}), **in_path},
            query="",
            body="" if channel.in_query else orjson.dumps(named).decode(),
            headers={
                "KEY": socket.state.get("key", ""),
                "X-Gate-Size-Decimal": socket.headers.get("X-Gate-Size-Decimal", ""),
                **{str(name).lower(): str(value) for name, value in header.items()},
            },
            address=socket.address,
            path=path,
            account=socket.state.get("trader", ""),
            key=socket.state.get("key", ""),
        )


@dataclass(frozen=True, slots=True)
class _AnswerHead:
    """What all answers to one request have in common."""

    socket: Socket
    channel: str
    number: str

    def frame(self, status: int, data: dict[str, Any], call: Call | None = None, **more: Any) -> bytes:
        """Write an answer."""
        now, state = time.time_ns(), self.socket.state
        header = {
            "response_time": str(now // 1_000_000),
            "status": str(status),
            "channel": self.channel,
            "event": EVENT,
            "client_id": f"{self.socket.address}-{state.setdefault('client', f'0x{secrets.token_hex(5)}')}",
            "x_in_time": now // 1000,
            "x_out_time": now // 1000,
            "conn_id": state.setdefault("conn_id", secrets.token_hex(8)),
            "conn_trace_id": state.setdefault("conn_trace_id", secrets.token_hex(16)),
            "trace_id": secrets.token_hex(16),
        }
        limits = call.reply_headers if call is not None else {}
        header |= {name: int(limits[given]) for given, name in _LIMITS.items() if int(limits.get(given, 0))}
        if _RESET in limits:
            # The venue spells it in two ways.
            name = "x_gate_ratelimit_reset_timestamp" if status == 429 else "x_gat_ratelimit_reset_timestamp"
            header[name] = int(limits[_RESET]) * 1000
        number = {"request_id": self.number} if self.number else {}
        return orjson.dumps({**number, **more, "header": header, "data": data})


def _nothing(_call: Call) -> None:
    return None


def _errs(error: ErrorReply) -> dict[str, Any]:
    limited = error.status == 429
    message = "Request Rate limit Exceeded (311)" if limited else error.message
    return {"errs": {"label": error.code, "message": message}}


def _json(parameter: Any) -> Any:
    """Read a parameter that may be sent as JSON or as the text of it."""
    if not isinstance(parameter, str):
        return parameter
    try:
        return orjson.loads(parameter)
    except orjson.JSONDecodeError:
        return parameter


def _without_settle(parameter: Any) -> Any:
    """Leave out the currency of settlement, which REST has in its path."""
    if isinstance(parameter, list):
        return [_without_settle(item) for item in parameter]
    if isinstance(parameter, dict):
        return {name: value for name, value in parameter.items() if name != "settle"}
    return parameter


def _raw(text: str) -> str:
    """Return the text of `req_param` as it was sent, which is what a client signs; empty when it is not there."""
    _, found, after = text.partition('"req_param"')
    value = after.partition(":")[2].lstrip()
    if not found or not value:
        return ""
    try:
        _, end = json.JSONDecoder().raw_decode(value)
    except json.JSONDecodeError:
        return ""
    return value[:end]
