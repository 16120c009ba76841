"""Bitget USDT-margined futures: REST, WebSocket messages, errors, faults."""

from __future__ import annotations

from collections import deque
from typing import Any

import orjson

from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply, HttpReply, Params, Route, World, message_of
from opensqt.simulator.dialects.bitget import errors, parameters, subscriptions
from opensqt.simulator.dialects.bitget.account import AccountData
from opensqt.simulator.dialects.bitget.amending import Amending
from opensqt.simulator.dialects.bitget.conditional import ConditionalTrading
from opensqt.simulator.dialects.bitget.inputs import INPUTS
from opensqt.simulator.dialects.bitget.market_streams import MarketStreams
from opensqt.simulator.dialects.bitget.private_streams import PrivateStreams
from opensqt.simulator.dialects.bitget.public import PublicData
from opensqt.simulator.dialects.bitget.security import Security
from opensqt.simulator.dialects.bitget.socket_trading import SocketTrading
from opensqt.simulator.dialects.bitget.subscriptions import Subscription
from opensqt.simulator.dialects.bitget.trading import CANCEL_BATCH, Trading
from opensqt.simulator.dialects.bitget.unified import LIST_BODIES, UnifiedApi
from opensqt.simulator.dialects.bitget.unified_streams import PATH, TOPICS, UnifiedStreams
from opensqt.simulator.engine.events import Event
from opensqt.simulator.engine.order import Refused, VenueClose
from opensqt.simulator.faults import Fault, FaultKind
from opensqt.simulator.settings import VenueRules
from opensqt.simulator.socket_requests import SocketRequest, login_call
from opensqt.simulator.sockets import Socket

_PATHS = {"/v2/ws/public": False, "/v2/ws/private": True, PATH: True}
_SILENCE_MS = 120_000
"""A connection that sent no `ping` for this long is cut."""


