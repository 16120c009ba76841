"""Bybit v5: REST, WebSocket paths and messages, errors, faults."""

from __future__ import annotations

import time
import uuid
from typing import Any

import orjson

from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply, HttpReply, Params, Route, World, message_of
from opensqt.simulator.dialects.bybit import errors, parameters, subscriptions
from opensqt.simulator.dialects.bybit.account import AccountData
from opensqt.simulator.dialects.bybit.conditional import ConditionalTrading
from opensqt.simulator.dialects.bybit.disconnect_protection import TOPICS, DisconnectProtection
from opensqt.simulator.dialects.bybit.fill_details import FillDetails
from opensqt.simulator.dialects.bybit.inputs import INPUTS
from opensqt.simulator.dialects.bybit.market_streams import MarketStreams
from opensqt.simulator.dialects.bybit.private_streams import PrivateStreams
from opensqt.simulator.dialects.bybit.public import PublicData
from opensqt.simulator.dialects.bybit.security import Security
from opensqt.simulator.dialects.bybit.socket_trading import PATH, SocketTrading
from opensqt.simulator.dialects.bybit.trading import BatchReply, Trading
from opensqt.simulator.engine.events import Event
from opensqt.simulator.engine.order import Refused, VenueClose
from opensqt.simulator.faults import ANSWERS, PRIVATE_CHANNELS, Fault, FaultKind
from opensqt.simulator.settings import VenueRules
from opensqt.simulator.socket_requests import SocketRequest, login_call
from opensqt.simulator.sockets import Socket

_PUBLIC_PATH = "/v5/public/linear"
_PRIVATE_PATH = "/v5/private"


