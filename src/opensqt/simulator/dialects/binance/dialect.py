"""Binance USDT-margined futures: REST, WebSocket paths and messages, errors, faults."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import orjson

from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply, HttpReply, Params, Route, World, message_of
from opensqt.simulator.dialects.binance import errors, socket_trading, subscriptions
from opensqt.simulator.dialects.binance.account import ACCOUNT_MODES, CREDITS, CREDITS_TRADING, AccountData
from opensqt.simulator.dialects.binance.conditional import ConditionalTrading
from opensqt.simulator.dialects.binance.inputs import INPUTS
from opensqt.simulator.dialects.binance.market_streams import MarketStreams
from opensqt.simulator.dialects.binance.private_streams import ACCOUNT, ORDERS, PrivateStreams
from opensqt.simulator.dialects.binance.public import PublicData
from opensqt.simulator.dialects.binance.security import Security
from opensqt.simulator.dialects.binance.trading import Trading
from opensqt.simulator.engine.events import Event
from opensqt.simulator.engine.order import Refused, VenueClose
from opensqt.simulator.faults import ANSWERS, Fault, FaultKind
from opensqt.simulator.settings import VenueRules
from opensqt.simulator.sockets import Socket

_CATEGORIES = ("public", "market", "private")


class BinanceDialect(Dialect):
    """The venue's wire protocol, as documented by the venue."""

    name = "binance"
    venue_rules = VenueRules(amended_keeps_place=False, amended_post_only="cancel")
    closes = frozenset({VenueClose.LIQUIDATION, VenueClose.ADL, VenueClose.SETTLEMENT})
    symbol_states = (
        "TRADING",
        "PENDING_TRADING",
        "PRE_DELIVERING",
        "DELIVERING",
        "DELIVERED",
        "PRE_SETTLE",
        "SETTLING",
        "CLOSE",
    )
    account_modes = ACCOUNT_MODES
    inputs = INPUTS

    def __init__(self, world: World) -> None:
        self._security = Security(world.settings, world.engine.clock, world.keys)
        self._public = PublicData(world)
        self._account = AccountData(world)
        self._streams = MarketStreams(world)
        self._private = PrivateStreams(world)
        for account in world.settings.accounts:
            if account.account_mode == CREDITS_TRADING:
                world.engine.set_settlement_asset(account.key, CREDITS)
        super().__init__(world)
        self._sockets = socket_trading.SocketTrading(self, self._security)

    def routes(self) -> list[Route]:
        """Return every REST endpoint that is served."""
        trading, algo = Trading(self, self._security), ConditionalTrading(self.engine, self._security)
        orders = [*trading.routes(), *algo.routes()]
        return [*self._public.routes(), *self._account.routes(), *orders, *self._private.routes()]

    def admit(self, call: Call) -> None:
        """Check weight, key, timestamp and signature."""
        self._security.admit(call)

    def check(self, call: Call) -> None:
        """Refuse a parameter that is sent twice, then one that is not taken."""
        names = Counter(name for name, _ in parse_qsl(call.query, keep_blank_values=True))
        if names and names.most_common(1)[0][1] > 1:
            raise errors.sent_twice(names.most_common(1)[0][0])
        super().check(call)

    def refuse_input(self, name: str, value: str, reason: str) -> ErrorReply:
        """Return the error of what is not simulated."""
        return errors.not_simulated(name, value)

    def refuse_unknown(self, names: list[str], sent: int) -> ErrorReply | None:
        """Return the error of parameters that were not read."""
        return errors.not_all_read(sent - len(names), sent)

    def translate(self, refused: Refused) -> ErrorReply:
        """Translate a refusal of the engine to Binance's code."""
        return errors.of_reason(refused.reason)

    def fail(self, error: ErrorReply) -> HttpReply:
        """Write `{"code": ..., "msg": ...}`."""
        headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
        return HttpReply(error.status, orjson.dumps({"code": int(error.code), "msg": error.message}), headers)

    def unknown_path(self, method: str, path: str) -> ErrorReply:
        """Return the error of a path that is not served."""
        return ErrorReply(404, "-5000", f"Path {path}, Method {method} is invalid")

    def usual_error(self, fault: Fault) -> ErrorReply:
        """Return the venue's regular error for a fault of this kind."""
        if fault.kind is FaultKind.TIMEOUT_UNKNOWN:
            return errors.outcome_unknown()
        if fault.kind is FaultKind.RATE_LIMITED:
            return errors.too_many_requests(self.settings.server.weight_per_minute, fault.retry_after_s)
        if fault.kind is FaultKind.BANNED:
            until = self.engine.clock.server_ms() + fault.retry_after_s * 1000
            return errors.banned(until, fault.retry_after_s)
        if fault.kind is FaultKind.REFUSE:
            return ErrorReply(400, fault.code, message_of(fault.code, errors.BY_REASON))
        return errors.unavailable(503)

    def addresses(self, host: str) -> dict[str, dict[str, str]]:
        """Return the base URLs, REST by version, WebSocket by category."""
        rest = {"base": f"http://{host}", **{f"fapi_v{n}": f"http://{host}/fapi/v{n}" for n in (1, 2, 3)}}
        ws = {"base": f"ws://{host}", "ws": f"ws://{host}/ws", "stream": f"ws://{host}/stream"}
        ws["ws_api"] = f"ws://{host}{socket_trading.PATH}"
        return {"rest": rest | {"sapi": f"http://{host}/sapi/v1"}, "ws": ws}

    def channels_of(self, path: str, params: Params) -> list[str]:
        """Guess the channels from the path and the streams named in it."""
        if path == socket_trading.PATH:
            return [ANSWERS]
        category, _, names = _split(path, params)
        if (
            category == "private"
            or params.get("listenKey")
            or any(self._private.has_listen_key(name) for name in names)
        ):
            return [ORDERS, *ACCOUNT.split("+")]
        found = [stream.channel for name in names if (stream := subscriptions.parse(name)) is not None]
        return found or ["price"]

    def connect(self, socket: Socket, path: str, params: Params) -> None:
        """Handle a new connection and subscribe it to the streams in its path."""
        if path == socket_trading.PATH:
            self._sockets.connect(socket, params)
            return
        category, combined, names = _split(path, params)
        if combined is None:
            raise ErrorReply(404, "-5000", f"Path {path} is invalid")
        events = frozenset(filter(None, params.get("events", "").split("/")))
        socket.state.update(category=category, combined=combined, events=events, messages=deque())
        absent = next((name for name in names if subscriptions.is_absent(name)), None)
        if absent is not None:
            raise errors.not_simulated(f"stream {absent}")
        for name in names:
            self._subscribe(socket, name)

    def receive(self, socket: Socket, text: str) -> None:
        """Handle SUBSCRIBE and the like, and requests of the WebSocket API."""
        if "entry" in socket.state:
            self._sockets.receive(socket, text)
            return
        if self._too_fast(socket):
            socket.cut()
            return
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        if not isinstance(message, dict):
            socket.reply(_error(None, 3, "Invalid JSON: expected an object"))
            return
        number, names = message.get("id"), message.get("params")
        method = message.get("method")
        if method in ("SUBSCRIBE", "UNSUBSCRIBE"):
            act = self._subscribe if method == "SUBSCRIBE" else self._unsubscribe
            socket.reply(self._each(socket, act, names, number))
        elif method == "LIST_SUBSCRIPTIONS":
            socket.reply(orjson.dumps({"result": self.subscriptions.topics_of(socket), "id": number}))
        elif method == "SET_PROPERTY" and isinstance(names, list) and len(names) == 2 and names[0] == "combined":
            socket.state["combined"] = names[1] is True
            socket.reply(orjson.dumps({"result": None, "id": number}))
        elif method == "GET_PROPERTY":
            socket.reply(orjson.dumps({"result": socket.state["combined"], "id": number}))
        else:
            socket.reply(_error(number, 2, f"Invalid request: unknown variant {str(method)[:40]}"))

    def publish(self, event: Event) -> None:
        """Publish an event to the streams that it concerns."""
        self._streams.publish(event)
        self._private.publish(event)

    def tick(self, *, everything: bool = False) -> None:
        """Send everything that is due and expire keys."""
        self._streams.tick(everything=everything)
        self._private.tick()

    def expire_keys(self, copies: int) -> None:
        """Expire every listen key now."""
        self._private.expire_all(copies)

    def _subscribe(self, socket: Socket, name: str) -> None:
        if self._private.has_listen_key(name):
            self._private.subscribe(socket, name)
            return
        stream = subscriptions.parse(name)
        # A stream that a base path does not serve, and an unknown stream, is accepted without data.
        if stream is None:
            self.ignored_inputs[f"stream {name[:60]}"] += 1
        if stream is not None and socket.state["category"] in ("", stream.category):
            self._streams.subscribe(socket, stream)

    def _unsubscribe(self, socket: Socket, name: str) -> None:
        stream = subscriptions.parse(name)
        if stream is None:
            self._private.unsubscribe(socket, name)
        else:
            self._streams.unsubscribe(socket, stream)

    def _each(self, socket: Socket, act: Callable[[Socket, str], None], names: Any, number: Any) -> bytes:
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return _error(number, 2, "Invalid request: params: expected a list of stream names")
        absent = next((name for name in names if subscriptions.is_absent(name)), None)
        if absent is not None:
            return _error(number, 2, f"Invalid request: stream {absent} is not simulated")
        for name in names:
            act(socket, name)
        return orjson.dumps({"result": None, "id": number})

    def _too_fast(self, socket: Socket) -> bool:
        messages: deque[int] = socket.state["messages"]
        now = self.world.monotonic_ms()
        messages.append(now)
        while messages[0] <= now - 1000:
            messages.popleft()
        return len(messages) > self.settings.server.messages_per_second


def _split(path: str, params: Params) -> tuple[str, bool | None, list[str]]:
    """Read a WebSocket path: its category, whether frames come wrapped (None: no such path), and the names in it."""
    parts = path.strip("/").split("/")
    category = parts.pop(0) if parts[0] in _CATEGORIES else ""
    kind = parts.pop(0) if parts else ""
    if kind not in ("ws", "stream"):
        return category, None, []
    named = parts if kind == "ws" else params.get("streams", "").split("/")
    keys = params.get("listenKey", "").split("/")
    return category, kind == "stream", [name for name in (*named, *keys) if name]


def _error(number: Any, code: int, message: str) -> bytes:
    return orjson.dumps({"error": {"code": code, "msg": message}, "id": number})