class BitgetDialect(Dialect):
    """The venue's wire protocol, as documented by the venue."""

    name = "bitget"
    closes = frozenset({VenueClose.LIQUIDATION, VenueClose.ADL})
    symbol_states = ("normal", "listed", "maintain", "limit_open", "restrictedAPI", "off")
    inputs = INPUTS
    account_modes = ("classic", "unified", "unified_isolated")
    venue_rules = VenueRules(post_only_crossing="expire", duplicate_client_ids="ever", most_conditional=50)

    def __init__(self, world: World) -> None:
        rules = world.settings.server
        self._security = Security(world.settings, world.engine.clock, world.keys)
        self._public = PublicData(world)
        self._account = AccountData(world)
        self._market = MarketStreams(world, self._public)
        self._private = PrivateStreams(world)
        self._unified = UnifiedStreams(world)
        self._silence_ms = rules.pong_within_ms if "pong_within_ms" in rules.model_fields_set else _SILENCE_MS
        super().__init__(world)
        self._sockets = SocketTrading(self, self._admit_over_socket)

    def routes(self) -> list[Route]:
        """Return every REST endpoint that is served."""
        trading = Trading(self, lambda params, order: conditional.attached(params, order))
        conditional = ConditionalTrading(self.engine, trading)
        amending = Amending(self.engine, trading)
        orders = (*trading.routes(), *amending.routes(), *conditional.routes(), *UnifiedApi(self).routes())
        return [*self._public.routes(), *self._account.routes(), *orders]

    def operation(self, call: Call) -> str:
        """Distinguish a cancel of everything from one of a list, which share an endpoint."""
        if call.route.path != CANCEL_BATCH:
            return call.route.operation
        return "batch_cancel" if b"orderIdList" in call.body.encode() else "cancel_all"

    def admit(self, call: Call) -> None:
        """Check limits, key, timestamp, signature and passphrase, and that the API is that of the account's mode."""
        self._security.admit(call)
        self._check_mode(call)

    def _admit_over_socket(self, call: Call) -> None:
        self._security.admit_over_socket(call)
        self._check_mode(call)

    def _check_mode(self, call: Call) -> None:
        if call.account:
            unified = self.engine.account_mode(call.account) != "classic"
            if unified and call.route.path.startswith("/api/v2/"):
                raise errors.unified_account()
            if not unified and call.route.path.startswith("/api/v3/"):
                raise errors.classic_account()

    def handle(self, call: Call) -> HttpReply:
        """Handle the call and return its reply in the envelope that every reply of this venue has."""
        if call.route.method == "POST" and call.route.path not in LIST_BODIES:
            call.params = parameters.flat(parameters.body(call))
        try:
            data = call.route.handler(call)
        except Refused as refused:
            raise self.translate(refused) from refused
        return HttpReply(200, self._envelope(errors.SUCCESS, "success", data))

    def refuse_input(self, name: str, value: str, reason: str) -> ErrorReply:
        """Return the error of what is not simulated."""
        return errors.not_simulated(f"{name} {value}")

    def translate(self, refused: Refused) -> ErrorReply:
        """Translate a refusal of the engine to Bitget's code."""
        return errors.of_reason(refused.reason)

    def fail(self, error: ErrorReply) -> HttpReply:
        """Write the envelope with the error's code and no data."""
        headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
        return HttpReply(error.status, self._envelope(error.code, error.message, None), headers)

    def unknown_path(self, method: str, path: str) -> ErrorReply:
        """Return the error of a path that is not served."""
        return ErrorReply(404, "40404", f"Request URL NOT FOUND: {method} {path}")

    def usual_error(self, fault: Fault) -> ErrorReply:
        """Return the venue's regular error for a fault of this kind."""
        if fault.kind is FaultKind.TIMEOUT_UNKNOWN:
            return errors.outcome_unknown()
        if fault.kind in (FaultKind.RATE_LIMITED, FaultKind.BANNED):
            # A ban is the same reply for longer: the venue has no other.
            return errors.too_many_requests(fault.retry_after_s)
        if fault.kind is FaultKind.REFUSE:
            return ErrorReply(400, fault.code, message_of(fault.code, errors.BY_REASON))
        return errors.unavailable(503)

    def addresses(self, host: str) -> dict[str, dict[str, str]]:
        """Return the base URLs."""
        ws = {name: f"ws://{host}/v2/ws/{name}" for name in ("public", "private")} | {"unified": f"ws://{host}{PATH}"}
        return {"rest": {"base": f"http://{host}"}, "ws": ws}

    def channels_of(self, path: str, params: Params) -> list[str]:
        """Guess the channels from the path."""
        return ["orders", "account", "positions"] if _PATHS.get(path) else ["price"]

    def connect(self, socket: Socket, path: str, params: Params) -> None:
        """Handle a new connection; it has no subscription yet, but its path says whether it is private."""
        if path not in _PATHS:
            raise ErrorReply(404, "40404", f"Request URL NOT FOUND: {path}")
        if _PATHS[path]:
            socket.channels.update(self.channels_of(path, params))
            self._sockets.connect(socket)
        now = self.world.monotonic_ms()
        socket.state.update(private=_PATHS[path], account="", pinged_ms=now, messages=deque(), unified=path == PATH)

    def receive(self, socket: Socket, text: str) -> None:
        """Handle a ping, a login, an order request, SUBSCRIBE and the like."""
        if self._too_fast(socket):
            socket.cut()
            return
        if text == "ping":
            socket.state["pinged_ms"] = self.world.monotonic_ms()
            socket.reply(b"pong")
            return
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        operation = message.get("op") if isinstance(message, dict) else None
        args = message.get("args") if isinstance(message, dict) else None
        if operation == "trade" and socket.state["private"]:
            self._sockets.receive(socket, message)
        elif operation not in ("login", "subscribe", "unsubscribe"):
            socket.reply(_error(30003, "Invalid op"))
        elif not isinstance(args, list) or not args:
            socket.reply(_error(30016, "Param error"))
        elif operation == "login":
            self._login(socket, args[0])
        else:
            for arg in args:
                self._subscription(socket, arg, begins=operation == "subscribe")

    def publish(self, event: Event) -> None:
        """Publish an event to the channels that it concerns."""
        self._market.publish(event)
        self._private.publish(event)
        self._unified.publish(event)

    def tick(self, *, everything: bool = False) -> None:
        """Send everything that is due, and cut connections that sent no ping for too long."""
        self._market.tick(everything=everything)
        silent_since = self.world.monotonic_ms() - self._silence_ms
        for socket in list(self.subscriptions.sockets):
            if socket.state["pinged_ms"] < silent_since:
                socket.cut()

    def expire_keys(self, copies: int) -> None:
        """Do nothing: a connection is private by its login, and no key expires."""

    def _login(self, socket: Socket, arg: Any) -> None:
        fields = parameters.flat(arg) if isinstance(arg, dict) else {}
        names = ("apiKey", "passphrase", "timestamp", "sign")

        def execute() -> bytes:
            account = self._security.login(*(fields.get(name, "") for name in names))
            socket.state.update(account=account, key=fields["apiKey"])
            return orjson.dumps({"event": "login", "code": 0})

        request = SocketRequest(
            call=login_call(socket),
            execute=execute,
            refuse=lambda error: _error(int(error.code), error.message),
            fault_error=self.fault_error,
            send=socket.reply,
        )
        self.world.requests.take(socket, request)

    def _subscription(self, socket: Socket, arg: Any, *, begins: bool) -> None:
        if socket.state["unified"]:
            self._unified_subscription(socket, arg, begins=begins)
            return
        channel = subscriptions.parse(arg)
        if channel is None or not (channel.private or self._market.has_symbol(channel.symbol)):
            named = ",".join(f"{name}:{value}" for name, value in arg.items()) if isinstance(arg, dict) else str(arg)
            socket.reply(_error(30001, f"{named[:200]} doesn't exist", arg))
        elif channel.private and not socket.state["account"]:
            socket.reply(_error(30004, "User not logged in", arg))
        elif channel.private is not socket.state["private"]:
            socket.reply(_error(30016, "Param error", arg))
        else:
            # The acknowledgement is sent before the first frame.
            socket.reply(orjson.dumps({"event": "subscribe" if begins else "unsubscribe", "arg": arg}))
            self._listen(socket, channel, begins=begins)

    def _unified_subscription(self, socket: Socket, arg: Any, *, begins: bool) -> None:
        topic = arg.get("topic") if isinstance(arg, dict) else None
        account = socket.state["account"]
        if not isinstance(topic, str) or topic not in TOPICS or arg.get("instType") != "UTA":
            socket.reply(_error(30001, f"topic:{str(topic)[:60]} doesn't exist", arg))
        elif not account:
            socket.reply(_error(30004, "User not logged in", arg))
        elif self.engine.account_mode(account) == "classic":
            socket.reply(_error(30016, "Param error", arg))
        else:
            event = "subscribe" if begins else "unsubscribe"
            socket.reply(orjson.dumps({"event": event, "arg": arg, "code": "", "msg": ""}))
            (self._unified.subscribe if begins else self._unified.unsubscribe)(socket, account, topic)

    def _listen(self, socket: Socket, channel: Subscription, *, begins: bool) -> None:
        if channel.private:
            act = self._private.subscribe if begins else self._private.unsubscribe
            act(socket, socket.state["account"], channel)
        elif begins:
            self._market.subscribe(socket, channel)
        else:
            self._market.unsubscribe(socket, channel)

    def _too_fast(self, socket: Socket) -> bool:
        messages: deque[int] = socket.state["messages"]
        now = self.world.monotonic_ms()
        messages.append(now)
        while messages[0] <= now - 1000:
            messages.popleft()
        return len(messages) > self.settings.server.messages_per_second

    def _envelope(self, code: str, message: str, data: Any) -> bytes:
        now = self.engine.clock.server_ms()
        return orjson.dumps({"code": code, "msg": message, "requestTime": now, "data": data})


def _error(code: int, message: str, arg: Any = None) -> bytes:
    content: dict[str, Any] = {"event": "error", "code": code, "msg": message}
    return orjson.dumps(content if arg is None else {**content, "arg": arg})
