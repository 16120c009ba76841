"""Bitget's orders over a WebSocket: operation `trade` of a private connection, classic (v2) and unified (v3).

https://www.bitget.com/api-doc/contract/websocket/private/Place-Order-Channel,
https://www.bitget.com/api-doc/uta/websocket/private/Place-Order-Channel
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any

import orjson

from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply
from opensqt.simulator.dialects.bitget import parameters
from opensqt.simulator.faults import ANSWERS
from opensqt.simulator.socket_requests import SocketRequest
from opensqt.simulator.sockets import Socket

_CLASSIC = {
    "place-order": "/api/v2/mix/order/place-order",
    "cancel-order": "/api/v2/mix/order/cancel-order",
}
_UNIFIED = {
    "place-order": "/api/v3/trade/place-order",
    "modify-order": "/api/v3/trade/modify-order",
    "cancel-order": "/api/v3/trade/cancel-order",
    "batch-place": "/api/v3/trade/place-batch",
    "batch-modify": "/api/v3/trade/batch-modify-order",
    "batch-cancel": "/api/v3/trade/cancel-batch",
}
"""The channels and topics, and the endpoint of REST that each one is."""
_ID = re.compile(r"[0-9A-Za-z_:#\-+\s]{1,40}")
_LOGGED_OUT = ErrorReply(400, "30004", "User not logged in")
_PARAMETER = ErrorReply(400, "30016", "Param error")


class SocketTrading:
    """Order requests of clients that are logged in."""

    def __init__(self, dialect: Dialect, admit: Callable[[Call], None]) -> None:
        self._dialect = dialect
        self._engine = dialect.engine
        self._admit = admit
        self._requests = dialect.world.requests

    def connect(self, socket: Socket) -> None:
        """Handle a new private connection."""
        socket.state["connection"] = secrets.token_hex(8)
        socket.channels[ANSWERS] += 1

    def receive(self, socket: Socket, message: dict[str, Any]) -> None:
        """Handle one request of operation `trade`."""
        (self._unified if socket.state["unified"] else self._classic)(socket, message)

    def _classic(self, socket: Socket, message: dict[str, Any]) -> None:
        args = message.get("args")
        arg = args[0] if isinstance(args, list) and len(args) == 1 and isinstance(args[0], dict) else {}
        number, channel, given = arg.get("id"), str(arg.get("channel", "")), arg.get("params")
        names = ("id", "instType", "channel", "instId")
        head = {name: arg[name] for name in names if name in arg}

        def refuse(error: ErrorReply) -> bytes:
            content = {"event": "error", "arg": [head | {"params": given}], "code": int(error.code)}
            return orjson.dumps(content | {"msg": error.message, "ts": self._engine.now_ms()})

        def accept(data: Any) -> bytes:
            content = {"event": "trade", "arg": [head | {"params": data}], "code": 0, "msg": "Success"}
            return orjson.dumps(content | {"ts": self._engine.now_ms()})

        if channel not in _CLASSIC:
            socket.reply(refuse(ErrorReply(400, "30001", f"channel:{channel[:60]} doesn't exist")))
        elif not isinstance(number, str) or not _ID.fullmatch(number) or not isinstance(given, dict):
            socket.reply(refuse(_PARAMETER))
        else:
            fields = {**given, "symbol": arg.get("instId"), "productType": arg.get("instType")}
            self._take(socket, _CLASSIC[channel], fields, accept, refuse)

    def _unified(self, socket: Socket, message: dict[str, Any]) -> None:
        number, topic, args = message.get("id"), str(message.get("topic", "")), message.get("args")
        category = {"category": message["category"]} if "category" in message else {}
        head = {"id": number, **category, "topic": topic}

        def tail(code: str, text: str) -> dict[str, Any]:
            now = str(self._engine.now_ms())
            return {"code": code, "msg": text, "connId": socket.state["connection"], "ts": now}

        def refuse(error: ErrorReply) -> bytes:
            return orjson.dumps({"event": "error", **head, **tail(error.code, error.message)})

        def accept(data: Any) -> bytes:
            rows = [self._row(topic, row, sent) for row, sent in zip(_listed(data), _listed(args), strict=False)]
            return orjson.dumps({"event": "trade", **head, "args": rows, **tail("0", "Success")})

        if topic not in _UNIFIED:
            socket.reply(refuse(ErrorReply(400, "30001", f"topic:{topic[:60]} doesn't exist")))
            return
        many = topic.startswith("batch-")
        proper = isinstance(args, list) and all(isinstance(arg, dict) for arg in args) and (many or len(args) == 1)
        if not isinstance(number, str) or not number or not proper:
            socket.reply(refuse(_PARAMETER))
            return
        # Only orders that are placed must name their category and symbol here; REST wants both of more requests.
        usual = {"symbol": self._engine.symbols()[0].symbol} if topic == "batch-cancel" else {}
        named = {"category": str(message.get("category", parameters.PRODUCT_TYPE)).upper()}
        if "place" in topic and "category" not in message:
            named = {}
        rows = [{**usual, **arg, **named} for arg in _listed(args)]
        self._take(socket, _UNIFIED[topic], rows if many else rows[0], accept, refuse)

    def _row(self, topic: str, row: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
        symbol = {"symbol": str(sent.get("symbol", ""))} if "place" in topic else {}
        if topic.startswith("batch-"):
            return {"code": row.get("code", "0"), "msg": row.get("msg", "Success"), **symbol} | {
                name: row.get(name, "") for name in ("orderId", "clientOid")
            }
        created = {"cTime": str(self._engine.now_ms())} if topic == "place-order" else {}
        return {**symbol, **row, **created}

    def _take(
        self,
        socket: Socket,
        path: str,
        fields: Any,
        accept: Callable[[Any], bytes],
        refuse: Callable[[ErrorReply], bytes],
    ) -> None:
        route = self._dialect.route("POST", path)
        if route is None:
            raise LookupError(path)
        call = Call(
            route=route,
            params={},
            query="",
            body=orjson.dumps(fields).decode(),
            headers={},
            address=socket.address,
            path=path,
            account=socket.state["account"],
            key=socket.state.get("key", ""),
        )

        def execute() -> bytes:
            if not call.account:
                raise _LOGGED_OUT
            self._admit(call)
            if isinstance(fields, dict):
                call.params = parameters.flat(fields)
            return accept(self._dialect.content(call))

        request = SocketRequest(
            call=call,
            execute=execute,
            refuse=refuse,
            fault_error=self._dialect.fault_error,
            send=socket.answer,
        )
        self._requests.take(socket, request)


def _listed(data: Any) -> list[dict[str, Any]]:
    return data if isinstance(data, list) else [data]
