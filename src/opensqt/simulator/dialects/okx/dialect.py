"""OKX v5, USDT-margined swaps: REST, WebSocket addresses and messages, errors, faults."""

from __future__ import annotations

import secrets
from typing import Any

import orjson

from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply, HttpReply, Params, Route, World, message_of
from opensqt.simulator.dialects.inputs import body_fields
from opensqt.simulator.dialects.okx import errors, parameters, replies, socket_trading, subscriptions
from opensqt.simulator.dialects.okx.account import AccountData
from opensqt.simulator.dialects.okx.conditional import ConditionalTrading
from opensqt.simulator.dialects.okx.inputs import INPUTS
from opensqt.simulator.dialects.okx.instruments import Instruments
from opensqt.simulator.dialects.okx.market_streams import MarketStreams
from opensqt.simulator.dialects.okx.private_streams import PrivateStreams
from opensqt.simulator.dialects.okx.public import PublicData
from opensqt.simulator.dialects.okx.records import Records
from opensqt.simulator.dialects.okx.security import Security
from opensqt.simulator.dialects.okx.trading import Trading
from opensqt.simulator.engine.events import Event
from opensqt.simulator.engine.order import Refused, VenueClose
from opensqt.simulator.faults import Fault, FaultKind
from opensqt.simulator.settings import VenueRules
from opensqt.simulator.socket_requests import SocketRequest, login_call
from opensqt.simulator.sockets import Socket

_PATHS = {f"/ws/v5/{name}": name for name in ("public", "private", "business")}
_GUESS = {"public": ["price"], "private": ["orders", "account", "positions"], "business": ["kline"]}
_IDLE_MS = 30_000
"""A connection without any message for this long is closed."""
_WITH_DEADLINE = ("place_order", "batch_place", "amend_order")
_ORDER_OPERATIONS = ("place_order", "batch_place", "amend_order", "cancel_order", "batch_cancel")