class BybitDialect(Dialect):
    """The venue's wire protocol, as documented by the venue."""

    name = "bybit"
    closes = frozenset({VenueClose.LIQUIDATION, VenueClose.ADL, VenueClose.SETTLEMENT})
    symbol_states = ("Trading", "PreLaunch", "Settling", "Delivering", "Closed")
    inputs = INPUTS
    account_modes = ("unified_2", "unified_1", "classic")
    venue_rules = VenueRules(
        post_only_crossing="expire",
        duplicate_client_ids="ever",
        amended_to_filled="refuse",
        amended_post_only="cancel",
        triggered_keeps_id=True,
    )

    def __init__(self, world: World) -> None:
        self._security = Security(world.settings, world.engine.clock, world.keys)
        self._fill_details = FillDetails()
        self._public = PublicData(world)
        self._protection = DisconnectProtection(world)
        self._account = AccountData(world, self._protection)
        self._streams = MarketStreams(world, self._public)
        self._private = PrivateStreams(world, self._fill_details)
        super().__init__(world)
        self._sockets = SocketTrading(self, self._security)

    def routes(self) -> list[Route]:
        """Return every REST endpoint that is served."""
        conditional = ConditionalTrading(self.engine)
        trading = Trading(self, self._fill_details, conditional)
        parts = (self._public, self._account, trading, conditional, self._protection)
        return [route for part in parts for route in part.routes()]

    def operation(self, call: Call) -> str:
        """Distinguish by the parameters whether one endpoint is called for one order or for all."""
        one = call.params.get("orderId") or call.params.get("orderLinkId")
        return "get_order" if call.route.operation == "open_orders" and one else call.route.operation

    def admit(self, call: Call) -> None:
        """Check limits, key, timestamp and signature, and read the parameters of a POST."""
        self._security.admit(call, parameters.read_body(call) if call.route.method == "POST" else 1)

    def handle(self, call: Call) -> HttpReply:
        """Handle the call and return its reply in the venue's envelope."""
        try:
            result = call.route.handler(call)
        except Refused as refused:
            raise self.translate(refused) from refused
        if isinstance(result, BatchReply):
            return HttpReply(200, self._envelope(0, "OK", result.result, result.codes))
        return HttpReply(200, self._envelope(0, "OK", result, {}))

    def refuse_input(self, name: str, value: str, reason: str) -> ErrorReply:
        """Return the error of what is not simulated."""
        return errors.not_simulated(f"{name} {value}")

    def translate(self, refused: Refused) -> ErrorReply:
        """Translate a refusal of the engine to Bybit's code."""
        return errors.of_reason(refused.reason)

    def fail(self, error: ErrorReply) -> HttpReply:
        """Write the envelope with the error's code; the ban of an address has no envelope."""
        headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
        if not error.code.lstrip("-").isdecimal() or error.status == 403:
            return HttpReply(error.status, f"{error.status} {error.message}".encode(), headers)
        return HttpReply(error.status, self._envelope(int(error.code), error.message, {}, {}), headers)

    def unknown_path(self, method: str, path: str) -> ErrorReply:
        """Return the error of a path that is not served."""
        return ErrorReply(404, "10017", f"Route not found: {method} {path}")

    def usual_error(self, fault: Fault) -> ErrorReply:
        """Return the venue's regular error for a fault of this kind."""
        if fault.kind is FaultKind.TIMEOUT_UNKNOWN:
            return errors.server_timeout()
        if fault.kind in (FaultKind.RATE_LIMITED, FaultKind.BANNED):
            limited = errors.too_many_visits() if fault.kind is FaultKind.RATE_LIMITED else errors.too_frequent()
            return ErrorReply(limited.status, limited.code, limited.message, retry_after_s=fault.retry_after_s)
        if fault.kind is FaultKind.REFUSE:
            return ErrorReply(200, fault.code, message_of(fault.code, errors.BY_REASON))
        return errors.unavailable()

    def addresses(self, host: str) -> dict[str, dict[str, str]]:
        """Return the base URLs: one for REST, one for each kind of stream."""
        ws = {"public_linear": f"ws://{host}{_PUBLIC_PATH}", "private": f"ws://{host}{_PRIVATE_PATH}"}
        ws["trade"] = f"ws://{host}{PATH}"
        return {"rest": {"base": f"http://{host}"}, "ws": ws}

    def channels_of(self, path: str, params: Params) -> list[str]:
        """Guess the channels from the path."""
        if path == PATH:
            return [ANSWERS]
        return sorted(PRIVATE_CHANNELS) if path == _PRIVATE_PATH else ["price"]

    def connect(self, socket: Socket, path: str, params: Params) -> None:
        """Handle a new connection; it subscribes by messages."""
        if path == PATH:
            self._sockets.connect(socket)
            return
        if path not in (_PUBLIC_PATH, _PRIVATE_PATH):
            raise ErrorReply(404, "10017", f"Route not found: {path}")
        private = path == _PRIVATE_PATH
        socket.state.update(private=private, account="", names={}, id=uuid.uuid4().hex[:20])
        if private:
            socket.channels.update(PRIVATE_CHANNELS)

    def receive(self, socket: Socket, text: str) -> None:
        """Handle ping, auth, subscribe and unsubscribe, and order requests at their own address."""
        if "trades" in socket.state:
            self._sockets.receive(socket, text)
            return
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        if not isinstance(message, dict):
            self._reply(socket, {}, success=False, ret_msg="error:invalid json", op="")
            return
        op, arguments = message.get("op"), message.get("args")
        if op == "ping":
            self._pong(socket, message)
        elif op == "auth":
            self._login(socket, message, arguments)
        elif op in ("subscribe", "unsubscribe") and isinstance(arguments, list):
            self._change(socket, message, str(op), [str(name) for name in arguments])
        else:
            self._reply(socket, message, success=False, ret_msg="error:invalid op", op=str(op)[:40])

    def disconnected(self, socket: Socket) -> None:
        """Begin the account's window of disconnection, if this was the last connection that counts."""
        self._protection.disconnected(socket)

    def publish(self, event: Event) -> None:
        """Publish an event to the streams that it concerns."""
        self._streams.publish(event)
        self._private.publish(event)

    def tick(self, *, everything: bool = False) -> None:
        """Send everything that is due."""
        self._private.flush()
        self._streams.tick(everything=everything)

    def expire_keys(self, copies: int) -> None:
        """Do nothing: a login here has no key that could expire; the `cut` fault simulates its end."""

    def _pong(self, socket: Socket, message: dict[str, Any]) -> None:
        if socket.state["private"]:
            content = {"op": "pong", "args": [str(time.time_ns() // 1_000_000)], "conn_id": socket.state["id"]}
            socket.reply(orjson.dumps({"req_id": str(message.get("req_id", "")), **content}))
        else:
            self._reply(socket, message, success=True, ret_msg="pong", op="ping")

    def _login(self, socket: Socket, message: dict[str, Any], arguments: Any) -> None:
        def execute() -> bytes:
            if not socket.state["private"]:
                raise errors.parameter("error:invalid op")
            key = self._security.login(arguments)
            socket.state.update(account=key.account, key=key.key)
            return self._answer(socket, message, success=True, ret_msg="", op="auth")

        request = SocketRequest(
            call=login_call(socket, _PRIVATE_PATH),
            execute=execute,
            refuse=lambda error: self._answer(socket, message, success=False, ret_msg=error.message, op="auth"),
            fault_error=self.fault_error,
            send=socket.reply,
        )
        self.world.requests.take(socket, request)

    def _change(self, socket: Socket, message: dict[str, Any], op: str, names: list[str]) -> None:
        """Subscribe or unsubscribe; one invalid name refuses all of them."""
        private = socket.state["private"]
        if private and not socket.state["account"]:
            self._reply(socket, message, success=False, ret_msg="Request not authorized", op=op)
            return
        known = _is_private if private else self._is_public
        wrong = [name for name in names if not known(name)]
        if wrong or not names:
            text = f"error:handler not found,topic:{','.join(wrong)}"
            self._reply(socket, message, success=False, ret_msg=text, op=op)
            return
        if op == "unsubscribe":
            for name in names:
                self._leave(socket, name)
            self._reply(socket, message, success=True, ret_msg="", op=op)
            return
        again = [name for name in names if not self._join(socket, name)]
        text = f"error:already subscribed,topic:{','.join(again)}" if again else ""
        self._reply(socket, message, success=not again, ret_msg=text, op=op)
        for name in names:
            topic = None if private else subscriptions.parse(name)
            if topic is not None and name not in again:
                self._streams.send_snapshot(socket, topic)

    def _is_public(self, name: str) -> bool:
        topic = subscriptions.parse(name)
        return topic is not None and self._streams.has_symbol(topic)

    def _join(self, socket: Socket, name: str) -> bool:
        if socket.state["private"] and name in TOPICS:
            return self._protection.subscribe(socket, name)
        if socket.state["private"]:
            return self._private.subscribe(socket, subscriptions.private_kind(name) or "", name)
        topic = subscriptions.parse(name)
        return topic is not None and self._streams.subscribe(socket, topic)

    def _leave(self, socket: Socket, name: str) -> None:
        topic = subscriptions.parse(name)
        if socket.state["private"] and name in TOPICS:
            self._protection.unsubscribe(socket, name)
        elif socket.state["private"]:
            self._private.unsubscribe(socket, subscriptions.private_kind(name) or "")
        elif topic is not None:
            self._streams.unsubscribe(socket, topic)

    def _reply(self, socket: Socket, message: dict[str, Any], **fields: Any) -> None:
        socket.reply(self._answer(socket, message, **fields))

    def _answer(self, socket: Socket, message: dict[str, Any], **fields: Any) -> bytes:
        if "req_id" in message:
            fields["req_id"] = str(message["req_id"])
        return orjson.dumps({**fields, "conn_id": socket.state["id"]})

    def _envelope(self, code: int, message: str, result: Any, extra: Any) -> bytes:
        content = {"retCode": code, "retMsg": message, "result": result, "retExtInfo": extra}
        return orjson.dumps({**content, "time": self._security.now_ms()})


def _is_private(name: str) -> bool:
    return name in TOPICS or subscriptions.private_kind(name) is not None
