"""Bybit's orders over a WebSocket: place, amend and cancel, singly and in batches, after a login.

https://bybit-exchange.github.io/docs/v5/websocket/trade/guideline
"""

from __future__ import annotations

import time
import uuid
from typing import Any

import orjson

from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply
from opensqt.simulator.dialects.bybit import errors, parameters
from opensqt.simulator.dialects.bybit.security import Security
from opensqt.simulator.dialects.bybit.trading import BatchReply
from opensqt.simulator.faults import ANSWERS
from opensqt.simulator.socket_requests import SocketRequest, login_call
from opensqt.simulator.sockets import Socket

PATH = "/v5/trade"
_OPERATIONS = {
    "order.create": "/v5/order/create",
    "order.amend": "/v5/order/amend",
    "order.cancel": "/v5/order/cancel",
    "order.create-batch": "/v5/order/create-batch",
    "order.amend-batch": "/v5/order/amend-batch",
    "order.cancel-batch": "/v5/order/cancel-batch",
}
"""The operations, and the endpoint of REST that each one is."""
_LIMITS = ("X-Bapi-Limit", "X-Bapi-Limit-Status", "X-Bapi-Limit-Reset-Timestamp")
_LONGEST_ID = 36
_IDS_KEPT = 10_000
"""Ids of requests that a connection remembers, to refuse the second use of one."""


class SocketTrading:
    """Order requests of clients that are logged in."""

    def __init__(self, dialect: Dialect, security: Security) -> None:
        self._dialect = dialect
        self._security = security
        self._requests = dialect.world.requests

    def connect(self, socket: Socket) -> None:
        """Handle a new connection."""
        socket.state.update(trades=True, account="", id=f"{uuid.uuid4().hex[:20]}-1", used={})
        socket.channels[ANSWERS] += 1

    def receive(self, socket: Socket, text: str) -> None:
        """Handle ping, auth and one order request."""
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        if not isinstance(message, dict):
            self._reply(socket, {}, "", errors.parameter("Request parameter error."))
            return
        operation, arguments = str(message.get("op", "")), message.get("args")
        if operation == "ping":
            now = [str(time.time_ns() // 1_000_000)]
            socket.reply(self._frame(socket, message, "pong", {"retCode": 0, "retMsg": "OK", "data": now}))
        elif operation == "auth":
            self._login(socket, message, arguments)
        elif operation not in _OPERATIONS:
            self._reply(socket, message, operation[:40], ErrorReply(200, "10404", "op type is not found"))
        else:
            self._trade(socket, message, operation, arguments)

    def _login(self, socket: Socket, message: dict[str, Any], arguments: Any) -> None:
        def execute() -> bytes:
            if socket.state["account"]:
                raise ErrorReply(200, "20001", "Repeat auth")
            key = self._security.login(arguments)
            if not key.may_trade:
                raise ErrorReply(200, "10005", "Permission denied for current apikey")
            socket.state.update(account=key.account, key=key.key)
            return self._frame(socket, message, "auth", {"retCode": 0, "retMsg": "OK"})

        request = SocketRequest(
            call=login_call(socket, PATH),
            execute=execute,
            refuse=lambda error: self._frame(socket, message, "auth", _refusal(error)),
            fault_error=self._dialect.fault_error,
            send=socket.reply,
        )
        self._requests.take(socket, request)

    def _trade(self, socket: Socket, message: dict[str, Any], operation: str, arguments: Any) -> None:
        route = self._dialect.route("POST", _OPERATIONS[operation])
        if route is None:
            raise LookupError(operation)
        given = message.get("header")
        headers = {str(name): str(value) for name, value in given.items()} if isinstance(given, dict) else {}
        fields = arguments[0] if isinstance(arguments, list) and len(arguments) == 1 else None
        body = orjson.dumps(fields if isinstance(fields, dict) else {}).decode()
        call = Call(
            route,
            {},
            "",
            body,
            headers,
            socket.address,
            route.path,
            socket.state["account"],
            socket.state.get("key", ""),
        )

        def execute() -> bytes:
            self._check(socket, message, fields)
            self._security.admit_over_socket(call, parameters.read_body(call))
            result = self._dialect.content(call)
            content = {"retCode": 0, "retMsg": "OK", "data": result, "retExtInfo": {}}
            if isinstance(result, BatchReply):
                content |= {"data": result.result, "retExtInfo": result.codes}
            return self._frame(socket, message, operation, content, call)

        def refuse(error: ErrorReply) -> bytes:
            content = {**_refusal(error), "data": {}, "retExtInfo": {}}
            return self._frame(socket, message, operation, content, call)

        request = SocketRequest(
            call=call,
            execute=execute,
            refuse=refuse,
            fault_error=self._dialect.fault_error,
            send=socket.answer,
        )
        self._requests.take(socket, request)

    def _check(self, socket: Socket, message: dict[str, Any], fields: Any) -> None:
        """Check that the client is logged in, that the id is new, and that there is one order or one batch."""
        if not socket.state["account"]:
            raise ErrorReply(200, "10003", "API key is invalid.")
        if "reqId" in message:
            number, used = str(message["reqId"]), socket.state["used"]
            if len(number) > _LONGEST_ID:
                raise errors.parameter("params error: reqId invalid")
            if number in used:
                raise ErrorReply(200, "20006", "reqId is duplicated")
            used[number] = None
            if len(used) > _IDS_KEPT:
                del used[next(iter(used))]
        if not isinstance(fields, dict):
            raise errors.parameter("params error: args must hold one object")
        category = fields.get("category")
        if category not in parameters.CATEGORIES:
            raise ErrorReply(200, "10404", "category is not correct")

    def _reply(self, socket: Socket, message: dict[str, Any], operation: str, error: ErrorReply) -> None:
        socket.reply(self._frame(socket, message, operation, _refusal(error)))

    def _frame(
        self, socket: Socket, message: dict[str, Any], operation: str, content: dict[str, Any], call: Call | None = None
    ) -> bytes:
        head = {"reqId": str(message["reqId"])} if "reqId" in message else {}
        frame: dict[str, Any] = {**head, "retCode": content["retCode"], "retMsg": content["retMsg"], "op": operation}
        frame |= {name: content[name] for name in ("data", "retExtInfo") if name in content}
        if call is not None:
            limits = {name: call.reply_headers[name] for name in _LIMITS if name in call.reply_headers}
            frame["header"] = {**limits, "Traceid": uuid.uuid4().hex, "Timenow": str(self._security.now_ms())}
        return orjson.dumps({**frame, "connId": socket.state["id"]})


def _refusal(error: ErrorReply) -> dict[str, Any]:
    if error.status == 403:
        return {"retCode": 10403, "retMsg": "Exceed IP rate limit."}
    return {"retCode": int(error.code), "retMsg": error.message}
