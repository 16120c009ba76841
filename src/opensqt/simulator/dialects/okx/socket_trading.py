"""OKX's orders over a WebSocket: place, amend and cancel, singly and in batches, on a private connection.

https://www.okx.com/docs-v5/en/#order-book-trading-trade-ws-place-order
"""

from __future__ import annotations

import re
import time
from typing import Any

import orjson

from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply
from opensqt.simulator.dialects.okx import errors, replies
from opensqt.simulator.dialects.okx.instruments import Instruments
from opensqt.simulator.dialects.okx.security import Security
from opensqt.simulator.faults import ANSWERS
from opensqt.simulator.socket_requests import SocketRequest
from opensqt.simulator.sockets import Socket

_TRADE = "/api/v5/trade"
_SINGLE = {"order": "order", "cancel-order": "cancel-order", "amend-order": "amend-order"}
_BATCHES = {
    "batch-orders": "batch-orders",
    "batch-cancel-orders": "cancel-batch-orders",
    "batch-amend-orders": "amend-batch-orders",
}
"""The operations, and the endpoint of REST that each one is."""
MASS_CANCEL = "mass-cancel"
OPERATIONS = frozenset({*_SINGLE, *_BATCHES, MASS_CANCEL})
_ID = re.compile(r"[0-9A-Za-z]{1,32}")


class SocketTrading:
    """Order requests of clients that are logged in to a private connection."""

    def __init__(self, dialect: Dialect, instruments: Instruments, security: Security) -> None:
        self._dialect = dialect
        self._instruments = instruments
        self._security = security
        self._requests = dialect.world.requests
        self._clock = dialect.engine.clock

    def connect(self, socket: Socket) -> None:
        """Handle a new private connection."""
        socket.channels[ANSWERS] += 1

    def take(self, socket: Socket, message: dict[str, Any], args: list[Any]) -> None:
        """Handle one order request.

        Raises:
            ErrorReply: It has no proper id, or the connection is not one for orders; an `error` event is sent.
        """
        operation, number = str(message["op"]), message.get("id")
        if not isinstance(number, str) or not _ID.fullmatch(number):
            raise ErrorReply(400, "60012", f"Illegal request: {orjson.dumps(message).decode()[:200]}")
        if socket.state["path"] != "private":
            raise ErrorReply(400, "60028", "The current operation is not supported by this URL.")
        if not socket.state["account"]:
            raise ErrorReply(400, "60011", "Please log in")
        received = _microseconds()
        route = self._dialect.route("POST", f"{_TRADE}/{(_SINGLE | _BATCHES).get(operation, 'order')}")
        if route is None:
            raise LookupError(operation)
        rows = [self._named(row) for row in args]
        body = rows if operation in _BATCHES else rows[0]
        call = Call(
            route=route,
            params={},
            query="",
            body=orjson.dumps(body).decode(),
            headers={},
            address=socket.address,
            path=route.path,
            account=socket.state["account"],
            key=socket.state["key"],
        )

        def frame(answer: bytes) -> bytes:
            content = orjson.loads(answer)
            # Over a WebSocket the rows alone say what failed.
            message = "" if content["data"] else content["msg"]
            head = {"id": number, "op": operation, "code": content["code"], "msg": message, "data": content["data"]}
            return orjson.dumps({**head, "inTime": received, "outTime": _microseconds()})

        def execute() -> bytes:
            self._check(operation, rows)
            self._security.admit_over_socket(call)
            if self._is_late(message):
                return frame(replies.write(replies.of_batch([_expired(row) for row in rows])))
            return frame(replies.write(self._dialect.content(call)))

        request = SocketRequest(
            call=call,
            execute=execute,
            refuse=lambda error: frame(replies.write_error(error)),
            fault_error=self._dialect.fault_error,
            send=socket.answer,
        )
        self._requests.take(socket, request)

    def _check(self, operation: str, rows: list[Any]) -> None:
        if operation == MASS_CANCEL:
            # The venue cancels options of market makers with it, and nothing else.
            raise errors.bad("instType")
        if not all(isinstance(row, dict) for row in rows) or (operation in _SINGLE and len(rows) > 1):
            raise ErrorReply(400, "60013", "Invalid args")

    def _named(self, row: Any) -> Any:
        """Return a row with the name of its instrument; the code of one takes precedence."""
        if not isinstance(row, dict) or row.get("instIdCode") is None:
            return row
        found = self._instruments.by_code(str(row["instIdCode"]))
        named = {name: value for name, value in row.items() if name not in ("instIdCode", "instId")}
        return named | {"instId": found.inst_id if found is not None else str(row["instIdCode"])}

    def _is_late(self, message: dict[str, Any]) -> bool:
        """Return whether a request came after the time at which its client gave up on it."""
        expires = str(message.get("expTime", ""))
        return expires.isdecimal() and int(expires) < self._clock.server_ms()


def _expired(row: Any) -> dict[str, Any]:
    names = {name: str(row.get(name, "")) for name in ("ordId", "clOrdId")}
    return {**names, "sCode": "51149", "sMsg": "Order timed out. Please try again later."}


def _microseconds() -> str:
    return str(time.time_ns() // 1000)