class OkxDialect(Dialect):
    """The venue's wire protocol, as documented by the venue."""

    name = "okx"
    closes = frozenset({VenueClose.LIQUIDATION, VenueClose.ADL})
    symbol_states = ("live", "suspend", "rebase", "preopen", "test")
    inputs = INPUTS
    account_modes = ("futures", "spot", "multi_currency", "portfolio")
    venue_rules = VenueRules(
        post_only_crossing="expire", least_notional=False, amended_to_filled="fill", most_conditional=100
    )

    def __init__(self, world: World) -> None:
        self._instruments = Instruments(world.engine)
        self._records = Records(world.settings)
        self._security = Security(world.settings, world.engine.clock, world.keys)
        self._public = PublicData(world, self._instruments)
        self._account = AccountData(world, self._instruments, self._records, self._public)
        super().__init__(world)
        self._sockets = socket_trading.SocketTrading(self, self._instruments, self._security)
        self._market = MarketStreams(world, self._instruments, self._public)
        self._private = PrivateStreams(world, self._instruments, self._account, self._trading, self._algo)

    def routes(self) -> list[Route]:
        """Return every REST endpoint that is served."""
        self._algo = ConditionalTrading(self.engine, self._instruments)
        self._trading = Trading(
            self,
            self._instruments,
            self._records,
            self._algo,
            on_amend_failed=lambda *failed: self._private.report_failed_amendment(*failed),
        )
        orders = [*self._trading.routes(), *self._algo.routes()]
        return [*self._public.routes(), *self._account.routes(), *orders]

    def admit(self, call: Call) -> None:
        """Check key, timestamp, signature and passphrase, then the endpoint's limit."""
        self._security.admit(call)

    def handle(self, call: Call) -> HttpReply:
        """Handle the call and wrap its result."""
        try:
            return HttpReply(200, replies.write(call.route.handler(call)))
        except Refused as refused:
            raise self.translate(refused) from refused

    def check(self, call: Call) -> None:
        """Refuse a parameter that is not simulated; of an order request in a row, as the venue does."""
        try:
            self._check_deadline(call)
            super().check(call)
        except ErrorReply as error:
            row = body_fields(call.body)
            if not row or call.route.method != "POST" or call.route.operation not in _ORDER_OPERATIONS:
                raise
            names = ("algoId", "algoClOrdId") if "algo" in call.route.path else ("ordId", "clOrdId")
            named = {name: parameters.text(row, name) for name in (*names, "tag")}
            raise errors.RowRefused(error.code, error.message, named) from error

    def _check_deadline(self, call: Call) -> None:
        """Refuse an order that came after the time at which its client gave up on it, as the header `expTime` says."""
        expires = call.headers.get("expTime", "")
        if expires and call.route.operation in _WITH_DEADLINE and "algo" not in call.route.path:
            if not expires.isdecimal():
                raise errors.bad("expTime")
            if int(expires) < self.engine.clock.server_ms():
                raise errors.too_late()

    def refuse_input(self, name: str, value: str, reason: str) -> ErrorReply:
        """Return the error of what is not simulated."""
        return errors.not_simulated(f"{name} {value}")

    def translate(self, refused: Refused) -> ErrorReply:
        """Translate a refusal of the engine to OKX's code."""
        return errors.of_reason(refused.reason)

    def fail(self, error: ErrorReply) -> HttpReply:
        """Write `{"code": ..., "msg": ..., "data": []}`, or the row with the refusal of an order request."""
        headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
        return HttpReply(error.status, replies.write_error(error), headers)

    def unknown_path(self, method: str, path: str) -> ErrorReply:
        """Return the error of a path that is not served."""
        return ErrorReply(404, "404", f"{method} {path}: not found")

    def fault_error(self, fault: Fault) -> ErrorReply:
        """Return the error of a fault; the refusal of an order is a row."""
        if fault.kind is FaultKind.REFUSE:
            message = fault.message or message_of(fault.code, errors.BY_REASON)
            if fault.on in _ORDER_OPERATIONS:
                return errors.RowRefused(fault.code, message, {"ordId": "", "clOrdId": ""})
            return ErrorReply(fault.status or 200, fault.code, message)
        return super().fault_error(fault)

    def usual_error(self, fault: Fault) -> ErrorReply:
        """Return the venue's regular error for a fault of this kind."""
        if fault.kind is FaultKind.TIMEOUT_UNKNOWN:
            return errors.outcome_unknown()
        if fault.kind is FaultKind.RATE_LIMITED:
            error = errors.too_many_requests()
            return ErrorReply(error.status, error.code, error.message, retry_after_s=fault.retry_after_s)
        if fault.kind is FaultKind.BANNED:
            return errors.banned(fault.retry_after_s)
        return errors.unavailable()

    def addresses(self, host: str) -> dict[str, dict[str, str]]:
        """Return the base URLs; the WebSocket ones by category."""
        ws = {name: f"ws://{host}{path}" for path, name in _PATHS.items()}
        return {"rest": {"base": f"http://{host}"}, "ws": {"base": f"ws://{host}/ws/v5", **ws}}

    def channels_of(self, path: str, params: Params) -> list[str]:
        """Guess the channels from the path."""
        return _GUESS[_PATHS[path]] if path in _PATHS else ["price"]

    def connect(self, socket: Socket, path: str, params: Params) -> None:
        """Handle a new connection; it receives nothing until it subscribes."""
        if path not in _PATHS:
            raise self.unknown_path("GET", path)
        used_ms = self.world.monotonic_ms()
        socket.state.update(path=_PATHS[path], account="", connection=secrets.token_hex(4), used_ms=used_ms)
        if _PATHS[path] == "private":
            # Its purpose is known before it has signed in.
            socket.channels.update(_GUESS["private"])
            self._sockets.connect(socket)

    def receive(self, socket: Socket, text: str) -> None:
        """Handle ping, login, subscribe, unsubscribe and order requests."""
        socket.state["used_ms"] = self.world.monotonic_ms()
        if text == "ping":
            socket.reply(b"pong")
            return
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        args = message.get("args") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(args, list) or not args:
            self._refuse(socket, ErrorReply(400, "60012", f"Illegal request: {text[:200]}"))
            return
        operation = message.get("op")
        number = {"id": message["id"]} if "id" in message else {}
        try:
            if operation == "login":
                self._login(socket, args[0])
            elif isinstance(operation, str) and operation in socket_trading.OPERATIONS:
                self._sockets.take(socket, message, args)
            elif operation in ("subscribe", "unsubscribe"):
                for arg in args:
                    self._subscribe(socket, arg, operation, number)
            else:
                raise ErrorReply(400, "60012", f"Illegal request: {text[:200]}")
        except ErrorReply as error:
            self._refuse(socket, error, **number)

    def publish(self, event: Event) -> None:
        """Record an event, then publish it to the channels that it concerns."""
        self._records.observe(event)
        self._market.publish(event)
        self._private.publish(event)

    def tick(self, *, everything: bool = False) -> None:
        """Send everything that is due and close idle connections."""
        self._market.tick(everything=everything)
        self._private.tick()
        oldest_ms = self.world.monotonic_ms() - _IDLE_MS
        for socket in [socket for socket in self.subscriptions.sockets if socket.state["used_ms"] < oldest_ms]:
            socket.cut()

    def expire_keys(self, copies: int) -> None:
        """Do nothing: a private connection stays signed in until it is closed."""

    def _login(self, socket: Socket, arg: Any) -> None:
        if not isinstance(arg, dict):
            raise ErrorReply(400, "60012", "Illegal request: login: expected an object")
        key, passphrase, timestamp, sign = (
            str(arg.get(name, "")) for name in ("apiKey", "passphrase", "timestamp", "sign")
        )

        def execute() -> bytes:
            account = self._security.login(key, passphrase, timestamp, sign)
            socket.state.update(account=account, key=key)
            return _encode(socket, {"event": "login", "code": "0", "msg": ""})

        request = SocketRequest(
            call=login_call(socket),
            execute=execute,
            refuse=lambda error: _encode(socket, _error(error)),
            fault_error=self.fault_error,
            send=socket.reply,
        )
        self.world.requests.take(socket, request)

    def _subscribe(self, socket: Socket, arg: Any, operation: str, number: dict[str, Any]) -> None:
        channel = subscriptions.parse(arg, socket.state["path"], self._instruments)
        if channel.private and not socket.state["account"]:
            raise ErrorReply(400, "60011", "Please log in")
        streams = self._private if channel.private else self._market
        self._reply(socket, {"event": operation, "arg": channel.arg, **number})
        (streams.subscribe if operation == "subscribe" else streams.unsubscribe)(socket, channel)

    def _refuse(self, socket: Socket, error: ErrorReply, **number: Any) -> None:
        self._reply(socket, _error(error) | number)

    def _reply(self, socket: Socket, message: dict[str, Any]) -> None:
        socket.reply(_encode(socket, message))


def _error(error: ErrorReply) -> dict[str, Any]:
    return {"event": "error", "code": error.code, "msg": error.message}


def _encode(socket: Socket, message: dict[str, Any]) -> bytes:
    return orjson.dumps(message | {"connId": socket.state["connection"]})
